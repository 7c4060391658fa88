"""Saturation in hardware."""

from __future__ import annotations

from ..ops.clip import Clip
from .design import StreamShape
from .lib.component import generates
from .lib.elementwise import Elementwise, clip, clip_area

__all__ = ["ClipLayer"]


class ClipLayer(Elementwise):
    """Two comparisons a lane; one register."""

    def __init__(self, op: Clip, source: StreamShape, target: StreamShape) -> None:
        self._op = op
        super().__init__((source,), target)

    def lane_area(self, index):
        return clip_area(self.inputs[0].element, self._op.lo, self._op.hi, self.output.width)

    def lane(self, m, x, index, enable):
        return clip(x, self._op.lo, self._op.hi)


@generates(Clip)
def make(op, types, result, schedule, name):
    lanes, _ = op.lanes(*types, schedule=schedule)
    return ClipLayer(op, StreamShape.of(types[0], lanes), StreamShape.of(result, lanes))
