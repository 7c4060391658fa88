"""Integer types, and the type of a value: shape, element, proven interval, scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import RuleViolation

__all__ = ["Int", "Type"]

MAX_WIDTH = 63  # everything fits the interpreter's int64, with its sign


@dataclass(frozen=True, slots=True, order=True)
class Int:
    """A two's complement (``signed``) or natural (unsigned) integer of ``width`` bits.

    Written ``s8`` or ``u4``.
    """

    width: int
    signed: bool

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise RuleViolation(f"an integer's width must be in 1..{MAX_WIDTH}, not {self.width}")

    @property
    def lo(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        return (1 << (self.width - self.signed)) - 1

    @classmethod
    def fit(cls, lo: int, hi: int) -> Int:
        """The narrowest integer that holds every value of ``[lo, hi]``."""
        if lo >= 0:
            return cls(max(1, int(hi).bit_length()), signed=False)
        return cls(1 + max(int(-lo - 1).bit_length(), int(max(hi, 0)).bit_length()), signed=True)

    @classmethod
    def parse(cls, text: str) -> Int:
        """The inverse of ``str``: ``Int.parse("s8") == Int(8, signed=True)``."""
        if len(text) < 2 or text[0] not in "su" or not text[1:].isdecimal():
            raise RuleViolation(f"an integer type must be written like 's8' or 'u4', not {text!r}")
        return cls(int(text[1:]), text[0] == "s")

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.width}"


def _plain_scale(scale) -> float | tuple[float, ...]:
    if hasattr(scale, "tolist"):
        scale = scale.tolist()
    if isinstance(scale, list | tuple):
        return tuple(float(s) for s in scale)
    return float(scale)


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value.

    Attributes
    ----------
    shape
        Sizes without the batch. Images are (height, width, channels): the order in which they
        stream through hardware and lie in memory, so that ``flatten`` moves nothing.
    element
        The integer type of every element.
    lo, hi
        The proven interval: every element lies in ``[lo, hi]``, a part of ``element``'s range.
    scale
        For people: real value = integer x scale. One number, or one a channel (last axis).
        It never changes an integer result.
    steps
        Length of the time axis, or None where a value has none.
    """

    shape: tuple[int, ...]
    element: Int
    lo: int
    hi: int
    scale: float | tuple[float, ...] = 1.0
    steps: int | None = None

    @classmethod
    def of(
        cls, shape, lo: int, hi: int, *, element: Int | None = None, scale=1.0, steps=None
    ) -> Type:
        """A type with the narrowest element that holds ``[lo, hi]``, unless one is given.

        ``scale`` is a number, or a sequence or array of one a channel.
        """
        lo, hi = int(lo), int(hi)
        shape = tuple(int(n) for n in shape)
        return cls(shape, element or Int.fit(lo, hi), lo, hi, _plain_scale(scale), steps)

    @property
    def size(self) -> int:
        """Number of elements of one sample."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """Size of the last axis."""
        return self.shape[-1]

    def with_scale(self, scale) -> Type:
        """The same type, in other units; ``scale`` as for :meth:`of`."""
        return replace(self, scale=_plain_scale(scale))

    def check(self) -> None:
        """Raise RuleViolation unless the type is consistent in itself."""
        if not self.shape or any(type(n) is not int or n < 1 for n in self.shape):
            raise RuleViolation(
                f"a shape must have one or more sizes of 1 or more, not {self.shape}"
            )
        if type(self.lo) is not int or type(self.hi) is not int:
            raise RuleViolation(f"an interval must have whole ends, not [{self.lo}, {self.hi}]")
        if not self.element.lo <= self.lo <= self.hi <= self.element.hi:
            raise RuleViolation(
                f"interval [{self.lo}, {self.hi}] must lie within {self.element}'s range "
                f"[{self.element.lo}, {self.element.hi}]"
            )
        if self.steps is not None and (type(self.steps) is not int or self.steps < 1):
            raise RuleViolation(f"a time axis must have 1 step or more, not {self.steps}")
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,)
        if not all(isinstance(s, float) and 0 < s < math.inf for s in scales):
            raise RuleViolation(f"a scale must be positive and finite, not {self.scale}")

    def same_values(self, other: Type) -> bool:
        """Equal in all but ``scale``."""
        return replace(self, scale=1.0) == replace(other, scale=1.0)

    def __str__(self) -> str:
        time = f"{self.steps} steps x " if self.steps is not None else ""
        return f"{time}{'x'.join(map(str, self.shape))}:{self.element}[{self.lo}, {self.hi}]"
