"""C of two values side by side."""

from __future__ import annotations

from ...ops.concat import Concat
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import conversion, work

__all__: list[str] = []


@renders(Concat)
def concat(stage: Stage, function: Function) -> dict[str, object]:
    a, b = stage.inputs
    ctype = work(a.type.lo, a.type.hi, b.type.lo, b.type.hi)
    # A tile has all channels of its pixels, so that the inputs' are whole as well.
    function.cut(groups=1, axes=("rows", "columns"), split="pixels", cycles_per_output=4)
    parts = [
        (name, x.type.channels, conversion(x.ctype, ctype)) for name, x in (("a", a), ("b", b))
    ]
    return {"work": ctype, "parts": parts, "channels": a.type.channels + b.type.channels}
