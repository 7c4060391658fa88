"""Uniform weights: plain arrays, or several weights a byte up to 4 bits."""

from __future__ import annotations

from ...ops.codes.uniform import Uniform
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@stores(Uniform)
def uniform(code: Uniform) -> StoredWeights:
    """The narrowest of 2, 4, 8 and 16 bits that holds the weights which are there."""
    return plain_weights(code.decode())
