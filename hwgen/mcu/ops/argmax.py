"""C of argmax."""

from __future__ import annotations

from ...ops.argmax import Argmax
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import INT32

__all__: list[str] = []


@renders(Argmax)
def argmax(stage: Stage, function: Function) -> dict[str, object]:
    (x,) = stage.inputs
    function.cut(groups=1, axes=(), cycles_per_output=4 * x.type.size)
    return {"steps": x.type.size // x.type.channels, "size": x.type.channels, "work": INT32}
