"""Random bits of spins: Marsaglia's xorshift of 32 bits, period 2^32 - 1 (J. Stat. Software 8(14), 2003).

Shift registers of one step a number would not do: the accumulator of a spin adds up what its bits have in
common (Smithson et al., IEEE TCAS-I 66(6), 2019, section IV).
"""

from __future__ import annotations

import numpy as np

__all__ = ["SEED_BITS", "advance", "bits", "halves", "matrix"]

SHIFTS = (13, -17, 5)  # to the left, and to the right
SEED_BITS = 31
"""Of the seed of a run. It is XORed to constants whose bit 31 is 1, so that no state is ever 0."""


def advance(states: np.ndarray) -> np.ndarray:
    """The next states: uint32, of any shape."""
    for shift in SHIFTS:
        moved = states << np.uint32(shift) if shift > 0 else states >> np.uint32(-shift)
        states = states ^ moved
    return states


def bits(states: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` bits of generators in a row, each from its lowest bit on.

    Parameters
    ----------
    states
        uint32, shape (..., generators).

    Returns
    -------
    uint8 array of zeros and ones, shape (..., count).
    """
    octets = np.ascontiguousarray(states.astype("<u4")).view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little", count=count)


def halves(states: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` numbers of 16 bits of generators in a row: lower half, upper half.

    Returns
    -------
    uint16 array, shape (..., count).
    """
    return np.ascontiguousarray(states.astype("<u4")).view("<u2")[..., :count]


def matrix() -> tuple[int, ...]:
    """By bit of the next state, a mask of the bits of the state whose XOR it is."""
    ones = np.uint32(1) << np.arange(32, dtype=np.uint32)
    moved = advance(ones)  # by bit of the state: which bits of the next it flips
    return tuple(
        sum(1 << i for i in range(32) if int(moved[i]) >> target & 1) for target in range(32)
    )
