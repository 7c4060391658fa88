"""What an object file or a program holds: bytes by section and by function."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import InvalidInput, MissingTool

__all__ = ["Sizes", "addresses", "function_sizes", "is_compressed", "section_sizes"]

COMPRESSED = 1  # EF_RISCV_RVC of the RISC-V ELF psABI


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


def section_sizes(image: bytes) -> Sizes:
    """Sizes by section of a little-endian 32-bit ELF file."""
    sizes = dict.fromkeys(Sizes.__slots__, 0)
    for section in _open(image).iter_sections():
        if not section["sh_flags"] & 2:  # takes no memory at run time
            continue
        name = section.name.lstrip(".")
        for kind in sizes:
            if name.startswith((kind, f"s{kind}")):
                sizes[kind] += section["sh_size"]
    return Sizes(**sizes)


def function_sizes(image: bytes) -> dict[str, int]:
    """Bytes of machine code of every function, by name; equal names are added up."""
    sizes: dict[str, int] = {}
    for symbol in _symbols(image):
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]:
            sizes[symbol.name] = sizes.get(symbol.name, 0) + symbol["st_size"]
    return sizes


def addresses(image: bytes) -> dict[str, int]:
    """Addresses of a program's symbols by name."""
    return {symbol.name: symbol["st_value"] for symbol in _symbols(image)}


def is_compressed(image: bytes) -> bool:
    """Whether any of the code may be compressed instructions."""
    return bool(_open(image)["e_flags"] & COMPRESSED)


def _symbols(image: bytes) -> Iterator:
    table = _open(image).get_section_by_name(".symtab")
    return iter(()) if table is None else table.iter_symbols()


def _open(image: bytes):
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ModuleNotFoundError:
        raise MissingTool(
            "reading programs needs pyelftools: 'pip install pyelftools' "
            "(or 'pip install hwgen[rv32]')"
        ) from None
    try:
        file = ELFFile(io.BytesIO(image))
    except ELFError as error:
        raise InvalidInput(f"an object file must be ELF: {error}") from None
    if file.elfclass != 32 or not file.little_endian:
        raise InvalidInput(
            f"an object file must be 32-bit little-endian ELF, not {file.elfclass}-bit "
            f"{'little' if file.little_endian else 'big'}-endian"
        )
    return file
