"""Constant matrices: signed digits, adder graphs, and their pipelines."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import Mismatch
from hwgen.rtl.design import StreamShape
from hwgen.rtl.lib import constant_matrix
from hwgen.rtl.lib.adder_graph import AdderGraph, build_adder_graph, csd
from hwgen.rtl.lib.constant_matrix import ConstantMatrix
from hwgen.rtl.lib.graph_check import check_graph, run_cells
from tests.rtl.bench import check_component


@given(st.integers(-(2**40), 2**40))
def test_digits_are_canonical(value) -> None:
    digits = csd(value)
    assert sum(sign << shift for shift, sign in digits) == value
    shifts = [shift for shift, _ in digits]
    assert all(b - a >= 2 for a, b in itertools.pairwise(shifts))
    assert {sign for _, sign in digits} <= {-1, 1}


def test_digits_are_the_fewest() -> None:
    # Least weight of 0..2^10 over all sums and differences of powers of two, by breadth.
    fewest, reached = {0: 0}, {0}
    for weight in range(1, 7):
        reached = {v + s * (1 << k) for v in reached for k in range(12) for s in (1, -1)}
        for v in reached:
            fewest.setdefault(v, weight)
    for value in range(1 << 10):
        assert len(csd(value)) == fewest[value]


@st.composite
def matrices(draw, most: int = 12) -> tuple[np.ndarray, np.ndarray, int, int]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, most)), draw(st.integers(1, most))
    bits = draw(st.integers(1, 8))
    matrix = rng.integers(-(1 << bits - 1), 1 << bits - 1, shape, endpoint=True)
    matrix *= rng.random(shape) < draw(st.sampled_from([1.0, 0.5, 0.1, 0.0]))
    if draw(st.booleans()):
        matrix[:] = matrix[rng.integers(0, shape[0], shape[0])]  # equal rows
    bias = rng.integers(-100, 100, shape[0]) * draw(st.integers(0, 1))
    lo, hi = draw(st.sampled_from([(0, 1), (0, 255), (-8, 7), (-1, 0), (3, 9), (-7, -2)]))
    return matrix, bias, lo, hi


def check_naturals(graph, values: list[np.ndarray]) -> None:
    for value, natural in enumerate(graph.naturals):
        carried = values[value] + natural.offset
        assert 0 <= natural.lo <= carried.min()
        assert carried.max() <= natural.hi < 1 << graph.width(value)


@settings(max_examples=150)
@given(matrices(), st.booleans(), st.integers(0, 4))
def test_graphs_are_exact(drawn, share, extra_depth) -> None:
    matrix, bias, lo, hi = drawn
    graph = build_adder_graph(matrix, bias, lo, hi, share=share, extra_depth=extra_depth)
    # Unit vectors and zero settle every coefficient and offset; the rest is for the intervals.
    units = np.concatenate(
        [np.zeros((1, matrix.shape[1]), int), np.eye(matrix.shape[1], dtype=int)]
    )
    assert np.array_equal(graph.run(units), units @ matrix.T + bias)

    rng = np.random.default_rng(0)
    corners = np.where(np.concatenate([matrix, -matrix]) > 0, hi, lo)
    x = np.concatenate([corners, rng.integers(lo, hi, (40, matrix.shape[1]), endpoint=True)])
    assert np.array_equal(graph.run(x), x @ matrix.T + bias)
    values = [x[:, k] for k in range(graph.inputs)]
    for k, adder in enumerate(graph.adders):
        left, right = (
            values[adder.left] << adder.left_shift,
            values[adder.right] << adder.right_shift,
        )
        values.append(left - right if adder.subtract else left + right)
        assert adder.lo <= values[-1].min() and values[-1].max() <= adder.hi
        assert adder.left < graph.inputs + k and adder.right < graph.inputs + k
        assert adder.depth == 1 + max(graph.depth(adder.left), graph.depth(adder.right))
    check_naturals(graph, values)
    assert np.array_equal(run_cells(graph, x), x @ matrix.T + bias)
    check_graph(graph, matrix, bias)
    for output, row in zip(graph.outputs, (x @ matrix.T + bias).T, strict=True):
        width = graph.output_width(output)
        assert -(1 << width - 1) <= row.min() and row.max() < 1 << width - 1
    assert build_adder_graph(matrix, bias, lo, hi, share=share, extra_depth=extra_depth) == graph


def mutated(graph: AdderGraph) -> Iterator[AdderGraph]:
    """Graphs with one field of one adder or output changed."""
    for k, a in enumerate(graph.adders):
        changes = [
            replace(a, subtract=not a.subtract),
            replace(a, carry=not a.carry),
            replace(a, right_shift=a.right_shift + 1) if not a.left_shift else a,
            replace(a, left=(a.left + 1) % (graph.inputs + k)),
        ]
        for other in changes:
            if other != a:
                adders = (*graph.adders[:k], other, *graph.adders[k + 1 :])
                # Intervals and offsets stay those of the right graph.
                wrong = replace(graph, adders=adders)
                wrong.__dict__["naturals"] = graph.naturals
                yield wrong
    for k, o in enumerate(graph.outputs):
        for other in (replace(o, offset=o.offset + 1), replace(o, negate=not o.negate)):
            yield replace(graph, outputs=(*graph.outputs[:k], other, *graph.outputs[k + 1 :]))


def test_the_check_sees_every_mutation() -> None:
    rng = np.random.default_rng(3)
    matrix, bias = rng.integers(-7, 8, (5, 6)), rng.integers(-20, 20, 5)
    graph = build_adder_graph(matrix, bias, 0, 15)
    check_graph(graph, matrix, bias)
    count = 0
    for wrong in mutated(graph):
        count += 1
        with pytest.raises(Mismatch, match="5 x 6 matrix"):
            check_graph(wrong, matrix, bias)
    assert count > 100


def test_a_wrong_graph_is_not_built(monkeypatch) -> None:
    graph = build_adder_graph(np.array([[3, 5]]), np.array([0]), 0, 15)
    monkeypatch.setattr(constant_matrix, "build_adder_graph", lambda *_: graph)
    source, target = StreamShape(2, 4, False, 1), StreamShape(1, 9, True, 1)
    with pytest.raises(Mismatch):
        ConstantMatrix("unit", np.array([[3, 6]]), np.array([0]), (0, 15), source, target)


@settings(max_examples=60)
@given(matrices())
def test_sharing_never_costs(drawn) -> None:
    matrix, bias, lo, hi = drawn
    plain = build_adder_graph(matrix, bias, lo, hi, share=False)
    assert build_adder_graph(matrix, bias, lo, hi).additions <= plain.additions


@pytest.mark.slow
def test_sharing_saves_and_is_fast() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.integers(-128, 128, (64, 64))
    started = time.process_time()
    graph = build_adder_graph(matrix, np.zeros(64, int), 0, 255)
    assert time.process_time() - started < 20  # about 3 s on a quiet machine
    digits = sum(len(csd(int(w))) for w in matrix.reshape(-1))
    assert len(graph.adders) < 0.5 * (digits - 64)


@settings(max_examples=12)
@given(matrices(6), st.integers(1, 5), st.integers(0, 99))
def test_pipelines(drawn, per_stage, seed) -> None:
    matrix, bias, lo, hi = drawn
    rows, columns = matrix.shape
    rng = np.random.default_rng(seed)
    x = rng.integers(lo, hi, (5, columns), endpoint=True)
    source = StreamShape(columns, 9, True, 1) if lo < 0 else StreamShape(columns, 8, False, 1)
    target = StreamShape(rows, 24, True, 1)

    def make() -> ConstantMatrix:
        return ConstantMatrix(
            "unit", matrix, bias, (lo, hi), source, target, adders_per_stage=per_stage
        )

    check_component(make, x, x @ matrix.T + bias, seed)


@pytest.mark.parametrize("bias", [0, 5])
def test_rows_of_zeros(bias) -> None:
    graph = build_adder_graph(np.zeros((2, 3), int), np.array([bias, 0]), 0, 7)
    assert graph.additions == 0 and not graph.adders
