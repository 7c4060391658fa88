"""Power-of-two weights: as the integers that they are, those of 4 bits as signs and shifts."""

from __future__ import annotations

from dataclasses import replace

from ...ops.codes.power_of_two import PowerOfTwo
from ..registry import stores
from ..weights import Packing, StoredWeights, plain_weights

__all__: list[str] = []


@stores(PowerOfTwo)
def power_of_two(code: PowerOfTwo) -> StoredWeights:
    """The narrowest of 2, 4 and 8 bits that holds the weights; 8 where 4 are no fewer bytes.

    The packing is of 4 bits wherever it is smaller; loops without micro-kernels read bytes.
    """
    stored, power = plain_weights(code.decode()), Packing(4, is_power=True)
    n = stored.rows.shape[1]
    if stored.packing != Packing(8) or power.row_bytes(n) >= Packing(8).row_bytes(n):
        return stored
    return replace(stored, packing=power)
