"""Binary weights: one bit a weight, a set bit is -1."""

from __future__ import annotations

from ...ops.codes.binary import Binary
from ..registry import stores
from ..storage import CType
from ..weights import Packing, StoredWeights, pack

__all__: list[str] = []


@stores(Binary)
def binary(code: Binary) -> StoredWeights:
    """Eight weights a byte, the first in the lowest bit."""
    values = code.decode()
    signs = (values.reshape(len(values), -1) < 0).astype("int64")
    packing = Packing(1, is_nested=True)
    rows, ctype = pack(signs, 1), CType(8, False)
    return StoredWeights(rows, ctype, 8, "b1", "binary weights, 8 a byte", packing)
