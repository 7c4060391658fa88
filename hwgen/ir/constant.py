"""Immutable, hashable integer arrays."""

from __future__ import annotations

import numpy as np

from ..errors import RuleViolation

__all__ = ["Constant", "whole_numbers"]


def whole_numbers(values) -> np.ndarray | None:
    """``values`` as an int64 array, or None if any is not a whole number that int64 holds.

    An int64 array is returned as it is, without a copy.
    """
    try:
        given = np.asarray(values)
        if given.dtype == np.int64:
            return given
        kind = given.dtype.kind
        if kind in "ib":
            fits = True
        elif kind == "u":
            fits = given.max(initial=0) <= np.iinfo(np.int64).max
        elif kind == "f":  # false for NaN and infinity, too
            fits = np.all(np.abs(given.astype(np.float64)) < 2.0**63)
            fits = fits and np.array_equal(np.trunc(given), given)
        elif kind == "O":
            fits = given.astype(np.int64).tolist() == given.tolist()
        else:
            fits = False
        return given.astype(np.int64) if fits else None
    except (OverflowError, TypeError, ValueError):
        return None


class Constant:
    """A read-only int64 array that compares and hashes by content.

    Parameters
    ----------
    values
        Anything that numpy can turn into an array of whole numbers, at least one.

    Raises
    ------
    RuleViolation
        A value is not a whole number, or does not fit int64; or there is none.
    """

    __slots__ = ("_hash", "array")

    def __init__(self, values) -> None:
        if isinstance(values, Constant):
            values = values.array
        array = whole_numbers(values)
        if array is None:
            raise RuleViolation("a constant must hold whole numbers that fit 64 bits only")
        if not array.size:
            raise RuleViolation(
                f"a constant must hold at least one number, found shape {array.shape}"
            )
        array = np.array(array, dtype=np.int64, order="C")
        array.setflags(write=False)
        self.array = array
        self._hash: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def lo(self) -> int:
        return int(self.array.min())

    @property
    def hi(self) -> int:
        return int(self.array.max())

    def __eq__(self, other) -> bool:
        if not isinstance(other, Constant):
            return NotImplemented
        return np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.array.shape, self.array.tobytes()))
        return self._hash

    def __repr__(self) -> str:
        if self.array.size <= 4:
            return f"Constant({self.array.tolist()})"
        return f"Constant({'x'.join(map(str, self.shape))}, {self.lo}..{self.hi})"
