"""Layers on random foldings: results, interval and latency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.ir import Constant, Graph, GraphBuilder, Schedule, Type
from hwgen.ops.argmax import Argmax
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.lookup import Lookup
from hwgen.ops.requantize import Requantize
from hwgen.rtl.network import Network
from tests.ops import draw as ops
from tests.rtl.bench import check_network


def one(op, x: Type) -> Graph:
    builder = GraphBuilder("unit")
    return builder.build(builder.add(op, builder.input(x), name="node"))


@st.composite
def dense_layers(draw, most: int = 12) -> Graph:
    x = draw(ops.vectors(most=most, most_bits=4))
    outputs = draw(st.integers(1, most))
    return one(Dense(draw(ops.weights((outputs, x.size))), draw(ops.biases(outputs))), x)


@st.composite
def convolutions(draw, most: int = 5) -> Graph:
    """Plain, grouped and depthwise ones."""
    groups = draw(st.sampled_from([1, 1, 2, 3, 4]))
    depth, each = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    height, width = draw(st.integers(1, most)), draw(st.integers(1, most))
    x = Type.of((height, width, groups * depth), *draw(st.sampled_from([(0, 7), (-8, 7), (2, 5)])))
    kernel, stride, padding = draw(ops.windows(height, width))
    outputs = groups * each
    weights = draw(ops.weights((outputs, *kernel, depth)))
    return one(Conv2d(weights, draw(ops.biases(outputs)), stride, padding, groups), x)


def schedules(graph: Graph) -> tuple[Schedule, ...]:
    node = graph["node"]
    return node.op.schedules(*graph.operands(node))


@settings(max_examples=12)
@given(st.one_of(dense_layers(), convolutions()), st.integers(0, 99))
def test_layers_on_any_schedule(graph, seed) -> None:
    choices = schedules(graph)
    check_network(graph, {"node": choices[seed % len(choices)]}, seed=seed)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.one_of(dense_layers(6), convolutions(4)))
def test_layers_on_every_schedule(graph) -> None:
    for schedule in schedules(graph):
        check_network(graph, {"node": schedule})


@settings(max_examples=40)
@given(st.one_of(dense_layers(24), convolutions(9)))
def test_multipliers_are_busy(graph) -> None:
    node = graph["node"]
    (x,) = graph.operands(node)
    for schedule in schedules(graph):
        cost = node.op.cost(x, schedule=schedule)
        interval = Network(graph, {"node": schedule}).interval
        assert interval == cost.cycles, schedule
        if schedule.form == "folded" and isinstance(node.op, Dense):
            # Every multiplier in every cycle.
            assert schedule.multipliers * interval == cost.multiplications
        elif schedule.form == "serial":
            assert schedule.pe * interval == cost.multiplications
        elif schedule.form == "folded":
            beats = x.size // (schedule.simd * schedule.parallel)
            if cost.multiplications >= schedule.multipliers * beats:
                assert cost.multiplications >= 0.95 * schedule.multipliers * interval


@settings(max_examples=8)
@given(st.data())
def test_requantize_by_channel(data) -> None:
    channels = data.draw(st.sampled_from([1, 2, 4, 6]))
    rng = np.random.default_rng(data.draw(ops.seeds))
    x = Type.of((2, 2, channels), -200, 100)
    multiplier = rng.integers(1, data.draw(st.sampled_from([2, 50])), channels)
    shift = rng.integers(0, 9, channels) if data.draw(st.booleans()) else 4
    lo, hi = data.draw(st.sampled_from([(-8, 7), (0, 15), (-1000, 1000), (5, 5)]))
    graph = one(Requantize(Constant(multiplier), Constant(shift), lo, hi), x)
    schedule = data.draw(st.sampled_from(schedules(graph)))
    check_network(graph, {"node": schedule})


@settings(max_examples=6)
@given(st.data())
def test_lookup(data) -> None:
    lo = data.draw(st.integers(-9, 9))
    entries = data.draw(st.lists(st.integers(-99, 99), min_size=1, max_size=20))
    hi = lo + data.draw(st.integers(0, len(entries) - 1))
    graph = one(Lookup(Constant(entries), lo), Type.of((4,), lo, hi))
    check_network(graph, {"node": data.draw(st.sampled_from(schedules(graph)))})


@settings(max_examples=8)
@given(st.integers(1, 12), st.sampled_from([(0, 1), (-2, 1), (0, 15)]), st.integers(0, 99))
def test_argmax_takes_the_first_of_equals(size, interval, seed) -> None:
    graph = one(Argmax(), Type.of((size,), *interval))
    choices = schedules(graph)
    check_network(graph, {"node": choices[seed % len(choices)]}, frames=6, seed=seed)
