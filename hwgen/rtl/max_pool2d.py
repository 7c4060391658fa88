"""Maximum pooling in hardware."""

from __future__ import annotations

from amaranth import Mux

from ..ops.max_pool2d import MaxPool2d
from .design import StreamShape
from .lib.component import generates
from .lib.pool import pool

__all__ = ["make"]


@generates(MaxPool2d)
def make(op, types, result, schedule, name):
    """Padding has the least value that the input can take: it never wins."""
    (x,) = types
    lanes, _ = op.lanes(x, schedule=schedule)
    return pool(
        op.window(x),
        lambda a, b: Mux(a > b, a, b),
        x.lo,
        StreamShape.of(x, lanes),
        StreamShape.of(result, lanes),
        x.channels // lanes,
    )
