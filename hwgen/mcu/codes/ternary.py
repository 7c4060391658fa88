"""Ternary weights: two bits a weight."""

from __future__ import annotations

from ...ops.codes.ternary import Ternary
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@stores(Ternary)
def ternary(code: Ternary) -> StoredWeights:
    """The narrowest of 2, 4, 8 and 16 bits that holds the weights which are there."""
    return plain_weights(code.decode())
