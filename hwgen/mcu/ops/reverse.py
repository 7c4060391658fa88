"""C of a sequence backwards."""

from __future__ import annotations

from ...ops.reverse import Reverse
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import conversion, work

__all__: list[str] = []


@renders(Reverse)
def reverse(stage: Stage, function: Function) -> dict[str, object]:
    (x,) = stage.inputs
    ctype = work(x.type.lo, x.type.hi)
    # The first rows need the last ones: all are in one tile.
    function.cut(axes=("channels",), split="pixels", cycles_per_output=4)
    return {"work": ctype, "to_work": conversion(x.ctype, ctype)}
