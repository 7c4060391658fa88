"""Weights of a basis, rebuilt before they are stored."""

from __future__ import annotations

from ...ops.codes.basis import Basis
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@stores(Basis)
def basis(code: Basis) -> StoredWeights:
    """The narrowest of 2, 4, 8 and 16 bits that holds the weights which are there."""
    return plain_weights(code.decode())
