"""Compiles emitted C for a microcontroller, and measures it; running it needs a core."""

from __future__ import annotations

import importlib.util
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingTool, Unsupported
from .build import CBuild
from .compiler import WARNINGS, run_compiler
from .target import find_target

__all__ = ["Sizes", "compile_object", "measure"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of an object file by kind of section.

    Attributes
    ----------
    text, rodata
        Machine code and constants: flash.
    data, bss
        Variables: RAM. Emitted models have none.
    """

    text: int
    rodata: int
    data: int
    bss: int


def measure(build: CBuild, target: str = "rv32imc") -> Sizes:
    """Compile the model for ``target`` and return the sizes of its sections."""
    with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
        paths = [compile_object(build, Path(folder), target, source) for source in build.sources]
        parts = [section_sizes(path.read_bytes()) for path in paths]
    return Sizes(*(sum(getattr(p, kind) for p in parts) for kind in Sizes.__slots__))


def compile_object(build: CBuild, folder: Path, target: str, source: str) -> Path:
    """Compile one source of ``build`` into an object file in ``folder``.

    Raises
    ------
    Unsupported
        The target is this machine, which :mod:`hwgen.mcu.host` compiles for.
    MissingTool
        The cross compiler is not installed.
    """
    machine = find_target(target)
    if machine.is_host:
        raise Unsupported(f"target {target!r} needs no cross compiler; use hwgen.mcu.host")
    if importlib.util.find_spec("ziglang") is None:
        raise MissingTool(
            f"compiling for {target} needs the cross compiler that comes with "
            f"'pip install ziglang' (or 'pip install hwgen[rv32]')"
        )
    path = folder / Path(source).with_suffix(".o").name
    command = [
        *(sys.executable, "-m", "ziglang", "cc"),
        *(f"--target={machine.triple}", f"-mcpu={machine.cpu}", "-fno-sanitize=all"),
        *(*WARNINGS, "-Os", "-ffreestanding", "-c", "-o", str(path), source),
    ]
    run_compiler(command, build.folder)
    return path


def section_sizes(image: bytes) -> Sizes:
    """Sizes by section of a little-endian 32-bit ELF file (System V ABI, chapter 4)."""
    if image[:6] != b"\x7fELF\x01\x01":
        raise Unsupported("an object file must be 32-bit little-endian ELF")
    (table,) = struct.unpack_from("<I", image, 32)
    entry, count, names = struct.unpack_from("<HHH", image, 46)
    headers = [struct.unpack_from("<10I", image, table + i * entry) for i in range(count)]
    strings = headers[names][4]
    sizes = dict.fromkeys(Sizes.__slots__, 0)
    for name, _, flags, _, _, size, *_ in headers:
        if not flags & 2:  # takes no memory at run time
            continue
        start = strings + name
        section = image[start : image.index(b"\0", start)].decode().lstrip(".")
        for kind in sizes:
            if section.startswith((kind, f"s{kind}")):
                sizes[kind] += size
    return Sizes(**sizes)
