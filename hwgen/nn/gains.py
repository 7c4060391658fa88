"""Gains of recurrent layers as integers: one shift for all, as many bits as they need."""

from __future__ import annotations

import numpy as np

from ..errors import InvalidInput

__all__ = ["MAX_GAIN_BITS", "MAX_SHIFT", "fit_gains"]

DEFAULT_GAIN_BITS = 11
MAX_GAIN_BITS = 16
MAX_SHIFT = 15
FINE = 32  # what the largest gain of a product should reach
HALF_RANGE = 1 << 30

Gains = dict[str, np.ndarray]


def fit_gains(
    gains: Gains, reach: Gains, bits: int | None, shift: int | None
) -> tuple[int, dict[str, np.ndarray]]:
    """The shift, and the gains as integers at that shift.

    Parameters
    ----------
    gains
        Of each product by name, real values of shape (sets, rows).
    reach
        The largest magnitudes of the sums that they multiply, shape (rows,).
    bits
        Width of a gain; None for 11, or for more, up to 16, where the gains of one product would
        be coarse because those of the other are large.
    shift
        Their fractional bits; None for as many as fit, with products in half of the range of 32
        bits at most.

    Raises
    ------
    InvalidInput
        A gain does not fit; the message names its row.
    """
    if bits is not None:
        return _fit(gains, reach, bits, shift)
    for bits in range(DEFAULT_GAIN_BITS, MAX_GAIN_BITS):
        try:
            chosen, whole = _fit(gains, reach, bits, shift)
        except InvalidInput:
            continue
        if shift is not None or all(abs(g).max() >= FINE for g in whole.values()):
            return chosen, whole
    return _fit(gains, reach, MAX_GAIN_BITS, shift)


def _fit(gains: Gains, reach: Gains, bits: int, given: int | None) -> tuple[int, Gains]:
    most = (1 << (bits - 1)) - 1
    shifts = range(MAX_SHIFT, -1, -1) if given is None else (given,)
    for shift in shifts:
        whole = {name: np.rint(g * 2**shift).astype(np.int64) for name, g in gains.items()}
        if any(abs(g).max() > most for g in whole.values()):
            continue
        total = sum(np.abs(whole[name]) * reach[name] for name in whole).max()
        if total < HALF_RANGE or shift == shifts[-1]:
            return shift, whole
    name, at = next((n, at) for n, g in whole.items() for at in np.argwhere(abs(g) > most))
    row = f"row {at[1]}" + f" of step {at[0]}" * (len(whole[name]) > 1)
    ways = ["more gain_bits"] * (bits < MAX_GAIN_BITS) + ["a smaller shift"] * (shift > 0)
    raise InvalidInput(
        f"{name} must fit {bits} bits at shift {shift}, found {whole[name][tuple(at)]} in {row}; "
        + (f"take {' or '.join(ways)}" if ways else "train with smaller gains")
    )
