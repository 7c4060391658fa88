"""Emitted models on the simulator and on the cores' RTL: equal outputs, cycles, instructions."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen import zoo
from hwgen.mcu.emit import emit
from hwgen.sim.riscv import rtl
from hwgen.sim.riscv.models import run_on_core
from tests.mcu import graphs
from tests.mcu.conftest import small  # noqa: F401
from tests.mcu.test_cross import needs_cross_compiler

# Targets, with the cores of a team, and the RTL that runs their code.
RUNS = [
    ("rv32imc", 1, "cv32e40p"),
    ("cv32e40p", 1, "cv32e40p"),
    ("cv32e41p", 1, "cv32e41p"),
    ("gap8", 1, "cv32e41p"),
    ("gap8", 2, "cv32e41p"),
    ("gap8", 8, "cv32e41p"),
]

pytestmark = [
    needs_cross_compiler,
    pytest.mark.skipif(
        any(core.missing() for core in rtl.CORES.values()), reason="no RTL of the cores"
    ),
]


def agree(graph, target: str, team: int, engine: str, folder, samples) -> int:
    """Compare all that the runs of a model yield; returns their cycles."""
    build = emit(graph, folder, target)
    y, model = run_on_core(build, samples, "iss", team, profile=True)
    z, truth = run_on_core(build, samples, engine, team, profile=True)
    assert model == truth
    assert (y == z).all()
    assert (y == graph.run(samples)).all()
    return truth.cycles


@pytest.mark.parametrize("target, team, engine", RUNS[1:2] + RUNS[-1:])
def test_a_residual_network(small, target, team, engine, tmp_path):  # noqa: F811
    samples = graphs.samples(small, np.random.default_rng(1), 8)[:2]
    assert agree(small, target, team, engine, tmp_path, samples) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("target, team, engine", RUNS)
@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_zoo(name, target, team, engine, tmp_path):
    graph = zoo.load(name)
    samples = graphs.samples(graph, np.random.default_rng(2), 8)[:3]
    agree(graph, target, team, engine, tmp_path, samples)


@pytest.mark.slow
@pytest.mark.parametrize("target, team, engine", RUNS)
def test_every_op(target, team, engine, tmp_path):
    rng = np.random.default_rng(3)
    for name, make in graphs.OPS.items():
        for k in range(2):
            graph = graphs.draw(make, rng, name)
            samples = graphs.samples(graph, rng, 8)[-3:]
            agree(graph, target, team, engine, tmp_path / f"{name}{k}", samples)
