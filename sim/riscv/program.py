"""Linked programs: what of an ELF file goes where, and which function an address lies in."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import InvalidInput, MissingTool

from .machine import START

__all__ = ["Program", "read_program"]


@dataclass(frozen=True, slots=True)
class Program:
    """A program for the simulated machine.

    Attributes
    ----------
    segments
        Address and bytes of everything to load.
    symbols
        Address and name of every function and label, by address.
    """

    segments: tuple[tuple[int, bytes], ...]
    symbols: tuple[tuple[int, str], ...]

    def symbol(self, address: int) -> str:
        """The function or label at or before ``address``, such as ``main+0x12``; or nothing."""
        if not any(start <= address < start + len(data) for start, data in self.segments):
            return ""
        index = bisect_right(self.symbols, address, key=lambda symbol: symbol[0]) - 1
        if index < 0:
            return ""
        start, name = self.symbols[index]
        return f"{name}+0x{address - start:x}" if address > start else name


def read_program(path: Path) -> Program:
    """Read an ELF file.

    Raises
    ------
    InvalidInput
        It is not an executable for 32-bit RISC-V, or does not begin where the cores do.
    MissingTool
        pyelftools is not installed.
    """
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise MissingTool(
            "pyelftools is needed to run programs on simulated cores: pip install pyelftools"
        ) from error
    try:
        with Path(path).open("rb") as file:
            elf = ELFFile(file)
            kind = (elf["e_machine"], elf.elfclass, elf["e_type"])
            entry = elf["e_entry"]
            segments = tuple(
                (part["p_paddr"], part.data())
                for part in elf.iter_segments("PT_LOAD")
                if part["p_filesz"]
            )
            table = elf.get_section_by_name(".symtab")
            symbols = {} if table is None else _labels(table)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except ELFError as error:
        raise InvalidInput(f"{path} is not an ELF file: {error}") from error
    if kind != ("EM_RISCV", 32, "ET_EXEC"):
        raise InvalidInput(f"{path} must be an executable for 32-bit RISC-V, not {kind}")
    if entry != START:
        raise InvalidInput(
            f"{path} must begin at 0x{START:08x}, where the cores do, not at 0x{entry:08x}; "
            "link it with hwgen's link script"
        )
    return Program(segments, tuple(sorted(symbols.items())))


def _labels(table) -> dict[int, str]:
    """Names of functions and labels by address; a function's goes before a label's."""
    labels: dict[int, str] = {}
    for kind in ("STT_NOTYPE", "STT_FUNC"):
        for symbol in table.iter_symbols():
            name = symbol.name
            if symbol["st_info"]["type"] != kind or symbol["st_shndx"] in ("SHN_UNDEF", "SHN_ABS"):
                continue
            if name and not name.startswith(("$", ".L")):
                labels[symbol["st_value"]] = name
    return labels
