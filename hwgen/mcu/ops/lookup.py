"""C of a table: only the entries that the incoming interval can reach."""

from __future__ import annotations

from ...ir.graph import Node
from ...ops.lookup import Lookup
from ..function import Function
from ..operands import Scalar
from ..registry import renders
from ..storage import INT32, conversion, work

__all__: list[str] = []


@renders(Lookup, kind="elementwise")
def lookup(node: Node, value: Scalar, function: Function) -> dict[str, object]:
    op, x = node.op, value.type
    reached = op.table.array[x.lo - op.base : x.hi - op.base + 1]
    result = work(node.type.lo, node.type.hi)
    table = function.constant(f"{node.name}_table", reached)
    ctype = function.constants[-1].ctype
    by_byte = function.target.isa != "plain" and ctype.bits == 8 and value.ctype == INT32
    return {
        "table": table,
        "entry": f"hwgen_entry_{'s' if ctype.signed else 'u'}8" if by_byte else "",
        "first": x.lo,
        "result": result,
        "narrow": conversion(ctype, result) if result.bits == 32 else "",
    }
