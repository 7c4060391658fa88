"""Weights of a basis: as the integers that they are, or as coefficients beside the basis."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...ops.codes.basis import Basis
from ..rebuild import CHANNELS, GROUP, Rebuild, power_words
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@stores(Basis)
def basis(code: Basis) -> StoredWeights:
    """In the narrowest of 2, 4 and 8 bits that holds the weights, and as the code has them."""
    stored = plain_weights(code.decode())
    return stored if stored.kind else replace(stored, rebuild=_rebuild(code))


def _rebuild(code: Basis) -> Rebuild:
    """Blocks of coefficients behind the basis of their channels, or behind one for each of them."""
    outputs, runs, size = code.coefficients.shape
    count = -(-outputs // CHANNELS)
    missing = (0, count * CHANNELS - outputs)
    codes = power_words(np.pad(code.coefficients.array.reshape(outputs, -1), (missing, (0, 0))))
    of_channel = np.repeat(code.basis.array, code.group, axis=0)[:outputs]
    # A weight is the product of coefficients and a column, which therefore is a run of bytes.
    columns = of_channel.transpose(0, 2, 1).reshape(outputs, -1) & 0xFF
    bases = 1 if code.group % CHANNELS == 0 else CHANNELS
    stored = np.pad(columns, (missing, (0, -(size * size) % 4)))[:: CHANNELS // bases]
    blocks = [stored.reshape(count, -1), codes.reshape(count, -1)]
    decoded, row = code.decode(), math.prod(code.row)
    clips = int(decoded.min() == -128 or decoded.max() == 127)
    return Rebuild(
        blocks=np.concatenate(blocks, axis=1).astype(np.uint8),
        function="hwgen_basis",
        arguments=(CHANNELS, bases, size, row, code.shift, clips),
        summary=f"4-bit coefficients of bases of {size}, 2 a byte",
        cycles=7.0 if size == 4 else 12.0 + 4 * size,
        columns=row,
        room_bytes=-(-runs * size // GROUP) * GROUP,
    )
