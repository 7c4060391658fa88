"""Linear feedback shift registers: recurrence, jumps, seeds, and the masks that they draw.

Fibonacci form: ``fb = xor of s[t - 1] for t in taps``, then ``s = ((s << 1) | fb) mod 2^width``. With
taps of a primitive polynomial a state other than 0 comes back after ``2^width - 1`` steps.
Masks of connections are those of Ardakani et al., "Sparsely-Connected Neural Networks: Towards
Efficient VLSI Implementation of Deep Neural Networks", ICLR 2017 (arXiv 1611.01427), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ...errors import RuleViolation

__all__ = [
    "TAPS",
    "advance",
    "cycle",
    "default_leap",
    "default_width",
    "golden_seeds",
    "jump",
    "mask",
    "positions",
    "step",
    "threshold",
    "verify_register",
]

TAPS: dict[int, tuple[int, ...]] = {
    3: (3, 2),
    4: (4, 3),
    5: (5, 3),
    6: (6, 5),
    7: (7, 6),
    8: (8, 6, 5, 4),
    9: (9, 5),
    10: (10, 7),
    11: (11, 9),
    12: (12, 11, 10, 4),
    13: (13, 12, 11, 8),
    14: (14, 13, 12, 2),
    15: (15, 14),
    16: (16, 15, 13, 4),
    17: (17, 14),
    18: (18, 11),
    19: (19, 18, 17, 14),
    20: (20, 17),
    21: (21, 19),
    22: (22, 21),
    23: (23, 18),
    24: (24, 23, 22, 17),
}
"""Exponents of a primitive polynomial by width."""

MAX_WIDTH = max(TAPS)

# Jumps after which neighbouring bits of a mask are nearly uncorrelated, for few XOR gates.
_LEAPS = {6: 4, 7: 14, 8: 11, 9: 6, 10: 7, 11: 14, 12: 17, 13: 8, 14: 20, 15: 24, 16: 31}


def verify_register(width: int, taps: Sequence[int], leap: int) -> None:
    """Raise RuleViolation unless the register is legal and its jump reaches every state."""
    if not 3 <= width <= MAX_WIDTH:
        raise RuleViolation(f"an LFSR's width must be in 3..{MAX_WIDTH}, not {width}")
    if not taps or max(taps) != width or min(taps) < 1 or len(set(taps)) != len(taps):
        raise RuleViolation(
            f"an LFSR's taps must be different numbers in 1..{width}, {width} among them, "
            f"not {tuple(taps)}"
        )
    period = (1 << width) - 1
    if leap < 1 or math.gcd(leap, period) != 1:
        raise RuleViolation(
            f"leap must be 1 or more and share no factor with the period {period}, not {leap}; "
            f"{default_leap(width)} would do"
        )
    if np.count_nonzero(_states(width, tuple(taps)) == 1) > 1:
        raise RuleViolation(
            f"taps {tuple(taps)} must be those of a primitive polynomial: their register repeats "
            f"after fewer than {period} steps; {TAPS[width]} would do"
        )


def step(state: int, width: int, taps: Sequence[int]) -> int:
    """The state after ``state``."""
    feedback = 0
    for tap in taps:
        feedback ^= state >> (tap - 1)
    return ((state << 1) | (feedback & 1)) & ((1 << width) - 1)


def advance(states: np.ndarray, network: Sequence[int]) -> np.ndarray:
    """What a network of :func:`jump` makes of every one of ``states``, int64."""
    result = np.zeros_like(states)
    for row, bits in enumerate(network):
        result |= _parity(states & bits) << row
    return result


def _parity(values: np.ndarray) -> np.ndarray:
    for shift in (16, 8, 4, 2, 1):
        values = values ^ (values >> shift)
    return values & 1


@lru_cache(maxsize=64)
def _states(width: int, taps: tuple[int, ...]) -> np.ndarray:
    states = np.ones(1, dtype=np.int64)
    period = (1 << width) - 1
    while len(states) < period:  # twice as many a round
        following = advance(states, jump(width, taps, len(states)))
        states = np.concatenate([states, following])[:period]
    states.setflags(write=False)
    return states


def cycle(width: int, taps: Sequence[int]) -> np.ndarray:
    """All states in their order, beginning with 1: int64, shape (2^width - 1,)."""
    return _states(width, tuple(taps))


def jump(width: int, taps: Sequence[int], steps: int) -> tuple[int, ...]:
    """The network of XOR gates that makes ``steps`` steps at once.

    Returns
    -------
    For every bit of the new state, lowest first, the bits of the old one whose XOR it is, as a mask.
    """
    one = [1 << row for row in range(width)]  # the matrix over GF(2), a row a mask
    single = [sum(1 << (tap - 1) for tap in taps), *one[:-1]]
    result = one
    while steps:  # by squaring
        if steps & 1:
            result = _product(single, result)
        single = _product(single, single)
        steps >>= 1
    return tuple(result)


def _product(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """The product of two matrices over GF(2)."""
    rows = []
    for row in left:
        total = 0
        for bit, other in enumerate(right):
            if row >> bit & 1:
                total ^= other
        rows.append(total)
    return rows


def threshold(density: float, width: int) -> int:
    """``T`` such that ``state < T`` holds for the share ``density`` of all states.

    ``T - 1`` of the ``2^width - 1`` states are below it.
    """
    return round(density * ((1 << width) - 1)) + 1


def default_width(inputs: int, outputs: int) -> int:
    """The width at which masks are balanced: ``ceil(log2(inputs + 1))``, 5 or more, a seed an output."""
    return max(5, inputs.bit_length(), outputs.bit_length())


def default_leap(width: int) -> int:
    """Steps a bit of a mask that make neighbouring bits nearly independent."""
    if width in _LEAPS:
        return _LEAPS[width]
    period = (1 << width) - 1
    return next(leap for leap in range(width, period + width) if math.gcd(leap, period) == 1)


def golden_seeds(count: int, width: int, taps: Sequence[int]) -> np.ndarray:
    """``count`` different states, spread over the cycle by the golden ratio.

    ``seed_j = cycle[j stride mod (2^width - 1)]``; the stride is the number nearest to 0.618 of the
    period that shares no factor with it. int64, shape (count,).
    """
    states = cycle(width, taps)
    period = len(states)
    if count > period:
        raise RuleViolation(
            f"an LFSR of width {width} has {period} seeds, fewer than the {count} outputs; "
            f"use width {count.bit_length()}"
        )
    wanted = 0.618 * period
    near = sorted(range(round(wanted) - 99, round(wanted) + 99), key=lambda s: (abs(s - wanted), s))
    stride = next(s for s in near if s > 0 and math.gcd(s, period) == 1)
    return states[np.arange(count) * stride % period]


@lru_cache(maxsize=64)
def positions(width: int, taps: tuple[int, ...]) -> np.ndarray:
    """Where in the cycle a state is: int64, shape (2^width,)."""
    states = cycle(width, taps)
    where = np.zeros(1 << width, dtype=np.int64)
    where[states] = np.arange(len(states))
    return where


def mask(
    inputs: int, seeds: np.ndarray, width: int, taps: Sequence[int], leap: int, threshold: int
) -> np.ndarray:
    """Which inputs every output keeps: input i of output j if state i of its register is below T.

    State 0 is the seed, and a register makes ``leap`` steps an input.

    Returns
    -------
    Boolean array of shape (outputs, inputs).
    """
    states = cycle(width, taps)
    start = positions(width, tuple(taps))[np.asarray(seeds)]
    at = (start[:, None] + leap * np.arange(inputs)) % len(states)
    return states[at] < threshold
