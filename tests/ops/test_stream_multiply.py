"""stream_multiply."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.ops.saturating_counter import SaturatingCounter
from hwgen.ops.stream_multiply import StreamMultiply
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests
from tests.ops.streams import integral_streams


def bits_of(x: Type, states: int, bipolar: bool) -> SaturatingCounter:
    """An op that makes a stream of bits of ``x``."""
    return SaturatingCounter(
        Constant([states] * x.channels), Constant([states // 2] * x.channels), False, bipolar
    )


@st.composite
def cases(draw) -> Case:
    x = draw(integral_streams())
    rng = np.random.default_rng(draw(d.seeds))
    return Case(StreamMultiply(), x, bits_of(x, int(rng.integers(2, 9)), bool(rng.integers(2))))


UNIPOLAR, BIPOLAR = Type.of((15, 4), -4, 3), Type.of((8, 3), -8, 8)


class TestStreamMultiply(OpTests):
    cases = cases()
    corners = (
        Case(StreamMultiply(), UNIPOLAR, bits_of(UNIPOLAR, 6, False)),
        Case(StreamMultiply(), BIPOLAR, bits_of(BIPOLAR, 4, True)),
    )

    def naive(self, op, a, b):
        return [
            [x if y == 1 else -x if y == -1 else 0 for x, y in zip(*step, strict=True)]
            for step in zip(a, b, strict=True)
        ]

    def model(self, rng):
        from torch import nn

        from hwgen.nn import InputQuantizer, SaturatingCounter, StreamMultiply, ToStream

        class Product(nn.Sequential):
            def __init__(self):
                super().__init__()
                components = int(rng.choice([1, 2, 4]))
                bipolar = bool(rng.integers(2))
                self.entrance = InputQuantizer(4, 0.25, True, (5,))
                self.stream = ToStream(
                    5, int(rng.integers(1, 40)), bits=4, signed=True, components=components
                )
                self.counter = SaturatingCounter(int(rng.integers(2, 9)), bipolar=bipolar)
                self.product = StreamMultiply()

            def forward(self, x):
                x = self.stream(self.entrance(x))
                return self.product(x, self.counter(x))

        return Product()


def test_what_is_wrong_is_told():
    builder = GraphBuilder("g")
    x = builder.input(Type.of((3, 2), -1, 2))
    with pytest.raises(
        RuleViolation, match=r"stream of bits, 0 and 1 or -1 and 1, found \[-1, 2\]"
    ):
        builder.add(StreamMultiply(), x, x)
