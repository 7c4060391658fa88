"""N:M sparse weights: those that are kept, and where."""

from __future__ import annotations

from dataclasses import replace

from ...ops.codes.structured_sparse import StructuredSparse
from ..registry import stores
from ..weights import Kept, StoredWeights, plain_weights

__all__: list[str] = []


@stores(StructuredSparse)
def structured_sparse(code: StructuredSparse) -> StoredWeights:
    """With the zeros between them, or alone: the layer takes what serves it."""
    return replace(plain_weights(code.decode()), kept=Kept(code.mask(), code.share))
