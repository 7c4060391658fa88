"""Weights under a shift register's mask in a folded array: zeros are stored."""

from __future__ import annotations

from ...ops.codes.lfsr_masked import LfsrMasked
from . import WeightLane, implements

__all__ = ["LfsrMaskedLane"]


@implements(LfsrMasked)
class LfsrMaskedLane(WeightLane):
    """Two's complement fields and a multiplier, as of uniform weights."""

    def __init__(self, code: LfsrMasked) -> None:
        self.bits = code.element.width

    def encode(self, values):
        return values & ((1 << self.bits) - 1)

    def product(self, pixel, field):
        return pixel * field.as_signed()
