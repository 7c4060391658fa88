"""N:M sparse weights in a folded array: zeros are stored."""

from __future__ import annotations

from ...ops.codes.structured_sparse import StructuredSparse
from . import WeightLane, implements

__all__ = ["StructuredSparseLane"]


@implements(StructuredSparse)
class StructuredSparseLane(WeightLane):
    """Two's complement fields and a multiplier, as of uniform weights."""

    def __init__(self, code: StructuredSparse) -> None:
        self.bits = code.element.width

    def encode(self, values):
        return values & ((1 << self.bits) - 1)

    def product(self, pixel, field):
        return pixel * field.as_signed()
