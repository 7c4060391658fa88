"""Networks of stochastic streams in hardware: counters, whole networks, mutations, early ends, area."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

from hwgen import zoo
from hwgen.ir import Constant, Graph, GraphBuilder, Schedule, Type
from hwgen.ops.add import Add
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib import lfsr
from hwgen.ops.saturating_counter import SaturatingCounter
from hwgen.ops.stochastic_dense import StochasticDense
from hwgen.ops.stream_argmax import StreamArgmax
from hwgen.ops.to_stream import ToStream
from hwgen.passes.schedule import schedule
from hwgen.rtl.design import Design, StreamShape
from hwgen.rtl.device import find_device
from hwgen.rtl.emit import emit
from hwgen.rtl.network import Network
from hwgen.rtl.saturating_counter import SaturatingCounterLayer
from hwgen.rtl.synthesis import synthesize
from hwgen.sim import protocol_check, simulator
from tests.ops.harness import samples

CODINGS = ("bipolar", "sign_magnitude")
WIDTH = 10


def network(
    sizes: tuple[int, ...],
    codings: tuple[str, ...],
    components: int = 2,
    length: int = 40,
    argmax: StreamArgmax | None = None,
    bipolar: bool = False,
    largest: int = 30,
) -> Graph:
    """Layers with random weights of six bits, and the class behind them."""
    rng = np.random.default_rng(0)
    taps = lfsr.TAPS[WIDTH]
    count = sizes[0] + sum(components * (n + 1) for n in sizes[:-1])
    left = iter(lfsr.golden_seeds(count, WIDTH, taps))

    def sources(operands: int, each: int) -> dict:
        seeds = [[next(left) for _ in range(each)] for _ in range(operands)]
        return {"width": WIDTH, "taps": taps, "leap": 7, "seeds": Constant(seeds)}

    builder = GraphBuilder("streams")
    x = builder.input(Type.of(sizes[:1], 0, 63))
    x = builder.add(ToStream(length, 1, 6, False, **sources(sizes[0], 1)), x, name="entry")
    for at, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        weights = Uniform(Constant(rng.integers(-largest, largest + 1, (outputs, inputs))), 6)
        bias = Constant(rng.integers(-5, 6, outputs))
        op = StochasticDense(
            weights, bias, 6, components, codings[at - 1], **sources(inputs + 1, components)
        )
        x = builder.add(op, x, name=f"layer{at}")
        if at < len(sizes) - 1:
            states = Constant(rng.integers(8, 30, outputs))
            counter = SaturatingCounter(states, Constant(states.array // 2), bipolar=bipolar)
            x = builder.add(counter, x, name=f"counter{at}")
    return builder.build(builder.add(argmax or StreamArgmax(), x, name="best"))


def early_network(margin: int, **changes) -> Graph:
    """The same with a decision before the last step."""
    plain = network(argmax=StreamArgmax(), **changes)
    kind = plain.operands(plain["best"])[0]
    return network(argmax=StreamArgmax(True, kind.hi - kind.lo, margin), **changes)


def schedules(graph: Graph, folded: tuple[str, ...] = (), lanes: int = 0) -> dict[str, Schedule]:
    """Layers in logic, but for those in ``folded``, which have one lane; the last lanes, or others."""
    found = {}
    for node in graph.nodes:
        if node.op.name == "input":
            continue
        every = node.op.schedules(*graph.operands(node))
        if node.name in folded:
            found[node.name] = every[1]
        else:
            found[node.name] = every[0] if every[0].form == "spatial" else every[lanes - 1]
    return found


def check(graph: Graph, picks: dict, expected, x, seed: int = 1):
    """A network in Amaranth's simulator."""
    core = Network(graph, picks)
    design = Design(
        Path(),
        "unit",
        (),
        core.input,
        core.output,
        core.interval,
        core.latency,
        timing_is_bound=core.timing_is_bound,
    )
    engine = simulator("amaranth", core=lambda: Network(graph, picks))
    return protocol_check(design, engine, x, expected, seed=seed)


@pytest.mark.parametrize("lanes", [5, 1])
def test_counters_are_the_trajectory_in_every_cycle(lanes):
    rng = np.random.default_rng(lanes)
    states, steps, frames = np.array([2, 7, 16, 40, 33]), 50, 40
    op = SaturatingCounter(Constant(states), Constant(states - 1))
    x = rng.integers(-9, 10, (frames, steps, 5))  # 10^4 inputs
    expected = op.trajectory(x).reshape(-1, lanes)
    kind = Type.of(x.shape[1:], -9, 9)
    layer = SaturatingCounterLayer(
        op, steps, StreamShape.of(kind, lanes), StreamShape.of(op.infer(kind), lanes)
    )
    simulated = Simulator(layer)
    simulated.add_clock(1e-8)
    seen, held = [], []

    async def bench(ctx) -> None:
        ctx.set(layer.o.ready, 1)
        ctx.set(layer.i.valid, 1)
        for beat in x.reshape(-1, lanes):
            for k, value in enumerate(beat.tolist()):
                ctx.set(layer.i.payload[k], value)
            await ctx.delay(1e-9)
            seen.append([ctx.get(signal) for signal in layer.following])
            held.append([ctx.get(signal) for signal in layer.counters])
            await ctx.tick()

    simulated.add_testbench(bench)
    simulated.run()
    assert np.array_equal(np.array(seen), expected)
    # What is held at a step is what the step before counted to, and anew at a frame's first.
    before = np.concatenate(
        [np.broadcast_to(states // 2, (frames, 1, 5)), op.trajectory(x)[:, :-1]], 1
    )
    assert np.array_equal(np.array(held), before.reshape(-1, lanes))


def test_counters_of_a_network_are_the_trajectories_in_every_step():
    """All layers at once, a step a clock: whatever a counter takes, it counts as the model does."""
    graph = network((12, 8, 6, 4), ("bipolar", "sign_magnitude", "bipolar"))
    core = Network(graph, schedules(graph))
    x = samples(graph.input_type, 5)
    values = graph.run_all(x)
    layers, expected = {}, {}
    for name in ("counter1", "counter2"):
        node = graph[name]
        trajectory = node.op.trajectory(values[node.inputs[0]])
        expected[name] = trajectory.reshape(-1, trajectory.shape[2])
        layers[name] = core.components[core.module_name(name).removeprefix("streams_")]
    seen = {name: [] for name in layers}
    beats = x.reshape(-1, core.input.lanes)
    simulated = Simulator(core)
    simulated.add_clock(1e-8)

    async def bench(ctx) -> None:
        ctx.set(core.o.ready, 1)
        given = ended = 0
        while ended < len(x):
            ctx.set(core.i.valid, given < len(beats))
            for k, value in enumerate(beats[min(given, len(beats) - 1)].tolist()):
                ctx.set(core.i.payload[k], value)
            await ctx.delay(1e-9)
            for name, layer in layers.items():
                if ctx.get(layer.i.valid) and ctx.get(layer.i.ready):
                    seen[name].append([ctx.get(signal) for signal in layer.following])
            given += ctx.get(core.i.valid) & ctx.get(core.i.ready)
            ended += ctx.get(core.o.valid)
            await ctx.tick()

    simulated.add_testbench(bench)
    simulated.run()
    for name, states in seen.items():
        assert np.array_equal(np.array(states), expected[name]), name


MIXED = (
    ((), 0, False),
    (("layer1", "layer3"), 0, True),
    (("layer2",), 1, False),
)


RARE = pytest.mark.slow  # of all cases, either engine has one in the fast set


@pytest.mark.parametrize(
    ("engine", "case"),
    [
        ("verilator", 2),
        ("icarus", 1),
        *(pytest.param("verilator", case, marks=RARE) for case in (0, 1)),
        *(pytest.param("icarus", case, marks=RARE) for case in (0, 2)),
    ],
)
def test_a_network_equals_its_model(engine, case, tmp_path):
    if (missing := simulator(engine).missing()) is not None:
        pytest.skip(missing)
    folded, lanes, bipolar = MIXED[case]
    codings = tuple(CODINGS[(case + k) % 2] for k in range(3))
    graph = network((12, 8, 6, 4), codings, bipolar=bipolar)
    design = emit(graph, schedules(graph, folded, lanes), tmp_path)
    x = samples(graph.input_type, 6)
    protocol_check(design, simulator(engine), x, graph.run(x), seed=case)


def changed(op, what: str):
    """An op whose constants differ a little."""
    if what == "weights":
        q = op.weights.decode().copy()
        q[:, 0] += 1
        return replace(op, weights=Uniform(Constant(q), 6))
    if what == "seeds":
        return replace(op, seeds=Constant(op.seeds.array + 1))
    array = getattr(op, what).array.copy()
    array[-1] += 1
    return replace(op, **{what: Constant(array)})


COUNTER = ("states", "threshold")
BITS = {"layer1": Type.of((60, 5), 0, 1), "layer2": Type.of((60, 4), 0, 1)}
MUTATIONS = (
    ("entry", "seeds"),
    ("layer1", "weights"),
    ("layer1", "bias"),
    ("layer1", "seeds"),
    ("layer2", "weights"),
    ("layer2", "seeds"),
    ("counter1", "states"),
    ("counter1", "threshold"),
)


@pytest.mark.parametrize(("name", "what"), MUTATIONS)
def test_a_wrong_constant_is_seen(name, what):
    """The hardware of an op that differs in one constant does not pass for the op."""
    node = network((5, 4, 3), CODINGS, length=60)[name]
    kind = Type.of((5,), 0, 63)
    if name != "entry":
        kind = Type.of((60, len(node.op.states.array)), -6, 6) if what in COUNTER else BITS[name]
    graphs = []
    for op in (node.op, changed(node.op, what)):
        builder = GraphBuilder("alone")
        graphs.append(builder.build(builder.add(op, builder.input(kind), name="node")))
    right, _ = graphs
    x = samples(kind, 3)
    x[-1:] = samples(kind, 9)[-1:]
    for pick in right["node"].op.schedules(kind)[:2]:
        picks = {"node": pick}
        core = Network(right, picks)
        design = Design(Path(), "unit", (), core.input, core.output, core.interval, core.latency)
        for graph in graphs:
            engine = simulator(
                "amaranth", core=lambda graph=graph, picks=picks: Network(graph, picks)
            )
            got = engine.run(design, x).outputs.reshape(len(x), -1)
            same = np.array_equal(got, right.run(x).reshape(len(x), -1))
            assert same == (graph is right)


@pytest.mark.parametrize(("folded", "lanes"), [((), 0), (("layer2",), 0)])
def test_a_settled_frame_is_stopped(folded, lanes, tmp_path):
    engine = simulator("verilator")
    if (missing := engine.missing()) is not None:
        pytest.skip(missing)
    graph = early_network(8, sizes=(12, 8, 6, 4), codings=("bipolar", "sign_magnitude", "bipolar"))
    picks = schedules(graph, folded, lanes)
    design = emit(graph, picks, tmp_path)
    assert design.timing_is_bound
    x = np.random.default_rng(3).integers(0, 64, (100, 12))
    sums = graph.run_all(x)[graph["best"].inputs[0]]
    classes, steps = graph["best"].op.decide(sums)
    assert len(np.unique(steps)) > 2
    result = protocol_check(design, engine, x, classes[:, None], seed=4)
    # The clocks of a step, the deciding step, and once the way through the network.
    per_step = 6 if folded else 1  # layer2 has six neurons, and one lane then
    fill = design.latency - 40 * per_step
    clocks = np.diff(result.ends)
    assert clocks.mean() < 0.8 * 40 * per_step
    assert clocks.max() <= design.interval
    assert abs(clocks.mean() - (per_step * (steps.mean() + 1) + fill)) < 2 * per_step + 4


def test_a_stopped_frame_leaves_nothing_behind():
    """Short frames, of which several are on the way, and results that wait at the output."""
    graph = early_network(4, sizes=(6, 4, 3), codings=CODINGS, length=9)
    picks = schedules(graph)
    x = samples(graph.input_type, 30)
    for seed in range(2):
        check(graph, picks, graph.run(x), x, seed)


def test_a_lead_of_the_margin_is_enough():
    """And one less is not: the class that leads at first is not the one that leads later."""
    x = np.zeros((2, 12, 3), dtype=np.int64)
    x[:, 0, 0] = 4, 3
    x[:, 1:, 1] = 4
    builder = GraphBuilder("streams")
    value = builder.input(Type.of(x.shape[1:], 0, 4))
    graph = builder.build(builder.add(StreamArgmax(True, 4, 4), value))
    assert graph.run(x).tolist() == [[0], [1]]
    check(graph, schedules(graph), graph.run(x), x)


def test_only_a_chain_is_stopped():
    """With two streams that meet on the way the rest of a frame is swallowed."""
    taps = lfsr.TAPS[8]
    builder = GraphBuilder("streams")
    x = builder.input(Type.of((3,), 0, 15))
    seeds = np.arange(1, 7).reshape(2, 3, 1)
    parts = [
        builder.add(ToStream(30, 1, 4, False, 8, taps, 7, Constant(s)), x, name=f"part{k}")
        for k, s in enumerate(seeds)
    ]
    total = builder.add(Add(), *parts)
    graph = builder.build(builder.add(StreamArgmax(True, 2, 3), total))
    picks = schedules(graph)
    x = samples(graph.input_type, 8)
    result = check(graph, picks, graph.run(x), x)
    assert np.diff(result.ends).mean() > 25  # as long as the streams


@pytest.mark.slow
def test_the_class_of_every_digit_is_the_models(tmp_path):
    """T5: the bundled network, fully parallel, over its whole test split."""
    engine = simulator("verilator")
    if (missing := engine.missing()) is not None:
        pytest.skip(missing)
    graph, (real, _) = zoo.load("digits-stochastic"), zoo.test_data("digits-stochastic")
    design = emit(graph, schedule(graph), tmp_path)
    x = graph.quantize(real)
    result = engine.run(design, x)
    assert np.array_equal(result.outputs.reshape(len(x), -1), graph.run(x))
    assert np.diff(result.ends).mean() < 128 < np.diff(result.ends).max()  # of 256 steps


@pytest.mark.slow
@pytest.mark.parametrize("coding", CODINGS)
def test_area_against_yosys(coding, tmp_path):
    graph = network((12, 8, 6, 4), (coding,) * 3, components=4)
    picks = schedules(graph, ("layer2",))
    core = Network(graph, picks)
    design = emit(graph, picks, tmp_path, core)
    result = synthesize(design, core, find_device("xilinx"))
    assert result.latches == 0 and not result.unknown
    assert abs(result.estimate.lut - result.total.lut) <= 0.15 * result.total.lut
    assert abs(result.estimate.ff - result.total.ff) <= 0.10 * result.total.ff
    assert (result.estimate.dsp, result.estimate.bram) == (result.total.dsp, result.total.bram)


def test_every_net_has_a_name_that_says_something(tmp_path):
    """Neither Amaranth's for signals without one nor those of ports, numbered, for what lies between."""
    graph = early_network(8, sizes=(12, 8, 6, 4), codings=("bipolar", "sign_magnitude", "bipolar"))
    design = emit(graph, schedules(graph, ("layer2",)), tmp_path)
    text = "".join(path.read_text() for path in design.paths)
    assert not re.findall(r"\b(?:signal_\d*|port_\d+\w*|[ijo]_(?:payload|valid|ready)_\d+)\b", text)
    assert "entry_to_stream_payload" in text
