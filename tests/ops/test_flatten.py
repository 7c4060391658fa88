"""flatten."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.ir import Int, Type
from hwgen.ops.argmax import Argmax
from hwgen.ops.clip import Clip
from hwgen.ops.flatten import Flatten
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples


class TestFlatten(OpTests):
    # A flatten moves nothing, so that it takes something behind it to see that in hardware.
    cases = st.builds(
        Case,
        st.just(Flatten()),
        st.one_of(d.images(), d.vectors()),
        after=st.just(Clip(None, None)),
    )
    corners = (
        Case(Flatten(), Type.of((2, 3, 4), 0, 15), after=Argmax()),
        Case(Flatten(), Type.of((1, 1, 1), 0, 3, element=Int(8, signed=True)), after=Clip()),
        Case(Flatten(), Type.of((5,), -8, 7), after=Clip()),
    )

    def naive(self, op, x):
        if not isinstance(x, list):
            return [x]
        return [value for part in x for value in self.naive(op, part)]

    def extremes(self, case):
        return samples(case.x, 2)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import Flatten, Linear

        flatten = (Flatten, nn.Flatten)[rng.integers(2)]
        return nn.Sequential(
            d.entrance(rng, 3, 4, 2),
            flatten(),
            Linear(24, 4, image=(3, 4, 2), **d.weighted(rng)),
        )
