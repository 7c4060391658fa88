"""Ternary weights: minus one, zero, plus one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode, register_code
from ...ir.constant import Constant
from ...ir.types import Int

__all__ = ["Ternary"]


@register_code
@dataclass(frozen=True, slots=True)
class Ternary(WeightCode):
    """Weights in {-1, 0, +1}, stored as two bits in two's complement.

    Attributes
    ----------
    values
        The decoded weights, output channels first.
    """

    values: Constant

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def element(self) -> Int:
        return Int(2, signed=True)

    @property
    def storage_bits(self) -> int:
        return 2 * self.values.array.size

    def decode(self) -> np.ndarray:
        return self.values.array

    def verify(self) -> None:
        if self.values.lo < -1 or self.values.hi > 1:
            raise RuleViolation(
                f"ternary weights must be -1, 0 or +1, found [{self.values.lo}, {self.values.hi}]"
            )
