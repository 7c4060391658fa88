"""Average over a sliding window, as an exact sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import lane_schedules
from .lib.window import Window

__all__ = ["AvgPool2d"]


@register
@dataclass(frozen=True, slots=True)
class AvgPool2d(Op):
    """``y[r, c, k] = sum_{i, j} x[r s_0 + i - p_0, c s_1 + j - p_1, k]``; x is 0 outside the image.

    The integers are the window's sum: the division by the window's size is in the scale
    (``scale_y = scale_x / (k_0 k_1)``) and becomes part of the ``requantize`` that follows, so that
    nothing is rounded here. A global average has the image's size as kernel.

    Attributes
    ----------
    kernel, stride, padding
        (vertical, horizontal). The padding's zeros count as elements of the average.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    def window(self, x: Type) -> Window:
        height, width, _ = x.shape
        return Window(height, width, self.kernel, self.stride, self.padding)

    def verify(self, x: Type) -> None:
        if len(x.shape) != 3:
            raise RuleViolation(f"input must be (height, width, channels), found shape {x.shape}")
        self.window(x).verify()

    def infer(self, x: Type) -> Type:
        window = self.window(x)
        taps = self.kernel[0] * self.kernel[1]
        lo, hi = (min(x.lo, 0), max(x.hi, 0)) if any(self.padding) else (x.lo, x.hi)
        return Type.of((window.out_height, window.out_width, x.channels), taps * lo, taps * hi)

    def run(self, x: np.ndarray) -> np.ndarray:
        window = Window(x.shape[1], x.shape[2], self.kernel, self.stride, self.padding)
        return window.gather(x).sum(axis=(3, 4))

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        window = self.window(x)
        folds = x.channels // (schedule.lanes or x.channels)
        taps = self.kernel[0] * self.kernel[1]
        return Cost(
            additions=window.positions * x.channels * (taps - 1),
            cycles=window.steps * folds,
        )

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
