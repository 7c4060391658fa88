"""Weights of a basis in a folded array: rebuilt in front of it, or before they are stored."""

from __future__ import annotations

import math

from ...ops.codes.basis import Basis
from ..lib.area import multiplier
from ..lib.basis_rebuild import BasisWeights
from . import WeightLane, implements

__all__ = ["BasisLane"]


@implements(Basis)
class BasisLane(WeightLane):
    """Coefficients in the ROM where whole runs of weights meet the inputs of a step.

    That is so if the run's length S divides ``simd``. Else the ROM holds the weights: two's
    complement fields and a multiplier, as of uniform weights.
    """

    def __init__(self, code: Basis) -> None:
        super().__init__(code)
        self.bits = code.element.width

    def encode(self, values):
        return values & ((1 << self.bits) - 1)

    def product(self, pixel, field):
        return pixel * field.as_signed()

    def area(self, pixel):
        return multiplier(pixel.width, self.bits)

    def source(self, folding):
        if folding.schedule.simd % self.code.run == 0:
            return BasisWeights(self.code, folding)
        return super().source(folding)

    def notes(self, schedule):
        if schedule.simd % self.code.run == 0:
            return []
        bits = math.prod(self.code.shape) * self.bits
        return [
            f"Rebuilt before they are stored, in {bits} bits: "
            f"{self.code.run} weights are made at once, {schedule.simd} are read."
        ]
