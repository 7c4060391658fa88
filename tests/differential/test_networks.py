"""Random networks: PyTorch, the interpreter, plain loops, C and Verilog give the same integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from hwgen.errors import HwgenError
from hwgen.ir import Graph
from hwgen.ir.serialize import from_json, to_json
from hwgen.mcu.emit import emit as emit_c
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.nn import integers
from hwgen.passes.pipeline import run_passes
from hwgen.rtl.emit import emit as emit_verilog
from hwgen.sim import protocol_check, simulator
from tests.differential.models import drawn_graphs, graph_of, models
from tests.differential.naive import run_naive
from tests.ops.harness import samples

EACH = 25  # graphs of one part: parts run in parallel
PARTS = 1
SLOW_PARTS = 80


def check_model(drawn) -> None:
    model, real = drawn
    graph = graph_of(model, real)
    channels_last = real.permute(0, 2, 3, 1) if real.dim() == 4 else real
    x = graph.quantize(channels_last.numpy())
    expected = graph.run(x)
    assert np.array_equal(integers(model(real)), expected)
    document, constants = to_json(graph)
    assert from_json(document, constants) == graph
    for sample in (*x[:2], *samples(graph.input_type, 3)):
        assert run_naive(graph, sample.tolist()) == graph.run(sample[None])[0].tolist()


@settings(max_examples=120)
@given(models())
def test_torch_equals_run_equals_loops(drawn):
    check_model(drawn)


@pytest.mark.slow
@settings(max_examples=3000)
@given(models())
def test_torch_equals_run_equals_loops_for_thousands(drawn):
    check_model(drawn)


def _parts():
    """Numbers of the parts, those beyond the first ones marked as slow."""
    return [
        pytest.param(part, marks=[pytest.mark.slow] if part >= PARTS else [])
        for part in range(SLOW_PARTS)
    ]


@pytest.fixture(scope="module", params=_parts())
def part(request) -> int:
    return request.param


@pytest.fixture(scope="module")
def graphs(part) -> tuple[Graph, ...]:
    """As a network leaves the front end, and every second one as it leaves the passes."""
    drawn = drawn_graphs(EACH, part)
    return tuple(run_passes(graph) if at % 2 else graph for at, graph in enumerate(drawn))


def test_passes_keep_every_result(part, graphs):
    for before, after in zip(drawn_graphs(EACH, part), graphs, strict=True):
        x = samples(before.input_type, 30, seed=part)
        assert np.array_equal(before.run(x), after.run(x)), before


def test_c_equals_run(part, graphs, tmp_path):
    jobs, expected = [], []
    for at, graph in enumerate(graphs):
        x = samples(graph.input_type, 30, seed=part)
        jobs.append((emit_c(graph, tmp_path / str(at)), x))
        expected.append(graph.run(x))
    for want, got, (build, _) in zip(
        expected, run_many_on_host(jobs, sanitize=True), jobs, strict=True
    ):
        assert np.array_equal(got, want), build.folder


def _hardware(graph: Graph) -> bool:
    """Whether anything but wires is left."""
    return any(node.op.name not in ("input", "flatten") for node in graph.nodes)


def test_verilog_equals_run(part, graphs, tmp_path):
    engine = simulator("verilator")
    if engine.missing():
        pytest.skip(engine.missing())
    rng = np.random.default_rng(part)
    for at, graph in enumerate(filter(_hardware, graphs)):
        schedules = {}
        for node in graph.nodes:
            if node.op.name != "input":
                choices = node.op.schedules(*graph.operands(node))
                schedules[node.name] = choices[rng.integers(len(choices))]
        design = emit_verilog(graph, schedules, tmp_path / str(at))
        x = samples(graph.input_type, 8, seed=part)
        try:
            protocol_check(design, engine, x, graph.run(x), seed=part)
        except HwgenError as error:
            shown = ", ".join(f"%{name}: {schedule}" for name, schedule in schedules.items())
            raise AssertionError(f"{error}\nin {design.folder}\n{shown}\n{graph}") from error
