"""Rescaling in hardware: multiply (unless the multiplier is 1), round, shift, saturate."""

from __future__ import annotations

import math

import numpy as np
from amaranth import Const, Signal

from ..ir.types import Int
from ..ops.requantize import Requantize
from .design import StreamShape
from .lib import area
from .lib.component import generates
from .lib.elementwise import ChannelConstants, Elementwise, clip, clip_area

__all__ = ["RequantizeLayer"]


class RequantizeLayer(Elementwise):
    """One register for a pure shift; with multipliers one more behind the product.

    Parameters
    ----------
    channels
        Channels of a pixel, for parameters that differ between them.
    """

    def __init__(
        self, op: Requantize, channels: int, source: StreamShape, target: StreamShape
    ) -> None:
        self._op = op
        self._folds = channels // source.lanes
        self._multiplier = np.broadcast_to(op.multiplier.array, (channels,))
        self._shift = np.broadcast_to(op.shift.array, (channels,))
        each = np.stack([self._multiplier, self._shift]).reshape(2, self._folds, -1)
        self._changes = bool((each != each[:, :1]).any())  # from beat to beat
        self.depth = 2 if op.multiplier.hi > 1 else 1
        super().__init__((source,), target)

    def area(self):
        folds = area.control((self._folds - 1).bit_length())
        return super().area() + folds * self._changes

    def lane_area(self, index):
        def constant(values):
            return ChannelConstants.area(values, self._folds, self.output.lanes, index)

        lanes = self.output.lanes
        x = self.inputs[0].element
        multiplier, shift = self._multiplier[index::lanes], self._shift[index::lanes]
        width, total = x.width, constant((1 << self._shift) >> 1) + constant(self._shift)
        if self.depth == 2:
            bits = int(multiplier.max()).bit_length()
            total += area.multiplier(width, bits) + constant(self._multiplier)
            width += bits
        kept = max(1, width + 1 - int(shift.min()))  # the bits below only give a carry
        if shift.max():
            total += area.Area(lut=1, carry=area.carry_chain(kept + 1))
        total += area.Area(lut=kept) * math.ceil(math.log2(len(set(shift.tolist()))) / 2)
        if self.depth == 2:
            total += area.registers(kept)
        return total + clip_area(Int(kept, x.signed), self._op.lo, self._op.hi, self.output.width)

    def prepare(self, m, enable, taken):
        self._constant = ChannelConstants(m, self._folds, self.output.lanes, taken)

    def lane(self, m, x, index, enable):
        half = self._constant((1 << self._shift) >> 1, index, "half")
        shift = self._constant(self._shift, index, "shift")
        value = x + half
        if self.depth == 2:
            value = x * self._constant(self._multiplier, index, "multiplier") + half
        rounded = Signal(value.shape(), name=f"rounded{index}", reset_less=True)
        if self.depth == 2:
            with m.If(enable[0]):
                m.d.sync += rounded.eq(value)
            if not isinstance(shift, Const):
                delayed = Signal(shift.shape(), name=f"shift{index}_q", reset_less=True)
                with m.If(enable[0]):
                    m.d.sync += delayed.eq(shift)
                shift = delayed
        else:
            m.d.comb += rounded.eq(value)
        shifted = rounded.shift_right(shift.value) if isinstance(shift, Const) else rounded >> shift
        scaled = Signal(shifted.shape(), name=f"scaled{index}")
        m.d.comb += scaled.eq(shifted)
        return clip(scaled, self._op.lo, self._op.hi)


@generates(Requantize)
def make(op, types, result, schedule, name):
    lanes, _ = op.lanes(*types, schedule=schedule)
    return RequantizeLayer(
        op, types[0].channels, StreamShape.of(types[0], lanes), StreamShape.of(result, lanes)
    )
