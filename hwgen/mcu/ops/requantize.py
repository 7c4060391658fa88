"""C of requantization: the parts of its equation that do something."""

from __future__ import annotations

import numpy as np

from ...ir.graph import Node
from ...ops.lib import fixed_point
from ...ops.requantize import Requantize
from ..function import Function, Scalar
from ..registry import renders
from ..storage import conversion, widest, work

__all__: list[str] = []

_UNBOUNDED = 1 << 62  # the op's own rule keeps products below it


@renders(Requantize, kind="elementwise")
def requantize(node: Node, value: Scalar, function: Function) -> dict[str, object]:
    op = node.op
    ends = np.array([[value.type.lo], [value.type.hi]], dtype=np.int64)
    free = fixed_point.requantize(
        ends, op.multiplier.array, op.shift.array, -_UNBOUNDED, _UNBOUNDED
    )
    lo = op.lo if int(free.min()) < op.lo else None
    hi = op.hi if int(free.max()) > op.hi else None
    multiplies = op.multiplier.hi > 1
    shifts = op.shift.hi > 0
    if not multiplies and not shifts and lo is None and hi is None:
        return {}
    bounds = [bound for bound in (lo, hi) if bound is not None]
    wide = widest(value.ctype, work(*op.product_interval(value.type), *bounds))
    result = work(node.type.lo, node.type.hi)
    return {
        "multiplier": function.parameter(f"{node.name}_multiplier", op.multiplier)
        if multiplies
        else None,
        "shift": function.parameter(f"{node.name}_shift", op.shift) if shifts else None,
        "lo": lo,
        "hi": hi,
        "wide": wide,
        "widen": conversion(value.ctype, wide) if multiplies else "",
        "result": result,
        "narrow": f"({result})" if result != wide else "",
    }
