"""Weights under a shift register's mask: those that are kept, and where."""

from __future__ import annotations

from dataclasses import replace

from ...ops.codes.lfsr_masked import LfsrMasked
from ..registry import stores
from ..weights import Kept, StoredWeights, plain_weights

__all__: list[str] = []


@stores(LfsrMasked)
def lfsr_masked(code: LfsrMasked) -> StoredWeights:
    """With the zeros between them, or alone: the layer takes what serves it."""
    return replace(plain_weights(code.decode()), kept=Kept(code.mask(), 1, drawn=code))
