"""Power-of-two weights, as the integers that they are; of 4 bits also as their codes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...ops.codes.power_of_two import PowerOfTwo
from ..rebuild import CHANNELS, Rebuild, power_words, rebuilt_bytes
from ..registry import stores
from ..weights import StoredWeights, block_rows, plain_weights

__all__: list[str] = []


@dataclass(frozen=True, slots=True)
class PowerCodes(Rebuild):
    """Blocks as they are multiplied, their bytes as four-bit codes.

    Attributes
    ----------
    code
        The weights.
    """

    code: PowerOfTwo

    summary = "4-bit powers of two, 2 a byte"
    cycles = 22 / 16

    def blocks(self, matrix: np.ndarray) -> np.ndarray:
        return power_words(self.code.codes(block_rows(matrix, 8, CHANNELS).astype(np.int64)))

    def call(self, to: str, source: str, columns: int) -> str:
        return f"hwgen_powers({to}, {source}, {rebuilt_bytes(columns)})"


@stores(PowerOfTwo)
def power_of_two(code: PowerOfTwo) -> StoredWeights:
    """The narrowest of 2, 4 and 8 bits that holds the weights which are there."""
    stored = plain_weights(code.decode())
    return (
        replace(stored, rebuild=PowerCodes(code)) if code.bits == 4 and not stored.kind else stored
    )
