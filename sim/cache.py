"""Compiled simulators, kept from run to run under the user's cache folder."""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: two processes may then build the same thing at once
    fcntl = None  # type: ignore[assignment]

__all__ = ["build_once", "cache_folder", "digest"]

SIZE_LIMIT = 1 << 30  # bytes in all
SAFE_AGE = 3600.0  # seconds for which nothing that was used is removed


def cache_folder(kind: str = "") -> Path:
    """The folder ``kind`` of ``$XDG_CACHE_HOME/hwgen``, or of ``~/.cache/hwgen``.

    Where it cannot be written: a folder that this process removes at its end, with a warning.
    """
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():  # says nothing, by the XDG specification
            base = Path.home() / ".cache"
    except RuntimeError as error:  # a user without a home
        return _makeshift(str(error)) / kind
    folder = base / "hwgen" / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _makeshift(f"{folder} cannot be written: {error.strerror}") / kind
    if not os.access(folder, os.W_OK | os.X_OK):
        return _makeshift(f"{folder} cannot be written: permission denied") / kind
    return folder


@functools.cache
def _makeshift(reason: str) -> Path:
    warnings.warn(
        f"no cache: {reason}; every run compiles its simulators anew (set XDG_CACHE_HOME)",
        stacklevel=3,
    )
    folder = Path(tempfile.mkdtemp(prefix="hwgen-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def digest(*parts: str | bytes | Path) -> str:
    """A name for the result of ``parts``: text, bytes, or files by their content."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.read_bytes()
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.hexdigest()[:32]


def build_once(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``kind/key`` of the cache; if it is not there, ``build(folder)`` fills it.

    A folder appears complete or not at all, also when processes race or are stopped.
    """
    home = cache_folder(kind)
    target = home / key
    with contextlib.suppress(OSError):
        os.utime(target)  # marks it as used
        return target
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home / f"{key}.lock"):
        if target.is_dir():
            return target
        work = Path(tempfile.mkdtemp(prefix=f".{key[:8]}-", dir=home))
        try:
            build(work)
            work.chmod(0o755)
            with contextlib.suppress(OSError):  # somebody without a lock was first
                os.replace(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    _prune(home)
    return target


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _prune(home: Path) -> None:
    """Remove the entries that were not used for longest, down to ``SIZE_LIMIT``."""
    entries = []
    for entry in home.iterdir():
        with contextlib.suppress(OSError):
            if entry.name.startswith("."):  # in work, or left by a process that was killed
                if time.time() - entry.stat().st_mtime > SAFE_AGE:
                    shutil.rmtree(entry, ignore_errors=True)
            elif entry.is_dir():
                size = sum(f.stat().st_size for f in entry.rglob("*") if f.is_file())
                entries.append((entry.stat().st_mtime, size, entry))
    total = sum(size for _, size, _ in entries)
    for used, size, entry in sorted(entries):
        if total <= SIZE_LIMIT or time.time() - used < SAFE_AGE:
            break
        shutil.rmtree(entry, ignore_errors=True)
        total -= size
