"""Power-of-two weights in hardware: a choice among shifts, no multiplier."""

from __future__ import annotations

from amaranth import Mux

from ...ops.codes.power_of_two import PowerOfTwo
from . import WeightLane, implements

__all__ = ["PowerOfTwoLane"]


@implements(PowerOfTwo)
class PowerOfTwoLane(WeightLane):
    """A sign above the magnitude's code, 0 for zero and ``k + 1`` for ``2^k``."""

    def __init__(self, code: PowerOfTwo) -> None:
        super().__init__(code)
        self.bits = code.bits

    def encode(self, values):
        return self.code.codes(values)

    def product(self, pixel, field):
        magnitude, negative = field[:-1], field[-1]
        shifted = pixel << (self.code.magnitudes - 1)
        for k in reversed(range(self.code.magnitudes - 1)):
            shifted = Mux(magnitude == k + 1, pixel << k, shifted)
        shifted = Mux(magnitude == 0, 0, shifted)
        return Mux(negative, -shifted, shifted)
