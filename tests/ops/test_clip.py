"""clip, and with it ReLU."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.ir import Type
from hwgen.ops.clip import Clip
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples


@st.composite
def cases(draw) -> Case:
    x = draw(st.one_of(d.vectors(), d.sequences(), d.images()))
    lo, hi = sorted(draw(st.lists(st.integers(x.lo - 3, x.hi + 3), min_size=2, max_size=2)))
    return Case(Clip(draw(st.sampled_from([lo, None])), draw(st.sampled_from([hi, None]))), x)


class TestClip(OpTests):
    cases = cases()
    corners = (
        Case(Clip(), Type.of((4,), -8, 7)),
        # Nothing to do; nothing left; everything below, everything above the bounds.
        Case(Clip(None, None), Type.of((2, 2, 2), -8, 7)),
        Case(Clip(3, 3), Type.of((3,), -8, 7)),
        Case(Clip(5, 9), Type.of((3,), -8, 3)),
        Case(Clip(-9, -5), Type.of((3,), 0, 3)),
        Case(Clip(None, 6), Type.of((2, 1, 3), 0, 255)),
    )

    def naive(self, op, x):
        if isinstance(x, list):
            return [self.naive(op, value) for value in x]
        if op.lo is not None and x < op.lo:
            return op.lo
        if op.hi is not None and x > op.hi:
            return op.hi
        return x

    def extremes(self, case):
        return samples(case.x, 2)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import Linear, ReLU

        relu = (ReLU, nn.ReLU)[rng.integers(2)]
        return nn.Sequential(d.entrance(rng, 9), Linear(9, 4, **d.weighted(rng)), relu())
