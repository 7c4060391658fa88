"""The counters' Markov chains, beside formulas, the published tables' values, and counting itself."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Constant
from hwgen.nn.transfer import bit_increments, curve, normal_increments, states_of, transfer
from hwgen.ops.lib import lfsr
from hwgen.ops.lib.random_numbers import stream_leap
from hwgen.ops.saturating_counter import SaturatingCounter
from hwgen.ops.to_stream import ToStream

# Root mean square (and largest) error of NStanh(n m) against tanh(n s / 2) over |s| <= min(m, 2).
TABLE = {
    (1, 2): (0.099, 0.238),
    (1, 4): (0.037, 0.055),
    (1, 8): (0.0076, 0.013),
    (2, 4): (0.0076, 0.013),
    (4, 2): (0.027, 0.035),
    (4, 4): (0.0095, 0.018),
    (8, 4): (0.011, 0.021),
    (8, 16): (0.0013, 0.005),
}


def stanh(n: int, m: int, s: np.ndarray) -> np.ndarray:
    return 2 * transfer(n * m, n * m // 2, bit_increments(s, m))[0] - 1


@pytest.mark.parametrize(("m", "n"), TABLE)
def test_the_stationary_error_of_a_tanh(m, n):
    s = np.linspace(-min(m, 2), min(m, 2), 201)
    error = stanh(n, m, s) - np.tanh(n * s / 2)
    rms, largest = TABLE[m, n]
    assert abs((error**2).mean() ** 0.5 - rms) < 0.08 * rms + 0.0002
    assert abs(np.abs(error).max() - largest) < 0.08 * largest + 0.0006


def test_one_bit_has_a_closed_form():
    """Brown and Card: with increments of +-1 the law is geometric, r^(N/2) to 1 between the halves."""
    s = np.linspace(-0.9, 0.9, 7)
    ratio = (1 + s) / (1 - s)
    for states in (2, 6, 20):
        wanted = ratio ** (states // 2) / (1 + ratio ** (states // 2))
        found = transfer(states, states // 2, bit_increments(s, 1))[0]
        assert np.allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("m", [1, 2, 4])
@pytest.mark.parametrize("n", [2, 4, 8])
def test_nothing_in_gives_a_half_out(m, n):
    """T4: about zero a counter is balanced, exactly."""
    assert abs(stanh(n, m, np.zeros(1))[0]) < 1e-12


@pytest.mark.parametrize(
    ("m", "n", "g", "rms"),
    [(1, 16, 2, 0.023), (1, 32, 4, 0.005), (2, 32, 2, 0.0045), (4, 32, 4, 0.0038)],
)
def test_the_stationary_error_of_an_exponential(m, n, g, rms):
    s = np.linspace(0.1, min(m, 2), 201)
    found = 1 - transfer(n * m, n * m - g * m, bit_increments(s, m))[0]
    assert ((found - np.exp(-2 * g * s)) ** 2).mean() ** 0.5 < rms


@pytest.mark.parametrize("value", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_a_counter_comes_to_its_stationary_mean(value):
    """T3: over 65 536 steps, with registers as sources, within 0.02."""
    m, bits, length, width = 4, 10, 1 << 16, 20
    seeds = lfsr.golden_seeds(m, width, lfsr.TAPS[width]).reshape(1, m)
    stream = ToStream(
        length, m, bits, True, width, lfsr.TAPS[width], stream_leap(width), Constant(seeds)
    )
    x = stream.run(np.array([[round(value / m * 512)]]))
    counter = SaturatingCounter(Constant([16]), Constant([8]), bipolar=True)
    assert abs(counter.run(x).mean() - stanh(4, m, np.array([value]))[0]) < 0.02


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_the_noise_of_a_mean_is_told(value):
    """The variance of the mean of 512 bits, over many streams of true random numbers."""
    rng = np.random.default_rng(0)
    states, length, runs = 12, 512, 4000
    mean, noise = transfer(states, states // 2, normal_increments([value], 4.0))
    # Increments of exactly that law: drawn from the table itself.
    law = normal_increments([value], 4.0)
    increments = law.first + rng.choice(
        law.probabilities.shape[1], (runs, 100 + length), p=law.probabilities[0]
    )
    bits = SaturatingCounter(Constant(np.full(1, states)), Constant(np.full(1, states // 2))).run(
        increments[..., None]
    )[:, 100:, 0]
    assert abs(bits.mean() - mean[0]) < 4 * (noise[0] / length / runs) ** 0.5
    assert abs(bits.mean(axis=1).var() * length / noise[0] - 1) < 0.1


@pytest.mark.parametrize(
    ("gain", "variance"), [(1.0, 8.0), (0.5, 40.0), (2.0, 6.0), (0.5, 100.0), (2.0, 3.0)]
)
def test_the_rule_of_states_makes_the_tanh_that_was_asked_for(gain, variance):
    """But for the even number that states are; without the correction all are too steep."""

    def error(corrected: bool) -> float:
        states = int(states_of(gain, variance, corrected))
        s = np.linspace(-2, 2, 41) / gain
        found = 2 * transfer(states, states // 2, normal_increments(s, variance))[0] - 1
        return float(np.abs(found - np.tanh(gain * s)).max())

    assert error(True) < 0.05
    assert error(False) < 0.07


def test_large_counters_are_like_smaller_ones():
    means = np.linspace(-0.5, 0.5, 9)
    exact, noise = transfer(700, 350, normal_increments(means, 400.0))
    near, near_noise = curve(700, 400.0, 0.5, 9)
    assert np.abs(near - exact).max() < 0.005
    assert np.abs(near_noise / noise - 1).max() < 0.02
