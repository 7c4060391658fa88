"""What a saturating counter makes of a stream, from its Markov chain: mean and noise of its bits.

The counter of N states adds an integer a step and holds at its ends. For independent increments it is
a Markov chain; its stationary distribution gives the mean of the output bit, exactly for the
increments' distribution, and the chain's fundamental matrix gives the variance of that bit's mean
over many steps (Kemeny and Snell, "Finite Markov Chains", 1960, section 4.6).
"""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

__all__ = ["Increments", "bit_increments", "curve", "normal_increments", "states_of", "transfer"]

LARGEST = (
    512  # states of a chain that is solved; a larger one is like one of so many in finer steps
)


class Increments(NamedTuple):
    """Distributions of what a counter adds in a step.

    Attributes
    ----------
    first
        The least increment.
    probabilities
        Shape (distributions, increments): of ``first``, ``first + 1``, ...
    """

    first: int
    probabilities: np.ndarray


def bit_increments(values: ArrayLike, components: int) -> Increments:
    """Sums of ``components`` independent bipolar bits whose sum has the mean ``values``."""
    p = (np.asarray(values, dtype=np.float64)[:, None] / components + 1) / 2
    ones = np.arange(components + 1)
    ways = np.array([comb(components, k) for k in ones])
    share = np.zeros((len(p), 2 * components + 1))
    share[:, 2 * ones] = ways * p**ones * (1 - p) ** (components - ones)
    return Increments(-components, share)


def normal_increments(means: ArrayLike, variance: float) -> Increments:
    """Whole numbers that a normal law of these means and this variance rounds to: sums of many streams.

    A variance below 0.01 counts as that.
    """
    means = np.asarray(means, dtype=np.float64)
    deviation = max(variance, 1e-2) ** 0.5
    reach = int(np.ceil(np.abs(means).max() + 6 * deviation)) + 1
    edges = np.arange(-reach, reach + 2) - 0.5
    below = _normal((edges[None] - means[:, None]) / deviation)
    share = np.diff(below, axis=1)
    return Increments(-reach, share / share.sum(axis=1, keepdims=True))


def _normal(x: np.ndarray) -> np.ndarray:
    """The distribution function of the normal law."""
    return torch.special.ndtr(torch.as_tensor(x)).numpy()  # numpy has none


def transfer(states: int, threshold: int, increments: Increments) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the bit ``counter >= threshold``, and its noise.

    Returns
    -------
    Two float64 arrays of shape (distributions,): the stationary probability of a 1, and the variance
    of the mean of L bits times L, for long streams.
    """
    chain = _matrices(states, increments)
    count, n = len(chain), states
    eye, ones = np.eye(n), np.ones((n, 1))
    # pi (I - P + 1 1^T) = 1^T, since pi P = pi and pi 1 = 1.
    system = eye - chain + 1.0
    law = np.linalg.solve(system.transpose(0, 2, 1), np.broadcast_to(ones, (count, n, 1)))[..., 0]
    above = (np.arange(n) >= threshold).astype(np.float64)
    mean = law @ above
    centred = above - mean[:, None]
    # The fundamental matrix (I - P + 1 pi)^-1, applied to the output.
    system = eye - chain + law[:, None, :]
    gain = np.linalg.solve(system, centred[..., None])[..., 0]
    noise = (law * centred * (2 * gain - centred)).sum(axis=1)
    return mean, np.maximum(noise, 0.0)


def _matrices(states: int, increments: Increments) -> np.ndarray:
    """Transition matrices, (distributions, from, to)."""
    share, first = increments.probabilities, increments.first
    last = first + share.shape[1] - 1
    # All that leads below 0 or above the end stays there: sums over the tails.
    total = np.concatenate([np.zeros((len(share), 1)), np.cumsum(share, axis=1)], axis=1)
    at, to = np.arange(states)[:, None], np.arange(states)[None]
    step = np.clip(to - at, first - 1, last + 1)
    index = np.clip(step - first, 0, share.shape[1] - 1)
    inside = (step >= first) & (step <= last)
    chain = np.where(inside, share[:, index], 0.0)
    down = np.clip(-np.arange(states) - first + 1, 0, share.shape[1])  # increments that end at 0
    chain[:, :, 0] = total[:, down]
    up = np.clip(states - 1 - np.arange(states) - first, 0, share.shape[1])
    chain[:, :, -1] = total[:, -1:] - total[:, up]
    return chain


def states_of(gain: float, variance: ArrayLike, corrected: bool = False) -> np.ndarray:
    """States with which a counter makes ``tanh(gain s)`` of a mean s: ``2 gain variance``, even.

    A random walk with drift s and variance v between two walls N apart spends the share
    ``1 / (1 + exp(-s N / v))`` of its time in the upper half. Steps overshoot the walls by 0.583
    deviations on average, as if they stood farther apart; ``corrected`` moves them back (Siegmund,
    "Sequential Analysis", 1985, chapter X).
    """
    variance = np.asarray(variance, dtype=np.float64)
    states = 2 * gain * variance
    if corrected:
        states = states + 1 - 2 * 0.583 * np.sqrt(variance)
    return np.maximum(2, 2 * np.rint(states / 2)).astype(np.int64)


@lru_cache(maxsize=512)
def curve(states: int, variance: float, reach: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    """:func:`transfer` of a neuron at ``points`` means from -reach to reach.

    A walk of many small steps depends on ``s N / v`` and ``N^2 / v`` alone, and so does its noise: a counter
    of more than 512 states is looked at as one of 512 that makes smaller steps.
    """
    fewer = min(1.0, LARGEST / states)
    states = min(states, LARGEST)
    means = np.linspace(-reach, reach, points) * fewer
    return transfer(states, states // 2, normal_increments(means, variance * fewer**2))
