"""C of sums over the steps of a stream."""

from __future__ import annotations

from ...ops.accumulate import Accumulate
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import conversion, work

__all__: list[str] = []


@renders(Accumulate)
def accumulate(stage: Stage, function: Function) -> dict[str, object]:
    (x,) = stage.inputs
    steps, y = x.type.shape[0], stage.kernel.type
    ctype = work(x.type.lo, x.type.hi, y.lo, y.hi, 0)
    function.cut(kernel=(steps, 1), axes=("channels",), cycles_per_output=4 * steps)
    return {"steps": steps, "work": ctype, "to_work": conversion(x.ctype, ctype)}
