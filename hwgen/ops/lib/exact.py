"""Exact integer matrix products at the speed of a tuned linear algebra library.

A product of integers is computed in floating point only where every partial sum is proven to be
a whole number below the format's limit of exact integers (2^24 in single, 2^53 in double
precision): then no addition rounds, in whatever order the library adds. Otherwise int64 is used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["magnitude", "matmul", "product"]


def magnitude(x: np.ndarray) -> int:
    """The largest ``|x|``, 0 of nothing; without the copy that ``np.abs`` would make."""
    return max(int(x.max(initial=0)), -int(x.min(initial=0)))


def matmul(x: np.ndarray, weights: np.ndarray, magnitude: int) -> np.ndarray:
    """``x @ weights`` over integers.

    Parameters
    ----------
    x
        int64, shape (batch, n).
    weights
        int64, shape (n, m).
    magnitude
        A proven bound of ``|x|``, element by element.

    Returns
    -------
    int64 array of shape (batch, m).
    """
    return product(weights, magnitude)(x)


def product(weights: np.ndarray, magnitude: int) -> Callable[[np.ndarray], np.ndarray]:
    """``lambda x: x @ weights`` as :func:`matmul` computes it, for many x of one magnitude."""
    bound = magnitude * int(np.abs(weights).sum(axis=0).max(initial=0))
    if bound >= 1 << 53:
        return lambda x: x @ weights
    kind = np.float32 if bound < 1 << 24 else np.float64
    real = weights.astype(kind)
    return lambda x: (x.astype(kind) @ real).astype(np.int64)
