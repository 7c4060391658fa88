"""Fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib import exact
from .lib.linear import accumulator, divisors, verify_weights

__all__ = ["Dense"]


@register
@dataclass(frozen=True, slots=True)
class Dense(Op):
    """``y[o] = bias[o] + sum_i weights[o, i] * x[i]``, exact: accumulators never overflow.

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
        if len(x.shape) != 1:
            raise RuleViolation(f"input must be a vector, found shape {x.shape}; flatten it first")
        if self.weights.shape[1:] != x.shape:
            raise RuleViolation(
                f"weights must have shape (outputs, {x.size}), found {self.weights.shape}"
            )

    def infer(self, x: Type) -> Type:
        lo, hi = accumulator(self.weights.decode(), self.bias.array, x.lo, x.hi)
        return Type.of((self.weights.shape[0],), lo, hi)

    def run(self, x: np.ndarray) -> np.ndarray:
        y = exact.matmul(x, self.weights.decode().T, exact.magnitude(x))
        y += self.bias.array
        return y

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        outputs, inputs = self.weights.shape
        cycles = outputs * inputs // schedule.multipliers if schedule.form == "folded" else 1
        return Cost(
            multiplications=outputs * inputs,
            additions=outputs * inputs,
            weight_bits=self.weights.storage_bits,
            cycles=cycles,
        )

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        outputs, inputs = self.weights.shape
        return (schedule.simd, schedule.pe) if schedule.form == "folded" else (inputs, outputs)

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        outputs, inputs = self.weights.shape
        folded = (
            Schedule("folded", pe=pe, simd=simd)
            for pe in divisors(outputs)
            for simd in divisors(inputs)
        )
        return (Schedule("spatial"), *folded)
