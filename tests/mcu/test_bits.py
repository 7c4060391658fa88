"""Binary weights: by counting bits of few-bit inputs, and in bytes with 8-bit inputs."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.bit_planes import bit_rows, row_words
from hwgen.mcu.dsp.bit_kernels import counts
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.ops.codes.binary import Binary
from hwgen.ops.dense import Dense
from hwgen.sim.riscv.models import run_many_on_core
from tests.ops.harness import cut_anywhere

# Outputs, inputs, ends of the input's interval, whether bits are counted.
SHAPES = (
    (9, 100, 0, 1, True),
    (17, 257, -1, 0, True),
    (4, 31, -1, 1, True),
    (12, 64, 0, 3, True),
    (8, 40, -3, 4, True),
    (3, 33, -8, 7, True),
    (13, 70, 100, 103, True),
    (11, 50, -128, -120, True),
    (9, 37, 0, 16, False),
    (16, 30, -128, 127, False),
)

SLOWER = ("cv32e41p", "rv32imc")


def layer(shape) -> Graph:
    outputs, inputs, lo, hi, _ = shape
    rng = np.random.default_rng(shape[:4] if lo >= 0 else (outputs, inputs))
    b = GraphBuilder("binary")
    x = b.input(Type.of((inputs,), lo, hi))
    weights = rng.choice([-1, 1], (outputs, inputs))
    weights[0] = -1
    bias = Constant(rng.integers(-999, 999, outputs))
    return b.build(b.add(Dense(Binary(Constant(weights)), bias), x))


def inputs(graph: Graph) -> np.ndarray:
    kind = graph.input_type
    x = np.random.default_rng(0).integers(kind.lo, kind.hi + 1, (4, *kind.shape))
    x[0], x[1] = kind.lo, kind.hi
    return x


def jobs(folder, target: str):
    return [
        (emit(graph, folder / str(i), target), inputs(graph))
        for i, graph in enumerate(map(layer, SHAPES))
    ]


def check(made, results) -> None:
    for shape, (_, x), y in zip(SHAPES, made, results, strict=True):
        assert np.array_equal(y, layer(shape).run(x)), shape


@pytest.mark.parametrize("target", ["host", pytest.param("gap8", marks=pytest.mark.slow)])
def test_on_this_machine(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    for shape, (build, _) in zip(SHAPES, made, strict=True):
        text = (build.folder / "binary.c").read_text()
        assert ("hwgen_bits_p" in text) == shape[-1]
        assert ("hwgen_dot_" in text) != shape[-1]
    check(made, run_many_on_host(made, sanitize=True))


@pytest.mark.parametrize(
    "target", ["cv32e40p", "gap8", *(pytest.param(t, marks=pytest.mark.slow) for t in SLOWER)]
)
def test_on_cores(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    check(made, run_many_on_core(made, "iss", find_target(target).cores))


@pytest.mark.parametrize(
    ("planes", "channels", "rows", "n"), [(1, 16, 9, 200), (2, 4, 8, 33), (4, 8, 3, 64)]
)
def test_every_bit_lies_where_the_layout_says(planes, channels, rows, n):
    matrix = np.random.default_rng(n).choice([-1, 1], (rows, n))
    blocks = bit_rows(matrix, planes, channels)
    words, together = row_words(n, planes), counts(planes) // planes
    whole = words // together * together
    found = np.zeros((len(blocks) * channels, words * 32), dtype=bool)
    for b, block in enumerate(blocks.view("<u4").tolist()):
        order = [
            (c, step + i)
            for step in range(0, whole, together)
            for c in range(channels)
            for i in range(together)
        ]
        order += [(c, i) for i in range(whole, words) for c in range(channels)]
        for word, (c, i) in zip(block, order, strict=True):
            for bit in range(32):
                k = 4 * (7 - bit % 8) + bit // 8
                found[b * channels + c, 32 * i + k] = word >> bit & 1
    assert np.array_equal(found[:rows, :n], matrix < 0)
    assert not found[rows:].any()
    assert not found[:, n:].any()


def test_wrong_bit_is_caught(tmp_path):
    graph = layer(SHAPES[0])
    build = emit(graph, tmp_path, "rv32imc")
    source = build.folder / "binary.c"
    text = source.read_text()
    head, number = re.search(r"(_weights\[\d+\]\[\d+\] = \{\s*\{\s*)(\d+)", text).groups()
    source.write_text(text.replace(head + number, f"{head}{int(number) ^ 4}"))
    x = inputs(graph)
    (y,) = run_many_on_core([(build, x)], "iss", 1)
    assert np.array_equal((y != graph.run(x)).any(axis=0), [i == 0 for i in range(9)])
