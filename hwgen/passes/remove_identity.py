"""Ops that change nothing, on the interval proven for their input, disappear."""

from __future__ import annotations

from ..ir.graph import Graph, GraphBuilder, Node
from ..ir.types import Type
from ..ops.clip import Clip
from ..ops.flatten import Flatten
from ..ops.requantize import Requantize

__all__ = ["remove_identity"]


def _is_identity(node: Node, x: Type) -> bool:
    op = node.op
    if isinstance(op, Flatten):
        return len(x.shape) == 1
    if isinstance(op, Clip):
        return (op.lo is None or op.lo <= x.lo) and (op.hi is None or x.hi <= op.hi)
    if isinstance(op, Requantize):
        unit = op.multiplier.lo == op.multiplier.hi == 1 and op.shift.hi == 0
        return unit and op.lo <= x.lo and x.hi <= op.hi
    return False


def remove_identity(graph: Graph) -> Graph:
    """Readers of such an op read its input instead; a graph keeps at least one layer."""

    def change(node: Node, builder: GraphBuilder, names: dict[str, str]) -> str | None:
        if node.op.name == "input" or not _is_identity(node, graph.operands(node)[0]):
            return None
        source = graph[node.inputs[0]]
        if node.name == graph.output and source.op.name == "input":
            return None
        return names[node.inputs[0]]

    return graph.rewrite(change)
