"""The printed form of a graph: for people, diffs and snapshot tests."""

from __future__ import annotations

from .code import WeightCode
from .constant import Constant
from .graph import Graph

__all__ = ["print_graph"]


def _show(value) -> str:
    if isinstance(value, Constant):
        if value.array.size == 1:
            return str(int(value.array.reshape(-1)[0]))
        return f"<{'x'.join(map(str, value.shape))} in {value.lo}..{value.hi}>"
    if isinstance(value, WeightCode):
        shape = "x".join(map(str, value.shape))
        return f"{value.name}:{value.element}<{shape}>"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_show, value)) + ")"
    return str(value)


def _show_scale(scale) -> str:
    if isinstance(scale, tuple):
        return f"{min(scale):.6g}..{max(scale):.6g}"
    return f"{scale:.6g}"


def print_graph(graph: Graph) -> str:
    """One line a node: ``%fc1 = dense(%x) {weights=...} : 32:s12[-900, 874] scale 0.01  # layer``."""
    lines = [f"graph {graph.name} {{"]
    for node in graph.nodes:
        attributes = ", ".join(f"{k}={_show(v)}" for k, v in node.op.attributes().items())
        inputs = ", ".join(f"%{name}" for name in node.inputs)
        comment = f"  # {node.layer}" if node.layer else ""
        lines.append(
            f"  %{node.name} = {node.op.name}({inputs}) {{{attributes}}} : "
            f"{node.type} scale {_show_scale(node.type.scale)}{comment}"
        )
    lines.append(f"  return %{graph.output}")
    lines.append("}")
    return "\n".join(lines) + "\n"
