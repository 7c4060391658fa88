"""lookup."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ops.lookup import Lookup
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests


@st.composite
def cases(draw) -> Case:
    x = draw(st.one_of(d.vectors(), d.sequences(), d.images()))
    before, after = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(d.seeds))
    _, lo, hi = draw(d.elements(most_bits=12))
    table = rng.integers(lo, hi, before + after + x.hi - x.lo + 1, endpoint=True)
    return Case(Lookup(Constant(table), x.lo - before), x)


class TestLookup(OpTests):
    cases = cases()
    corners = (
        # A sigmoid; one entry; entries that cannot be reached; signed index.
        Case(
            Lookup(Constant(np.rint(255 / (1 + np.exp(-np.arange(-32, 32) / 8)))), -32),
            Type.of((5,), -32, 31),
        ),
        Case(Lookup(Constant([-7]), 3), Type.of((2,), 3, 3)),
        Case(Lookup(Constant([99, 1, 2, -99]), -1), Type.of((2, 2, 3), 0, 1)),
        Case(Lookup(Constant([-1, 1]), -1), Type.of((4,), -1, 0)),
    )

    def naive(self, op, x):
        if isinstance(x, list):
            return [self.naive(op, value) for value in x]
        return op.table.array.tolist()[x - op.base]

    def extremes(self, case):
        """Every value of the interval."""
        values = np.arange(case.x.lo, case.x.hi + 1)
        return np.broadcast_to(
            values.reshape(-1, *(1,) * len(case.x.shape)), (len(values), *case.x.shape)
        )

    def model(self, rng):
        from torch import nn

        from hwgen.nn import Linear, Sigmoid, Tanh

        table = (Sigmoid, Tanh)[rng.integers(2)]
        bits = rng.integers(2, 9, 2).tolist()
        return nn.Sequential(d.entrance(rng, 9), Linear(9, 4, **d.weighted(rng)), table(*bits))
