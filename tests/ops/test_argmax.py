"""argmax."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Type
from hwgen.ops.argmax import Argmax
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests


class TestArgmax(OpTests):
    cases = st.builds(Case, st.just(Argmax()), st.one_of(d.vectors(), d.sequences()))
    corners = (
        Case(Argmax(), Type.of((10,), -100, 100)),
        # Many equals: the first one counts. One element. A constant.
        Case(Argmax(), Type.of((16,), 0, 1)),
        Case(Argmax(), Type.of((1,), -8, 7)),
        Case(Argmax(), Type.of((3,), 2, 2)),
        # Of every step; steps of one element.
        Case(Argmax(), Type.of((4, 6), -8, 7)),
        Case(Argmax(), Type.of((2, 1), 0, 1)),
    )

    def naive(self, op, x):
        if isinstance(x[0], list):
            return [self.naive(op, step) for step in x]
        best = 0
        for i in range(1, len(x)):
            if x[i] > x[best]:
                best = i
        return [best]

    def extremes(self, case):
        """The maximum in every place; unless all elements must be equal."""
        if case.x.lo == case.x.hi:
            return None
        places = np.eye(case.x.channels, dtype=bool)
        if len(case.x.shape) > 1:
            places = np.repeat(places[:, None], case.x.shape[0], axis=1)
        return np.where(places, case.x.hi, case.x.lo)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import ArgMax, Linear

        # One scale for all outputs, which batch norm behind coarse weights would not give.
        options = {**d.weighted(rng), "per_channel": False, "batch_norm": False}
        shape = (4, 9) if rng.integers(2) else (9,)
        return nn.Sequential(d.entrance(rng, *shape), Linear(9, 6, **options), ArgMax())
