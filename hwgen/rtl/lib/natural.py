"""Values of an adder graph as hardware carries them: natural numbers, ``value + offset``.

A signed adder spends a look-up table on every bit up to its sign, wherever its operands end. In
offset binary there are no signs: ``a - b`` is ``a + ~b`` with another offset, bits of one operand
above or below the other one pass through, and all offsets of a row end up in the constant that is
added to it anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.types import Int

__all__ = ["Cell", "Natural", "Operand", "Slice", "cell", "cost", "input_natural", "sum_natural"]


@dataclass(frozen=True, slots=True)
class Natural:
    """A value carried as ``value + offset``, which lies in ``[lo, hi]`` with ``lo >= 0``.

    ``start`` is the bit at which the carry chain begins that makes it, None where there is none.
    """

    offset: int
    lo: int
    hi: int
    start: int | None = None

    @property
    def width(self) -> int:
        return max(1, self.hi.bit_length())

    @property
    def inverted(self) -> Natural:
        """How the negated value is carried: all bits inverted."""
        ones = (1 << self.width) - 1
        return Natural(ones - self.offset, ones - self.hi, ones - self.lo)


@dataclass(frozen=True, slots=True)
class Operand:
    """Operand of an adder: value number, how it is carried, and its shift."""

    value: int
    natural: Natural
    shift: int

    @property
    def top(self) -> int:
        """One above the highest bit."""
        return self.natural.width + self.shift


@dataclass(frozen=True, slots=True)
class Slice:
    """Bits ``low`` to ``high - 1`` of a value, all inverted or none."""

    value: int
    low: int
    high: int
    invert: bool

    @property
    def width(self) -> int:
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Cell:
    """An adder in hardware.

    Attributes
    ----------
    chain
        Bits of the carry chain ``left + right + carry``; 0: no chain, ``left`` stands above ``low``.
    left, right
        Operands of the chain; only ``right`` may be inverted, and ``left`` where it stands alone.
    carry
        1 is added at the bottom of the chain.
    zeros
        Zero bits between ``low`` and what is above it.
    low
        Bits that pass through below the chain, or None.
    """

    chain: int
    left: Slice
    right: Slice | None
    carry: bool
    zeros: int
    low: Slice | None


def input_natural(lo: int, hi: int) -> Natural:
    """An input of the interval ``[lo, hi]``: its own bits, a sign bit inverted (or cut off)."""
    element = Int.fit(lo, hi)
    return Natural(-element.lo, lo - element.lo, hi - element.lo)


def overlap(left: Operand, right: Operand) -> int:
    """Bit positions that both operands have."""
    return max(0, min(left.top, right.top) - max(left.shift, right.shift))


def sum_natural(
    left: Operand, right: Operand, subtract: bool, carry: bool, interval: tuple[int, int]
) -> Natural:
    """How ``(left << shift) +- (right << shift)``, of the given interval, is carried.

    ``carry`` as in :class:`Cell`.
    """
    a, b = left.natural, right.natural.inverted if subtract else right.natural
    start = max(left.shift, right.shift)
    chained = overlap(left, right) > 0
    offset = (a.offset << left.shift) + (b.offset << right.shift)
    offset += (carry and chained) << start
    return Natural(offset, interval[0] + offset, interval[1] + offset, start if chained else None)


def cost(left: Operand, right: Operand, subtract: bool) -> int:
    """Look-up tables of an adder: one for every bit that both operands have or that is inverted."""
    return right.natural.width if subtract else overlap(left, right)


def cell(left: Operand, right: Operand, subtract: bool, carry: bool, width: int) -> Cell:
    """The hardware of an adder with a sum of ``width`` bits; one of the shifts is 0."""
    start = max(left.shift, right.shift)
    high = width - start
    upper, lower = (left, right) if left.shift == start else (right, left)

    def part(operand: Operand, low: int, width: int) -> Slice:
        end = min(operand.natural.width, low + width)
        return Slice(operand.value, low, end, subtract and operand is right)

    if not overlap(left, right):
        below = lower.natural.width
        return Cell(0, part(upper, 0, high), None, False, start - below, part(lower, 0, below))
    chain = [part(o, 0 if o is upper else start, high) for o in (left, right)]
    return Cell(high, *chain, carry, 0, part(lower, 0, start) if start else None)
