"""A network over whole sequences becomes one that takes them bit by bit and keeps its state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import HwgenError, InvalidInput, Mismatch
from ..ir.graph import Graph, GraphBuilder, Node

__all__ = ["check_streaming", "streaming"]


def streaming(graph: Graph, steps: int = 1) -> Graph:
    """The network that takes ``steps`` steps a call and goes on from the state of the call before.

    Parameters
    ----------
    graph
        A network over sequences (steps, features) with a recurrent layer.
    steps
        Steps a sample; divides the steps of the sequences that ``graph`` takes.

    Raises
    ------
    InvalidInput
        There is no recurrent layer, or ``steps`` does not divide the sequence, or a layer needs
        the whole sequence, such as one that reads it backwards.
    """
    recurrent = [node for node in graph.nodes if "stateful" in node.op.attributes()]
    if not recurrent:
        raise InvalidInput(
            f"--streaming needs a recurrent layer whose state goes on, and {graph.name!r} has none"
        )
    ahead = next((node for node in graph.nodes if node.op.looks_ahead), None)
    if ahead is not None:
        raise InvalidInput(
            f"--streaming needs layers that go on from step to step, and {ahead.where} begins with "
            f"the last step of a sequence; take a network of one direction"
        )
    whole = graph.input_type.shape[0]
    if steps < 1 or whole % steps:
        raise InvalidInput(
            f"--streaming {steps}: the steps of a call must divide the {whole} of a sequence"
        )

    def change(node: Node, builder: GraphBuilder, names: dict[str, str]) -> str | None:
        if node.op.name == "input":
            kind = replace(node.type, shape=(steps, *node.type.shape[1:]))
            return builder.input(kind, name=node.name, layer=node.layer)
        if node in recurrent:
            return builder.add(
                replace(node.op, stateful=True),  # type: ignore[type-var]
                *(names[name] for name in node.inputs),
                name=node.name,
                layer=node.layer,
                scale=node.type.scale,
            )
        return None

    try:
        return graph.rewrite(change)
    except HwgenError as error:
        raise InvalidInput(f"--streaming: a layer needs the whole sequence: {error}") from None


def check_streaming(whole: Graph, streamed: Graph, x: np.ndarray) -> None:
    """Raise Mismatch unless calls in a row end where whole sequences do.

    Parameters
    ----------
    x
        Sequences for ``whole``, (batch, steps, features).
    """
    steps = streamed.input_type.shape[0]
    for at, (sequence, want) in enumerate(zip(x, whole.run(x), strict=True)):
        calls = streamed.run(sequence.reshape(-1, steps, sequence.shape[-1]))
        got = calls[-1] if calls[-1].shape == want.shape else calls.reshape(want.shape)
        if not np.array_equal(got, want):
            raise Mismatch(f"streaming: sequence {at} does not end as it does when taken whole")
