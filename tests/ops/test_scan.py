"""How long scanning lanes take: against a queue that is stepped clock by clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.lib import lfsr
from hwgen.ops.lib.scan import QUEUE, queue_depth, scan_clocks, scan_cycles
from tests.ops import draw as d


def stepped(row: list[bool], window: int) -> int:
    windows = [sum(row[k : k + window]) for k in range(0, len(row), window)]
    queue: list[int] = []
    left, at, clocks = sum(row), 0, 0
    while left:
        waiting, room = bool(queue), len(queue) < queue_depth(len(windows))
        look = at < len(windows) and room
        if waiting:
            queue[0] -= 1
            left -= 1
            if not queue[0]:
                queue.pop(0)
        if look:
            if windows[at]:
                queue.append(windows[at])
            at += 1
        clocks += 1
    return clocks


@given(d.seeds, st.integers(1, 200), st.integers(1, 16), st.sampled_from([0.02, 0.3, 0.9]))
def test_clocks_are_those_of_a_queue(seed, inputs, window, density):
    rng = np.random.default_rng(seed)
    mask = rng.random((4, inputs)) < density * rng.random(inputs).round() * 2
    mask[np.arange(4), rng.integers(inputs, size=4)] = True
    expected = [stepped(row, window) for row in mask.tolist()]
    assert scan_clocks(mask, window).tolist() == expected


def test_the_queue_makes_the_scanner_wait():
    """So many full windows that the queue is full, then empty ones that nothing hides."""
    mask = np.zeros((1, 200 * 4), dtype=bool)
    mask[0, : 30 * 4] = mask[0, -1] = True
    assert QUEUE < 30
    free = max(200 + 1, 121 + 1)
    assert scan_clocks(mask, 4)[0] == stepped(mask[0].tolist(), 4) > free


@pytest.mark.parametrize("inputs", [5, 64, 784, 1023])
@pytest.mark.parametrize("density", [0.1, 0.25, 0.5])
def test_clocks_are_bounded(inputs, density):
    width = lfsr.default_width(inputs, min(inputs, 31))
    taps, limit = lfsr.TAPS[width], lfsr.threshold(density, width)
    seeds = lfsr.golden_seeds(min((1 << width) - 1, 1023), width, taps)
    for leap in {1, lfsr.default_leap(width)}:
        mask = lfsr.mask(inputs, seeds, width, taps, leap, limit)
        mask = mask[mask.any(axis=1)]
        for window in (4, 8, 16):
            bound = np.maximum(-(-inputs // window), mask.sum(axis=1)) + window + 4
            clocks = scan_clocks(mask, window)
            # Where about one weight a window is kept, scanner and multiplier wait in turn; and
            # what a leap of 1 keeps comes in heaps.
            kept = density * window
            if (kept < 0.9 and leap > 1) or kept > 1.5:
                assert (clocks <= bound).all()
            assert (clocks <= -(-inputs // window) + mask.sum(axis=1)).all()
            if (inputs, density, window) == (1023, 0.1, 16):
                assert clocks.max() <= 110


def test_a_turn_takes_as_long_as_its_slowest_lane():
    assert scan_cycles(np.array([5, 9, 7, 3, 2, 2]), 2) == 9 + 7 + 2 + 1


def test_codes_without_a_mask_have_no_scanning_lane():
    layer = Dense(Uniform(Constant(np.ones((4, 8), int)), 2), Constant(np.zeros(4, int)))
    forms = {s.form for s in layer.schedules(Type.of((8,), 0, 3))}
    assert forms == {"spatial", "folded"}
    with pytest.raises(NotImplementedError, match="uniform weights have no scanning lane"):
        layer.weights.scan_clocks(4)
