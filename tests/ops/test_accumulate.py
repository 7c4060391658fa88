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

        signed, components = bool(rng.integers(2)), int(rng.choice([1, 2, 4]))
        return nn.Sequential(
            InputQuantizer(4, 0.25, signed, (5,)),
            ToStream(5, int(rng.integers(1, 40)), bits=4, signed=signed, components=components),
            Accumulate(),
        )
