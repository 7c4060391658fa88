"""Weights that are powers of two or zero: a shift in the place of a product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode, register_code
from ...ir.constant import Constant
from ...ir.types import Int

__all__ = ["PowerOfTwo"]


@register_code
@dataclass(frozen=True, slots=True)
class PowerOfTwo(WeightCode):
    """Weights in {0, +-1, +-2, .. +-2^(K-1)} with ``K = 2^(bits-1) - 1``.

    A code is a sign and, in ``bits - 1`` bits, 0 for zero or ``k + 1`` for ``2^k``; sign with zero
    is unused. Logarithmic weights with zero, as in Li et al., "Standard Deviation Based Power of
    Two Quantization" (arXiv 2202.12422), counted from the smallest magnitude up.

    Attributes
    ----------
    values
        The decoded weights, output channels first.
    bits
        2 to 4: 1, 3 or 7 magnitudes.
    """

    values: Constant
    bits: int

    @property
    def magnitudes(self) -> int:
        """``K``, the number of powers of two."""
        return (1 << (self.bits - 1)) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def element(self) -> Int:
        return Int(self.magnitudes + 1, signed=True)

    @property
    def storage_bits(self) -> int:
        return self.values.array.size * self.bits

    @property
    def field_bits(self) -> int:
        return self.bits

    def decode(self) -> np.ndarray:
        return self.values.array

    def codes(self, values: np.ndarray) -> np.ndarray:
        """What is stored for decoded weights: int64 in ``[0, 2^bits - 1]``, elementwise."""
        magnitude = np.abs(values)
        exponent = np.zeros_like(magnitude)
        for k in range(self.magnitudes):
            exponent += magnitude >> k > 0
        return exponent | ((values < 0).astype(np.int64) << (self.bits - 1))

    def verify(self) -> None:
        if not 2 <= self.bits <= 4:
            raise RuleViolation(f"power-of-two weights must have 2..4 bits, not {self.bits}")
        largest = 1 << (self.magnitudes - 1)
        magnitude = np.abs(self.values.array)
        legal = (magnitude & (magnitude - 1)) == 0
        legal &= magnitude <= largest
        if not legal.all():
            raise RuleViolation(
                f"power-of-two weights of {self.bits} bits must be 0 or +-2^k up to {largest}, "
                f"found {int(self.values.array[~legal][0])}"
            )
