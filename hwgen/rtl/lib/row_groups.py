"""How the gate rows of a recurrent cell are numbered when they leave it group by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth import Cat, Mux

from .loops import wrapped

__all__ = ["RowGroups"]


@dataclass(frozen=True, slots=True)
class RowGroups:
    """Groups of gate rows, the rows of a unit side by side: those of whole units, or single rows.

    They are numbered from 0 on; a single row has its gate in the low bits of its number and its unit
    above. With 3 gates every fourth number is no row's.

    Attributes
    ----------
    gates, units
        Of the cell.
    rows
        Of a group: 1, or a multiple of the gates.
    """

    gates: int
    units: int
    rows: int

    @property
    def count(self) -> int:
        return self.gates * self.units // self.rows

    @property
    def gate_bits(self) -> int:
        """Low bits of a single row's number."""
        return (self.gates - 1).bit_length()

    @property
    def last(self) -> int:
        """The largest number."""
        if self._gaps:
            return ((self.units - 1) << self.gate_bits) + self.gates - 1
        return self.count - 1

    @property
    def first_rows(self) -> np.ndarray:
        """By number: the first row of the group. Numbers of no row repeat the one before."""
        numbers = np.arange(self.last + 1)
        if not self._gaps:
            return numbers * self.rows
        gate = numbers & ((1 << self.gate_bits) - 1)
        return (numbers >> self.gate_bits) * self.gates + np.minimum(gate, self.gates - 1)

    @property
    def _gaps(self) -> bool:
        return self.rows == 1 and self.gates != 1 << self.gate_bits

    def next(self, number):
        """The number behind ``number``, 0 behind the last one."""
        if not self._gaps:
            return wrapped(number, self.count)
        skips = number[: self.gate_bits] == self.gates - 1
        gap = (1 << self.gate_bits) - self.gates
        return Mux(number == self.last, 0, number + 1 + Mux(skips, gap, 0))

    def index(self, number):
        """How many groups are in front of it."""
        if not self._gaps:
            return number
        gap = (1 << self.gate_bits) - self.gates
        return (number - number[self.gate_bits :] * gap)[: (self.count - 1).bit_length()]

    def places(self, groups: int) -> int:
        """Numbers of a word of ``groups`` groups: those of whole units, or a single one."""
        return len(self._rows_of(groups)) if self._gaps else groups

    def placed(self, word, groups: int, bits: int):
        """A word of so many groups of ``bits`` bits, at the places of their numbers."""
        if not self._gaps:
            return word
        return Cat(word[row * bits : (row + 1) * bits] for row in self._rows_of(groups))

    def _rows_of(self, groups: int) -> list[int]:
        """By number: the row of a word."""
        return self.first_rows[self.first_rows < groups].tolist()
