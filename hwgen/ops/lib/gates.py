"""Gate functions of recurrent cells in integers: sigmoid, tanh and the narrowing between them.

A pre-activation is Q4.8, 12 bits signed, saturating; a sigmoid is Q0.8 in 0..256. Two forms of the
sigmoid exist:

``plan``
    The piecewise linear approximation of Amin, Curtis and Hayes-Gill, "Piecewise linear
    approximation applied to nonlinear function of a neural network", 1997: shifts and adds only,
    at most 0.0215 from the sigmoid with the truncating shifts used here.
``table``
    256 entries, addressed by the upper 8 of 12 bits, each the sigmoid at the middle of its 16
    pre-activations.

``tanh(z) = 2 sigmoid(2 z) - 1`` in both.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ...errors import RuleViolation

__all__ = [
    "ACTIVATIONS",
    "FRACTION",
    "ONE",
    "SEGMENTS",
    "narrow",
    "saturate",
    "sigmoid",
    "sigmoid_table",
    "tanh",
    "verify_activation",
]

ACTIVATIONS = ("plan", "table")
FRACTION = 8  # bits behind the binary point of a pre-activation and of a sigmoid
WIDTH = 12  # bits of a pre-activation and of a cell's state
ONE = 1 << FRACTION
TABLE_BITS = 8

# PLAN: from which |z| on, what is added to |z| >> shift. From the last one on it is 1.
SEGMENTS = ((0, 2, 128), (256, 3, 160), (608, 5, 216))
LIMIT = 1280


def verify_activation(activation: str) -> None:
    """Raise RuleViolation unless there is such a sigmoid."""
    if activation not in ACTIVATIONS:
        raise RuleViolation(
            f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}"
        )


def saturate(x: np.ndarray, bits: int = WIDTH) -> np.ndarray:
    """``x`` clipped to two's complement of ``bits`` bits."""
    return np.clip(x, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def narrow(x: np.ndarray, shift: int, bits: int = WIDTH) -> np.ndarray:
    """``x / 2^shift``, rounded half up, saturated to ``bits`` bits."""
    half = (1 << shift) >> 1
    return saturate((x + half) >> shift, bits)


def sigmoid(z: np.ndarray, activation: str) -> np.ndarray:
    """The sigmoid of a pre-activation.

    Parameters
    ----------
    z
        int64, Q4.8, in -2048..2047.
    activation
        ``plan`` or ``table``.

    Returns
    -------
    int64, Q0.8, in 0..256.
    """
    if activation == "table":
        return sigmoid_table()[(z >> (WIDTH - TABLE_BITS)) + (1 << (TABLE_BITS - 1))]
    a = np.abs(z)
    y = np.full_like(a, ONE)
    for (start, shift, offset), end in zip(
        SEGMENTS, [s[0] for s in SEGMENTS[1:]] + [LIMIT], strict=True
    ):
        y = np.where((start <= a) & (a < end), (a >> shift) + offset, y)
    return np.where(z < 0, ONE - y, y)


def tanh(z: np.ndarray, activation: str) -> np.ndarray:
    """``2 sigmoid(2 z) - 1`` of a pre-activation: Q0.8 in -256..256."""
    return 2 * sigmoid(saturate(2 * z), activation) - ONE


@cache
def sigmoid_table() -> np.ndarray:
    """The 256 entries of the table form, Q0.8, ascending from z = -8."""
    step = 1 << (WIDTH - TABLE_BITS)
    middle = (np.arange(1 << TABLE_BITS) - (1 << (TABLE_BITS - 1))) * step + step / 2
    # No entry lies near a half, so that the last bit of an exponential decides nothing.
    table = np.rint(ONE / (1 + np.exp(-middle / ONE))).astype(np.int64)
    table.setflags(write=False)
    return table
