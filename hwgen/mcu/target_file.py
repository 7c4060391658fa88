"""Reads target files: TOML in, checked settings out; :mod:`hwgen.mcu.target` gives them meaning."""

from __future__ import annotations

import difflib
import json
import re
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import InvalidInput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PORTS", "bundled_targets", "read_bundled", "read_settings", "write_settings"]

PORTS = ("host", "bare", "pmsis")
MIB = 1 << 20
KIB = 1 << 10


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``lo`` to ``hi``, a multiple of ``step``; 0 too if ``none`` says so."""

    lo: int
    hi: int
    step: int = 1
    none: bool = False

    def accepts(self, value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        if self.none and value == 0:
            return True
        return self.lo <= value <= self.hi and value % self.step == 0

    def __str__(self) -> str:
        kind = "a whole number" if self.step == 1 else f"a multiple of {self.step}"
        return f"{kind} from {self.lo} to {self.hi}{', or 0 for none' * self.none}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several words."""

    words: tuple[str, ...]

    def accepts(self, value: object) -> bool:
        return value in self.words

    def __str__(self) -> str:
        return " or ".join(map(repr, self.words)) if self.words else "left out"


@dataclass(frozen=True, slots=True)
class Text:
    """Text that matches ``pattern`` whole; ``what`` says so to people."""

    pattern: str = r"[^\x00-\x1f\x7f]+"
    what: str = "text of one line"

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Texts:
    """An array of such texts."""

    of: Text

    def accepts(self, value: object) -> bool:
        return isinstance(value, list) and all(map(self.of.accepts, value))

    def __str__(self) -> str:
        return f"an array, each {self.of}"


_FILE = Text(r"[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f/\\]", "the path of a file, relative to this one")
# Every key of a target file; docs/targets.md explains them.
KEYS: dict[str, Whole | OneOf | Text | Texts] = {
    "summary": Text(),
    "extends": Text(),
    "isa": OneOf(("plain", "xpulpv2", "xcv")),
    "sdk_isa": OneOf(("greenwaves",)),
    "cores": Whole(1, 16),
    "port": OneOf(PORTS),
    "memory.l1": Whole(KIB, 16 * MIB, 4, none=True),
    "memory.l2": Whole(4 * KIB, 1024 * MIB, 4, none=True),
    "memory.l3": Whole(KIB, 1024 * MIB, 4, none=True),
    "memory.stack": Whole(256, MIB, 16),
    "memory.l1_reserve": Whole(0, 16 * MIB, 4),
    "memory.reserve": Whole(0, 1024 * MIB, 4),
    "memory.l2_wait": Whole(0, 1000),
    "dma.bytes": Whole(1, 64),
    "dma.setup": Whole(0, 100_000),
    "dma.l3_bytes": Whole(1, 64),
    "dma.l3_setup": Whole(0, 100_000),
    "compiler.triple": Text(r"riscv32(-[a-z0-9_]+)+", "a target of clang's that begins 'riscv32-'"),
    "compiler.cpu": Text(
        r"[a-z0-9_]+([+-][a-z0-9_]+)*",
        "a core and features in Zig's spelling, generic_rv32+m+zicsr",
    ),
    "compiler.command": Text(),
    "compiler.flags": Texts(Text(r"-[^\x00-\x1f\x7f]+", "an option that begins with '-'")),
    "startup.crt0": _FILE,
    "startup.link": _FILE,
    "startup.port": _FILE,
    "startup.sources": Texts(_FILE),
}
TABLES = frozenset(key.split(".")[0] for key in KEYS if "." in key)


def bundled_targets() -> tuple[str, ...]:
    """Names of the targets that come with hwgen."""
    folder = resources.files("hwgen.kernels").joinpath("targets")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[: -len(".toml")] for name in names if name.endswith(".toml")))


def read_bundled(name: str) -> dict[str, object]:
    """The settings of a target that comes with hwgen, by dotted key."""
    file = resources.files("hwgen.kernels").joinpath(f"targets/{name}.toml")
    return _flatten(tomllib.loads(file.read_text(encoding="utf-8")), f"{name}.toml")


def read_settings(path: Path) -> dict[str, object]:
    """The settings of a user's target file, by dotted key.

    What ``extends`` names comes first and is overridden key by key; files of ``startup`` are
    returned as paths that exist. Another ``isa`` drops an inherited ``sdk_isa``, and ``l1 = 0``
    the DMA engine and external memory.

    Raises
    ------
    InvalidInput
        The file cannot be read, is not TOML, holds an unknown key or a value that is not
        allowed, or names a file that does not exist; the message says which.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such target file") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: a target file must be TOML in UTF-8") from None
    try:
        own = _flatten(tomllib.loads(text), str(path))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path}: not TOML: {error}") from None
    settings = {}
    if "extends" in own:
        base = own.pop("extends")
        if base not in bundled_targets():
            raise InvalidInput(
                f"{path}: extends must be one of {', '.join(bundled_targets())}, not {base!r}"
            )
        settings = _without_overridden(read_bundled(str(base)), own)
    for key, value in own.items():
        if key.startswith("startup."):
            several = isinstance(value, list)
            files = [_existing(path, key, name) for name in (value if several else [value])]
            own[key] = files if several else files[0]
    return settings | own


def _without_overridden(base: dict[str, object], own: dict[str, object]) -> dict[str, object]:
    """What is left of ``base`` beside settings that replace more than their own key."""
    gone = set()
    if own.get("memory.l1") == 0:  # then there is nothing to copy to
        gone = {key for key in base if key.startswith("dma.")} | {"memory.l3"}
    if "isa" in own:
        gone.add("sdk_isa")
    return {key: value for key, value in base.items() if key not in gone}


def _existing(path: Path, key: str, name: str) -> Path:
    file = path.parent / name
    if not file.is_file():
        raise InvalidInput(f"{path}: {key} names {name!r}, which is not a file in {path.parent}")
    return file


def _flatten(data: dict[str, object], where: str) -> dict[str, object]:
    """Dotted keys and their values, each checked by itself."""
    flat = {}
    for key, value in data.items():
        if key in TABLES:
            if not isinstance(value, dict):
                raise InvalidInput(f"{where}: {key} must be a table, [{key}], not {value!r}")
            flat |= {f"{key}.{inner}": content for inner, content in value.items()}
        else:
            flat[key] = value
    for key, value in flat.items():
        if key not in KEYS:
            raise InvalidInput(f"{where}: unknown key {key!r}; {_suggestion(key)}")
        if not KEYS[key].accepts(value):
            raise InvalidInput(f"{where}: {key} must be {KEYS[key]}, not {value!r}")
    return flat


def write_settings(settings: dict[str, object]) -> str:
    """A target file with these settings, by dotted key; :func:`read_settings` reads it."""
    tables: dict[str, list[str]] = {"": []}
    for key in KEYS:
        if key in settings:
            table, _, name = key.rpartition(".")
            tables.setdefault(table, []).append(f"{name} = {_value(settings[key])}\n")
    top = "".join(tables.pop(""))
    return top + "".join(f"\n[{name}]\n{''.join(lines)}" for name, lines in tables.items())


def _value(value: object) -> str:
    # A JSON string without control characters is a TOML string.
    return json.dumps(value, ensure_ascii=False)


def _suggestion(key: str) -> str:
    tables = (key.rpartition(".")[0] for key in KEYS)
    near = difflib.get_close_matches(key, (*KEYS, *filter(None, tables)), 1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KEYS)}"
