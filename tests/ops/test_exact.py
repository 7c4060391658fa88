"""Exact products: floating point is used only where it cannot round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.ops.lib import exact


def python_matmul(x: np.ndarray, weights: np.ndarray) -> list[list[int]]:
    columns = weights.T.tolist()
    return [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]
        for row in x.tolist()
    ]


@pytest.mark.parametrize("limit", [2**24, 2**53, 2**62])
@pytest.mark.parametrize("beyond", [-3, -2, -1, 0, 1, 2, 3])
def test_at_the_bounds(limit, beyond):
    # Odd sums just below and above where single and double precision lose the last bit.
    total = limit + beyond
    x = np.array([[total - 2, 1, 1], [2 - total, -1, -1], [total - 1, 0, 1]])
    weights = np.array([[1, 1], [1, 0], [1, -1]])
    y = exact.matmul(x, weights, exact.magnitude(x))
    assert y.dtype == np.int64
    assert y.tolist() == python_matmul(x, weights)


@pytest.mark.parametrize("bits", [11, 12, 13, 25, 26, 27, 30])
def test_many_terms_near_the_bounds(bits):
    rng = np.random.default_rng(bits)
    x = rng.integers(-(2**bits), 2**bits, (7, 33), endpoint=True)
    weights = rng.integers(-(2 ** (bits - 5)), 2 ** (bits - 5), (33, 5), endpoint=True)
    y = exact.matmul(x, weights, exact.magnitude(x))
    assert y.tolist() == python_matmul(x, weights)


@given(st.integers(0, 40), st.integers(1, 24), st.integers(1, 8), st.integers(0, 2**32))
def test_any_size(batch, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 127, (batch, inputs), endpoint=True)
    weights = rng.integers(-128, 127, (inputs, outputs), endpoint=True)
    assert exact.matmul(x, weights, exact.magnitude(x)).tolist() == python_matmul(x, weights)


def test_magnitude():
    assert exact.magnitude(np.array([[3, -7]])) == 7
    assert exact.magnitude(np.array([[8, -7]])) == 8
    assert exact.magnitude(np.zeros((0, 3), int)) == 0
    assert exact.magnitude(np.array([-(2**63)])) == 2**63
