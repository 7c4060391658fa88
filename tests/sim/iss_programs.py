"""The programs of `iss_cases.S`, assembled once, and how to run one of them."""

from __future__ import annotations

import functools
import importlib.util
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hwgen.sim.riscv import CoreRun, Machine, Program, read_program, run_program

__all__ = ["CASE_BYTES", "cases", "run_case", "symbol_address"]

CASE_BYTES = 64  # of a sample
_LINK = "ENTRY(_start)\nSECTIONS { .text 0x1C000080 : { *(.text.start) } }\n"
_ASSEMBLE = ("cc", "--target=riscv32-freestanding-none", "-mcpu=generic_rv32+m+c+zicsr+zifencei",
             "-fno-sanitize=all", "-nostdlib")  # fmt: skip


@functools.cache
def cases() -> Program:
    """All programs in one; skips the test where there is no assembler."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed (pip install ziglang)")
    source = Path(__file__).parent / "iss_cases.S"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "link.ld").write_text(_LINK)
        command = [sys.executable, "-m", "ziglang", *_ASSEMBLE, "-T", "link.ld", "-o", "cases.elf"]
        subprocess.run([*command, str(source)], cwd=folder, check=True)
        return read_program(folder / "cases.elf")


def symbol_address(name: str) -> int:
    """Where a label of the programs is."""
    return next(address for address, symbol in cases().symbols if symbol == name)


def run_case(name: str, machine: Machine, engine: str = "iss", samples=(), **options) -> CoreRun:
    """Run the program ``case_<name>``; ``samples`` follow the one that selects it."""
    options = {"output_bytes": CASE_BYTES, "limit": 100_000, **options}
    blocks = [struct.pack("<I", symbol_address(f"case_{name}")), *samples]
    data = b"".join(block.ljust(CASE_BYTES, b"\0") for block in blocks)
    return run_program(
        cases(), machine, engine, data, len(blocks), input_bytes=CASE_BYTES, **options
    )
