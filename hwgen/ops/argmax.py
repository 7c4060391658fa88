"""Index of the largest element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["Argmax"]


@register
@dataclass(frozen=True, slots=True)
class Argmax(Op):
    """``y[0] = min { i : x[i] = max_j x[j] }``: of equals the first; of a sequence for every step."""

    def verify(self, x: Type) -> None:
        if len(x.shape) > 2:
            raise RuleViolation(
                f"input must be a vector or a sequence (steps, features), found shape {x.shape}; "
                f"flatten it first"
            )

    def infer(self, x: Type) -> Type:
        return Type.of((*x.shape[:-1], 1), 0, x.channels - 1)

    def run(self, x: np.ndarray) -> np.ndarray:
        return np.argmax(x, axis=-1, keepdims=True).astype(np.int64)

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(additions=x.size - x.size // x.channels, cycles=beats(x, schedule))

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        return schedule.lanes or x.channels, 1

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
