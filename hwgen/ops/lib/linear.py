"""What layers with a weight matrix share: accumulator intervals and legal foldings."""

from __future__ import annotations

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode
from ...ir.constant import Constant
from ...ir.schedule import Schedule
from ...ir.types import Type

__all__ = ["accumulator", "digits", "divisors", "partial_sums", "rough_luts", "verify_weights"]


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


def digits(weights: WeightCode) -> int:
    """Non-zero bits of the weights in canonical signed digits."""
    w = np.abs(weights.decode())
    # The weight of a number's canonical signed digit form is the weight of x ^ 3x.
    return int(sum(bin(v).count("1") for v in (w ^ (3 * w)).reshape(-1).tolist()))


def rough_luts(weights: WeightCode, x: Type, result: Type, schedule: Schedule) -> float:
    """A rough count of look-up tables, to compare the forms of one layer with each other.

    An adder bit is one table, a multiplier as many as the product of its operands' widths, and
    a table stores 64 bits of ROM.
    """
    width = x.element.width
    if schedule.form == "spatial":
        return 0.6 * digits(weights) * (width + 4)
    lane = width * weights.field_bits + result.element.width
    stored = weights.decode().size * weights.field_bits
    if schedule.form in ("serial", "scan"):
        stored = weights.storage_bits
        lane += 32  # shift register, comparison, address
    if schedule.form == "scan":  # windows, the queue, a copy of two inputs
        lane += 16 * schedule.simd + 32 + 2 * x.size * width / 64
    return schedule.multipliers * lane + stored / 64 + 64
