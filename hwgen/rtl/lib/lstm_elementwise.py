"""The units of an LSTM: from their gates to c and h."""

from __future__ import annotations

from amaranth import Signal, signed

from ...ops.lib.gates import FRACTION, WIDTH
from ...ops.lib.recurrent import STATE_BITS
from . import area
from .area import Area
from .cell_units import CELL_STAGES, CellUnits, positive
from .gates import GATE_BITS, gate_area, narrowed, tanh

__all__ = ["LstmElementwise"]

_H_SHIFT = 2 * FRACTION - (STATE_BITS - 1)


class LstmElementwise(CellUnits):
    """Input, forget, cell and output gate; registers: products, c, tanh, product."""

    kinds = ("sigmoid", "sigmoid", "tanh", "sigmoid")
    reads = 0

    def lane_area(self):
        sigmoid = FRACTION + 1
        lane = area.multiplier(sigmoid, WIDTH) + area.multiplier(sigmoid, GATE_BITS) * 2
        # The last product's register is one of its multiplier.
        lane += area.registers(sigmoid + WIDTH + sigmoid + GATE_BITS)
        lane += area.adder(sigmoid + WIDTH) + Area(lut=WIDTH + 3)
        lane += gate_area(self._activation, "tanh")
        lane += area.registers(WIDTH + GATE_BITS)
        # The output gate, on its way as long as c.
        return lane + Area(lut=sigmoid, ff=sigmoid)

    def unit(self, m, k, c, kept):
        i, f, g, o = (self.gates[4 * k + gate] for gate in range(4))
        forgot = self.register(m, positive(f) * c, f"forgot{k}")
        learned = self.register(m, positive(i) * g, f"learned{k}")
        total = Signal((forgot + learned).shape(), name=f"c_sum{k}")
        half = 1 << (FRACTION - 1)
        rounded = Signal((total + half).shape(), name=f"c_rounded{k}")
        m.d.comb += [
            total.eq(forgot + learned),
            rounded.eq(total + half),
            kept.eq(narrowed(rounded.shift_right(FRACTION))),
        ]
        new = self.register(m, kept, f"c_q{k}")
        squashed = self.register(m, tanh(m, new, self._activation, f"unit{k}"), f"tanh_c{k}")
        for stage in range(CELL_STAGES - 1):
            o = self.register(m, positive(o) if stage == 0 else o, f"output_gate_q{stage}_{k}")
        product = self.register(m, o * squashed, f"h_product{k}")
        half = 1 << (_H_SHIFT - 1)
        scaled = Signal((product + half).shape(), name=f"h_rounded{k}")
        h = Signal(signed(STATE_BITS), name=f"h{k}")
        m.d.comb += [
            scaled.eq(product + half),
            h.eq(narrowed(scaled.shift_right(_H_SHIFT), STATE_BITS)),
        ]
        return h
