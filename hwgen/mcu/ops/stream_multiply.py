"""C of the product of two streams."""

from __future__ import annotations

from ...ops.stream_multiply import StreamMultiply
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import conversion, work

__all__: list[str] = []


@renders(StreamMultiply, in_place=True)
def stream_multiply(stage: Stage, function: Function) -> dict[str, object]:
    a, b = stage.inputs
    y = stage.kernel.type
    ctype = work(a.type.lo, a.type.hi, b.type.lo, b.type.hi, y.lo, y.hi)
    function.cut(cycles_per_output=6)
    return {
        "work": ctype,
        "a_to_work": conversion(a.ctype, ctype),
        "b_to_work": conversion(b.ctype, ctype) if ctype.bits == 32 else "",
    }
