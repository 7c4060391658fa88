"""How much of an FPGA something takes: counted by a synthesizer, or estimated in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Area",
    "adder",
    "adder_tree",
    "carry_chain",
    "comparison",
    "control",
    "multiplier",
    "ram",
    "registers",
    "rom",
    "selection",
    "stages",
    "table",
]


@dataclass(frozen=True, slots=True)
class Area:
    """What a design takes of an FPGA; sums add up the parts.

    Attributes
    ----------
    lut
        Look-up tables, of the device's size; those that are memories or shift registers, and
        inverters that no table has absorbed, included.
    ff
        Flip-flops.
    carry
        Bits of the carry chains that are occupied.
    bram
        Blocks of memory, of the device's smallest size.
    dsp
        Multiplier blocks.
    """

    lut: int = 0
    ff: int = 0
    carry: int = 0
    bram: int = 0
    dsp: int = 0

    def __mul__(self, copies: int) -> Area:
        return Area(
            self.lut * copies,
            self.ff * copies,
            self.carry * copies,
            self.bram * copies,
            self.dsp * copies,
        )

    def __add__(self, other: Area) -> Area:
        return Area(
            self.lut + other.lut,
            self.ff + other.ff,
            self.carry + other.carry,
            self.bram + other.bram,
            self.dsp + other.dsp,
        )


# The constants below were fitted to what Yosys 0.70 makes of hwgen's layers for UltraScale+.
_ROM_BITS = 14  # of a table in logic, a LUT
# Yosys' costs of a memory: of a block, of a cell of eight tables, of a bit of a table in logic.
_BLOCK_COST, _CELL_COST, _BIT_COST = 129, 16, 1 / 64
_DSP_PRODUCT = 9  # bits of the narrowest product that a DSP block computes
_DSP_OPERANDS = (27, 18)


def registers(bits: int) -> Area:
    """Flip-flops."""
    return Area(ff=bits)


def stages(depth: int) -> Area:
    """The valid bits and enables of an elastic pipeline."""
    return Area(lut=depth, ff=depth)


def control(bits: int) -> Area:
    """Counters, indices and flags: a table a bit, and a little between them."""
    return Area(lut=round(1.1 * bits), ff=bits, carry=bits)


def carry_chain(bits: int) -> int:
    """Bits that a chain occupies: whole groups of four."""
    return 4 * math.ceil(bits / 4)


def adder(bits: int) -> Area:
    """A sum of two values that differ from one operation to the next, of ``bits`` each."""
    return Area(lut=bits, carry=carry_chain(bits + 1))


def adder_tree(terms: int, bits: int) -> Area:
    """A sum of many values of ``bits`` each, between two registers.

    Yosys adds up all but the last two without carry chains: the more terms, the more tables.
    """
    if terms < 2:
        return Area()
    lut = bits * (terms - 1) * (1 + 0.07 * (terms - 2))
    return Area(lut=round(lut), carry=carry_chain(bits + math.ceil(math.log2(terms))))


def comparison(bits: int) -> Area:
    """Which of two values is larger."""
    return Area(lut=round(0.7 * bits), carry=carry_chain(bits / 2))


def multiplier(a: int, b: int) -> Area:
    """A product of two values of ``a`` and ``b`` bits."""
    if a + b >= _DSP_PRODUCT and min(a, b) > 1:
        wide, narrow = max(a, b), min(a, b)
        long, short = _DSP_OPERANDS
        return Area(dsp=math.ceil(wide / long) * math.ceil(narrow / short))
    return Area(lut=round(0.36 * a * b * min(a, b)), carry=carry_chain(a + b))


def selection(choices: int, bits: int) -> Area:
    """One of several values: a table selects from four."""
    return Area(lut=bits * math.ceil((choices - 1) / 3))


def table(words: int, bits: int) -> Area:
    """A constant table in logic, read in the same cycle."""
    return Area(lut=math.ceil(words * bits / _ROM_BITS))


def rom(contents: np.ndarray) -> Area:
    """A constant memory that is read into a register.

    Parameters
    ----------
    contents
        Bits, one row a word. Bits that are the same in every word cost nothing, and bits that are
        equal in every word are stored once, unless the memory is worth a block.
    """
    words, width = contents.shape
    blocks = _blocks(words, width)
    if words * width * _BIT_COST > _BLOCK_COST * blocks:
        return Area(bram=blocks)
    columns = np.unique(contents, axis=1)
    varying = int((columns.min(axis=0) != columns.max(axis=0)).sum())
    return table(words, varying) + registers(varying)


def ram(words: int, width: int, *, ports: int = 2, registered: bool = True) -> Area:
    """A memory that is written and read.

    Parameters
    ----------
    ports
        1 where it is always read at the address that it is written at.
    registered
        It is read into a register; else it cannot be a block.
    """
    per_luts = 8  # tables of one cell
    deep = 32 if words <= 32 else 64
    cell_bits = {(32, 1): 16, (64, 1): 8, (32, 2): 14, (64, 2): 7}[deep, ports]
    banks = math.ceil(words / deep)
    if registered:
        blocks = _blocks(words, width)
        if _CELL_COST * banks * width / cell_bits > _BLOCK_COST * blocks:
            return Area(bram=blocks)
    cells = banks * math.ceil(width / cell_bits)
    area = Area(lut=per_luts * cells + (banks if banks > 1 else 0)) + selection(banks, width)
    return area + registers(width) if registered else area


def _blocks(words: int, width: int) -> int:
    """Blocks of 18 Kbit that a memory takes at least."""
    shapes = [(512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)]
    return min(math.ceil(words / w) * math.ceil(width / b) for w, b in shapes)
