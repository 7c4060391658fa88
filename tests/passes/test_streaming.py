"""A sequence taken call by call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import InvalidInput, Mismatch
from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.ops.dense import Dense
from hwgen.ops.lstm import Lstm
from hwgen.passes.streaming import check_streaming, streaming
from tests.ops.draw import draw_weights

STEPS = 12


def over_sequences(seed: int, every_step: bool = False, layers: int = 2) -> Graph:
    rng = np.random.default_rng(seed)
    units, features = int(rng.integers(1, 8)), int(rng.integers(1, 5))
    builder = GraphBuilder("cell")
    value = builder.input(Type.of((STEPS, features), -8, 7))
    for layer in range(layers):
        inputs = builder.type(value).channels
        gains = [Constant(rng.integers(-700, 700, 4 * units)) for _ in range(2)]
        op = Lstm(
            draw_weights(rng, (4 * units, inputs), "ternary"),
            draw_weights(rng, (4 * units, units), "ternary"),
            *gains,
            Constant(rng.integers(-20000, 20000, 4 * units)),
            6,
            every_step=every_step or layer < layers - 1,
        )
        value = builder.add(op, value)
    if not every_step:
        weights = draw_weights(rng, (3, units), "uniform")
        value = builder.add(Dense(weights, Constant(rng.integers(-9, 9, 3))), value)
    return builder.build(value)


def samples(graph: Graph, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8, 8, (3, *graph.input_type.shape))


@settings(max_examples=30)
@given(
    st.integers(0, 2**32), st.booleans(), st.integers(1, 3), st.sampled_from([1, 2, 3, 4, 6, 12])
)
def test_calls_in_a_row_are_the_whole_sequence(seed, every_step, layers, steps):
    graph = over_sequences(seed, every_step, layers)
    x = samples(graph, seed)
    streamed = streaming(graph, steps)
    assert streamed.input_type.shape[0] == steps
    check_streaming(graph, streamed, x)
    calls = streamed.run(x[0].reshape(-1, steps, x.shape[-1]))
    last = calls.reshape(graph.run(x[:1])[0].shape) if every_step else calls[-1]
    assert np.array_equal(last, graph.run(x[:1])[0])


def test_a_long_stream_is_not_cut_into_parts(monkeypatch):
    """`Graph.run` works through other batches in parts, each of which would begin a sequence."""
    monkeypatch.setattr("hwgen.ir.graph._CACHED_ELEMENTS", 1)
    monkeypatch.setattr("hwgen.ir.graph._FEWEST_ROWS", 1)
    graph = over_sequences(3)
    check_streaming(graph, streaming(graph, 2), samples(graph))


def test_state_that_does_not_go_on_is_noticed():
    graph = over_sequences(1, layers=1)
    forgetful = streaming(graph, 3).rewrite(
        lambda node, builder, names: (
            builder.add(replace(node.op, stateful=False), *(names[n] for n in node.inputs))
            if node.op.stateful
            else None
        )
    )
    x = samples(graph)
    with pytest.raises(Mismatch, match="sequence 0 does not end as it does when taken whole"):
        check_streaming(graph, forgetful, x)


@pytest.mark.parametrize("steps", [0, 5, 24])
def test_steps_must_divide_the_sequence(steps):
    with pytest.raises(InvalidInput, match=rf"--streaming {steps}: .* must divide the 12"):
        streaming(over_sequences(2), steps)


def test_a_network_without_state_cannot_stream():
    builder = GraphBuilder("plain")
    x = builder.input(Type.of((3,), -8, 7))
    weights = draw_weights(np.random.default_rng(0), (2, 3), "uniform")
    graph = builder.build(builder.add(Dense(weights, Constant([0, 0])), x))
    with pytest.raises(InvalidInput, match="needs a recurrent layer whose state goes on"):
        streaming(graph)
