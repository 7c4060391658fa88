"""Binary weights: one bit a weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode, register_code
from ...ir.constant import Constant
from ...ir.types import Int

__all__ = ["Binary"]


@register_code
@dataclass(frozen=True, slots=True)
class Binary(WeightCode):
    """Weights in {-1, +1}, stored as one bit: 0 for +1, 1 for -1.

    Attributes
    ----------
    values
        The decoded weights, output channels first; each -1 or +1.
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
        return self.values.array.size

    @property
    def field_bits(self) -> int:
        return 1

    def decode(self) -> np.ndarray:
        return self.values.array

    def verify(self) -> None:
        if not np.all(np.abs(self.values.array) == 1):
            raise RuleViolation("binary weights must be -1 or +1")
