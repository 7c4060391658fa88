"""Maximum over a sliding window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import lane_schedules
from .lib.window import Window

__all__ = ["MaxPool2d"]


@register
@dataclass(frozen=True, slots=True)
class MaxPool2d(Op):
    """``y[r, c, k] = max_{i, j} x[r s_0 + i - p_0, c s_1 + j - p_1, k]`` over positions in the image.

    Attributes
    ----------
    kernel, stride, padding
        (vertical, horizontal). Padding never wins; it is at most half the kernel, so that
        every window holds a pixel.
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
        if any(2 * p > k for p, k in zip(self.padding, self.kernel, strict=True)):
            raise RuleViolation(
                f"padding must be at most half the kernel {self.kernel}, not {self.padding}"
            )

    def infer(self, x: Type) -> Type:
        window = self.window(x)
        return Type.of((window.out_height, window.out_width, x.channels), x.lo, x.hi)

    def run(self, x: np.ndarray) -> np.ndarray:
        window = Window(x.shape[1], x.shape[2], self.kernel, self.stride, self.padding)
        return window.gather(x, fill=np.iinfo(np.int64).min).max(axis=(3, 4))

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
