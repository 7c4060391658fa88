"""C of maximum pooling."""

from __future__ import annotations

from ...ops.max_pool2d import MaxPool2d
from ..function import Function
from ..linear import geometry, pooled_type, slide
from ..registry import renders
from ..stages import Stage
from ..storage import conversion, work

__all__: list[str] = []


@renders(MaxPool2d)
def max_pool2d(stage: Stage, function: Function) -> dict[str, object]:
    (x,) = stage.inputs
    window = stage.kernel.op.window(x.type)
    ctype = work(x.type.lo, x.type.hi)
    slide(function, window)
    packed = x.ctype.bits == 8 and stage.output.ctype == x.ctype and not stage.epilogue
    if packed:
        function.header = "hwgen_pool.h"
    return {
        "packed": pooled_type(x) if packed else None,
        "g": geometry(window),
        "least": x.type.lo,
        "work": ctype,
        "to_work": conversion(x.ctype, ctype),
    }
