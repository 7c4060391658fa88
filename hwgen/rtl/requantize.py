"""Rescaling in hardware: multiply (unless the multiplier is 1), round, shift, saturate."""

from __future__ import annotations

import numpy as np
from amaranth import Const, Signal

from ..ops.requantize import Requantize
from .design import StreamShape
from .lib.component import generates
from .lib.elementwise import ChannelConstants, Elementwise, clip

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
        self.depth = 2 if op.multiplier.hi > 1 else 1
        super().__init__((source,), target)

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
