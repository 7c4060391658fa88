"""Tables in hardware: one selection a lane."""

from __future__ import annotations

from amaranth import Array, Const

from ..ops.lookup import Lookup
from .design import StreamShape
from .lib.component import element_shape, generates
from .lib.elementwise import Elementwise

__all__ = ["LookupLayer"]


class LookupLayer(Elementwise):
    """One table a lane, in logic; one register."""

    def __init__(self, op: Lookup, source: StreamShape, target: StreamShape, lo: int, hi: int):
        entries = op.table.array[lo - op.base : hi - op.base + 1].tolist()
        shape = element_shape(target.element)
        self._table = Array(Const(entry, shape) for entry in entries)
        self._lo = lo
        super().__init__((source,), target)

    def lane(self, m, x, index, enable):
        return self._table[(x - self._lo)[: max(1, (len(self._table) - 1).bit_length())]]


@generates(Lookup)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, _ = op.lanes(x, schedule=schedule)
    return LookupLayer(op, StreamShape.of(x, lanes), StreamShape.of(result, lanes), x.lo, x.hi)
