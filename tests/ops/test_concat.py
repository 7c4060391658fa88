"""concat."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ops.clip import Clip
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.concat import Concat
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.requantize import Requantize
from hwgen.ops.reverse import Reverse
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples

WIDER = Uniform(Constant([[1, -2, 0], [3, 1, 1], [0, 0, -4], [2, 2, 2], [1, 0, 1], [7, 0, 0]]), 4)


@st.composite
def cases(draw) -> Case:
    """The second operand has as many channels, or any number of them."""
    x = draw(st.one_of(d.vectors(), d.sequences(), d.images()))
    if draw(st.booleans()):
        lo, hi = draw(st.integers(-40, 0)), draw(st.integers(1, 100))
        return Case(Concat(), x, Requantize(Constant(draw(st.integers(1, 9))), Constant(1), lo, hi))
    outputs = draw(st.integers(1, 12))
    if len(x.shape) == 3:
        weights = draw(d.weights((outputs, 1, 1, x.channels)))
        return Case(Concat(), x, Conv2d(weights, draw(d.biases(outputs))))
    return Case(Concat(), x, Dense(draw(d.weights((outputs, x.channels))), draw(d.biases(outputs))))


class TestConcat(OpTests):
    cases = cases()
    corners = (
        Case(Concat(), Type.of((4,), -8, 7), Clip(0, None)),
        # The second operand comes long after the first; twice as many channels.
        Case(Concat(), Type.of((5, 4), 0, 255), Reverse()),
        Case(Concat(), Type.of((4, 3), -8, 7), Dense(WIDER, Constant([0] * 6))),
        # Signed and unsigned, of very different widths; one channel each.
        Case(
            Concat(),
            Type.of((2, 2, 3), 0, 1),
            Requantize(Constant(30_000), Constant(0), -(2**20), 2**20),
        ),
        Case(Concat(), Type.of((1,), -1, 0), Requantize(Constant(9), Constant(0), 3, 200)),
    )

    def naive(self, op, a, b):
        if isinstance(a[0], list):
            return [self.naive(op, *pair) for pair in zip(a, b, strict=True)]
        return [*a, *b]

    def extremes(self, case):
        """Both ends of the first operand; those of the second are the other op's affair."""
        return None if isinstance(case.branch, Dense | Conv2d) else samples(case.x, 2)

    def model(self, rng):
        from torch import nn

        from hwgen import nn as q

        class Joined(nn.Sequential):
            def forward(self, x):
                first, left, right, concat, last = self
                x = first(x)
                return last(concat(left(x), right(x)))

        if rng.integers(2):
            branches = (q.Conv2d(2, n, 1, **d.weighted(rng)) for n in (3, 4))
            entrance = d.entrance(rng, 2, 5, 4)
        else:
            branches = (q.Linear(4, n, **d.weighted(rng)) for n in (3, 4))
            entrance = d.entrance(rng, *([3] if rng.integers(2) else []), 4)
        last = d.activation(rng) if rng.integers(2) else nn.Identity()
        return Joined(entrance, *branches, q.Concat(), last)
