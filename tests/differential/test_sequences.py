"""Random networks over sequences: PyTorch, the interpreter, plain loops, C and Verilog agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hwgen import nn as q
from hwgen.errors import HwgenError
from hwgen.ir import Graph
from hwgen.mcu.emit import emit as emit_c
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.passes.pipeline import run_passes
from hwgen.rtl.emit import emit as emit_verilog
from hwgen.sim import protocol_check, simulator
from hwgen.sim.riscv.models import run_many_on_core
from tests.differential.models import (
    SCALES,
    Residual,
    activations,
    drawn_graphs,
    entrances,
    heads,
    linears,
)
from tests.differential.test_networks import check_model
from tests.ops.harness import cut_anywhere, samples

TARGETS = ("rv32imc", "cv32e40p", "gap8")
FAST, SLOW = 2, 6  # graphs of a part


@st.composite
def cells(draw, features: int, every_step: bool) -> tuple[nn.Module, int]:
    """A recurrent layer of one direction or both, and the features that it gives."""
    kind = draw(st.sampled_from([q.LSTM, q.GRU]))
    layers = [
        kind(
            features,
            draw(st.integers(1, 4)),
            code=draw(st.sampled_from(["ternary", "binary", "uniform", "power_of_two"])),
            threshold=draw(st.sampled_from([0.0, 0.2])),
            activation=draw(st.sampled_from(["plan", "table"])),
            every_step=every_step,
        )
        for _ in range(draw(st.sampled_from([1, 2, 2])))
    ]
    units = sum(layer.hidden_size for layer in layers)
    return (layers[0] if len(layers) == 1 else q.Bidirectional(*layers)), units


class Twice(nn.Module):
    """A layer's value and behind it that of another."""

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left, self.right, self.concat = left, right, q.Concat()

    def forward(self, x):
        return self.concat(self.left(x), self.right(x))


@st.composite
def step_layers(draw, features: int) -> tuple[list[nn.Module], int]:
    """What treats every step alike."""
    form = draw(st.sampled_from(["dense", "residual", "twice", "reverse"]))
    if form == "reverse":
        return [q.Reverse()], features
    outputs = draw(st.integers(1, 6))
    layer = draw(linears(features, outputs))
    if form == "residual":
        other = draw(linears(features, outputs))
        layer = Residual(layer, other, q.Add(draw(st.integers(2, 8)), scale=draw(SCALES)))
    if form == "twice":
        other = draw(st.one_of(st.just(q.Reverse()), linears(features, 2)))
        layer = Twice(layer, other)
        outputs += 2 if isinstance(other, q.Linear) else features
    return [layer, draw(activations())], outputs


@st.composite
def sequence_models(draw) -> tuple[nn.Sequential, torch.Tensor]:
    """A model in eval mode, scales and statistics set, and real samples for it."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    features = draw(st.integers(1, 4))
    shape = (draw(st.integers(1, 6)), features)
    layers = [draw(entrances(shape))]
    if draw(st.booleans()):
        more, features = draw(step_layers(features))
        layers += more
    for every_step in draw(st.sampled_from([[False], [True], [True, False]])):
        cell, features = draw(cells(features, every_step))
        layers.append(cell)
        if every_step:
            more, features = draw(step_layers(features))
            layers += more
    if draw(st.booleans()) and not every_step:
        layers += draw(heads(features))
    elif draw(st.integers(0, 3)) == 0:
        layers += [draw(linears(features, 3, per_channel=False)), q.ArgMax()]
    model = nn.Sequential(*layers)
    real = torch.randn(16, *shape)
    model.train()
    model(real)
    return model.eval(), real


@settings(max_examples=20)
@given(sequence_models())
def test_torch_equals_run_equals_loops(drawn):
    check_model(drawn)


@pytest.mark.slow
@settings(max_examples=1000)
@given(sequence_models())
def test_torch_equals_run_equals_loops_for_many(drawn):
    check_model(drawn)


def graphs_of(part: int, count: int = 0) -> tuple[Graph, ...]:
    """As a network leaves the front end, and every second one as it leaves the passes."""
    drawn = drawn_graphs(count or (FAST if part < 3 else SLOW), part, sequence_models)
    return tuple(run_passes(graph) if at % 2 else graph for at, graph in enumerate(drawn))


def _parts(fast: int, all: int):
    return [
        pytest.param(part, marks=[pytest.mark.slow] if part >= fast else []) for part in range(all)
    ]


@pytest.mark.parametrize("part", _parts(1, 20))
def test_c_equals_run(part, tmp_path):
    jobs, expected = [], []
    for at, graph in enumerate(graphs_of(part)):
        x = samples(graph.input_type, 20, seed=part)
        jobs.append((emit_c(graph, tmp_path / str(at)), x))
        expected.append(graph.run(x))
    for want, got, (build, _) in zip(
        expected, run_many_on_host(jobs, sanitize=True), jobs, strict=True
    ):
        assert np.array_equal(got, want), build.folder


@pytest.mark.parametrize("part", _parts(3, 30))
def test_riscv_equals_run(part, tmp_path, monkeypatch):
    """On the instruction-set simulator: every arm, one core or a team, whole or in tiles."""
    pytest.importorskip("ziglang")
    cut_anywhere(monkeypatch)
    target = TARGETS[part % 3]
    jobs, expected = [], []
    for at, graph in enumerate(graphs_of(part)):
        x = samples(graph.input_type, 4, seed=part)
        jobs.append((emit_c(graph, tmp_path / str(at), target), x))
        expected.append(graph.run(x))
    results = run_many_on_core(jobs, "iss", find_target(target).cores)
    for want, got, (build, _) in zip(expected, results, jobs, strict=True):
        assert np.array_equal(got, want), build.folder


@pytest.mark.parametrize("part", _parts(1, 40))
def test_verilog_equals_run(part, tmp_path):
    engine = simulator("verilator")
    if engine.missing():
        pytest.skip(engine.missing())
    rng = np.random.default_rng(part)
    for at, graph in enumerate(graphs_of(part, 1 if part == 0 else 2)):
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
