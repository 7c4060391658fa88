"""Power-of-two weights, as the integers that they are."""

from __future__ import annotations

from ...ops.codes.power_of_two import PowerOfTwo
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@stores(PowerOfTwo)
def power_of_two(code: PowerOfTwo) -> StoredWeights:
    """The narrowest of 2, 4, 8 and 16 bits that holds the weights which are there."""
    return plain_weights(code.decode())
