"""Ternary weights in hardware: add, subtract or nothing; no multiplier."""

from __future__ import annotations

from amaranth import Mux

from ...ops.codes.ternary import Ternary
from . import WeightLane, implements

__all__ = ["TernaryLane"]


@implements(Ternary)
class TernaryLane(WeightLane):
    """Two bits a weight: the lower one keeps, the upper one negates."""

    bits = 2

    def encode(self, values):
        return values & 3

    def product(self, pixel, field):
        return Mux(field[0], Mux(field[1], -pixel, pixel), 0)
