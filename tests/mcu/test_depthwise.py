"""Depthwise convolution: every shape of window, on every arm, whole and in tiles."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.compiler import find_host_compiler
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.mcu.weights import tap_words
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.requantize import Requantize
from hwgen.sim.riscv.models import run_many_on_core
from tests.mcu.simd_cases import STUBS
from tests.ops.harness import cut_anywhere


def layer(rng, kernel, stride, padding, shape, signed: bool) -> Graph:
    """One layer with random weights, some of them extreme, and a requantization."""
    channels = shape[2]
    lo, hi = (-128, 127) if signed else (0, 255)
    weights = rng.integers(-128, 128, (channels, *kernel, 1))
    weights[0] = -128
    b = GraphBuilder("depthwise")
    x = b.input(Type.of(shape, lo, hi))
    bias = Constant(rng.integers(-(1 << 16), 1 << 16, channels))
    op = Conv2d(Uniform(Constant(weights), 8), bias, stride, padding, groups=channels)
    act = Requantize(Constant(rng.integers(1 << 29, 1 << 30, channels)), Constant(42), lo, hi)
    return b.build(b.add(act, b.add(op, x)))


def layers(seed: int, count: int) -> list[Graph]:
    """Windows of 1 to 9 taps a side, all strides, paddings and numbers of channels."""
    rng = np.random.default_rng(seed)
    graphs = []
    while len(graphs) < count:
        kernel = tuple(int(rng.choice([1, 2, 3, 3, 4, 5, 9])) for _ in "hw")
        stride = tuple(int(rng.choice([1, 1, 2, 3])) for _ in "hw")
        padding = tuple(int(rng.integers(0, k)) for k in kernel)
        shape = (int(rng.integers(1, 12)), int(rng.integers(1, 12)), int(rng.integers(2, 11)))
        if all(s + 2 * p >= k for s, p, k in zip(shape, padding, kernel, strict=False)):
            graphs.append(layer(rng, kernel, stride, padding, shape, bool(len(graphs) % 2)))
    return graphs


def inputs(graph: Graph) -> np.ndarray:
    kind = graph.input_type
    x = np.random.default_rng(0).integers(kind.lo, kind.hi + 1, (3, *kind.shape))
    x[0] = kind.hi
    return x


def jobs(folder, target: str, graphs: list[Graph]):
    return [(emit(g, folder / str(i), target), inputs(g)) for i, g in enumerate(graphs)]


def compare(graphs: list[Graph], results) -> None:
    for graph, got in zip(graphs, results, strict=True):
        assert (got == graph.run(inputs(graph))).all(), graph.nodes[1].op


def test_weights_lie_in_columns():
    taps = np.arange(12).reshape(1, 3, 4)
    assert tap_words(taps).tolist() == [[0, 4, 8, 0, 1, 5, 9, 0, 2, 6, 10, 0, 3, 7, 11, 0]]


def test_on_this_machine(tmp_path):
    graphs = layers(1, 8)
    compare(graphs, run_many_on_host(jobs(tmp_path, "host", graphs), sanitize=True))


def test_with_builtins(tmp_path, monkeypatch):
    flags = f"-DHWGEN_GREENWAVES -include {STUBS} -fno-sanitize=alignment"
    monkeypatch.setenv("CC", " ".join([*find_host_compiler(), flags]))
    graphs = layers(3, 6)
    compare(graphs, run_many_on_host(jobs(tmp_path, "host", graphs), sanitize=True))


@pytest.mark.parametrize("target", ["rv32imc", "cv32e40p", "gap8"])
def test_on_simulated_cores(tmp_path, target, monkeypatch):
    cut_anywhere(monkeypatch)
    graphs = layers(2, 12)
    work = jobs(tmp_path, target, graphs)
    compare(graphs, run_many_on_core(work, "iss", find_target(target).cores))
