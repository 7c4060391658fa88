"""The product of an integral stream and a stream of bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["StreamMultiply"]


@register
@dataclass(frozen=True, slots=True)
class StreamMultiply(Op):
    """``y[t, k] = a[t, k] * b[t, k]`` with b of 0 and 1, or of -1 and 1: passed, cleared or negated.

    Its mean is the product of the means where the streams are independent.
    """

    arity: ClassVar[int] = 2

    def verify(self, a: Type, b: Type) -> None:
        if len(a.shape) != 2 or a.shape != b.shape:
            raise RuleViolation(
                f"inputs must be streams (steps, features) of one shape, found {a.shape} and {b.shape}"
            )
        if b.lo < -1 or b.hi > 1:
            raise RuleViolation(
                f"the second input must be a stream of bits, 0 and 1 or -1 and 1, found "
                f"[{b.lo}, {b.hi}]"
            )

    def infer(self, a: Type, b: Type) -> Type:
        ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        return Type.of(a.shape, min(ends), max(ends))

    def run(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * b

    def cost(self, a: Type, b: Type, *, schedule: Schedule) -> Cost:
        return Cost(bit_operations=a.size * a.element.width, cycles=beats(a, schedule))

    def schedules(self, a: Type, b: Type) -> tuple[Schedule, ...]:
        return lane_schedules(a)
