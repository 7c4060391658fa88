"""stream_argmax."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import GraphBuilder, Type
from hwgen.ops.stream_argmax import StreamArgmax
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples
from tests.ops.streams import integral_streams


@st.composite
def cases(draw) -> Case:
    x = draw(integral_streams())
    rng = np.random.default_rng(draw(d.seeds))
    if x.channels < 2 or rng.integers(3) == 0:
        return Case(StreamArgmax(), x)
    swing = x.hi - x.lo + int(rng.integers(0, 3))
    return Case(StreamArgmax(True, swing, int(rng.choice([0, 1, 3, 20]))), x)


class TestStreamArgmax(OpTests):
    cases = cases()
    corners = (
        Case(StreamArgmax(True, 6, 5), Type.of((20, 6), -3, 3)),
        Case(StreamArgmax(), Type.of((20, 6), -3, 3)),
        Case(StreamArgmax(True, 6), Type.of((12, 3), -3, 3)),
        # Ties; one step; one class; no choice.
        Case(StreamArgmax(True, 1, 2), Type.of((9, 4), 0, 1)),
        Case(StreamArgmax(True, 6, 1), Type.of((1, 2), -3, 3)),
        Case(StreamArgmax(), Type.of((5, 1), -3, 3)),
        Case(StreamArgmax(True, 0), Type.of((4, 3), 2, 2)),
    )

    def naive(self, op, x):
        sums = [0] * len(x[0])
        for t, step in enumerate(x):
            sums = [a + b for a, b in zip(sums, step, strict=True)]
            ordered = sorted(sums)
            if op.early:
                lead = ordered[-1] - ordered[-2]
                if lead > (len(x) - 1 - t) * op.swing or (op.margin and lead >= op.margin):
                    break
        return [sums.index(max(sums))]

    def model(self, rng):
        from torch import nn

        from hwgen.nn import InputQuantizer, StreamArgMax, ToStream

        early, components = bool(rng.integers(2)), int(rng.choice([1, 2, 4]))
        return nn.Sequential(
            InputQuantizer(4, 0.25, True, (5,)),
            ToStream(5, int(rng.integers(1, 40)), bits=4, signed=True, components=components),
            StreamArgMax(early=early, margin=float(rng.integers(0, 3)) if early else 0.0),
        )


@pytest.mark.parametrize("swing", [6, 9])
def test_the_rule_without_margin_never_changes_a_class(swing):
    x = samples(Type.of((30, 4), -3, 3), 500)
    plain, early = StreamArgmax(), StreamArgmax(True, swing)
    assert np.array_equal(early.run(x), plain.run(x))
    assert (early.decide(x)[1] < 29).mean() > 0.1


@pytest.mark.parametrize(
    ("op", "told"),
    [
        (StreamArgmax(True, 5), r"swing must be 6 or more for an input in \[-3, 3\], not 5"),
        (StreamArgmax(False, 0, 4), "unless early is set, found 0 and 4"),
        (StreamArgmax(True, 6, -1), "margin must be 0 or more, not -1"),
    ],
)
def test_what_is_wrong_is_told(op, told):
    builder = GraphBuilder("g")
    x = builder.input(Type.of((3, 2), -3, 3))
    with pytest.raises(RuleViolation, match=told):
        builder.add(op, x)
