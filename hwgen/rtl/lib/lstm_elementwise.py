"""The end of an LSTM step: from the gates of a unit to its new c and h."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...ops.lib.gates import FRACTION, WIDTH
from ...ops.lib.recurrent import STATE_BITS
from . import area
from .area import Area
from .gates import GATE_BITS, gate_area, narrowed, tanh
from .loops import wrapped
from .rom import read_write

__all__ = ["CELL_STAGES", "LstmElementwise"]

CELL_STAGES = 4  # registers between gates and h: products, c, tanh, product
_H_SHIFT = 2 * FRACTION - (STATE_BITS - 1)


class LstmElementwise(wiring.Component):
    """Keeps c; some units a clock, in the same order in every step.

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
    gates
        Of the units: input, forget, cell and output gate of the first one, and so on.
    unit_valid, enable
        Whether they are there, and whether all registers move on.
    fresh
        1 while c is still 0: in the first step of a sequence.
    new_h
        The units' new h, ``CELL_STAGES`` cycles later.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(self, units: int, lanes: int, activation: str, threshold: int) -> None:
        self._turns, self._lanes = units // lanes, lanes
        self._activation, self._threshold = activation, threshold
        super().__init__(
            {
                "gates": In(data.ArrayLayout(signed(GATE_BITS), 4 * lanes)),
                "unit_valid": In(1),
                "enable": In(1),
                "fresh": In(1),
                "new_h": Out(data.ArrayLayout(signed(STATE_BITS), lanes)),
            }
        )

    def area(self) -> Area:
        """c, three products a unit, tanh."""
        sigmoid = FRACTION + 1
        lane = area.multiplier(sigmoid, WIDTH) + area.multiplier(sigmoid, GATE_BITS) * 2
        # The last product's register is one of its multiplier.
        lane += area.registers(sigmoid + WIDTH + sigmoid + GATE_BITS)
        lane += area.adder(sigmoid + WIDTH) + Area(lut=WIDTH + 3)
        lane += gate_area(self._activation, "tanh")
        lane += area.registers(WIDTH + GATE_BITS)
        lane += Area(lut=sigmoid, ff=sigmoid)  # the output gate, on its way as long as c
        lane += Area(lut=STATE_BITS + 2) + area.comparison(STATE_BITS) * (self._threshold > 1)
        if self._turns == 1:
            lane += area.registers(WIDTH)
        total = lane * self._lanes + Area(lut=WIDTH * self._lanes, ff=1)
        if self._turns > 1:
            total += area.ram(self._turns, WIDTH * self._lanes, registered=False)
            total += area.control(2 * (self._turns - 1).bit_length())
        return total

    def elaborate(self, platform):
        m = Module()
        valid_q = Signal()
        with m.If(self.enable):
            m.d.sync += valid_q.eq(self.unit_valid)
        kept = [Signal(signed(WIDTH), name=f"new_c{k}") for k in range(self._lanes)]
        old = self._cells(m, Cat(kept), self.unit_valid & self.enable, valid_q & self.enable)
        for k in range(self._lanes):
            i, f, g, o = (self.gates[4 * k + gate] for gate in range(4))
            c = Signal(signed(WIDTH), name=f"old_c{k}")
            m.d.comb += c.eq(Mux(self.fresh, 0, old.word_select(k, WIDTH).as_signed()))
            self._unit(m, k, i, f, g, o, c, kept[k])
        return m

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

    def _unit(self, m: Module, k: int, i, f, g, o, c, kept) -> None:
        def positive(gate):  # a sigmoid, 0..256
            return gate.as_unsigned()[: FRACTION + 1]

        def register(value, name: str) -> Signal:
            held = Signal(value.shape(), name=f"{name}{k}", reset_less=True)
            with m.If(self.enable):
                m.d.sync += held.eq(value)
            return held

        forgot = register(positive(f) * c, "forgot")
        learned = register(positive(i) * g, "learned")
        total = Signal((forgot + learned).shape(), name=f"c_sum{k}")
        half = 1 << (FRACTION - 1)
        rounded = Signal((total + half).shape(), name=f"c_rounded{k}")
        m.d.comb += [
            total.eq(forgot + learned),
            rounded.eq(total + half),
            kept.eq(narrowed(rounded.shift_right(FRACTION))),
        ]
        new = register(kept, "c_q")
        squashed = register(tanh(m, new, self._activation, f"unit{k}"), "tanh_c")
        for stage in range(CELL_STAGES - 1):
            o = register(positive(o) if stage == 0 else o, f"output_gate_q{stage}_")
        product = register(o * squashed, "h_product")
        half = 1 << (_H_SHIFT - 1)
        scaled = Signal((product + half).shape(), name=f"h_rounded{k}")
        h = Signal(signed(STATE_BITS), name=f"h{k}")
        m.d.comb += [
            scaled.eq(product + half),
            h.eq(narrowed(scaled.shift_right(_H_SHIFT), STATE_BITS)),
        ]
        small = 0
        if self._threshold > 1:
            small = (h < self._threshold) & (h > -self._threshold)
        m.d.comb += self.new_h[k].eq(Mux(small, 0, h) if self._threshold > 1 else h)
