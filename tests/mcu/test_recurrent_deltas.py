"""Recurrent cells in C that add changes alone, and cells whose constants differ from step to step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir import Graph, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.ops.gru import Gru
from hwgen.ops.lstm import Lstm
from hwgen.sim.riscv.models import run_many_on_core
from tests.mcu.recurrent_cells import alone, cell, check
from tests.ops.recurrent_cells import varied

COUNT = 6


def cells() -> list[Graph]:
    """Of both kinds, with bytes and with words; a GRU of 16 units is computed in blocks of 16."""
    rng = np.random.default_rng(0)
    graphs = []
    for kind, (lo, hi), codes, units in (
        (Lstm, (-128, 127), ("ternary", "ternary"), 9),
        (Gru, (0, 255), ("binary", "uniform"), 16),
        (Lstm, (-2000, 2000), ("ternary", "power_of_two"), 5),
        (Gru, (0, 9000), ("ternary", "ternary"), 4),
    ):
        x = Type.of((6, 5), lo, hi)
        gain, shift = max(1, 3000 // max(hi, -lo)), 2 if hi < 256 else 6
        for stateful in (False, True):
            op = cell(
                rng, units, x, codes, gain, shift, kind, 200, every_step=True, stateful=stateful
            )
            span = hi - min(lo, 0)
            graphs.append(alone(replace(op, state_delta=3, input_delta=1 + span // 8), x))
        op = cell(rng, units, x, codes, gain, shift, kind, 200, every_step=True)
        graphs.append(alone(varied(op, 6), x))
    return graphs


def samples(x: Type) -> np.ndarray:
    """Elements that stay, that change a little, and that change as far as they can."""
    rng = np.random.default_rng(1)
    drawn = rng.choice([min(x.lo, 0), x.hi, x.hi - x.hi // 16, x.hi // 2], (COUNT, *x.shape))
    for t in range(1, x.shape[0]):
        drawn[:, t] = np.where(rng.random(drawn[:, t].shape) < 0.4, drawn[:, t - 1], drawn[:, t])
    return drawn


@pytest.mark.parametrize(
    "target",
    ["cv32e40p", *(pytest.param(t, marks=pytest.mark.slow) for t in ("host", "rv32imc", "gap8"))],
)
def test_equal(tmp_path, target):
    if target != "host":
        pytest.importorskip("ziglang")
    graphs, jobs = cells(), []
    for at, graph in enumerate(graphs):
        jobs.append((emit(graph, tmp_path / str(at), target), samples(graph.input_type)))
    expected = [graph.run(x) for graph, (_, x) in zip(graphs, jobs, strict=True)]
    assert min(len(np.unique(y)) for y in expected) > 10
    if target == "host":
        check(run_many_on_host(jobs, sanitize=True), expected, graphs)
    else:
        check(run_many_on_core(jobs, "iss", find_target(target).cores), expected, graphs)


def test_some_changes_are_seen_and_some_are_not():
    for graph in cells():
        op, x = graph["cell"].op, samples(graph.input_type)
        if op.by_changes:
            told = replace(op, state_delta=1, input_delta=1)
            assert 0 < op.events(x).mean() < told.events(x).mean()
