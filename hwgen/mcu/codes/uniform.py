"""Uniform weights: plain arrays, or several weights a byte up to 4 bits."""

from __future__ import annotations

from ...ir.types import Int
from ...ops.codes.uniform import Uniform
from ..registry import stores
from ..storage import CType, storage
from ..weights import StoredWeights, pack

__all__: list[str] = []


@stores(Uniform)
def uniform(code: Uniform) -> StoredWeights:
    """The narrowest of 2, 4, 8 and 16 bits that holds the weights which are there."""
    values = code.decode()
    rows = values.reshape(len(values), -1)
    width = Int.fit(min(int(rows.min()), -1), int(rows.max())).width
    for bits in (2, 4):
        packed = pack(rows, bits)
        if width <= bits and packed.size < rows.size:
            summary = f"{bits}-bit weights, {8 // bits} a byte"
            return StoredWeights(packed, CType(8, False), 8 // bits, f"s{bits}", summary, bits)
    ctype = storage(Int(width, signed=True))
    bits = 8 if ctype.bits == 8 else 0
    return StoredWeights(rows, ctype, 1, "", f"{ctype.bits}-bit weights", bits)
