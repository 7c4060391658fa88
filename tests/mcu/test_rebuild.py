"""Weights that are rebuilt before they are multiplied: powers of two of 4 bits, bases."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.ir.code import WeightCode
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.ops.codes.basis import Basis
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.dense import Dense
from hwgen.sim.riscv.models import run_many_on_core
from tests.ops.harness import cut_anywhere

SLOWER = ("cv32e41p", "rv32imc")
POWERS = [0, *(sign << k for k in range(7) for sign in (1, -1))]


def powers(rng, *shape: int) -> PowerOfTwo:
    """Every value there is among them."""
    values = rng.choice(POWERS, shape)
    values.reshape(-1)[: len(POWERS)] = POWERS[: values.size]
    return PowerOfTwo(Constant(values), 4)


def basis(rng, outputs: int, inputs: int, run: int, group: int, shift: int, most: int = 128):
    """Weights of which some leave 8 bits unless ``most``, the largest of the basis, is small."""
    runs = -(-inputs // run)
    c = rng.choice(POWERS, (outputs, runs, run))
    b = rng.integers(-most, most, (-(-outputs // group), run, run))
    return Basis(Constant(c), Constant(b), group, shift, (inputs,))


def codes() -> list[WeightCode]:
    """Whole blocks and parts of them, rows with and without a tail, all kinds of bases."""
    rng = np.random.default_rng(0)
    return [
        powers(rng, 8, 64),
        powers(rng, 13, 37),
        powers(rng, 2, 9),
        powers(rng, 6, 128),
        basis(rng, 16, 64, 4, 8, 7),
        basis(rng, 9, 50, 4, 4, 4),
        basis(rng, 10, 43, 4, 3, 2, most=1),
        basis(rng, 8, 45, 3, 8, 8),
        basis(rng, 7, 61, 2, 1, 6),
        basis(rng, 12, 96, 8, 12, 9),
        basis(rng, 5, 33, 1, 4, 2),
        basis(rng, 4, 77, 5, 4, 12),
    ]


def layer(code: WeightCode, signed: bool) -> Graph:
    outputs, inputs = code.shape
    b = GraphBuilder("rebuilt")
    x = b.input(Type.of((inputs,), *((-128, 127) if signed else (0, 255))))
    return b.build(b.add(Dense(code, Constant(np.arange(outputs) * 1000)), x))


def inputs(graph: Graph) -> np.ndarray:
    kind = graph.input_type
    x = np.random.default_rng(0).integers(kind.lo, kind.hi + 1, (4, *kind.shape))
    x[0], x[1] = kind.lo, kind.hi
    return x


def jobs(folder, target: str):
    graphs = [layer(code, bool(i % 2)) for i, code in enumerate(codes())]
    return [(g, emit(g, folder / str(i), target), inputs(g)) for i, g in enumerate(graphs)]


def check(made, results) -> None:
    for (graph, build, x), y in zip(made, results, strict=True):
        assert np.array_equal(y, graph.run(x)), build.folder


@pytest.mark.parametrize("target", ["host", "gap8"])
def test_on_this_machine(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    texts = [(build.folder / "rebuilt.c").read_text() for _, build, _ in made]
    assert sum("hwgen_powers(" in text for text in texts) == 4
    assert sum("hwgen_basis(" in text for text in texts) >= 6
    check(made, run_many_on_host([(build, x) for _, build, x in made], sanitize=True))


@pytest.mark.parametrize(
    "target", ["cv32e40p", "gap8", *(pytest.param(t, marks=pytest.mark.slow) for t in SLOWER)]
)
def test_on_cores(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    cores = find_target(target).cores
    check(made, run_many_on_core([(build, x) for _, build, x in made], "iss", cores))
