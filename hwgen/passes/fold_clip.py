"""A clip behind a requantize becomes part of the requantize's own bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, GraphBuilder, Node
from ..ops.clip import Clip
from ..ops.requantize import Requantize

__all__ = ["fold_clip"]


def fold_clip(graph: Graph) -> Graph:
    """``clip(clip(v, a, b), c, d) = clip(v, clip(a, c, d), clip(b, c, d))``, where nobody else reads it."""

    def change(node: Node, builder: GraphBuilder, names: dict[str, str]) -> str | None:
        if not isinstance(node.op, Clip):
            return None
        before = graph[node.inputs[0]]
        if not isinstance(before.op, Requantize):
            return None
        if len(graph.users[before.name]) > 1 or graph.output == before.name:
            return None
        bounds = [int(b) for b in node.op.run(np.array([before.op.lo, before.op.hi]))]
        op = replace(before.op, lo=bounds[0], hi=bounds[1])
        return builder.add(
            op,
            names[before.inputs[0]],
            name=before.name,
            layer=before.layer,
            scale=node.type.scale,
        )

    return graph.rewrite(change)
