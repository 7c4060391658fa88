"""Saturation; with ``lo=0`` it is the rectifier (ReLU)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.fixed_point import verify_bounds
from .lib.stream import beats, lane_schedules

__all__ = ["Clip"]


@register
@dataclass(frozen=True, slots=True)
class Clip(Op):
    """``y = min(max(x, lo), hi)``; a bound of None does not clip.

    ReLU is ``Clip(0, None)``, ReLU6 is ``Clip(0, round(6 / scale))``.
    """

    lo: int | None = 0
    hi: int | None = None

    def verify(self, x: Type) -> None:
        verify_bounds(self.lo, self.hi)

    def _clip(self, value):
        if self.lo is not None:
            value = np.maximum(value, self.lo)
        if self.hi is not None:
            value = np.minimum(value, self.hi)
        return value

    def infer(self, x: Type) -> Type:
        return Type.of(x.shape, int(self._clip(x.lo)), int(self._clip(x.hi)))

    def run(self, x: np.ndarray) -> np.ndarray:
        return self._clip(x)

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(additions=x.size, cycles=beats(x, schedule))

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
