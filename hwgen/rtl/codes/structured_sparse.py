"""N:M sparse weights in a folded array: zeros are stored."""

from __future__ import annotations

from ...ops.codes.structured_sparse import StructuredSparse
from ..lib.zero_filled import ZeroFilledLane
from . import implements

__all__ = ["StructuredSparseLane"]


@implements(StructuredSparse)
class StructuredSparseLane(ZeroFilledLane):
    """Fields and product of the kept weights, with a zero."""
