"""Tables in hardware: one selection a lane."""

from __future__ import annotations

from ..ops.lookup import Lookup
from .design import StreamShape
from .lib import area
from .lib.component import generates
from .lib.elementwise import Elementwise, table

__all__ = ["LookupLayer"]


class LookupLayer(Elementwise):
    """One table a lane, in logic; one register."""

    def __init__(self, op: Lookup, source: StreamShape, target: StreamShape, lo: int, hi: int):
        self._entries = op.table.array[lo - op.base : hi - op.base + 1].tolist()
        self._lo = lo
        super().__init__((source,), target)

    def lane_area(self, index):
        offset = area.adder(self.inputs[0].width) * (self._lo != 0)
        return offset + area.table(len(self._entries), self.output.width)

    def lane(self, m, x, index, enable):
        return table(m, self._entries, x - self._lo, f"table{index}")


@generates(Lookup)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, _ = op.lanes(x, schedule=schedule)
    return LookupLayer(op, StreamShape.of(x, lanes), StreamShape.of(result, lanes), x.lo, x.hi)
