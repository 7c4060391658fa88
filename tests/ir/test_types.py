"""Integer types and value types."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import Int, Type

ENDS = st.integers(-(1 << 62), (1 << 62) - 1)


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [("u1", 0, 1), ("s1", -1, 0), ("u8", 0, 255), ("s8", -128, 127), ("s63", -(2**62), 2**62 - 1)],
)
def test_int_ranges(text, lo, hi):
    kind = Int.parse(text)
    assert (kind.lo, kind.hi, str(kind)) == (lo, hi, text)


@pytest.mark.parametrize("text", ["", "8", "s", "i8", "u-1", "s8 ", "u0", "s64"])
def test_int_refuses(text):
    with pytest.raises(RuleViolation):
        Int.parse(text)


@given(ENDS, ENDS)
def test_fit_is_the_narrowest(a, b):
    lo, hi = min(a, b), max(a, b)
    kind = Int.fit(lo, hi)
    assert kind.signed == (lo < 0)
    assert kind.lo <= lo
    assert hi <= kind.hi
    if kind.width > 1:
        narrower = Int(kind.width - 1, kind.signed)
        assert not (narrower.lo <= lo and hi <= narrower.hi)


def test_type_of_takes_numpy_numbers():
    kind = Type.of(np.array([2, 3]), np.int64(-4), np.int64(3), scale=np.float32([0.5, 1, 2]))
    assert kind == Type((2, 3), Int(3, True), -4, 3, (0.5, 1.0, 2.0))
    assert str(kind) == "2x3:s3[-4, 3]"
    assert str(Type.of((5,), 0, 3, steps=7)) == "7 steps x 5:u2[0, 3]"
    assert (kind.size, kind.channels) == (6, 3)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Type((), Int(4, False), 0, 3), r"a shape must have one or more sizes"),
        (Type((3, 0), Int(4, False), 0, 3), r"not \(3, 0\)"),
        (Type((3.0,), Int(4, False), 0, 3), r"not \(3.0,\)"),
        (Type((3,), Int(4, False), 0, 16), r"\[0, 16\] must lie within u4's range \[0, 15\]"),
        (Type((3,), Int(4, True), 1, 0), r"\[1, 0\] must lie within s4's range"),
        (Type((3,), Int(4, False), 0.5, 3), r"whole ends, not \[0.5, 3\]"),
        (Type((3,), Int(4, False), 0, 3, steps=0), r"1 step or more, not 0"),
        (Type((3,), Int(4, False), 0, 3, scale=0.0), r"positive and finite, not 0.0"),
        (Type((3,), Int(4, False), 0, 3, scale=float("nan")), r"positive and finite, not nan"),
        (Type((3,), Int(4, False), 0, 3, scale=(1.0, float("inf"))), r"positive and finite"),
    ],
)
def test_check_names_what_is_wrong(kind, message):
    with pytest.raises(RuleViolation, match=message):
        kind.check()


def test_same_values_looks_past_the_scale():
    kind = Type.of((3,), 0, 3)
    assert kind.same_values(kind.with_scale(0.1))
    assert not kind.same_values(Type.of((3,), 0, 2))
