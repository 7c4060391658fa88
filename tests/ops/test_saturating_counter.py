"""saturating_counter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.ops.saturating_counter import SaturatingCounter
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests
from tests.ops.streams import integral_streams


@st.composite
def cases(draw) -> Case:
    x = draw(integral_streams())
    rng = np.random.default_rng(draw(d.seeds))
    states = rng.integers(2, rng.choice([3, 12, 40]), x.channels)
    threshold = rng.integers(1, states)
    op = SaturatingCounter(
        Constant(states), Constant(threshold), bool(rng.integers(2)), bool(rng.integers(2))
    )
    return Case(op, x)


class TestSaturatingCounter(OpTests):
    cases = cases()
    corners = (
        Case(SaturatingCounter(Constant([8] * 6), Constant([4] * 6)), Type.of((20, 6), -3, 3)),
        # Two states; odd ones; steps larger than the counter; an input that only falls.
        Case(
            SaturatingCounter(Constant([2, 3, 1 << 16]), Constant([1, 2, 1 << 15]), False, True),
            Type.of((12, 3), -(1 << 17), 1 << 17),
        ),
        Case(SaturatingCounter(Constant([5]), Constant([4]), True), Type.of((9, 1), -4, -1)),
        Case(
            SaturatingCounter(Constant([6, 9]), Constant([3, 8]), True, True), Type.of((1, 2), 0, 1)
        ),
    )

    def naive(self, op, x):
        states, threshold = op.states.array.tolist(), op.threshold.array.tolist()
        counters = [n // 2 for n in states]
        result = []
        for step in x:
            row = []
            for k, value in enumerate(step):
                counters[k] = min(max(counters[k] + value, 0), states[k] - 1)
                is_one = counters[k] >= threshold[k]
                if op.falling:
                    is_one = not is_one
                row.append(1 if is_one else -op.bipolar)
            result.append(row)
        return result

    def model(self, rng):
        from torch import nn

        from hwgen.nn import InputQuantizer, SaturatingCounter, ToStream

        states = int(rng.integers(2, 20))
        return nn.Sequential(
            InputQuantizer(4, 0.25, True, (5,)),
            ToStream(
                5,
                int(rng.integers(1, 40)),
                bits=4,
                signed=True,
                components=int(rng.choice([1, 2, 4])),
            ),
            SaturatingCounter(
                states,
                threshold=int(rng.integers(1, states)),
                falling=bool(rng.integers(2)),
                bipolar=bool(rng.integers(2)),
            ),
        )


@pytest.mark.parametrize(
    ("op", "told"),
    [
        (SaturatingCounter(Constant([1, 4]), Constant([1, 2])), r"2\.\.65536, found \[1, 4\]"),
        (
            SaturatingCounter(Constant([4, 4]), Constant([2, 4])),
            "found 4 of 4 states for feature 1",
        ),
        (SaturatingCounter(Constant([4]), Constant([2])), r"a feature \(2\), found shape \(1,\)"),
    ],
)
def test_what_is_wrong_is_told(op, told):
    builder = GraphBuilder("g")
    x = builder.input(Type.of((3, 2), -1, 1))
    with pytest.raises(RuleViolation, match=told):
        builder.add(op, x)
