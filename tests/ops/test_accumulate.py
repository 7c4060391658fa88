"""accumulate."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Type
from hwgen.ops.accumulate import Accumulate
from tests.ops.harness import Case, OpTests
from tests.ops.streams import integral_streams


class TestAccumulate(OpTests):
    cases = st.builds(Case, st.just(Accumulate()), integral_streams())
    corners = (
        Case(Accumulate(), Type.of((20, 6), -8, 7)),
        # One step; one feature; a constant.
        Case(Accumulate(), Type.of((1, 4), -3, 3)),
        Case(Accumulate(), Type.of((9, 1), 0, 1)),
        Case(Accumulate(), Type.of((5, 2), 2, 2)),
    )

    def naive(self, op, x):
        return [sum(step[k] for step in x) for k in range(len(x[0]))]

    def extremes(self, case):
        return np.stack([np.full(case.x.shape, end) for end in (case.x.lo, case.x.hi)])

    def model(self, rng):
        from torch import nn

        from hwgen.nn import Accumulate, InputQuantizer, ToStream

        return nn.Sequential(
            InputQuantizer(4, 0.25, bool(rng.integers(2)), (5,)),
            ToStream(int(rng.integers(1, 40)), components=int(rng.choice([1, 2, 4]))),
            Accumulate(),
        )
