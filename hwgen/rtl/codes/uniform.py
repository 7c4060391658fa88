"""Uniform weights in hardware: a multiplier a lane."""

from __future__ import annotations

from ...ops.codes.uniform import Uniform
from ..lib.area import multiplier
from . import WeightLane, implements

__all__ = ["UniformLane"]


@implements(Uniform)
class UniformLane(WeightLane):
    """Two's complement fields and a multiplier."""

    def __init__(self, code: Uniform) -> None:
        super().__init__(code)
        self.bits = code.bits

    def encode(self, values):
        return values & ((1 << self.bits) - 1)

    def product(self, pixel, field):
        return pixel * field.as_signed()

    def area(self, pixel):
        return multiplier(pixel.width, self.bits)
