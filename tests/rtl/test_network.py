"""Whole networks: residuals, forks, queues; no beat lost and no deadlock under stalls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import RuleViolation, Unsupported
from hwgen.ir import Constant, GraphBuilder, Schedule, Type
from hwgen.ops.add import Add
from hwgen.ops.clip import Clip
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.requantize import Requantize
from hwgen.passes.schedule import schedule
from hwgen.rtl.emit import emit
from hwgen.rtl.network import Network
from hwgen.sim import check_timing, simulator
from hwgen.verification import golden_inputs
from tests.rtl.bench import check_design, check_network
from tests.rtl.draw import networks, random_network, random_schedules


@settings(max_examples=3)
@given(networks(), st.integers(0, 99))
def test_networks(drawn, seed) -> None:
    check_network(*drawn, seed=seed)


@pytest.mark.slow
@settings(max_examples=300)
@given(networks(), st.integers(0, 99))
def test_many_networks(drawn, seed) -> None:
    check_network(*drawn, seed=seed)


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 150))]
)
def test_networks_in_verilator(seed, tmp_path) -> None:
    rng = np.random.default_rng(seed)
    graph = random_network(rng)
    check_design(emit(graph, random_schedules(rng, graph), tmp_path), graph, frames=12)


def residual(inner_kernel: int = 3):
    """A residual branch within a residual branch; the input is added at the end once more."""
    builder = GraphBuilder("nested")
    kind = Type.of((5, 4, 2), -4, 3)
    rng = np.random.default_rng(0)

    def convolution(x: str, kernel: int, name: str) -> str:
        weights = Uniform(Constant(rng.integers(-3, 4, (2, kernel, kernel, 2))), 3)
        pad = kernel // 2
        op = Conv2d(weights, Constant([1, -1]), (1, 1), (pad, pad))
        y = builder.add(op, x, name=name)
        return builder.add(Requantize(Constant(1), Constant(3), -4, 3), y, name=f"{name}_act")

    x = builder.input(kind)
    a = convolution(x, 3, "outer")
    b = convolution(a, inner_kernel, "inner")
    inner = builder.add(Add(), a, b, name="inner_sum")
    outer = builder.add(Add(), inner, x, name="outer_sum")
    return builder.build(builder.add(Add(), outer, x, name="again"))


def schedules_of(graph, pick) -> dict[str, Schedule]:
    return {
        node.name: pick(node.op.schedules(*graph.operands(node)))
        for node in graph.nodes
        if node.op.name != "input"
    }


@pytest.mark.parametrize("pick", [lambda s: s[0], lambda s: s[-1], lambda s: s[len(s) // 2]])
def test_nested_residuals(pick, tmp_path) -> None:
    graph = residual()
    check_design(emit(graph, schedules_of(graph, pick), tmp_path), graph)


def test_queues_do_not_slow_a_network_down() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        graph = random_network(rng)
        network = Network(graph, random_schedules(rng, graph))
        network._build(depths=None)
        free, _ = network._measure()
        assert network.interval == free.interval, seed


def test_queues_hold_what_a_branch_needs_and_not_more() -> None:
    graph = residual()
    network = Network(graph, schedules_of(graph, lambda s: s[0]))
    depths = [c.depth for name, c in network.components.items() if "_queue" in name]
    # Two rows and some of a 3x3 window over 4 pixels a row, for each of the two branches.
    assert depths and max(depths) < 2 * 5 * 4


def test_a_value_that_is_read_and_given() -> None:
    builder = GraphBuilder("kept")
    x = builder.input(Type.of((6,), -8, 7))
    y = builder.add(Clip(0, None), x, name="kept_value")
    z = builder.add(Add(), y, y, name="twice")
    builder.add(Clip(0, 3), z, name="unread")
    graph = builder.build(y)
    # What nobody asks for is left out.
    network = Network(graph, schedules_of(graph, lambda s: s[0]))
    assert list(network.components) == ["kept_value_clip"]
    check_network(graph, schedules_of(graph, lambda s: s[0]))


def test_the_same_value_twice() -> None:
    builder = GraphBuilder("double")
    x = builder.input(Type.of((2, 3, 2), -8, 7))
    graph = builder.build(builder.add(Add(), x, x))
    check_network(graph, schedules_of(graph, lambda s: s[0]))
    check_network(graph, schedules_of(graph, lambda s: s[-1]))


def test_schedules_are_checked() -> None:
    graph = residual()
    with pytest.raises(RuleViolation, match="%outer: must have a schedule"):
        Network(graph, {})
    wrong = schedules_of(graph, lambda s: s[0]) | {"outer": Schedule("folded", pe=7, simd=1)}
    with pytest.raises(RuleViolation, match="schedule 'folded 7x1' does not fit"):
        Network(graph, wrong)


def test_nothing_to_build() -> None:
    builder = GraphBuilder("empty")
    graph = builder.build(builder.input(Type.of((2,), 0, 1)))
    with pytest.raises(Unsupported, match="without layers has no hardware"):
        Network(graph, {})


def test_three_branches_of_one_value_keep_the_pace(tmp_path):
    """The shortest branch must wait for two sums: a gap shows only every few frames."""
    builder = GraphBuilder("net")
    x = builder.input(Type.of((4,), -8, 7))
    weights = Uniform(Constant(np.arange(12).reshape(3, 4) % 7 - 3), 4)
    a, b, c = (builder.add(Dense(weights, Constant([0, 1, 2])), x, name=n) for n in "abc")
    total = builder.add(Add(), a, b)
    for _ in range(3):
        total = builder.add(Requantize(Constant(3), Constant(2), -99, 99), total)
    graph = builder.build(builder.add(Add(), total, c))
    design = emit(graph, schedule(graph), tmp_path)
    assert design.interval == 1
    x = golden_inputs(graph, 64)
    result = simulator("verilator").run(design, x)
    check_timing(design, result, "three branches")
    assert np.array_equal(result.outputs, graph.run(x))


def test_names_that_meet_when_the_op_is_added(tmp_path):
    builder = GraphBuilder("net")
    x = builder.input(Type.of((2,), -8, 7))
    weights = Uniform(Constant([[1, -2], [3, 1]]), 4)
    for name in ("a", "a_dense", "dense", "dense_dense"):
        x = builder.add(Dense(weights, Constant([0, 1])), x, name=name)
    graph = builder.build(x)
    design = emit(graph, schedule(graph), tmp_path)
    x = golden_inputs(graph, 8)
    assert np.array_equal(simulator("verilator").run(design, x).outputs, graph.run(x))
