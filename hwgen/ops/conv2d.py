"""Two-dimensional convolution, grouped and depthwise included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib import exact, linear
from .lib.linear import accumulator, divisors, verify_weights
from .lib.window import Window

__all__ = ["Conv2d"]

_CHUNK = 1 << 22  # window elements gathered at once: bounds the interpreter's memory


@register
@dataclass(frozen=True, slots=True)
class Conv2d(Op):
    """``y[r, c, o] = bias[o] + sum_{i, j, k} weights[o, i, j, k] * x[r s_0 + i - p_0, c s_1 + j - p_1, k']``.

    ``k' = k + (o // (C_out / groups)) * (C_in / groups)``; x is 0 outside the image. Exact.

    Attributes
    ----------
    weights
        A weight code that decodes to (C_out, kernel height, kernel width, C_in / groups).
    bias
        Shape (C_out,), in units of the accumulator.
    stride, padding
        (vertical, horizontal); zeros are added on both sides.
    groups
        Divides both channel counts; equal to C_in for a depthwise convolution.
    """

    weights: WeightCode
    bias: Constant
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1

    def window(self, x: Type) -> Window:
        """The geometry on an input of type ``x``."""
        height, width, _ = x.shape
        return Window(height, width, self.weights.shape[1:3], self.stride, self.padding)

    def verify(self, x: Type) -> None:
        verify_weights(self.weights, self.bias)
        if len(x.shape) != 3:
            raise RuleViolation(f"input must be (height, width, channels), found shape {x.shape}")
        if len(self.weights.shape) != 4:
            raise RuleViolation(f"weights must have 4 axes, found shape {self.weights.shape}")
        outputs = self.weights.shape[0]
        if self.groups < 1 or x.channels % self.groups or outputs % self.groups:
            raise RuleViolation(
                f"groups must divide the {x.channels} input and {outputs} output channels, "
                f"not {self.groups}"
            )
        if self.weights.shape[3] != x.channels // self.groups:
            raise RuleViolation(
                f"weights must have {x.channels // self.groups} input channels a group, "
                f"found {self.weights.shape[3]}"
            )
        self.window(x).verify()

    def input_interval(self, x: Type) -> tuple[int, int]:
        """Interval of what the weights see: the padding's zeros included."""
        if any(self.padding):
            return min(x.lo, 0), max(x.hi, 0)
        return x.lo, x.hi

    def infer(self, x: Type) -> Type:
        window = self.window(x)
        lo, hi = accumulator(self.weights.decode(), self.bias.array, *self.input_interval(x))
        return Type.of((window.out_height, window.out_width, self.weights.shape[0]), lo, hi)

    def run(self, x: np.ndarray) -> np.ndarray:
        batch, height, width, channels = x.shape
        weights = self.weights.decode()
        outputs, kh, kw, depth = weights.shape
        window = Window(height, width, (kh, kw), self.stride, self.padding)
        y = np.empty((batch, window.out_height, window.out_width, outputs), dtype=np.int64)
        each = outputs // self.groups
        flat = weights.reshape(outputs, -1).T
        chunk = max(1, _CHUNK // (window.positions * kh * kw * channels))
        magnitude = exact.magnitude(x)
        for start in range(0, batch, chunk):
            part = window.gather(x[start : start + chunk])
            for g in range(self.groups):
                columns = part[..., g * depth : (g + 1) * depth].reshape(-1, kh * kw * depth)
                out = exact.matmul(columns, flat[:, g * each : (g + 1) * each], magnitude)
                y[start : start + chunk, ..., g * each : (g + 1) * each] = out.reshape(
                    len(part), window.out_height, window.out_width, each
                )
        y += self.bias.array
        return y

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        window = self.window(x)
        products = window.positions * int(np.prod(self.weights.shape))
        if schedule.form == "folded":
            beats = x.size // (schedule.simd * schedule.parallel)
            cycles = max(products // schedule.multipliers, beats)
        else:
            cycles = window.steps
        return Cost(
            multiplications=products,
            additions=products,
            weight_bits=self.weights.storage_bits,
            cycles=cycles,
        )

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        if schedule.form == "folded":
            return schedule.simd * schedule.parallel, schedule.pe * schedule.parallel
        return x.channels, self.weights.shape[0]

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        outputs, _, _, depth = self.weights.shape
        each = outputs // self.groups
        folded = [
            Schedule("folded", pe=pe, simd=simd)
            for pe in divisors(each)
            for simd in divisors(depth)
        ]
        folded += [
            Schedule("folded", pe=each, simd=depth, parallel=parallel)
            for parallel in divisors(self.groups)
            if parallel > 1
        ]
        return (Schedule("spatial"), *folded)

    def rough_luts(self, x: Type, *, result: Type, schedule: Schedule) -> float:
        return linear.rough_luts(self.weights, x, result, schedule)
