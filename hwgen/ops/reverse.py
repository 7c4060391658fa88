"""A sequence backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["Reverse"]


@register
@dataclass(frozen=True, slots=True)
class Reverse(Op):
    """``y[t, k] = x[steps - 1 - t, k]``: the last step first."""

    looks_ahead: ClassVar[bool] = True

    def verify(self, x: Type) -> None:
        if len(x.shape) != 2:
            raise RuleViolation(
                f"input must be a sequence (steps, features), found shape {x.shape}"
            )

    def infer(self, x: Type) -> Type:
        return Type.of(x.shape, x.lo, x.hi, element=x.element)

    def run(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x[:, ::-1])

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(cycles=beats(x, schedule))

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
