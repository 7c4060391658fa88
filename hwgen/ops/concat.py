"""Two values side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.linear import divisors

__all__ = ["Concat"]


@register
@dataclass(frozen=True, slots=True)
class Concat(Op):
    """``y[.., k] = a[.., k]`` for ``k < n``, then ``y[.., n + k] = b[.., k]``; a has n channels."""

    arity: ClassVar[int] = 2

    def verify(self, a: Type, b: Type) -> None:
        if a.shape[:-1] != b.shape[:-1]:
            raise RuleViolation(
                f"both inputs must have one shape but for the last axis, found {a.shape} and {b.shape}"
            )

    def infer(self, a: Type, b: Type) -> Type:
        shape = (*a.shape[:-1], a.channels + b.channels)
        return Type.of(shape, min(a.lo, b.lo), max(a.hi, b.hi))

    def run(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.concatenate([a, b], axis=-1)

    def cost(self, a: Type, b: Type, *, schedule: Schedule) -> Cost:
        return Cost(cycles=(a.size + b.size) // self.lanes(a, b, schedule=schedule)[0])

    def lanes(self, a: Type, b: Type, *, schedule: Schedule) -> tuple[int, int]:
        lanes = schedule.lanes or math.gcd(a.channels, b.channels)
        return lanes, lanes

    def schedules(self, a: Type, b: Type) -> tuple[Schedule, ...]:
        """A beat holds channels of one input only."""
        most = math.gcd(a.channels, b.channels)
        return tuple(Schedule("stream", lanes=lanes) for lanes in divisors(most))
