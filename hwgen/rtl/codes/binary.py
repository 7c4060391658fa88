"""Binary weights in hardware: a conditional negation a lane, no multiplier."""

from __future__ import annotations

from amaranth import Mux

from ...ops.codes.binary import Binary
from ...ops.codes.ternary import Ternary
from . import WeightLane, implements, weight_lane

__all__ = ["BinaryLane"]


@implements(Binary)
class BinaryLane(WeightLane):
    """One bit a weight: 1 negates."""

    bits = 1

    def encode(self, values):
        return (values < 0).astype(values.dtype)

    def product(self, pixel, field):
        return Mux(field, -pixel, pixel)

    def padded(self):
        return weight_lane(Ternary(self.code.values))
