"""Average pooling in hardware: the sum of every window."""

from __future__ import annotations

from ..ops.avg_pool2d import AvgPool2d
from .design import StreamShape
from .lib.component import generates
from .lib.pool import pool

__all__ = ["make"]


@generates(AvgPool2d)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, _ = op.lanes(x, schedule=schedule)
    return pool(
        op.window(x),
        lambda a, b: a + b,
        0,
        StreamShape.of(x, lanes),
        StreamShape.of(result, lanes),
        x.channels // lanes,
    )
