"""What C is emitted for. A target is data; kernels and the planner ask it, nothing compares names."""

from __future__ import annotations

import functools
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import InvalidInput, Unsupported
from .target_file import PORTS, bundled_targets, read_bundled, read_settings, write_settings

__all__ = ["Dma", "Target", "describe_targets", "find_target", "load_target", "save_target"]

MIN_L1 = 1 << 10
MIN_L2 = 1 << 12
# The engines that simulate a core, and the instruction set extension that each understands;
# the instruction-set simulator understands all of them.
ENGINE_ISA = {"iss": None, "cv32e40p": "xcv", "cv32e41p": "xpulpv2"}


# Keys of a target file, and the attributes of a target that they set.
_ATTRIBUTES = {
    "summary": "summary",
    "isa": "isa",
    "sdk_isa": "sdk_isa",
    "cores": "cores",
    "port": "port",
    "memory.l1": "l1",
    "memory.l2": "l2",
    "memory.l3": "l3",
    "memory.stack": "stack",
    "memory.l1_reserve": "l1_reserve",
    "memory.reserve": "reserve",
    "memory.l2_wait": "l2_wait",
    "compiler.triple": "triple",
    "compiler.cpu": "cpu",
    "compiler.command": "command",
    "compiler.flags": "flags",
    "startup.crt0": "crt0",
    "startup.link": "link",
    "startup.port": "port_header",
    "startup.sources": "sources",
}


@dataclass(frozen=True, slots=True)
class Dma:
    """Speed of the engines that copy between memories: one for L1, one for external memory.

    Attributes
    ----------
    bytes, setup
        Between L1 and L2: bytes a cycle, and cycles that a transfer takes beyond that.
    l3_bytes, l3_setup
        The same where one side is external memory.
    """

    bytes: int = 8
    setup: int = 16
    l3_bytes: int = 1
    l3_setup: int = 100

    def cycles(self, size: int, external: bool = False) -> int:
        """Cycles of one transfer of ``size`` bytes."""
        rate, setup = (self.l3_bytes, self.l3_setup) if external else (self.bytes, self.setup)
        return setup + -(-size // rate)


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that runs emitted C.

    Attributes
    ----------
    name
        What ``--target`` and messages say.
    summary
        One line for people.
    triple, cpu
        What the cross compiler needs, in Zig's spelling; empty for the machine that hwgen runs
        on.
    isa
        Arm of the intrinsics that its code is compiled with: ``plain``, ``xpulpv2`` or ``xcv``.
    sdk_isa
        Arm that the vendor's own compiler takes instead, such as ``greenwaves``; or empty.
    cores
        Most cores of a team.
    l1, l2, l3
        Bytes of the cores' own memory, of the memory with code and constants, and of external
        memory; 0 for none, and for an ``l2`` without a stated limit.
    stack
        Bytes of a core's stack; in L1 if there is one, else in L2.
    l1_reserve, reserve
        Bytes of L1 and of L2 that are not the model's: code and the platform's runtime.
    l2_wait
        Cycles that a core waits longer for an access to L2 than for one to L1.
    dma
        The engine between the memories; None without L1.
    port
        How the platform gives cores, barriers and transfers: ``host``, ``bare`` or ``pmsis``.
    command, flags
        A compiler of the user's own in place of the one that is found, and further options.
    crt0, link, port_header, sources
        Files of the user's own platform that replace the bundled ones; None or empty without.
    """

    name: str
    summary: str
    triple: str = ""
    cpu: str = ""
    isa: str = "plain"
    sdk_isa: str = ""
    cores: int = 1
    l1: int = 0
    l2: int = 0
    l3: int = 0
    stack: int = 4112
    l1_reserve: int = 0
    reserve: int = 0
    l2_wait: int = 0
    dma: Dma | None = None
    port: str = "host"
    command: str = ""
    flags: tuple[str, ...] = ()
    crt0: Path | None = None
    link: Path | None = None
    port_header: Path | None = None
    sources: tuple[Path, ...] = ()

    @property
    def is_host(self) -> bool:
        """Whether the machine that hwgen runs on is meant."""
        return self.port == "host"

    @property
    def is_team(self) -> bool:
        """Whether models are written for a team of cores, though it may be one of one core."""
        return self.cores > 1 or self.l1 > 0

    @property
    def is_tiled(self) -> bool:
        """Whether layers work on tiles in L1, which a DMA engine fills and empties."""
        return self.l1 > 0

    @property
    def l1_usable(self) -> int:
        """Bytes of L1 for tiles: all but the stacks and the reserve."""
        return self.l1 - self.cores * self.stack - self.l1_reserve if self.l1 else 0

    @property
    def l2_usable(self) -> int:
        """Bytes of L2 for constants and activations; 0 without a stated limit."""
        stacks = 0 if self.l1 else self.cores * self.stack
        return self.l2 - self.reserve - stacks if self.l2 else 0

    @property
    def features(self) -> tuple[str, ...]:
        """Extensions of the base instruction set, such as ``("m", "c", "zicsr")``."""
        return tuple(re.findall(r"\+([a-z0-9_]+)", self.cpu))

    @property
    def simulators(self) -> tuple[str, ...]:
        """Engines that run its code; none runs the code of the machine that hwgen runs on.

        CV32E41P's ``c.jal`` is broken, so that it takes no compressed code.
        """
        if self.is_host:
            return ()
        return tuple(
            engine
            for engine, isa in ENGINE_ISA.items()
            if (isa is None or self.isa in ("plain", isa))
            and not (engine == "cv32e41p" and "c" in self.features)
        )


def find_target(name: str | os.PathLike[str]) -> Target:
    """The target called ``name``, or that of a user's own file.

    Parameters
    ----------
    name
        A bundled target, or the path of a TOML file: anything that ends in ``.toml`` or holds a
        path separator.

    Raises
    ------
    Unsupported
        There is no such bundled target.
    InvalidInput
        The file is missing, or what it says is wrong; the message says where and what is allowed.
    """
    if not isinstance(name, str | os.PathLike):
        raise InvalidInput(
            f"a target must be a name or the path of a file, found {type(name).__name__}"
        )
    name = os.fspath(name)
    separators = [os.sep, *([os.altsep] if os.altsep else [])]
    if name.endswith(".toml") or any(s in name for s in separators):
        path = Path(name)
        return _target(path.name.removesuffix(".toml"), read_settings(path), str(path))
    if name not in bundled_targets():
        raise Unsupported(
            f"C target must be one of {', '.join(bundled_targets())}, or the path of a .toml file, "
            f"not {name!r}"
        )
    return _bundled(name)


@functools.cache
def _bundled(name: str) -> Target:
    return _target(name, read_bundled(name), f"{name}.toml")


def _target(name: str, settings: dict[str, object], where: str) -> Target:
    """A target of settings that are right each by itself; checks them against each other."""

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InvalidInput(
            f"{where}: a target file's name must be letters, digits, '_', '-' and '.', not {name!r}"
        )
    for key in ("isa", "cores", "port"):
        if key not in settings:
            raise InvalidInput(
                f"{where}: {key} is missing; set it, or begin from a bundled target with "
                f'extends = "gap8"'
            )
    values = {a: _frozen(settings[k]) for k, a in _ATTRIBUTES.items() if k in settings}
    values.setdefault("summary", "a platform of the user's own")
    values.setdefault("stack", 1040 if values.get("l1") else 4112)
    speeds = {k.removeprefix("dma."): v for k, v in settings.items() if k.startswith("dma.")}
    target = Target(name=name, dma=Dma(**speeds) if speeds else None, **values)
    if wrong := _contradiction(target):
        raise InvalidInput(f"{where}: {wrong}")
    return target


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def save_target(target: Target, folder: Path) -> Path | None:
    """Write a user's target into ``folder``, where :func:`load_target` finds it.

    Its files of ``[startup]`` come to ``ports/<name>/``, the header as ``hwgen_port.h``.

    Returns
    -------
    The target file; None for a bundled target, whose name is enough.

    Raises
    ------
    InvalidInput
        Two of its files would have the same name there.
    """
    if target.name in bundled_targets() and target == _bundled(target.name):
        return None
    place = f"ports/{target.name}"
    files: dict[str, Path] = {}

    def keep(path: Path, name: str) -> str:
        if files.setdefault(name, path) != path:
            raise InvalidInput(
                f"target {target.name}: files of [startup] must have different names, "
                f"not {files[name]} and {path}"
            )
        return f"{place}/{name}"

    settings = {}
    for key, attribute in _ATTRIBUTES.items():
        value = getattr(target, attribute)
        if not value:
            continue
        if key == "startup.port":
            value = keep(value, "hwgen_port.h")
        elif key.startswith("startup.") and isinstance(value, Path):
            value = keep(value, value.name)
        elif key == "startup.sources":
            value = [keep(path, path.name) for path in value]
        settings[key] = list(value) if isinstance(value, tuple) else value
    if target.dma:
        settings |= {f"dma.{key}": value for key, value in asdict(target.dma).items()}
    for name, path in files.items():
        copy = folder / place / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.resolve() != copy.resolve():
            shutil.copyfile(path, copy)
    file = folder / f"{target.name}.toml"
    file.write_text(write_settings(settings), encoding="utf-8", newline="\n")
    return file


def load_target(name: str, folder: Path) -> Target:
    """The target called ``name`` of a build folder: the file saved there, else the bundled one."""
    file = folder / f"{name}.toml"
    return find_target(str(file.absolute()) if file.is_file() else name)


def _contradiction(t: Target) -> str | None:
    """What is wrong with settings that are right each by itself."""
    if t.is_host:
        if t.isa != "plain" or t.sdk_isa:
            return f"isa must be 'plain' with port 'host', not {t.sdk_isa or t.isa!r}"
        if t.triple or t.command:
            return "compiler must be left out with port 'host': the host's own is used"
    elif not t.cpu or not (t.triple or t.command):
        return 'compiler needs cpu, and triple or command; extends = "rv32imc" brings them'
    if not t.is_host and not t.l2:
        return f"memory.l2 is missing; port {t.port!r} needs the size of the memory with the code"
    if t.l1 and t.l2 and t.l1 > t.l2:
        return f"memory.l1 must not exceed memory.l2, {t.l2} bytes, not {t.l1}"
    if t.l1 and t.dma is None:
        return "memory.l1 needs a [dma] table: a DMA engine fills it"
    if t.dma and not t.l1:
        return "[dma] needs memory.l1: a target without L1 has nothing to fill"
    if t.l3 and not t.l1:
        return "memory.l3 needs memory.l1 and [dma]: a DMA engine reads it"
    if t.l1 and t.l1_usable < MIN_L1:
        return (
            f"memory.l1 must leave {MIN_L1} bytes beside the stacks, not {t.l1_usable}: "
            f"{t.l1} bytes less {t.cores} stacks of {t.stack} and {t.l1_reserve} in reserve"
        )
    if t.l2 and t.l2_usable < MIN_L2:
        stacks = "" if t.l1 else f" and {t.cores} stacks of {t.stack}"
        return (
            f"memory.l2 must leave {MIN_L2} bytes for the model, not {t.l2_usable}: "
            f"{t.l2} bytes less {t.reserve} in reserve{stacks}"
        )
    if t.name in PORTS and (t.crt0 or t.link or t.port_header or t.sources):
        return f"a target with [startup] must not be called {t.name!r}, which is hwgen's own port"
    if t.sdk_isa and t.isa != "xpulpv2":
        return f"sdk_isa {t.sdk_isa!r} needs isa 'xpulpv2', whose instructions it is, not {t.isa!r}"
    return None


def describe_targets() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The bundled targets as a table.

    Returns
    -------
    Titles of the columns, and one row a target.
    """
    titles = ("target", "isa", "cores", "L1", "L2", "L3", "runs on", "summary")
    targets = [find_target(name) for name in bundled_targets()]
    return titles, [
        (
            t.name,
            t.isa,
            str(t.cores),
            _size(t.l1),
            _size(t.l2),
            _size(t.l3),
            ", ".join(t.simulators) or "host",
            t.summary,
        )
        for t in targets
    ]


def _size(count: int) -> str:
    """Bytes as people say them; nothing for none."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} B" if count else ""
