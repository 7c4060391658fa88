"""Weights of a basis: as the integers that they are, or as coefficients beside the basis."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...ops.codes.basis import Basis
from ..rebuild import CHANNELS, GROUP, Rebuild, power_words, rebuilt_bytes
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@dataclass(frozen=True, slots=True)
class BasisRows(Rebuild):
    """Blocks of coefficients behind the basis that they belong to.

    Where a block's channels have no basis in common, it begins with one for each of them.

    Attributes
    ----------
    code
        The weights.
    """

    code: Basis

    @property
    def summary(self) -> str:
        return f"4-bit coefficients of bases of {self.code.run}, 2 a byte"

    @property
    def cycles(self) -> float:
        return 6.0 if self.code.run == 4 else 12.0 + 4 * self.code.run

    @property
    def bases(self) -> int:
        """Of a block."""
        return 1 if self.code.group % CHANNELS == 0 else CHANNELS

    @property
    def room_bytes(self) -> int:
        _, runs, size = self.code.coefficients.shape
        return -(-runs * size // GROUP) * GROUP

    def blocks(self, matrix: np.ndarray) -> np.ndarray:
        code = self.code
        outputs, _, size = code.coefficients.shape
        count = -(-outputs // CHANNELS)
        rows = ((0, count * CHANNELS - outputs), (0, 0))
        codes = np.pad(code.codes().reshape(outputs, -1), rows)
        of_channel = np.repeat(code.basis.array, code.group, axis=0)[:outputs]
        # A weight is the product of coefficients and a column, which therefore is a run of bytes.
        columns = of_channel.transpose(0, 2, 1).reshape(outputs, -1)
        bases = np.pad(columns & 0xFF, (rows[0], (0, -(size * size) % 4)))
        bases = bases[:: CHANNELS // self.bases].reshape(count, -1)
        coefficients = power_words(codes).reshape(count, -1)
        return np.concatenate([bases, coefficients], axis=1).astype(np.uint8)

    def call(self, to: str, source: str, columns: int) -> str:
        code = self.code
        sizes = (CHANNELS, self.bases, code.run, math.prod(code.row), code.shift, int(self.clips))
        room = f"{to} + {rebuilt_bytes(columns)}"
        return f"hwgen_basis({to}, {room}, {source}, {', '.join(map(str, sizes))})"

    @property
    def clips(self) -> bool:
        """Whether some weight leaves 8 bits before it is clipped."""
        decoded = self.code.decode()
        return bool((decoded == -128).any() or (decoded == 127).any())


@stores(Basis)
def basis(code: Basis) -> StoredWeights:
    """In the narrowest of 2, 4 and 8 bits that holds the weights, and as the code has them."""
    stored = plain_weights(code.decode())
    return stored if stored.kind else replace(stored, rebuild=BasisRows(code))
