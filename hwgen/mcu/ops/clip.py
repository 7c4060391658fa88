"""C of saturation: only the bounds that the incoming interval can reach."""

from __future__ import annotations

from ...ir.graph import Node
from ...ops.clip import Clip
from ..function import Function
from ..operands import Scalar
from ..registry import renders
from ..storage import widest, work

__all__: list[str] = []


@renders(Clip, kind="elementwise")
def clip(node: Node, value: Scalar, function: Function) -> dict[str, object]:
    op = node.op
    lo = op.lo if op.lo is not None and op.lo > value.type.lo else None
    hi = op.hi if op.hi is not None and op.hi < value.type.hi else None
    if lo is None and hi is None:
        return {}
    bounds = [bound for bound in (lo, hi) if bound is not None]
    wide = widest(value.ctype, work(*bounds))
    result = work(node.type.lo, node.type.hi)
    return {
        "lo": lo,
        "hi": hi,
        "wide": wide,
        "result": result,
        "narrow": f"({result})" if result != wide else "",
    }
