"""to_stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.ops.lib import lfsr
from hwgen.ops.to_stream import ToStream
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests
from tests.ops.streams import drawn_numbers, sources


def instance(
    rng, features, length, components, bits, bipolar, counter=False, lo=None, hi=None
) -> Case:
    offset = (1 << (bits - 1)) * bipolar
    lo = -offset if lo is None else lo
    hi = (1 << bits) - offset if hi is None else hi
    drawn = sources(rng, (features, components), bits, length, counter)
    op = ToStream(length, components, bits, bipolar, **drawn)
    return Case(op, Type.of((features,), lo, hi))


@st.composite
def cases(draw) -> Case:
    rng = np.random.default_rng(draw(d.seeds))
    return instance(
        rng,
        int(rng.integers(1, 9)),
        int(rng.integers(1, 24)),
        int(rng.choice([1, 2, 4])),
        int(rng.integers(1, 7)),
        bool(rng.integers(2)),
        bool(rng.integers(2)),
    )


class TestToStream(OpTests):
    cases = cases()
    corners = (
        instance(np.random.default_rng(0), 6, 20, 4, 4, False),
        instance(np.random.default_rng(1), 4, 9, 8, 5, True, counter=True),
        # More beats than steps; one element; an input that leaves no choice.
        instance(np.random.default_rng(2), 8, 3, 1, 4, False, hi=15),
        instance(np.random.default_rng(3), 1, 1, 1, 1, True),
        instance(np.random.default_rng(4), 3, 5, 2, 3, False, lo=8),
        instance(np.random.default_rng(5), 3, 5, 2, 3, True, hi=-4),
    )

    def naive(self, op, x):
        steps = []
        for numbers in drawn_numbers(op, op.bits, op.length):
            step = []
            for value, drawn in zip(x, numbers, strict=True):
                limit = value + (2 ** (op.bits - 1) if op.bipolar else 0)
                ones = sum(1 for r in drawn if r < limit)
                step.append(2 * ones - op.components if op.bipolar else ones)
            steps.append(step)
        return steps

    def model(self, rng):
        from torch import nn

        from hwgen.nn import InputQuantizer, ToStream

        signed = bool(rng.integers(2))
        bits = int(rng.integers(2, 7))
        return nn.Sequential(
            InputQuantizer(bits, 0.25, signed, (5,)),
            ToStream(
                5,
                int(rng.integers(1, 40)),
                bits=bits,
                signed=signed,
                components=int(rng.choice([1, 2, 4])),
                source=str(rng.choice(["lfsr", "counter"])),
                first_source=int(rng.integers(0, 20)),
            ),
        )


@pytest.mark.parametrize("bipolar", [False, True])
def test_a_counter_counts_every_operand_exactly(bipolar):
    """T1: over a full period of a counter of 8 bits every 8-bit operand's ones are exact."""
    values = np.arange(257)
    op = ToStream(256, 1, 8, bipolar, 8, (), 1, Constant(np.zeros((257, 1), dtype=np.int64)))
    sums = op.run(values[None] - op.offset).sum(axis=1)[0]
    assert np.array_equal(sums, 2 * values - 256 if bipolar else values)


def test_a_register_counts_every_operand_within_one():
    """A register never holds 0: over its period a threshold T is met by T - 1 states."""
    width = 8
    seeds = Constant(np.full((257, 1), 5) + np.arange(257)[:, None] % 200)
    op = ToStream(255, 1, 8, False, width, lfsr.TAPS[width], 1, seeds)
    sums = op.run(np.arange(257)[None]).sum(axis=1)[0]
    assert np.array_equal(sums, np.maximum(np.arange(257) - 1, 0))


WRONG = {
    "length": ({"length": 256}, "width 9 would do"),
    "components": ({"components": 3}, "one of 1, 2, 4, 8, 16"),
    "bits": ({"bits": 9}, "width must be 9 or more"),
    "repeat": ({"seeds": Constant([[5], [5]])}, "found 5 more than once"),
    "shape": ({"seeds": Constant([[5, 6]])}, r"seeds must have shape \(2, 1\)"),
    "zero": ({"seeds": Constant([[5], [0]])}, r"lie in 1\.\.255, found \[0, 5\]"),
    "taps": ({"taps": (8, 4)}, "primitive polynomial"),
    "range": ({"bits": 3}, r"must lie in \[0, 8\] for numbers of 3 bits, found \[0, 16\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told(name):
    change, told = WRONG[name]
    right = {
        "length": 255,
        "components": 1,
        "bits": 4,
        "bipolar": False,
        "width": 8,
        "taps": lfsr.TAPS[8],
        "leap": 1,
        "seeds": Constant([[5], [6]]),
    }
    builder = GraphBuilder("g")
    x = builder.input(Type.of((2,), 0, 16))
    builder.add(ToStream(**right), x)
    with pytest.raises(RuleViolation, match=told):
        builder.add(ToStream(**{**right, **change}), x, name="s", layer="entry")


def test_two_ops_never_draw_the_same():
    taps = lfsr.TAPS[8]
    builder = GraphBuilder("g")
    x = builder.input(Type.of((2,), 0, 16))
    a = builder.add(ToStream(9, 1, 4, False, 8, taps, 1, Constant([[5], [6]])), x, name="a")
    b = builder.add(ToStream(9, 1, 4, False, 8, taps, 1, Constant([[7], [6]])), x, name="b")
    from hwgen.ops.add import Add

    with pytest.raises(
        RuleViolation, match=r"seeds must differ from those of to_stream %a.*have 6"
    ):
        builder.build(builder.add(Add(), a, b))
