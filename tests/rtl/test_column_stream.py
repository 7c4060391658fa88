"""Recurrent cells whose weights come from a memory beside the design."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

from hwgen.errors import Mismatch
from hwgen.ir import Constant, Graph, GraphBuilder, Schedule, Type
from hwgen.ops.lib.recurrent import Recurrent
from hwgen.rtl.design import Design
from hwgen.rtl.device import find_device
from hwgen.rtl.emit import emit
from hwgen.rtl.lib.column_stream import AHEAD, image_of
from hwgen.rtl.network import Network
from hwgen.rtl.synthesis import synthesize
from hwgen.sim import check_outputs, check_timing, protocol_check, simulator
from hwgen.sim.memory import read_image
from hwgen.sim.verilated import lint
from tests.ops.recurrent_cells import corner
from tests.rtl.bench import check_network, described
from tests.rtl.test_layers import one
from tests.rtl.test_recurrent import CELLS, FORMS, Gru, Lstm, clocks, sparse, ternary

CODES = ("ternary", "binary", "uniform", "mixed")


def run(graph: Graph, picks: dict[str, Schedule], x: np.ndarray, folder: Path):
    """Amaranth's simulator at full speed; the outputs and the timing are checked."""
    design = described(Network(graph, picks), folder)
    result = simulator("amaranth", core=lambda: Network(graph, picks)).run(design, x)
    check_outputs(graph.run(x), result.outputs, "streamed")
    check_timing(design, result, "streamed")
    return result


@pytest.mark.parametrize(
    ("kind", "lanes", "rows", "form"),
    [
        (Lstm, 8, 4, "events"),  # 8 lanes do not divide 20 rows
        (Lstm, 20, 20, "events"),  # a column is a word: a request a clock
        (Gru, 6, 1, "columns"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                (Lstm, 1, 1, "columns"),
                (Lstm, 16, 4, "events"),
                (Lstm, 20, 4, "columns"),
                (Gru, 1, 1, "events"),
                (Gru, 12, 3, "events"),
                (Gru, 15, 15, "columns"),
            )
        ),
    ],
)
def test_a_step_takes_the_clocks_of_its_events(kind, lanes, rows, form, tmp_path) -> None:
    """And three more if it has any: they alone are asked for."""
    x = Type.of((2, 2), -8, 7)
    op = ternary(kind, 5, x, seed=1, threshold=60, part=0.005)
    samples = sparse(np.random.default_rng(lanes), x, 8)
    schedule = Schedule(form, pe=lanes, simd=rows, streamed=True)
    stored = replace(schedule, streamed=False)
    events = op.events(samples) if form == "events" else np.full((8, 2), 7)
    assert form == "columns" or events.min() == 0 < events.max()
    result = run(one(op, x), {"node": schedule}, samples, tmp_path)
    took = np.diff(result.ends).tolist()
    assert took == clocks(op, schedule, samples)[1:].tolist()
    late = 3 * (events > 0).sum(axis=1)
    assert took == (clocks(op, stored, samples) + late)[1:].tolist()
    assert result.requests == (events.sum(),)


@pytest.mark.parametrize("kind", CELLS)
def test_columns_of_changes_alone_are_asked_for(kind, tmp_path) -> None:
    x = Type.of((3, 2), -8, 7)
    op = ternary(kind, 5, x, 3, part=0.005, stateful=True, state_delta=20, input_delta=3)
    samples = sparse(np.random.default_rng(0), x, 8)
    schedule = Schedule("events", pe=kind.gates, simd=kind.gates, streamed=True)
    result = run(one(op, x), {"node": schedule}, samples, tmp_path)
    assert np.diff(result.ends).tolist() == clocks(op, schedule, samples)[1:].tolist()
    assert result.requests == (op.events(samples).sum(),)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Lstm, "uniform"),
        (Gru, "binary"),
        *(
            pytest.param(kind, code, marks=pytest.mark.slow)
            for kind in CELLS
            for code in CODES
            if (kind, code) not in ((Lstm, "uniform"), (Gru, "binary"))
        ),
    ],
)
def test_protocol(kind, code) -> None:
    """Stalls of streams and memory, and resets while columns are under way."""
    x = Type.of((2, 2), -8, 7)
    case = corner(kind, 3, x, code, threshold=3, every_step=code == "binary")
    form = FORMS[code == "binary"]
    schedule = Schedule(form, pe=2 * kind.gates, simd=kind.gates, streamed=True)
    check_network(one(case.op, x), {"node": schedule}, frames=4, seed=CODES.index(code))


@pytest.mark.slow
@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("seed", range(30))
def test_drawn_cells(seed, kind) -> None:
    rng = np.random.default_rng(seed)
    n, features, steps = (int(rng.integers(1, most)) for most in (6, 5, 5))
    x = Type.of((steps, features), *[(-8, 7), (0, 255), (0, 1), (3, 9)][rng.integers(4)])
    op = corner(
        kind,
        n,
        x,
        CODES[rng.integers(len(CODES))],
        threshold=int(rng.choice([0, 2, 26, 128])),
        every_step=bool(rng.integers(2)),
        stateful=bool(rng.integers(2)),
    ).op
    choices = [s for s in op.schedules(x) if s.streamed and op.cost(x, schedule=s).cycles < 600]
    check_network(one(op, x), {"node": choices[rng.integers(len(choices))]}, frames=5, seed=seed)


def stacked(kinds: tuple[type[Recurrent], ...] = (Lstm, Gru)) -> tuple[Graph, dict[str, Schedule]]:
    """Two cells one behind the other."""
    builder = GraphBuilder("net")
    kind = Type.of((3, 2), -8, 7)
    value, picks = builder.input(kind), {}
    for number, cell in enumerate(kinds):
        op = ternary(cell, 3 + number, kind, seed=number, every_step=number == 0, threshold=3)
        name = f"cell{number}"
        value, kind = builder.add(op, value, name=name), op.infer(kind)
        picks[name] = Schedule("events", pe=2 * op.gates, simd=op.gates, streamed=True)
    return builder.build(value), picks


def test_two_layers(tmp_path) -> None:
    """Each has a memory; the emitted Verilog under stalls and resets."""
    graph, picks = stacked()
    design = emit(graph, picks, tmp_path)
    assert Design.load(tmp_path) == design
    assert [memory.name for memory in design.memories] == ["cell0", "cell1"]
    samples = sparse(np.random.default_rng(3), graph.input_type, 6)
    engine = simulator("verilator")
    if missing := engine.missing():
        pytest.skip(missing)
    lint(design)
    result = protocol_check(design, engine, samples, graph.run(samples))
    hidden = graph.run_all(samples)["cell0"]
    events = [graph["cell0"].op.events(samples).sum(), graph["cell1"].op.events(hidden).sum()]
    assert list(result.requests) == events
    for path in design.paths:
        assert not re.search(r"\\|\bport_|signature|\$\d|\b_\d+_\b", path.read_text()), path


@pytest.mark.parametrize("rows", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_latency_is_hidden_while_there_are_events(rows, tmp_path) -> None:
    """A memory that answers 40 clocks late delays a step by 38 clocks more, not each of its columns."""
    x = Type.of((1, 12), 1, 7)
    op = ternary(Lstm, 4, x)
    picks = {"node": Schedule("events", pe=4, simd=rows, streamed=True)}
    network = Network(one(op, x), picks)
    design = described(network, tmp_path)
    samples = np.full((2, 1, 12), 3)
    took = []
    for latency in (2, 40):
        late = replace(design, memories=(replace(design.memories[0], latency=latency),))
        engine = simulator("amaranth", core=lambda: Network(one(op, x), picks))
        took.append(engine.run(late, samples).ends[0])
    assert took[1] - took[0] == 38


def test_no_more_columns_are_asked_for_than_declared(tmp_path) -> None:
    """A memory that takes requests and answers none."""
    x = Type.of((1, 40), 1, 7)
    network = Network(
        one(ternary(Lstm, 1, x), x), {"node": Schedule("events", pe=4, simd=4, streamed=True)}
    )
    asked = []

    async def bench(ctx) -> None:
        ctx.set(network.i.valid, 1)
        ctx.set(network.i.payload[0], 5)
        ctx.set(network.o.ready, 1)
        ctx.set(network.node_columns.ready, 1)
        for _ in range(100):
            *_, valid, address = await ctx.tick().sample(
                network.node_columns.valid, network.node_columns.payload
            )
            if valid:
                asked.append(address)

    simulation = Simulator(network)
    simulation.add_clock(1e-8)
    simulation.add_testbench(bench)
    simulation.run()
    assert asked == list(range(1, 1 + AHEAD))


def test_image() -> None:
    """Lanes from the lowest bit on, a word in whole bytes."""
    fields = np.array([[1, 2, 3], [7, 0, 5]])
    words = [[0b11010001, 0], [0b01000111, 1]]
    assert image_of(fields, 3).tolist() == words
    assert image_of(np.tile(fields, (5000, 1)), 3).tolist() == words * 5000


def test_image_files(tmp_path) -> None:
    """The text is the same as the bytes; their words are the weights of a column."""
    x = Type.of((1, 2), -8, 7)
    op = ternary(Lstm, 5, x)
    design = emit(one(op, x), {"node": Schedule("events", pe=8, simd=4, streamed=True)}, tmp_path)
    (memory,) = design.memories
    words = read_image(design, memory)
    assert words.shape == (7 * 3, 2) == (memory.depth, memory.word_bytes)
    text = (tmp_path / "node_weights.hex").read_text().split()
    assert [bytes.fromhex(line)[::-1] for line in text] == [bytes(word) for word in words]
    bits = np.unpackbits(words, axis=1, bitorder="little").reshape(7, 3 * 8, 2)[:, :20]
    values = bits[..., 0] - 2 * bits[..., 1].astype(int)
    matrix = np.concatenate([op.recurrent_weights.decode(), op.input_weights.decode()], axis=1)
    # A unit's gates lie side by side.
    assert np.array_equal(values, matrix.reshape(4, 5, 7).transpose(2, 1, 0).reshape(7, 20))


def damaged(kind: str, words: np.ndarray, each: int) -> np.ndarray:
    words = words.copy()
    last = len(words) - each  # the column of an element of the input
    if kind == "a weight":
        words[last, 0] ^= 1
    elif kind == "words of a column":
        words[last:] = words[last:][::-1]
    elif kind == "columns":
        columns = words.reshape(-1, each, words.shape[1])
        words = np.concatenate([columns[1], columns[0], *columns[2:]])
    elif kind == "bytes of a word":
        words = words[:, ::-1].copy()
    return words


@pytest.mark.parametrize(
    "kind", ["nothing", "a weight", "words of a column", "columns", "bytes of a word"]
)
def test_a_damaged_image_is_seen(kind, tmp_path) -> None:
    x = Type.of((3, 2), -8, 7)
    op = ternary(Lstm, 4, x, part=0.1, every_step=True)
    op = replace(op, bias=Constant(np.zeros(16, dtype=int)))  # every sum tells
    graph, picks = one(op, x), {"node": Schedule("events", pe=8, simd=4, streamed=True)}
    design = described(Network(graph, picks), tmp_path)
    (memory,) = design.memories
    image = tmp_path / memory.image
    image.write_bytes(damaged(kind, read_image(design, memory), memory.words).tobytes())
    samples = sparse(np.random.default_rng(0), x, 6)
    result = simulator("amaranth", core=lambda: Network(graph, picks)).run(design, samples)
    if kind == "nothing":
        check_outputs(graph.run(samples), result.outputs, kind)
    else:
        with pytest.raises(Mismatch, match="outputs differ"):
            check_outputs(graph.run(samples), result.outputs, kind)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "lanes", "rows"), [(Lstm, 16, 4), (Lstm, 8, 1), (Gru, 12, 3), (Gru, 12, 6)]
)
def test_area_against_yosys(kind, lanes, rows, tmp_path) -> None:
    x = Type.of((4, 4), -8, 7)
    graph = one(ternary(kind, 16, x, threshold=26), x)
    picks = {"node": Schedule("events", pe=lanes, simd=rows, streamed=True)}
    network = Network(graph, picks)
    design = emit(graph, picks, tmp_path, network)
    result = synthesize(design, network, find_device("xilinx"))
    assert result.latches == 0 and not result.unknown
    truth, estimate = result.total, result.estimate
    assert abs(estimate.lut - truth.lut) <= 0.25 * truth.lut
    assert abs(estimate.ff - truth.ff) <= 0.15 * truth.ff
    assert (estimate.dsp, estimate.bram) == (truth.dsp, truth.bram)
