"""requantize: the only rounding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.errors import InvalidInput
from hwgen.ir import Constant, Type
from hwgen.ops.lib.fixed_point import MAX_SHIFT, multiplier_and_shift, requantize
from hwgen.ops.requantize import Requantize
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples


@st.composite
def per_channel(draw, least: int, most: int, channels: int) -> Constant:
    if draw(st.booleans()):
        return Constant(draw(st.integers(least, most)))
    rng = np.random.default_rng(draw(d.seeds))
    return Constant(rng.integers(least, most, channels, endpoint=True))


@st.composite
def cases(draw) -> Case:
    x = draw(st.one_of(*(kind(most_bits=16) for kind in (d.vectors, d.sequences, d.images))))
    most = draw(st.sampled_from([1, 40, 2**15 - 1, 2**24 - 1]))
    multiplier = draw(per_channel(1, most, x.channels))
    shift = draw(per_channel(0, draw(st.sampled_from([2, 12, 24, MAX_SHIFT])), x.channels))
    _, lo, hi = draw(d.elements())
    return Case(Requantize(multiplier, shift, lo, hi), x)


class TestRequantize(OpTests):
    cases = cases()
    corners = (
        # Pure shifts, halves rounded up on both sides of zero; no shift at all.
        Case(Requantize(Constant(1), Constant(1), -128, 127), Type.of((5,), -4, 3)),
        Case(Requantize(Constant(1), Constant(6), 0, 15), Type.of((4, 3, 2), -2000, 2000)),
        Case(Requantize(Constant(1), Constant(0), -8, 7), Type.of((6,), -20, 20)),
        Case(Requantize(Constant(3), Constant(0), -8, 7), Type.of((6,), -20, 20)),
        # Per channel: multipliers, shifts (none among them), both.
        Case(Requantize(Constant([1, 3, 500]), Constant(4), -8, 7), Type.of((3,), -128, 127)),
        Case(Requantize(Constant(77), Constant([0, 1, 9]), 0, 255), Type.of((2, 2, 3), -99, 99)),
        Case(Requantize(Constant([5, 9]), Constant([3, 2]), -9, 9), Type.of((3, 1, 2), -9, 9)),
        # The largest shift; a product of nearly 62 bits; a result that never changes.
        Case(
            Requantize(Constant(2**31 - 1), Constant(47), -128, 127), Type.of((2,), -(2**30), 2**30)
        ),
        Case(Requantize(Constant(1), Constant(47), -128, 127), Type.of((2,), -5, 5)),
        Case(Requantize(Constant(9), Constant(2), 3, 3), Type.of((2,), -5, 5)),
    )

    def naive(self, op, x):
        if isinstance(x[0], list):
            return [self.naive(op, part) for part in x]
        multipliers = np.broadcast_to(op.multiplier.array, len(x)).tolist()
        shifts = np.broadcast_to(op.shift.array, len(x)).tolist()
        y = []
        for value, m, s in zip(x, multipliers, shifts, strict=True):
            exact = Fraction(value * m, 2**s)
            nearest = math.floor(exact + Fraction(1, 2))  # halves go up
            y.append(min(max(nearest, op.lo), op.hi))
        return y

    def extremes(self, case):
        return samples(case.x, 2)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import Activation, Conv2d, Linear

        if rng.integers(2):
            layer = Linear(4, 3, **d.weighted(rng))
            return nn.Sequential(d.entrance(rng, 5, 4), layer, d.activation(rng))
        return nn.Sequential(
            d.entrance(rng, 2, 5, 4),
            Conv2d(2, 3, 2, **d.weighted(rng)),
            Activation(int(rng.integers(2, 9)), signed=True),
            d.activation(rng),
        )


def test_halves_round_up():
    assert requantize(np.array([-3, -2, -1, 0, 1, 2, 3]), 1, 1, -9, 9).tolist() == [
        -1, -1, 0, 0, 1, 1, 2,
    ]  # fmt: skip


@pytest.mark.parametrize("exponent", range(-30, 1))
def test_powers_of_two_are_pure_shifts(exponent):
    multiplier, shift = multiplier_and_shift(2.0**exponent)
    assert (multiplier.tolist(), shift.tolist()) == (1, -exponent)


def test_powers_of_two_by_channel():
    multiplier, shift = multiplier_and_shift([0.5, 0.125])
    assert (multiplier.tolist(), shift.tolist()) == (1, [1, 3])
    multiplier, shift = multiplier_and_shift([0.25, 0.25])
    assert (multiplier.tolist(), shift.tolist()) == (1, 2)


@given(st.floats(2.0**-30, 2.0**14), st.integers(2, 24))
def test_multiplier_is_the_nearest(factor, bits):
    try:
        multiplier, shift = (int(v) for v in multiplier_and_shift(factor, bits))
    except InvalidInput:
        exponent = math.frexp(factor)[1]
        assert not 0 <= bits - exponent <= MAX_SHIFT
        return
    assert 1 <= multiplier < 2**bits
    assert multiplier % 2 or not shift
    error = abs(Fraction(multiplier, 2**shift) - Fraction(factor))
    assert error <= Fraction(factor) / 2**bits


@given(st.lists(st.floats(2.0**-12, 4.0), min_size=2, max_size=8))
def test_channels_share_a_shift_unless_all_are_powers_of_two(factors):
    multiplier, shift = multiplier_and_shift(factors)
    if multiplier.ndim:
        assert shift.ndim == 0
        ratio = multiplier / 2.0 ** float(shift)
        assert np.all(np.abs(ratio - factors) <= 2.0 ** -float(shift))


@pytest.mark.parametrize("factor", [0, -1, math.nan, math.inf, 1e-20, 1e9, [0.5, 0]])
def test_impossible_factors_are_refused(factor):
    with pytest.raises(InvalidInput, match="rescaling factors must"):
        multiplier_and_shift(factor)
