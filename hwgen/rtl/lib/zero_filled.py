"""Masked weights in a folded array: the kept code's lane, and zeros stored between them."""

from __future__ import annotations

import math

from ...ops.lib.masked import Masked
from ..codes import WeightLane, weight_lane

__all__ = ["ZeroFilledLane"]


class ZeroFilledLane(WeightLane):
    """The lane of the kept weights, in the form that has a zero: binary becomes ternary.

    Attributes
    ----------
    kept
        The lane of the kept weights themselves.
    """

    code: Masked

    def __init__(self, code: Masked) -> None:
        super().__init__(code)
        self.kept = weight_lane(code.kept)
        self._filled = self.kept.padded()
        self.bits = self._filled.bits

    def encode(self, values):
        return self._filled.encode(values)

    def product(self, pixel, field):
        return self._filled.product(pixel, field)

    def area(self, pixel):
        return self._filled.area(pixel)

    def notes(self, schedule):
        return [f"The zeros are stored, too: {math.prod(self.code.shape) * self.bits} bits."]
