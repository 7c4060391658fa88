"""Immutable, hashable integer arrays."""

from __future__ import annotations

import numpy as np

from ..errors import RuleViolation

__all__ = ["Constant"]


class Constant:
    """A read-only int64 array that compares and hashes by content.

    Parameters
    ----------
    values
        Anything numpy can turn into an array; floats are refused unless all are whole numbers.
    """

    __slots__ = ("_hash", "array")

    def __init__(self, values) -> None:
        if isinstance(values, Constant):
            values = values.array
        given = np.asarray(values)
        array = np.array(given, dtype=np.int64, order="C")
        if given.dtype.kind not in "iub" and not np.array_equal(array, given):
            raise RuleViolation("a constant must hold whole numbers only")
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
