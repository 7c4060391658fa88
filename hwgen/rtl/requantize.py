"""Rescaling in hardware: multiply (unless the multiplier is 1), round, shift, saturate."""

from __future__ import annotations

import numpy as np
from amaranth import Signal

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
        halves = (1 << self._shift) >> 1
        product = x + self._constant(halves, index)
        shift = self._constant(self._shift, index)
        if self.depth == 2:
            product = x * self._constant(self._multiplier, index) + self._constant(halves, index)
            register = Signal(product.shape(), name=f"product{index}")
            with m.If(enable[0]):
                m.d.sync += register.eq(product)
            product = register
            if len(set(self._shift.tolist())) > 1:
                delayed = Signal(shift.shape(), name=f"shift{index}")
                with m.If(enable[0]):
                    m.d.sync += delayed.eq(shift)
                shift = delayed
        if len(set(self._shift.tolist())) == 1:
            shift = int(self._shift[0])
        return clip(product >> shift, self._op.lo, self._op.hi)


@generates(Requantize)
def make(op, types, result, schedule, name):
    lanes, _ = op.lanes(*types, schedule=schedule)
    return RequantizeLayer(
        op, types[0].channels, StreamShape.of(types[0], lanes), StreamShape.of(result, lanes)
    )
