"""Weights of a basis in a folded array: rebuilt before they are stored."""

from __future__ import annotations

from ...ops.codes.basis import Basis
from . import WeightLane, implements

__all__ = ["BasisLane"]


@implements(Basis)
class BasisLane(WeightLane):
    """Two's complement fields and a multiplier, as of uniform weights."""

    def __init__(self, code: Basis) -> None:
        super().__init__(code)
        self.bits = code.element.width

    def encode(self, values):
        return values & ((1 << self.bits) - 1)

    def product(self, pixel, field):
        return pixel * field.as_signed()
