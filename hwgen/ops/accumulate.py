"""Streams to binary numbers: sums over all steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["Accumulate"]


@register
@dataclass(frozen=True, slots=True)
class Accumulate(Op):
    """``y[k] = sum_t x[t, k]``: the value of a stream is its mean, ``y / steps``."""

    def verify(self, x: Type) -> None:
        if len(x.shape) != 2:
            raise RuleViolation(f"input must be a stream (steps, features), found shape {x.shape}")

    def infer(self, x: Type) -> Type:
        return Type.of(x.shape[1:], x.shape[0] * x.lo, x.shape[0] * x.hi)

    def run(self, x: np.ndarray) -> np.ndarray:
        return x.sum(axis=1)

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(additions=x.size - x.channels, cycles=beats(x, schedule))

    def steps(self, x: Type) -> int:
        return x.shape[0]

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
