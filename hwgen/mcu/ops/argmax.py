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
    return {"size": x.type.size, "work": INT32}
