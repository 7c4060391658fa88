"""C of maximum pooling."""

from __future__ import annotations

from ...ops.max_pool2d import MaxPool2d
from ..function import Function
from ..linear import geometry
from ..registry import renders
from ..stages import Stage
from ..storage import conversion, work

__all__: list[str] = []


@renders(MaxPool2d)
def max_pool2d(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    ctype = work(x.type.lo, x.type.hi)
    return {
        "g": geometry(op.window(x.type), x.type.channels),
        "least": x.type.lo,
        "work": ctype,
        "to_work": conversion(x.ctype, ctype),
    }
