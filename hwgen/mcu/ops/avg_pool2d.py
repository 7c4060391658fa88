"""C of average pooling: the window's sum."""

from __future__ import annotations

from ...ops.avg_pool2d import AvgPool2d
from ..function import Function
from ..linear import geometry, pooled_type, slide
from ..registry import renders
from ..stages import Stage
from ..storage import INT32, conversion, work

__all__: list[str] = []


@renders(AvgPool2d)
def avg_pool2d(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    window = op.window(x.type)
    taps = op.kernel[0] * op.kernel[1]
    ctype = work(0, taps * x.type.lo, taps * x.type.hi)
    slide(function, window)
    packed = x.ctype.bits == 8 and ctype == INT32
    if packed:
        function.header = "hwgen_pool.h"
    return {
        "packed": pooled_type(x) if packed else None,
        "g": geometry(window),
        "work": ctype,
        "to_work": conversion(x.ctype, ctype),
    }
