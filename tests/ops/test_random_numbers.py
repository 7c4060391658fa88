"""Random numbers of streams: independent of each other, and of themselves some steps later."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hwgen.ir import Constant
from hwgen.ops.lib import lfsr
from hwgen.ops.lib.random_numbers import numbers, stream_leap


def drawn(width: int, count: int, leap: int, bits: int = 8) -> np.ndarray:
    """All numbers of a period, (steps, sources)."""
    seeds = lfsr.golden_seeds(count, width, lfsr.TAPS[width]).reshape(count, 1)
    op = SimpleNamespace(width=width, taps=lfsr.TAPS[width], leap=leap, seeds=Constant(seeds))
    found = numbers(op, bits, 0, (1 << width) - 1)
    return found[..., 0]


@pytest.mark.parametrize("width", [11, 12, 13, 14, 16])
def test_sources_are_uncorrelated(width):
    """Over a period every pair within six deviations of nothing, as true random numbers would be."""
    r = drawn(width, 40, stream_leap(width)).astype(float)
    correlation = np.corrcoef(r.T)[np.triu_indices(40, 1)]
    assert np.abs(correlation).max() < 6 / len(r) ** 0.5


@pytest.mark.parametrize("width", [11, 12, 13, 14, 16])
@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
def test_streams_are_uncorrelated_in_time(width, share):
    """Autocorrelations of a stream add up to little: they would add to the noise of its mean."""

    def summed(leap: int) -> float:
        x = (drawn(width, 1, leap)[:, 0] < share * 256).astype(float)
        x -= x.mean()
        power = np.abs(np.fft.rfft(x)) ** 2
        return float(np.fft.irfft(power)[1:24].sum() / np.fft.irfft(power)[0])

    assert abs(summed(stream_leap(width))) < 0.2
    if share < 0.3:  # one step a number: runs of ones
        assert summed(1) > 0.25


def test_no_two_widths_or_seeds_give_one_sequence():
    r = drawn(13, 60, stream_leap(13), bits=13)
    assert len({tuple(column[:8]) for column in r.T}) == 60


def test_steps_can_be_drawn_from_the_middle():
    seeds = Constant(np.array([[3], [7]]))
    for taps, width in (((5, 3), 5), ((), 6)):
        op = SimpleNamespace(width=width, taps=taps, leap=1, seeds=seeds)
        whole, part = numbers(op, 4, 0, 90), numbers(op, 4, 37, 90)
        assert np.array_equal(whole[37:], part)
