"""Rescaling of integers: the only rounding in the system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.constant import Constant
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib import fixed_point
from .lib.stream import beats, lane_schedules

__all__ = ["Requantize"]


@register
@dataclass(frozen=True, slots=True)
class Requantize(Op):
    """``y = clip((x * multiplier + 2^(shift-1)) >> shift, lo, hi)``, arithmetic shift.

    Rounds half up; with shift 0 nothing is added. Multiplier 1 is the pure shift that hardware
    prefers. The form is that of Jacob et al., "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", 2018, section 2.2.

    Attributes
    ----------
    multiplier, shift
        One a tensor (shape ()) or one a channel (shape (channels,)); 1 <= multiplier < 2^31,
        0 <= shift <= 47.
    lo, hi
        Bounds of the result.
    """

    multiplier: Constant
    shift: Constant
    lo: int
    hi: int

    def verify(self, x: Type) -> None:
        for what in ("multiplier", "shift"):
            shape = getattr(self, what).shape
            if shape not in ((), (x.channels,)):
                raise RuleViolation(
                    f"{what} must be one number or one a channel ({x.channels}), "
                    f"found shape {shape}"
                )
        if self.multiplier.lo < 1 or self.multiplier.hi >= 1 << 31:
            raise RuleViolation(
                f"multiplier must be in 1..2^31-1, not {self.multiplier.lo}..{self.multiplier.hi}"
            )
        if self.shift.lo < 0 or self.shift.hi > fixed_point.MAX_SHIFT:
            found = self.shift.lo if self.shift.lo < 0 else self.shift.hi
            raise RuleViolation(
                f"shift must be in 0..{fixed_point.MAX_SHIFT}, not {found}; "
                f"use a larger output scale"
            )
        fixed_point.verify_bounds(self.lo, self.hi)
        lo, hi = self.product_interval(x)
        if min(lo, -hi) <= -(1 << 62):
            raise RuleViolation("multiplier times input must stay below 2^62")

    def product_interval(self, x: Type) -> tuple[int, int]:
        """Interval of ``x * multiplier + 2^(shift-1)``: what hardware and C must hold."""
        half = (1 << self.shift.hi) >> 1
        lo = x.lo * (self.multiplier.hi if x.lo < 0 else self.multiplier.lo)
        hi = x.hi * (self.multiplier.hi if x.hi > 0 else self.multiplier.lo)
        return lo, hi + half

    def infer(self, x: Type) -> Type:
        ends = np.array([[x.lo], [x.hi]], dtype=np.int64)
        y = self._apply(ends)
        return Type.of(x.shape, y.min(), y.max())

    def run(self, x: np.ndarray) -> np.ndarray:
        return self._apply(x)

    def _apply(self, x: np.ndarray) -> np.ndarray:
        return fixed_point.requantize(x, self.multiplier.array, self.shift.array, self.lo, self.hi)

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(
            multiplications=x.size if self.multiplier.hi > 1 else 0,
            additions=x.size,
            cycles=beats(x, schedule),
        )

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
