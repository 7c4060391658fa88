"""C of the elementwise sum."""

from __future__ import annotations

from ...ops.add import Add
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import conversion, work

__all__: list[str] = []


@renders(Add, in_place=True)
def add(stage: Stage, function: Function) -> dict[str, object]:
    a, b = stage.inputs
    ctype = work(
        a.type.lo, a.type.hi, b.type.lo, b.type.hi, a.type.lo + b.type.lo, a.type.hi + b.type.hi
    )
    bytes = [f"{'s' if x.ctype.signed else 'u'}8" for x in (a, b) if x.ctype.bits == 8]
    return {
        "work": ctype,
        "is_elementwise": True,
        "bytes": bytes if len(bytes) == 2 else None,
        "a_to_work": conversion(a.ctype, ctype),
        "b_to_work": conversion(b.ctype, ctype) if ctype.bits == 32 else "",
    }
