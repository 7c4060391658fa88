"""Values that nobody reads disappear."""

from __future__ import annotations

from ..ir.graph import Graph

__all__ = ["remove_dead"]


def remove_dead(graph: Graph) -> Graph:
    """Keep what the output depends on, and the input."""
    live = {graph.output}
    for node in reversed(graph.nodes):
        if node.name in live or node.op.name == "input":
            live.add(node.name)
            live.update(node.inputs)
    return graph.only(live)
