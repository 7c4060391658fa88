"""Weights under a shift register's mask, with the zeros between them."""

from __future__ import annotations

from ...ops.codes.lfsr_masked import LfsrMasked
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@stores(LfsrMasked)
def lfsr_masked(code: LfsrMasked) -> StoredWeights:
    """The narrowest of 2, 4, 8 and 16 bits that holds the weights which are there."""
    return plain_weights(code.decode())
