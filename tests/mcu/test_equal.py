"""Emitted C equals the interpreter bit for bit, on random graphs, under ASan and UBSan."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.mcu.emit import emit
from hwgen.mcu.toolchain.host import run_many_on_host, run_on_host
from hwgen.ops import op_names
from tests.mcu.graphs import OPS, draw, network, samples

GRAPHS = {"gru": 6, "lstm": 6, "stochastic_dense": 3}  # of each op that takes long; 10 of others
NETWORKS = 30


def test_every_op_is_here():
    assert set(OPS) == set(op_names()) - {"input"}


def _compare(graphs, rng, tmp_path, sanitize):
    inputs = [samples(graph, rng) for graph in graphs]
    builds = [emit(graph, tmp_path / graph.name) for graph in graphs]
    results = run_many_on_host(list(zip(builds, inputs, strict=True)), sanitize)
    for graph, x, y in zip(graphs, inputs, results, strict=True):
        assert np.array_equal(y, graph.run(x)), str(graph)


@pytest.mark.parametrize("name", sorted(OPS))
def test_op(name, tmp_path):
    rng = np.random.default_rng(list(name.encode()))
    graphs = [draw(OPS[name], rng, f"{name}_{i}") for i in range(GRAPHS.get(name, 10))]
    _compare(graphs, rng, tmp_path, sanitize=True)


@pytest.mark.parametrize("sanitize", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_networks(sanitize, tmp_path):
    rng = np.random.default_rng(7 + sanitize)
    graphs = [draw(network, rng, f"network_{i}") for i in range(NETWORKS)]
    _compare(graphs, rng, tmp_path, sanitize)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("sanitize", [True, False])
def test_many_graphs(seed, sanitize, tmp_path):
    rng = np.random.default_rng((seed, sanitize))
    makers = [*OPS.values(), *[network] * len(OPS)] * 3
    graphs = [draw(make, rng, f"many_{i}") for i, make in enumerate(makers)]
    _compare(graphs, rng, tmp_path, sanitize)


def test_batch_runner(tmp_path):
    rng = np.random.default_rng(1)
    graph = draw(network, rng, "batch")
    x = samples(graph, rng, 300)
    build = emit(graph, tmp_path)
    for sanitize in (True, False):
        assert np.array_equal(run_on_host(build, x, sanitize), graph.run(x))
    assert run_on_host(build, x[:0]).shape == (0, *graph.output_type.shape)
