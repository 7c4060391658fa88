"""The units of a GRU: from their gates to c and h."""

from __future__ import annotations

from amaranth import Signal, signed

from ...ops.gru import CELL_FRACTION
from ...ops.lib.gates import FRACTION, WIDTH
from ...ops.lib.recurrent import STATE_BITS
from . import area
from .area import Area
from .cell_units import CELL_STAGES, CellUnits, positive
from .gates import GATE_BITS, gate_area, narrowed, tanh

__all__ = ["GruElementwise"]

_FINER = CELL_FRACTION - FRACTION  # bits of c beyond those of a tanh
_H_SHIFT = CELL_FRACTION - (STATE_BITS - 1)


class GruElementwise(CellUnits):
    """Reset and update gate, and the new state's parts; registers: product, q, tanh, product.

    ``s c + (256 - s) v`` is computed as ``s (c - v) + 256 v``, with one product.
    """

    kinds = ("sigmoid", "sigmoid", "apart")
    reads = CELL_STAGES - 1

    def lane_area(self):
        sigmoid = FRACTION + 1
        lane = area.multiplier(sigmoid, WIDTH) + area.multiplier(sigmoid, WIDTH + 1)
        # q; how far c is from the new state; the sum.
        lane += area.adder(WIDTH + 1) + Area(lut=WIDTH + 3) + area.adder(WIDTH + 1)
        lane += area.adder(FRACTION + WIDTH + 1) + Area(lut=WIDTH + 3)
        lane += gate_area(self._activation, "tanh")
        lane += area.registers(WIDTH + WIDTH + GATE_BITS + GATE_BITS)
        # The update gate, on its way as long as the new state.
        return lane + Area(lut=sigmoid, ff=sigmoid)

    def unit(self, m, k, c, kept):
        reset, update = (self.gates[2 * k + gate] for gate in range(2))
        half = 1 << (FRACTION - 1)
        # Of the new state: the recurrent part behind the reset gate, and the input's part.
        product = self.register(m, positive(reset) * self.recurrent_z[k], f"reset_product{k}")
        level = self.register(m, self.input_z[k], f"input_q{k}")
        passed = Signal((product + half).shape(), name=f"reset_rounded{k}")
        argument = Signal((level + passed.shift_right(FRACTION)).shape(), name=f"new_argument{k}")
        m.d.comb += [
            passed.eq(product + half),
            argument.eq(level + passed.shift_right(FRACTION)),
        ]
        q = self.register(m, narrowed(argument), f"new_z{k}")
        new = self.register(m, tanh(m, q, self._activation, f"unit{k}"), f"tanh_new{k}")
        for stage in range(self.reads):
            update = self.register(
                m, positive(update) if stage == 0 else update, f"update_gate_q{stage}_{k}"
            )
        back = Signal((c - (new << _FINER)).shape(), name=f"back{k}")
        m.d.comb += back.eq(c - (new << _FINER))
        product = self.register(m, update * back, f"update_product{k}")
        new = self.register(m, new, f"tanh_q{k}")
        whole = product + (new << (_FINER + FRACTION))
        total = Signal(whole.shape(), name=f"c_sum{k}")
        c_rounded = Signal((total + half).shape(), name=f"c_rounded{k}")
        # Both roundings of h in one: saturation of c in between never changes it.
        halves = half + (1 << (FRACTION + _H_SHIFT - 1))
        h_rounded = Signal((total + halves).shape(), name=f"h_rounded{k}")
        h = Signal(signed(STATE_BITS), name=f"h{k}")
        m.d.comb += [
            total.eq(whole),
            c_rounded.eq(total + half),
            kept.eq(narrowed(c_rounded.shift_right(FRACTION))),
            h_rounded.eq(total + halves),
            h.eq(narrowed(h_rounded.shift_right(FRACTION + _H_SHIFT), STATE_BITS)),
        ]
        return h
