"""add."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ops.add import Add
from hwgen.ops.clip import Clip
from hwgen.ops.requantize import Requantize
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests


@st.composite
def cases(draw) -> Case:
    x = draw(st.one_of(d.vectors(), d.sequences(), d.images()))
    branch = Requantize(
        Constant(draw(st.integers(1, 40))), Constant(draw(st.integers(0, 5))), -50, 100
    )
    return Case(Add(), x, branch)


class TestAdd(OpTests):
    cases = cases()
    corners = (
        Case(Add(), Type.of((4,), -8, 7), Clip(0, None)),
        # Twice the same value; one element; operands of very different widths.
        Case(Add(), Type.of((3, 3, 2), 0, 255), Clip(None, None)),
        Case(Add(), Type.of((1,), 0, 1), Clip(None, None)),
        Case(
            Add(), Type.of((2, 2, 3), -1, 0), Requantize(Constant(30_000), Constant(0), -(2**20), 0)
        ),
    )

    def naive(self, op, a, b):
        if isinstance(a, list):
            return [self.naive(op, *pair) for pair in zip(a, b, strict=True)]
        return a + b

    def model(self, rng):
        from torch import nn

        from hwgen import nn as q

        class Residual(nn.Sequential):
            def forward(self, x):
                first, left, right, add = self
                x = first(x)
                return add(left(x), right(x))

        signed = bool(rng.integers(2))
        return Residual(
            d.entrance(rng, 2, 5, 4),
            q.Conv2d(2, 3, 1, **d.weighted(rng)),
            q.Conv2d(2, 3, 3, padding=1, **d.weighted(rng)),
            q.Add(int(rng.integers(1 + signed, 9)), signed),
        )
