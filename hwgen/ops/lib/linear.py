"""What layers with a weight matrix share: accumulator intervals and legal foldings."""

from __future__ import annotations

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode
from ...ir.constant import Constant

__all__ = ["accumulator", "divisors", "partial_sums", "verify_weights"]


def verify_weights(weights: WeightCode, bias: Constant) -> None:
    """Raise RuleViolation unless the weights are legal, not all zero, and match the bias."""
    weights.verify()
    if not weights.decode().any():
        raise RuleViolation("weights must not be all zero")
    if bias.shape != weights.shape[:1]:
        raise RuleViolation(
            f"bias must have one value an output channel ({weights.shape[0]}), "
            f"found shape {bias.shape}"
        )


def accumulator(weights: np.ndarray, bias: np.ndarray, lo: int, hi: int) -> tuple[int, int]:
    """The exact interval of ``bias + weights . x`` for every x in ``[lo, hi]``^n.

    ``weights`` has the output channels first, then any axes.
    """
    w = weights.reshape(len(weights), -1)
    # Python integers from here on: they cannot overflow, and there is one a channel only.
    positive = np.maximum(w, 0).sum(axis=1).astype(object)
    negative = np.minimum(w, 0).sum(axis=1).astype(object)
    low = positive * lo + negative * hi + bias
    high = positive * hi + negative * lo + bias
    return int(low.min()), int(high.max())


def partial_sums(weights: np.ndarray, bias: np.ndarray, lo: int, hi: int) -> tuple[int, int]:
    """An interval that also holds every partial sum, in whatever order products are added.

    It is what a C accumulator must hold; hardware may wrap on the way.
    """
    return accumulator(weights, bias, min(lo, 0), max(hi, 0))


def divisors(n: int) -> tuple[int, ...]:
    """All divisors of ``n``, ascending."""
    return tuple(d for d in range(1, n + 1) if n % d == 0)
