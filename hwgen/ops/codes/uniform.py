"""Uniform weights: plain two's complement integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode, register_code
from ...ir.constant import Constant
from ...ir.types import Int

__all__ = ["Uniform"]


@register_code
@dataclass(frozen=True, slots=True)
class Uniform(WeightCode):
    """Signed integers of ``bits`` bits, stored as they are.

    Attributes
    ----------
    values
        The weights, output channels first.
    bits
        2 to 16; every value lies in ``[-2^(bits-1), 2^(bits-1) - 1]``.
    """

    values: Constant
    bits: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def element(self) -> Int:
        return Int(self.bits, signed=True)

    @property
    def storage_bits(self) -> int:
        return self.values.array.size * self.bits

    def decode(self) -> np.ndarray:
        return self.values.array

    def verify(self) -> None:
        if not 2 <= self.bits <= 16:
            raise RuleViolation(f"uniform weights must have 2..16 bits, not {self.bits}")
        if self.values.lo < self.element.lo or self.values.hi > self.element.hi:
            raise RuleViolation(
                f"uniform {self.bits}-bit weights must lie in [{self.element.lo}, "
                f"{self.element.hi}], found [{self.values.lo}, {self.values.hi}]"
            )
