"""Constants: whole numbers only, immutable, equal by content."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.errors import RuleViolation
from hwgen.ir import Constant


@pytest.mark.parametrize(
    "values",
    [3, [1, 2], True, np.float32([1, -2]), np.uint64([5]), [2**62], np.array([1, 2], object)],
)
def test_takes_whole_numbers(values):
    constant = Constant(values)
    assert constant.array.dtype == np.int64
    assert constant.array.tolist() == np.asarray(values).tolist()


@pytest.mark.parametrize(
    "values",
    [
        0.5,
        [1, float("nan")],
        float("inf"),
        1e300,
        2.0**63,
        2**63,
        2**70,
        np.uint64(2**64 - 1),
        "7",
        None,
        [1j],
        [[1], [2, 3]],
        np.array([1.5], object),
    ],
)
def test_refuses_the_rest(values):
    with pytest.raises(RuleViolation, match="must hold whole numbers that fit 64 bits"):
        Constant(values)


def test_refuses_emptiness():
    with pytest.raises(RuleViolation, match=r"at least one number, found shape \(0, 3\)"):
        Constant(np.zeros((0, 3), int))


def test_is_immutable_and_its_own_copy():
    source = np.array([1, 2])
    constant = Constant(source)
    source[0] = 9
    assert constant.array.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        constant.array[0] = 9


def test_equality_and_hash_by_content():
    a, b = Constant([1, 2]), Constant(np.int8([1, 2]))
    assert a == b
    assert hash(a) == hash(b)
    assert a != Constant([[1, 2]])
    assert a != Constant([1, 3])
    assert a != [1, 2]
    assert repr(a) == "Constant([1, 2])"
    assert repr(Constant(range(6))) == "Constant(6, 0..5)"
    assert (a.lo, a.hi, a.shape) == (1, 2, (2,))
