"""Shift registers: golden sequence, periods, jumps, seeds, and the masks that they draw."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.errors import RuleViolation
from hwgen.ir import Constant
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib import lfsr

GOLDEN = (
    *(1, 2, 4, 8, 16, 32, 64, 129, 258, 516, 9, 18, 36, 72, 145, 290, 580, 136, 272, 544, 65),
    *(131, 262, 524),
)


def masked(inputs: int, outputs: int, density: float, width: int, leap: int) -> LfsrMasked:
    taps = lfsr.TAPS[width]
    seeds, limit = lfsr.golden_seeds(outputs, width, taps), lfsr.threshold(density, width)
    kept = int(lfsr.mask(inputs, seeds, width, taps, leap, limit).sum())
    weights = Uniform(Constant(np.ones(max(1, kept), int)), 8)
    return LfsrMasked(weights, (inputs,), width, taps, leap, limit, Constant(seeds))


def test_golden_sequence():
    states = lfsr.cycle(10, (10, 7))[: len(GOLDEN)]
    assert tuple(states) == GOLDEN
    limit = lfsr.threshold(0.1, 10)
    assert limit == 103
    bits = "".join(str(int(s < limit)) for s in states)
    assert bits == "111111100011110000001000"


@pytest.mark.parametrize("width", [w for w in lfsr.TAPS if w <= 18])
def test_every_register_is_maximal(width):
    states = lfsr.cycle(width, lfsr.TAPS[width])
    assert len(np.unique(states)) == len(states) == (1 << width) - 1
    assert 1 <= states.min() <= states.max() < 1 << width
    state = 1
    for expected in states[: 1 << 10].tolist():
        assert state == expected
        state = lfsr.step(state, width, lfsr.TAPS[width])
    assert lfsr.step(int(states[-1]), width, lfsr.TAPS[width]) == 1


@pytest.mark.parametrize("width", range(3, 17))
def test_jumps_are_steps(width):
    taps = lfsr.TAPS[width]
    states = lfsr.cycle(width, taps)
    for steps in (0, 1, 2, width, lfsr.default_leap(width), len(states) - 1):
        made = lfsr.advance(states, lfsr.jump(width, taps, steps))
        assert np.array_equal(made, np.roll(states, -steps))


def test_published_mask():
    """The figure of arXiv 1611.01427, section 3: its bit is 1 where the state is 4 or more."""
    columns = ~lfsr.mask(7, np.array([3, 2]), 3, (3, 1), 1, 4)
    assert columns.astype(int).tolist() == [[0, 1, 1, 1, 0, 1, 0], [0, 1, 0, 0, 1, 1, 1]]
    assert [(np.flatnonzero(c) + 1).tolist() for c in columns] == [[2, 3, 4, 6], [2, 5, 6, 7]]


@pytest.mark.parametrize("leap", [1, 10])
def test_balance(leap):
    """As many inputs as the register has states: every row and every column has equally many ones."""
    mask = masked(1023, 1023, 0.1, 10, leap).mask()
    assert set(mask.sum(axis=0)) == set(mask.sum(axis=1)) == {102}


@pytest.mark.parametrize(("density", "parameters"), [(0.5, 335_756), (0.1, 67_665)])
def test_published_parameter_counts(density, parameters):
    """784-512-512-10 with biases; published are 335 370 and 67 901 for ideal densities."""
    layers = ((784, 512), (512, 512), (512, 10))
    kept = sum(int(masked(n, m, density, 10, 10).counts().sum()) + m for n, m in layers)
    assert kept == parameters


def test_mask_equals_single_steps():
    code = masked(50, 20, 0.3, 7, 14)
    for seed, row in zip(code.seeds.array.tolist(), code.mask(), strict=True):
        state = seed
        for bit in row.tolist():
            assert bit == (state < code.threshold)
            for _ in range(code.leap):
                state = lfsr.step(state, 7, code.taps)


def test_defaults():
    assert [
        lfsr.default_width(*s) for s in ((1, 1), (64, 128), (784, 512), (1023, 9), (3, 500))
    ] == [*(5, 8, 10, 10, 9)]
    for width, taps in lfsr.TAPS.items():
        if width <= 16:
            lfsr.verify_register(width, taps, lfsr.default_leap(width))
    for width in (5, 10, 16):
        seeds = lfsr.golden_seeds(31, width, lfsr.TAPS[width])
        assert len(np.unique(seeds)) == 31


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 2}, "an LFSR's width must be in 3..24, not 2"),
        ({"taps": (9, 7)}, "an LFSR's taps must be different numbers in 1..10, 10 among them"),
        ({"taps": (10, 6)}, r"must be those of a primitive polynomial.*\(10, 7\) would do"),
        ({"leap": 3}, "leap must be 1 or more and share no factor with the period 1023, not 3; 7"),
        ({"threshold": 1}, "threshold must be in 2..1024, not 1"),
        ({"seeds": Constant([0, *range(1, 20)])}, "seeds must be a list of numbers in 1..1023"),
        (
            {"seeds": Constant([5, 5, *range(6, 24)])},
            "seeds must differ, found 5 for more than one",
        ),
        (
            {"threshold": 3},
            "every output must keep an input, found that output 5 keeps none of 784",
        ),
        ({"row": (785,)}, r"kept weights must have shape \(\d+,\), one for every kept"),
    ],
)
def test_illegal_masks_are_refused(changes, says):
    good = masked(784, 20, 0.1, 10, 7)
    good.verify()
    with pytest.raises(RuleViolation, match=says):
        type(good)(**{**good.attributes(), **changes}).verify()
