"""reverse."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.ir import Type
from hwgen.ops.reverse import Reverse
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples


class TestReverse(OpTests):
    cases = st.builds(Case, st.just(Reverse()), d.sequences())
    corners = (
        Case(Reverse(), Type.of((5, 6), -8, 7)),
        # One step; one feature; a single element.
        Case(Reverse(), Type.of((1, 4), -128, 127)),
        Case(Reverse(), Type.of((7, 1), 0, 1)),
        Case(Reverse(), Type.of((1, 1), 3, 9)),
        Case(Reverse(), Type.of((2, 3), -(2**30), 2**40)),
    )

    def naive(self, op, x):
        return [x[len(x) - 1 - t] for t in range(len(x))]

    def extremes(self, case):
        return samples(case.x, 2)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import Linear, Reverse

        layers = [Linear(4, 3, **d.weighted(rng))] if rng.integers(2) else []
        return nn.Sequential(d.entrance(rng, 5, 4), *layers, Reverse())
