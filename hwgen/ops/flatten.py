"""An image or a sequence as a vector."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["Flatten"]


@register
@dataclass(frozen=True, slots=True)
class Flatten(Op):
    """``y[(r * width + c) * channels + k] = x[r, c, k]``: the order of the stream, nothing moves."""

    def infer(self, x: Type) -> Type:
        return Type.of((x.size,), x.lo, x.hi, element=x.element)

    def run(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), math.prod(x.shape[1:]))  # -1 fails on an empty batch

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(cycles=beats(x, schedule))

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
