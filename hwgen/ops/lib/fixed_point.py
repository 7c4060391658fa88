"""Real rescaling factors as integer multiplier and shift: the deployed form of a scale."""

from __future__ import annotations

import numpy as np

from ...errors import InvalidInput, RuleViolation
from ...ir.types import MAX_WIDTH

__all__ = ["MAX_SHIFT", "multiplier_and_shift", "requantize", "verify_bounds"]

MAX_SHIFT = 47


def multiplier_and_shift(factor, bits: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Integers with ``multiplier / 2^shift`` nearest to ``factor``.

    Powers of two up to 1 get multiplier 1 and their own shift (a pure shift). Otherwise all
    channels share one shift, chosen so that the largest multiplier has ``bits`` bits, less the
    powers of two that all multipliers and the shift have in common.

    Parameters
    ----------
    factor
        One positive real or one a channel.
    bits
        Width of the largest multiplier, 2 to 24.

    Returns
    -------
    multiplier, shift
        int64 arrays, each of shape () or (channels,).
    """
    factor = np.asarray(factor, dtype=np.float64)
    if not np.all(np.isfinite(factor)) or not np.all(factor > 0):
        raise InvalidInput("rescaling factors must be positive and finite")
    mantissa, exponent = np.frexp(factor)
    if np.all(mantissa == 0.5) and np.all(exponent <= 1) and np.all(1 - exponent <= MAX_SHIFT):
        shift = 1 - exponent.astype(np.int64)
        if shift.ndim and np.all(shift == shift[0]):
            shift = shift[0]
        return np.asarray(1, dtype=np.int64), np.asarray(shift)
    largest = int(np.frexp(factor.max())[1])
    shift = bits - largest
    if np.rint(np.ldexp(factor.max(), shift)) >= 1 << bits:
        shift -= 1
    if not 0 <= shift <= MAX_SHIFT:
        raise InvalidInput(
            f"rescaling factors must lie between 2^-{MAX_SHIFT - bits} and 2^{bits}, "
            f"found {factor.min():.3g} to {factor.max():.3g}"
        )
    multiplier = np.maximum(np.rint(np.ldexp(factor, shift)).astype(np.int64), 1)
    while shift and not np.any(multiplier & 1):  # 16384 / 2^11 is 8: fewer bits, equal results
        multiplier, shift = multiplier >> 1, shift - 1
    return multiplier, np.asarray(shift, dtype=np.int64)


def verify_bounds(lo: int | None, hi: int | None) -> None:
    """Raise RuleViolation unless ``lo <= hi`` and both fit the interpreter; None is no bound."""
    if lo is not None and hi is not None and lo > hi:
        raise RuleViolation(f"lo must not exceed hi, found [{lo}, {hi}]")
    for bound in (lo, hi):
        if bound is not None and abs(bound) >= 1 << (MAX_WIDTH - 1):
            raise RuleViolation(f"bounds must lie below 2^{MAX_WIDTH - 1}, found {bound}")


def requantize(acc, multiplier, shift, lo: int, hi: int):
    """``clip((acc * multiplier + 2^(shift-1)) >> shift, lo, hi)``: the only rounding there is.

    Rounds half up (towards plus infinity); with shift 0 nothing is added. ``multiplier`` and
    ``shift`` broadcast against the last axis of ``acc``. All int64.
    """
    half = np.where(shift > 0, np.left_shift(1, np.maximum(shift, 1) - 1), 0)
    return np.clip((acc * multiplier + half) >> shift, lo, hi)
