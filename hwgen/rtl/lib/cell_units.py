"""The end of a step of a recurrent cell: from the gates of a unit to its new c and h."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...ops.lib.gates import FRACTION, WIDTH
from ...ops.lib.recurrent import STATE_BITS
from . import area
from .area import Area
from .gate_rows import GateKind, gates_of_units
from .loops import wrapped
from .rom import read_write

__all__ = ["CELL_STAGES", "CellUnits", "positive"]

CELL_STAGES = 4  # registers between gates and h


def positive(gate):
    """A sigmoid, 0..256."""
    return gate.as_unsigned()[: FRACTION + 1]


class CellUnits(wiring.Component):
    """Keeps c; some units a clock, in the same order in every step.

    Subclasses say what the gates of a unit are and when c is read, compute a unit and estimate what
    it takes.

    Parameters
    ----------
    units
        Of the cell.
    lanes
        Units at once; they divide the units.
    activation
        ``plan`` or ``table``.
    threshold
        Least magnitude of h that is kept.

    Attributes
    ----------
    kinds
        Of the gates of a unit.
    reads
        Registers between gates and the old c.
    gates, recurrent_z, input_z
        Of the units, see :func:`~hwgen.rtl.lib.gate_rows.gates_of_units`.
    unit_valid, enable
        Whether they are there, and whether all registers move on.
    fresh
        1 while c is still 0: in the first step of a sequence.
    new_h
        The units' new h, ``CELL_STAGES`` cycles later.
    """

    kinds: ClassVar[tuple[GateKind, ...]]
    reads: ClassVar[int]

    _MustUse__silence = True  # some are made for their area alone

    def __init__(self, units: int, lanes: int, activation: str, threshold: int) -> None:
        self._turns, self._lanes = units // lanes, lanes
        self._activation, self._threshold = activation, threshold
        gates = gates_of_units(self.kinds, lanes)
        super().__init__(
            {
                **{name: In(layout) for name, layout in gates.items()},
                "unit_valid": In(1),
                "enable": In(1),
                "fresh": In(1),
                "new_h": Out(data.ArrayLayout(signed(STATE_BITS), lanes)),
            }
        )

    def area(self) -> Area:
        """c, and the units."""
        lane = self.lane_area()
        lane += Area(lut=STATE_BITS + 2) + area.comparison(STATE_BITS) * (self._threshold > 1)
        if self._turns == 1:
            lane += area.registers(WIDTH)
        total = lane * self._lanes + Area(lut=WIDTH * self._lanes, ff=1 + self.reads)
        if self._turns > 1:
            total += area.ram(self._turns, WIDTH * self._lanes, registered=False)
            total += area.control(2 * (self._turns - 1).bit_length())
        return total

    def lane_area(self) -> Area:
        """What the arithmetic of a unit takes, up to the rounding of h."""
        raise NotImplementedError(f"{type(self).__name__} must define lane_area()")

    def unit(self, m: Module, k: int, c, kept) -> Signal:
        """Compute lane ``k``.

        Parameters
        ----------
        c
            Old c, ``reads`` cycles behind the gates.
        kept
            Set to the new c, a cycle later.

        Returns
        -------
        The new h before it is saturated, ``CELL_STAGES`` cycles behind the gates.
        """
        raise NotImplementedError(f"{type(self).__name__} must define unit()")

    def register(self, m: Module, value, name: str) -> Signal:
        """``value`` a step of the pipeline later."""
        held = Signal(value.shape(), name=name, reset_less=True)
        with m.If(self.enable):
            m.d.sync += held.eq(value)
        return held

    def elaborate(self, platform):
        m = Module()
        read, written = self._flags(m)
        kept = [Signal(signed(WIDTH), name=f"new_c{k}") for k in range(self._lanes)]
        old = self._cells(m, Cat(kept), read & self.enable, written & self.enable)
        for k in range(self._lanes):
            c = Signal(signed(WIDTH), name=f"old_c{k}")
            m.d.comb += c.eq(Mux(self.fresh, 0, old.word_select(k, WIDTH).as_signed()))
            h = self.unit(m, k, c, kept[k])
            small = 0
            if self._threshold > 1:
                small = (h < self._threshold) & (h > -self._threshold)
            m.d.comb += self.new_h[k].eq(Mux(small, 0, h) if self._threshold > 1 else h)
        return m

    def _flags(self, m: Module):
        """1 where c of a unit is read, and a clock later."""
        flags = [self.unit_valid]
        for k in range(self.reads + 1):
            flags.append(Signal(name=f"valid_q{k}" if self.reads else "valid_q"))
        with m.If(self.enable):
            m.d.sync += [after.eq(now) for now, after in pairwise(flags)]
        return flags[-2:]

    def _cells(self, m: Module, kept, read, write):
        """c of the units at hand; what is kept goes to where it was read the cycle before."""
        if self._turns == 1:
            held = Signal(len(kept), name="c", reset_less=True)
            with m.If(write):
                m.d.sync += held.eq(kept)
            return held
        write_port, read_port = read_write(m, "c", len(kept), self._turns, "comb")
        turn = Signal(range(self._turns))
        turn_q = Signal.like(turn, reset_less=True)
        with m.If(read):
            m.d.sync += turn.eq(wrapped(turn, self._turns))
        with m.If(self.enable):
            m.d.sync += turn_q.eq(turn)
        m.d.comb += [
            read_port.addr.eq(turn),
            write_port.addr.eq(turn_q),
            write_port.data.eq(kept),
            write_port.en.eq(write),
        ]
        return read_port.data
