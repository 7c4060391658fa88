"""Fully connected layer."""

from __future__ import annotations

import math
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
from .lib.scan import scan_cycles

__all__ = ["Dense"]

SCANNED = (4, 8, 16)  # mask bits that a scanning lane can look at in a clock


@register
@dataclass(frozen=True, slots=True)
class Dense(Op):
    """``y[o] = bias[o] + sum_i weights[o, i] * x[i]``, exact: accumulators never overflow.

    Of a sequence (steps, inputs) every step gives its own outputs, (steps, outputs).

    Attributes
    ----------
    weights
        A weight code that decodes to shape (outputs, inputs).
    bias
        Shape (outputs,), in units of the accumulator.
    """

    weights: WeightCode
    bias: Constant

    def verify(self, x: Type) -> None:
        verify_weights(self.weights, self.bias)
        if len(x.shape) > 2:
            raise RuleViolation(
                f"input must be a vector or a sequence (steps, features), found shape {x.shape}; "
                f"flatten it first"
            )
        if self.weights.shape[1:] != (x.channels,):
            raise RuleViolation(
                f"weights must have shape (outputs, {x.channels}), found {self.weights.shape}"
            )

    def infer(self, x: Type) -> Type:
        lo, hi = accumulator(self.weights.decode(), self.bias.array, x.lo, x.hi)
        return Type.of((*x.shape[:-1], self.weights.shape[0]), lo, hi)

    def run(self, x: np.ndarray) -> np.ndarray:
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        y = exact.matmul(rows, self.weights.decode().T, exact.magnitude(x))
        y += self.bias.array
        return y.reshape(*x.shape[:-1], self.weights.shape[0])

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        outputs, inputs = self.weights.shape
        steps, cycles = self.steps(x), 1
        if schedule.form in ("folded", "serial"):
            cycles = outputs * inputs // schedule.multipliers
        elif schedule.form == "scan":
            clocks = self.weights.scan_clocks(schedule.simd)
            beats = inputs // self.lanes(x, schedule=schedule)[0]
            cycles = max(scan_cycles(clocks, schedule.pe), beats)
        return Cost(
            multiplications=steps * outputs * inputs,
            additions=steps * outputs * inputs,
            weight_bits=self.weights.storage_bits,
            cycles=steps * cycles,
        )

    def steps(self, x: Type) -> int:
        return math.prod(x.shape[:-1])

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        outputs, inputs = self.weights.shape
        if schedule.form == "spatial":
            return inputs, outputs
        if schedule.form == "scan":  # what a beat holds lies in one window
            return math.gcd(inputs, schedule.simd), schedule.pe
        return schedule.simd, schedule.pe

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        outputs, inputs = self.weights.shape
        folded = (
            Schedule("folded", pe=pe, simd=simd)
            for pe in divisors(outputs)
            for simd in divisors(inputs)
        )
        masked = (
            Schedule(form, pe=pe, simd=simd)
            for form in self.weights.forms
            for pe in divisors(outputs)
            for simd in ((1,) if form == "serial" else SCANNED)
        )
        return (Schedule("spatial"), *folded, *masked)

    def rough_luts(self, x: Type, *, result: Type, schedule: Schedule) -> float:
        return linear.rough_luts(self.weights, x, result, schedule)
