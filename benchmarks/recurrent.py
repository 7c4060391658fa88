"""Recurrent accelerators: clocks on real sequences with and without zeros skipped, and size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from hwgen import zoo
from hwgen.errors import HwgenError
from hwgen.ir import Constant, Graph, GraphBuilder, Schedule
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib.recurrent import Recurrent, step_cycles
from hwgen.passes.pipeline import run_passes
from hwgen.passes.schedule import schedule
from hwgen.report.activity import Activity
from hwgen.rtl.device import find_device
from hwgen.rtl.emit import emit
from hwgen.rtl.yosys import count_cells
from hwgen.sim import simulator
from hwgen.yosys import yosys_version

from .report import Table

__all__ = ["run"]

LANES, ROWS = 16, 4
SAMPLES = 400  # of the held-out ones, at most
CLOCKS = 10_000_000  # of a simulation, about
DEVICE = find_device("ice40")


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    table = Table(
        "Sequences",
        (
            "network",
            "steps",
            "zeros fed back",
            "columns a step: mean, 99 %",
            "clocks a step: skipped, dense",
            "columns' part of these",
            "ratio, columns",
            "ratio, all",
            "MACs a clock",
            "dense-equivalent",
            "lanes in use",
            "outputs",
        ),
        (
            f"Held-out sequences through the Verilog in Verilator, {LANES} lanes, {ROWS} gate rows a "
            "clock; a clock is one of the cell's, measured from the first beat to the last. "
            "*Columns* are elements of input and state that are not zero, each of which takes "
            "`ceil(gate rows / lanes)` clocks; with *every change* those that are not what they were a "
            "step before, which gives the same outputs; *zeros* are then those; *ratio* is the same generator's dense form over the "
            "one that skips zeros. *MACs a clock* are those that were executed; *dense-equivalent* "
            "counts the skipped ones as well. *Lanes in use* is the part of all lanes' clocks, "
            "while columns are added, that adds a weight of a real row.",
        ),
    )
    for name in zoo.names():
        graph = run_passes(zoo.load(name))
        cells = [node for node in graph.nodes if isinstance(node.op, Recurrent)]
        if len(cells) != 1:
            continue
        try:
            x, _ = zoo.test_data(name)
        except HwgenError as error:
            table.add(name, f"left out: {error}")
            continue
        cell = cells[0].name
        for what, variant in ((name, graph), (f"{name}, every change", _by_changes(graph, cell))):
            progress(f"sequences, {what}")
            _sequences(table, what, variant, cell, variant.quantize(x[:SAMPLES]))
            yield table
    yield table
    yield from _sizes(progress)


def _by_changes(graph: Graph, cell: str) -> Graph:
    """The network whose cell is told changes in place of values, all of them."""

    def change(node, builder, names):
        if node.name != cell:
            return None
        op = replace(node.op, state_delta=1, input_delta=1)
        inputs = (names[name] for name in node.inputs)
        return builder.add(op, *inputs, name=node.name, layer=node.layer, scale=node.type.scale)

    return graph.rewrite(change)


def _sequences(table: Table, name: str, graph: Graph, cell: str, x: np.ndarray) -> None:
    op = graph[cell].op
    steps = x.shape[1]
    whole = graph[cell].op.cost(
        *graph.operands(graph[cell]), schedule=Schedule("columns", pe=LANES, simd=ROWS)
    )
    x = x[: max(8, CLOCKS // whole.cycles)]
    values = graph.run_all(x)
    activity = Activity.of(
        graph, graph[cell], Schedule("events", pe=LANES, simd=ROWS), values[graph[cell].inputs[0]]
    )
    events, columns = activity.events, activity.columns
    clocks, differ = {}, 0
    for form in ("events", "columns"):
        pick = Schedule(form, pe=LANES, simd=ROWS)
        # Everything behind the cell is fast enough not to hold it up.
        goal = steps * step_cycles(op.rows, 1, pick)
        picks = schedule(graph, goal, {cell: pick})
        with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
            design = emit(graph, picks, Path(folder))
            result = simulator("verilator").run(design, x)
        differ += int(
            (result.outputs.reshape(len(x), -1) != values[graph.output].reshape(len(x), -1))
            .any(axis=1)
            .sum()
        )
        clocks[form] = (result.ends[-1] - result.ends[0]) / (len(x) - 1) / steps
    each = activity.column_clocks
    added = {"events": events[1:].mean() * each, "columns": columns * each}
    table.add(
        name,
        steps,
        f"{100 * activity.idle:.1f} %",
        f"{events.mean():.1f}, {np.percentile(events, 99):.0f} of {columns}",
        f"{clocks['events']:.0f}, {clocks['columns']:.0f}",
        f"{added['events']:.0f}, {added['columns']:.0f}",
        f"{added['columns'] / added['events']:.2f}",
        f"{clocks['columns'] / clocks['events']:.2f}",
        f"{events[1:].mean() * op.rows / clocks['events']:.1f}",
        f"{columns * op.rows / clocks['events']:.1f}",
        f"{100 * activity.lanes_in_use:.0f} %",
        table.check(name, differ, 2 * len(x)),
    )


def _sizes(progress: Callable[[str], None]) -> Iterator[Table]:
    """The same accelerator with ternary lanes and with multipliers of 12 bits."""
    table = Table(
        "Size of lanes",
        (
            "weights",
            "lanes",
            "LUT4",
            "FF",
            "memories",
            "LUT4 of the lanes",
            "a lane",
            "weight bits",
        ),
        (
            f"{yosys_version()}, `{'; '.join(DEVICE.commands)}`, which puts all multipliers into "
            "logic: the cell of digits-lstm-ternary, 64 units, and the same with random weights of "
            "12 bits. Equal lanes are equal throughput. *Of the lanes* is what the module with lanes "
            "and accumulators takes; gates and queues are the same for both.",
        ),
    )
    graph = run_passes(zoo.load("digits-lstm-ternary"))
    node = next(node for node in graph.nodes if isinstance(node.op, Recurrent))
    for label, bits, lanes in (("ternary", 2, 16), ("12 bits", 12, 16), ("ternary", 2, 64)):
        progress(f"size of lanes, {label}, {lanes}")
        one = _cell(graph, node.name, bits)
        pick = Schedule("events", pe=lanes, simd=4)
        with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
            design = emit(one, {"cell": pick}, Path(folder))
            count = count_cells(DEVICE, design.top, design.paths, flat=False)
        whole = count.within(design.top)
        columns = count.within(next(m for m in count.modules if m.endswith("_columns")))
        stored = one["cell"].op.cost(one.input_type, schedule=pick).weight_bits
        each = f"{columns.lut / lanes:.0f}"
        table.add(label, lanes, whole.lut, whole.ff, whole.bram, columns.lut, each, stored)
        yield table
    yield table


def _cell(graph: Graph, name: str, bits: int) -> Graph:
    """The cell alone, with random weights of so many bits if not its own."""
    op = graph[name].op
    if bits > 2:
        rng = np.random.default_rng(0)
        most = (1 << (bits - 1)) - 1

        def drawn(code) -> Uniform:
            return Uniform(Constant(rng.integers(-most, most, code.shape, endpoint=True)), bits)

        op = replace(
            op,
            input_weights=drawn(op.input_weights),
            recurrent_weights=drawn(op.recurrent_weights),
            input_gain=Constant(np.ones(op.rows)),
            recurrent_gain=Constant(np.ones(op.rows)),
            shift=15,
        )
    builder = GraphBuilder("cell")
    return builder.build(builder.add(op, builder.input(graph.input_type), name="cell"))
