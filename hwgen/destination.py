"""The place of a build: it appears there whole, or not at all."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .build import MANIFEST, Build
from .errors import HwgenError, InvalidInput

__all__ = ["appearing", "check_destination"]

_STEM = 40  # characters of the folder's name in those of its neighbours: names end at 255 bytes


def check_destination(out: Path, model: str, force: bool) -> None:
    """Raise InvalidInput unless ``out`` is free or an earlier build of the same model.

    Parameters
    ----------
    model
        Name of the model that is to go there.
    force
        Whatever lies there may be replaced, but for folders in which somebody works.
    """
    try:
        place = out.resolve()
        if place in _occupied():
            raise InvalidInput(
                f"{out}: must be a folder of its own, found the current folder, the home folder or "
                f"one above them, which a build would replace; choose a folder below it with -o"
            )
        if not place.exists() or force:
            return
        if not place.is_dir():
            raise InvalidInput(f"{out}: must be a folder, found a file; choose another with -o")
        if not any(place.iterdir()):
            return
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _not_writable(out, error) from None
    if not (place / MANIFEST).exists():
        raise InvalidInput(
            f"{out}: holds files that are no hwgen build; choose another folder, or --force"
        )
    held = Build.load(out).manifest.get("model")
    if held != model:
        raise InvalidInput(
            f"{out}: holds a build of {held!r}, not of {model!r}; choose another folder, or --force"
        )


@contextmanager
def appearing(out: Path, model: str, force: bool) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place when the block succeeds, and else vanishes.

    Where ``out`` is a link, what it leads to is replaced, and the link stays.
    """
    place = out.resolve()
    stem, unique = f".{place.name[:_STEM]}", uuid.uuid4().hex[:8]
    partial = place.with_name(f"{stem}.partial-{unique}")
    old = place.with_name(f"{stem}.old-{unique}")
    made = [p for p in place.parents if not p.exists()]  # innermost first
    try:  # all of it: a signal may strike as soon as the folder is there
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
        except OSError as error:
            raise _not_writable(out, error) from None
        yield partial
        check_destination(out, model, force)
        if place.exists():
            place.rename(old)
        partial.rename(place)
    except OSError as error:
        where = error.filename or out
        raise HwgenError(f"{where}: cannot be written: {error.strerror or error}") from error
    finally:
        if old.exists() and not place.exists():  # failed or interrupted between two renames
            old.rename(place)
        for left in (partial, old):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    left.unlink()
        if not place.exists():
            _remove_empty(made)


def _not_writable(out: Path, error: Exception) -> InvalidInput:
    reason = getattr(error, "strerror", None) or str(error)
    return InvalidInput(f"{out}: cannot be written: {reason}; choose another folder with -o")


def _occupied() -> set[Path]:
    """The current folder, the home folder, and all that hold them."""
    folders = set()
    for find in (Path.cwd, Path.home):
        with contextlib.suppress(OSError, RuntimeError):  # gone, or without a name
            folder = find().resolve()
            folders |= {folder, *folder.parents}
    return folders


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # somebody else has put something there
            folder.rmdir()
