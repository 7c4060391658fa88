"""Recurrent cells: clocks of every step, skipped columns, and mutations that must be seen."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth import Signal
from amaranth.sim import Simulator

from hwgen.errors import Mismatch
from hwgen.ir import Constant, Graph, GraphBuilder, Schedule, Type
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.flatten import Flatten
from hwgen.ops.gru import Gru
from hwgen.ops.lib import gates as golden
from hwgen.ops.lib.recurrent import Recurrent, State, step_cycles
from hwgen.ops.lstm import Lstm
from hwgen.rtl.design import Design
from hwgen.rtl.device import find_device
from hwgen.rtl.emit import emit
from hwgen.rtl.gru import GruLayer
from hwgen.rtl.lib import gates
from hwgen.rtl.lib import recurrent_layer as generator
from hwgen.rtl.lib.event_queue import EventQueue
from hwgen.rtl.network import Network
from hwgen.rtl.synthesis import synthesize
from hwgen.sim import check_outputs, check_timing, simulator
from hwgen.sim.verilated import lint
from tests.ops import draw as ops
from tests.ops.recurrent_cells import cell
from tests.rtl.bench import check_design, check_network
from tests.rtl.test_layers import one

FORMS = ("events", "columns")


CELLS = (Lstm, Gru)


def ternary(kind: type[Recurrent], units: int, x: Type, seed: int = 0, **options) -> Recurrent:
    """A cell of ternary weights."""
    rng = np.random.default_rng(seed)
    matrices = [
        Ternary(Constant(rng.choice([-1, 0, 1], (kind.gates * units, columns))))
        for columns in (x.channels, units)
    ]
    return cell(kind, rng, x, *matrices, **options)


def lstm(units: int, x: Type, seed: int = 0, **options) -> Recurrent:
    return ternary(Lstm, units, x, seed, **options)


def sparse(rng: np.random.Generator, x: Type, count: int) -> np.ndarray:
    """Sequences with zeros, some of them all zero, some without any."""
    values = rng.integers(x.lo, x.hi, (count, *x.shape), endpoint=True)
    kept = rng.choice([0.0, 0.3, 0.7, 1.0], (count, x.shape[0], 1))
    values = np.where(values == 0, 1, values) * (rng.random(values.shape) < kept)
    values[0], values[1] = 0, x.hi
    return values


def run(graph: Graph, schedule: Schedule, x: np.ndarray, engine: str = "amaranth", folder=None):
    """Simulate at full speed; the outputs are checked."""
    picks = {"node": schedule}
    network = Network(graph, picks)
    if folder is not None:
        design = emit(graph, picks, folder, network)
    else:
        streams = (network.input, network.output, network.interval, network.latency)
        bound = network.timing_is_bound
        design = Design(Path(), "unit", (), *streams, timing_is_bound=bound)
    found = simulator(engine, core=lambda: Network(graph, picks))
    if missing := found.missing():
        pytest.skip(missing)
    result = found.run(design, x)
    check_outputs(graph.run(x), result.outputs, str(schedule))
    check_timing(design, result, str(schedule))
    return result


def clocks(op: Recurrent, schedule: Schedule, x: np.ndarray) -> np.ndarray:
    """Of every frame, by the number of its events."""
    events = op.events(x)
    if schedule.form == "columns":
        events = np.full_like(events, op.units + x.shape[2])
    return step_cycles(op.rows, events, schedule).sum(axis=1)


FAST = {
    *((Lstm, *each) for each in ((1, 1, 0), (4, 4, 60), (16, 1, 128), (16, 4, 0), (16, 4, 128))),
    (Lstm, 20, 20, 60),
    *((Gru, *each) for each in ((1, 1, 60), (3, 3, 0), (12, 1, 60), (15, 1, 0), (15, 15, 128))),
}
SIZES = {
    Lstm: ((1, 1), (4, 4), (16, 1), (16, 4), (20, 20)),
    Gru: ((1, 1), (3, 1), (3, 3), (12, 1), (12, 3), (15, 1), (15, 15)),
}
ALL = [
    (kind, lanes, rows, threshold)
    for kind, sizes in SIZES.items()
    for lanes, rows in sizes
    for threshold in (0, 60, 128)
]


@pytest.mark.parametrize(
    ("kind", "lanes", "rows", "threshold"),
    [each if each in FAST else pytest.param(*each, marks=pytest.mark.slow) for each in ALL],
)
def test_a_step_takes_the_clocks_of_its_events(kind, lanes, rows, threshold) -> None:
    """A frame is a step of one sequence; 20 gate rows do not fill up words of 16, nor 15 of 12."""
    x = Type.of((1, 2), -8, 7)
    op = ternary(kind, 5, x, seed=threshold, threshold=threshold, stateful=True, part=0.005)
    samples = sparse(np.random.default_rng(lanes), x, 12 if lanes == 1 else 20)
    schedule = Schedule("events", pe=lanes, simd=rows)
    events = op.events(samples)
    assert events.min() == 0 or threshold < 128
    assert events.max() == 7 or threshold > 0
    assert len(np.unique(events)) > 2
    result = run(one(op, x), schedule, samples)
    assert np.diff(result.ends).tolist() == clocks(op, schedule, samples)[1:].tolist()


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("every_step", [pytest.param(False, marks=pytest.mark.slow), True])
def test_skipping_changes_clocks_alone(every_step, kind) -> None:
    x = Type.of((4, 3), -8, 7)
    op = ternary(kind, 3, x, threshold=30, every_step=every_step)
    graph, samples = one(op, x), sparse(np.random.default_rng(0), x, 6)
    found = {}
    for form in FORMS:
        schedule = Schedule(form, pe=kind.gates, simd=kind.gates)
        found[form] = run(graph, schedule, samples)
        took = np.diff(found[form].ends)
        assert took.tolist() == clocks(op, schedule, samples)[1:].tolist()
        most = op.cost(x, schedule=schedule).cycles
        assert (took == most).all() if form == "columns" else (took < most).all()
        assert Network(graph, {"node": schedule}).interval == most
    assert np.array_equal(found["events"].outputs, found["columns"].outputs)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "lanes", "rows"),
    [
        *((Lstm, *each) for each in ((1, 1), (4, 1), (4, 4), (16, 4))),
        *((Gru, *each) for each in ((1, 1), (3, 1), (6, 1), (12, 3))),
    ],
)
@pytest.mark.parametrize("part", [0.003, 0.05])
def test_long_sequences(part, kind, lanes, rows, form, tmp_path) -> None:
    """100 sequences of 64 steps; with large gains z, c and h saturate."""
    x = Type.of((64, 3), -128, 127)
    op = ternary(kind, 7, x, seed=lanes, part=part, threshold=26, every_step=lanes in (3, 4))
    if part == 0.05:
        if kind is Lstm:  # c adds up, which is what it seldom does
            bias = op.bias.array.copy()
            bias[: 2 * 7] = 1 << 29
            op = replace(op, bias=Constant(bias))
        assert saturated(op, sparse(np.random.default_rng(1), x, 100)) == {"z", "c", "h"}
    samples = sparse(np.random.default_rng(1), x, 100)
    schedule = Schedule(form, pe=lanes, simd=rows)
    result = run(one(op, x), schedule, samples, "verilator", tmp_path)
    assert np.diff(result.ends).tolist() == clocks(op, schedule, samples)[1:].tolist()


def saturated(op: Recurrent, x: np.ndarray) -> set[str]:
    """What reaches both ends of its bits."""
    ends: dict[str, set[int]] = {"z": set(), "c": set(), "h": set()}
    state = op.initial_state(len(x))
    for t in range(x.shape[1]):
        a = state.h @ op.recurrent_weights.decode().T
        b = x[:, t] @ op.input_weights.decode().T
        z = a * op.recurrent_gain.array + b * op.input_gain.array + op.bias.array
        z = z >> op.shift
        ends["z"].update(np.sign(z[np.abs(z) > 2048]).tolist())
        state = op.step(x[:, t], State(*state))
        ends["c"].update(np.clip(state.c, -2048, 2047)[np.abs(state.c) >= 2047].tolist())
        ends["h"].update(state.h[np.abs(state.h) >= 127].tolist())
    full = {"z": {-1, 1}, "c": {-2048, 2047}, "h": {-128, 127}}
    return {name for name, reached in full.items() if reached <= ends[name]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("seed", range(40))
def test_drawn_cells(seed, kind) -> None:
    """Any codes, activation and schedule."""
    rng = np.random.default_rng(seed)
    n, features, steps = (int(rng.integers(1, most)) for most in (6, 5, 5))
    x = Type.of((steps, features), *[(-8, 7), (0, 255), (0, 1), (3, 9)][rng.integers(4)])
    op = cell(
        kind,
        rng,
        x,
        ops.draw_weights(rng, (kind.gates * n, features)),
        ops.draw_weights(rng, (kind.gates * n, n)),
        float(rng.choice([0.001, 0.02, 1.0])),
        shift=int(rng.integers(16)),
        activation=str(rng.choice(golden.ACTIVATIONS)),
        threshold=int(rng.choice([0, 2, 26, 100, 128])),
        every_step=bool(rng.integers(2)),
        stateful=bool(rng.integers(2)),
    )
    choices = [s for s in op.schedules(x) if op.cost(x, schedule=s).cycles < 600]
    check_network(one(op, x), {"node": choices[rng.integers(len(choices))]}, frames=5, seed=seed)


@pytest.mark.parametrize(
    ("kind", "products", "rows", "form"),
    [
        (Lstm, 1, 1, "columns"),
        (Gru, 1, 1, "columns"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                (Lstm, 1, 16, "columns"),
                (Lstm, 1, 4, "events"),
                (Lstm, 4, 1, "columns"),
                (Lstm, 4, 4, "events"),
                (Gru, 1, 3, "events"),
                (Gru, 4, 1, "columns"),
                (Gru, 4, 3, "events"),
            )
        ),
    ],
)
def test_a_slow_layer_behind_it_makes_the_gates_wait(kind, products, rows, form) -> None:
    """And one that is fast enough does not; timing is exact, or a bound."""
    rng = np.random.default_rng(5)
    builder = GraphBuilder("net")
    x = Type.of((1, 2), -8, 7)
    op = ternary(kind, 4, x, every_step=True, threshold=3, stateful=True, part=0.004)
    h = builder.add(op, builder.input(x), name="node")
    weights = Uniform(Constant(rng.integers(-7, 8, (32, 4))), 4)
    flat = builder.add(Flatten(), h, name="flatten")
    graph = builder.build(builder.add(Dense(weights, Constant(np.arange(32))), flat, name="fc"))
    picks = {
        "node": Schedule(form, pe=rows, simd=rows),
        "fc": Schedule("folded", pe=1, simd=products),
    }
    network = Network(graph, picks)
    alone = op.cost(x, schedule=picks["node"]).cycles
    assert (network.interval == alone) == (products == 4)
    assert network.timing_is_bound == (form == "events")
    check_network(graph, picks, frames=5)


@pytest.mark.parametrize(
    ("lanes", "rows"),
    [(4, 4), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((1, 1), (2, 1), (8, 4)))],
)
def test_the_pipeline_stands_still_wherever_it_is(lanes, rows) -> None:
    """A sink that waits for many clocks, at another place of every frame."""
    x = Type.of((1, 2), -8, 7)
    op = lstm(10, x, every_step=True, stateful=True, part=0.02)
    op = replace(op, bias=Constant(np.zeros(40, dtype=int)))  # every sum tells
    graph, picks = one(op, x), {"node": Schedule("columns", pe=lanes, simd=rows)}
    samples = sparse(np.random.default_rng(1), x, 24)
    network = Network(graph, picks)
    rows_in = samples.reshape(-1).tolist()
    got = []

    async def bench(ctx) -> None:
        cycle = sent = 0
        while len(got) < 240:
            ctx.set(network.i.valid, sent < len(rows_in))
            ctx.set(network.i.payload[0], rows_in[min(sent, len(rows_in) - 1)])
            ctx.set(network.o.ready, cycle % 61 > 30)
            _, _, taken, given, h = await ctx.tick().sample(
                network.i.ready, network.o.valid & network.o.ready, network.o.payload[0]
            )
            sent += taken and sent < len(rows_in)
            if given:
                got.append(h)
            cycle += 1

    simulation = Simulator(network)
    simulation.add_clock(1e-8)
    simulation.add_testbench(bench)
    simulation.run()
    assert got == graph.run(samples).reshape(-1).tolist()


@pytest.mark.parametrize("rows", [1, 3])
def test_a_large_recurrent_bias(rows) -> None:
    """It is in no sum of both parts, and wider than all of them."""
    x = Type.of((2, 2), -8, 7)
    op = ternary(Gru, 2, x, shift=15, every_step=True, part=0.00001)
    bias = op.bias.array.copy()
    bias[:2], bias[2:] = 1 << 19, 0  # the reset gate is open
    op = replace(op, bias=Constant(bias), recurrent_bias=Constant(np.array([1 << 30, -1 << 30])))
    samples = sparse(np.random.default_rng(0), x, 4)
    assert np.abs(op.run(samples)).min() > 60
    run(one(op, x), Schedule("events", pe=6, simd=rows), samples)


class LateQueue(EventQueue):
    """The element of the event before."""

    @property
    def head(self):
        return self.last_head

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.passes):
            m.d.sync += self.last_head.eq(self.element)
        return m

    def __init__(self, width, *arguments, **options):
        super().__init__(width, *arguments, **options)
        self.last_head = Signal(width)


def swapped(values: np.ndarray, count: int) -> np.ndarray:
    """Two sigmoids change places: forget and output gate, or reset and update gate."""
    order = [0, 3, 2, 1] if count == 4 else [1, 0, 2]
    shape = values.shape
    return values.reshape(-1, count, *shape[1:])[:, order].reshape(shape)


def mutate(monkeypatch, mutation: str) -> None:
    right, constants = generator.interleaved, GruLayer.row_constants
    if mutation == "a segment of PLAN":
        monkeypatch.setattr(gates, "SEGMENTS", ((0, 2, 128), (256, 3, 161), (608, 5, 216)))
    elif mutation == "a swapped gate":
        monkeypatch.setattr(generator, "interleaved", lambda v, n: swapped(right(v, n), n))
    elif mutation == "events left in the queue":
        monkeypatch.setattr(generator.RecurrentLayer, "_feeds_back", lambda self, last_step: 1)
    elif mutation == "an element of another event":
        monkeypatch.setattr(generator, "EventQueue", LateQueue)
    elif mutation == "another recurrent bias":

        def later(self):
            found = constants(self)
            return replace(found, recurrent_bias=np.roll(found.recurrent_bias, 1))

        monkeypatch.setattr(GruLayer, "row_constants", later)
    else:
        assert mutation == "nothing"


@pytest.mark.parametrize(
    ("kind", "rows", "mutation"),
    [
        (kind, rows, mutation)
        for kind, rows in ((Lstm, 4), (Gru, 1))
        for mutation in (
            "nothing",
            "a segment of PLAN",
            "a swapped gate",
            "events left in the queue",
            "an element of another event",
            "another recurrent bias",
        )
        if kind is Gru or mutation != "another recurrent bias"
    ],
)
def test_the_comparison_sees_mutations(kind, rows, mutation, monkeypatch) -> None:
    x = Type.of((3, 2), -8, 7)
    op = ternary(kind, 4, x, part=0.004, threshold=3, every_step=True)
    samples = sparse(np.random.default_rng(2), x, 12)
    graph, schedule = one(op, x), Schedule("events", pe=op.rows, simd=rows)
    mutate(monkeypatch, mutation)
    if mutation == "nothing":
        run(graph, schedule, samples)
    else:
        with pytest.raises(Mismatch, match="outputs differ"):
            run(graph, schedule, samples)


@pytest.mark.parametrize(
    ("kind", "schedule", "options"),
    [
        (Lstm, Schedule("events", pe=8, simd=8), {"activation": "table", "every_step": True}),
        (
            Gru,
            Schedule("events", pe=6, simd=1),
            {"threshold": 20, "state_delta": 9, "input_delta": 1},
        ),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                (Lstm, Schedule("columns", pe=4, simd=1), {"stateful": True, "threshold": 128}),
                (Gru, Schedule("columns", pe=1, simd=1), {"stateful": True}),
                (Gru, Schedule("events", pe=6, simd=6), {"activation": "table"}),
            )
        ),
    ],
)
def test_tools_accept_it(kind, schedule, options, tmp_path) -> None:
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    x = Type.of((3, 2), -8, 7)
    graph = one(ternary(kind, 4, x, **options), x)
    design = emit(graph, {"node": schedule}, tmp_path)
    lint(design)
    check_design(design, graph)
    for path in design.paths:
        text = path.read_text()
        assert "\\" not in text and not re.search(r"\bport_|signature|\$\d|\b_\d+_\b", text), path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "lanes", "rows", "activation"),
    [
        (Lstm, 16, 4, "plan"),
        (Lstm, 8, 1, "table"),
        (Lstm, 16, 8, "plan"),
        (Gru, 12, 3, "plan"),
        (Gru, 6, 1, "table"),
        (Gru, 12, 6, "plan"),
    ],
)
def test_area_against_yosys(kind, lanes, rows, activation, tmp_path) -> None:
    x = Type.of((4, 4), -8, 7)
    graph = one(ternary(kind, 16, x, activation=activation, threshold=26), x)
    picks = {"node": Schedule("events", pe=lanes, simd=rows)}
    network = Network(graph, picks)
    design = emit(graph, picks, tmp_path, network)
    result = synthesize(design, network, find_device("xilinx"))
    assert result.latches == 0 and not result.unknown
    truth, estimate = result.total, result.estimate
    assert abs(estimate.lut - truth.lut) <= 0.25 * truth.lut
    assert abs(estimate.ff - truth.ff) <= 0.15 * truth.ff
    assert (estimate.dsp, estimate.bram) == (truth.dsp, truth.bram)
