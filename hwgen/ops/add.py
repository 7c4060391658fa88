"""Elementwise sum of two values: residual connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["Add"]


@register
@dataclass(frozen=True, slots=True)
class Add(Op):
    """``y = a + b``, exact; both have one scale, or were requantized to one before."""

    arity: ClassVar[int] = 2

    def verify(self, a: Type, b: Type) -> None:
        if a.shape != b.shape:
            raise RuleViolation(f"both inputs must have one shape, found {a.shape} and {b.shape}")

    def infer(self, a: Type, b: Type) -> Type:
        return Type.of(a.shape, a.lo + b.lo, a.hi + b.hi)

    def run(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a + b

    def cost(self, a: Type, b: Type, *, schedule: Schedule) -> Cost:
        return Cost(additions=a.size, cycles=beats(a, schedule))

    def schedules(self, a: Type, b: Type) -> tuple[Schedule, ...]:
        return lane_schedules(a)
