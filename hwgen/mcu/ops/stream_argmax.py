"""C of the class whose stream has the largest sum."""

from __future__ import annotations

from ...ops.stream_argmax import StreamArgmax
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import INT32, conversion, work

__all__: list[str] = []


@renders(StreamArgmax)
def stream_argmax(stage: Stage, function: Function) -> dict[str, object]:
    op: StreamArgmax = stage.kernel.op
    (x,) = stage.inputs
    steps, size = x.type.shape
    most = steps * max(-x.type.lo, x.type.hi, 1)  # of a sum's magnitude; a lead is up to twice that
    ctype = work(-2 * most, 2 * most, steps * op.swing, op.margin)
    function.cut(groups=1, axes=(), kernel=(steps, 1), cycles_per_output=8 * x.type.size)
    function.scratch_bytes = size * ctype.bytes
    return {
        "op": op,
        "steps": steps,
        "size": size,
        "sums": ctype,
        "to_sums": conversion(x.ctype, ctype),
        "work": INT32,
    }
