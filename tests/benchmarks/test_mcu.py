"""What the benchmarks of emitted C rest on: peers that compute the same, cases worth measuring."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import mcu_runs
from benchmarks.mcu_cases import BIG_CONV, CONV, DENSE, DEPTHWISE, ELEMENTWISE, LAYERS, load
from benchmarks.mcu_layers import CITED, GOALS, PROGRAMS
from benchmarks.mcu_runs import Program, attempt, execute
from benchmarks.report import Table

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="no cross compiler"
)


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_of_a_layer_vary(name):
    """Outputs that are all zero, or all at an end, would hide errors and lose their cost."""
    case = load(name)
    assert np.unique(case.expected).size > 100
    assert np.mean(np.isin(case.expected, (-128, 127))) < 0.1


def test_work_is_counted_as_everybody_does():
    works = {name: load(name).work for name in (CONV, BIG_CONV, DENSE, DEPTHWISE, *ELEMENTWISE)}
    assert list(works.values()) == [
        16 * 16 * 32 * 9 * 16,
        16 * 16 * 64 * 9 * 32,
        784 * 128,
        16 * 16 * 16 * 9,
        *[16 * 16 * 16] * 3,
    ]
    assert load("digits-mlp").work == 64 * 32 + 32 * 32 + 32 * 10


@needs_compiler
@pytest.mark.parametrize(
    "name",
    ["digits-mlp", "digits-cnn", pytest.param("mnist-cnn", marks=pytest.mark.slow), *ELEMENTWISE],
)
def test_naive_c_computes_the_graph(name):
    figures = execute(Program(name, "rv32imc", code="naive"), "iss", load(name).x)
    assert figures.differ == 0
    assert figures.outputs == load(name).expected.size
    assert 1 < figures.instructions / figures.work < 20


@needs_compiler
def test_a_wrong_program_is_found(monkeypatch, tmp_path):
    program = Program(DENSE, "rv32imc", code="naive")
    build = mcu_runs.build(program)
    source = (build.folder / "naive.c").read_text()
    (tmp_path / "naive.c").write_text(source.replace("k = 0", "k = 1"))
    monkeypatch.setattr(mcu_runs, "build", lambda _: replace(build, folder=tmp_path))
    assert execute(program, "iss", load(DENSE).x[:1]).differ > 64


def test_a_program_that_cannot_be_made_is_a_row():
    table = Table("T", ("layer", "code", "cycles"))
    assert attempt(table, Program(CONV, "z80"), (CONV, "hwgen")) is None
    assert table.rows == [(CONV, "hwgen", "failed")]
    assert "C target must be one of" in table.wrong[0]


def test_goals_and_cited_figures_are_of_layers_that_are_measured():
    assert {*CITED, *GOALS} <= {program.case for program in PROGRAMS}


def test_a_table_says_whether_goals_are_reached():
    table = Table("T", ("layer",), ("A note.",))
    table.goal("speed", 1.949, 1.95)
    table.goal("difference", 0.1, 0.1, lower=True)
    assert str(table).endswith(
        "\n- speed: 1.949, goal at least 1.95: **not reached**."
        "\n- difference: 0.1, goal at most 0.1: reached.\n\nA note.\n"
    )
