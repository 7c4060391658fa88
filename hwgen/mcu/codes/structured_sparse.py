"""N:M sparse weights, with the zeros between them."""

from __future__ import annotations

from ...ops.codes.structured_sparse import StructuredSparse
from ..registry import stores
from ..weights import StoredWeights, plain_weights

__all__: list[str] = []


@stores(StructuredSparse)
def structured_sparse(code: StructuredSparse) -> StoredWeights:
    """The narrowest of 2, 4, 8 and 16 bits that holds the weights which are there."""
    return plain_weights(code.decode())
