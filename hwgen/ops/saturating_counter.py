"""Saturating counters: the nonlinearities of integral stochastic computing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.constant import Constant
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["SaturatingCounter"]

MAX_STATES = 1 << 16


@register
@dataclass(frozen=True, slots=True)
class SaturatingCounter(Op):
    """``c = clip(c + x[t, k], 0, states[k] - 1)``; ``y[t, k] = 1`` where ``c >= threshold[k]``.

    A counter begins at ``states / 2``. NStanh has its threshold there as well: for x of mean s and
    variance v a step, ``2 y - 1`` has about the mean ``tanh(s states / (2 v))``, so that y itself is the
    sigmoid ``1 / (1 + exp(-s states / v))``. NSexp is ``falling``, with a threshold G m below the highest
    of n m states: about ``exp(-2 G s)`` for s > 0. Ardakani et al., "VLSI Implementation of Deep Neural
    Network Using Integral Stochastic Computing", IEEE TVLSI 25(10), 2017; for bits, Brown and Card,
    "Stochastic Neural Computation I", IEEE Trans. Computers 50(9), 2001.

    Attributes
    ----------
    states
        Shape (features,), each in 2..65536.
    threshold
        Shape (features,), each in 1..states - 1.
    falling
        Whether y is 1 below the threshold instead.
    bipolar
        Whether y is -1 in the place of 0.
    """

    states: Constant
    threshold: Constant
    falling: bool = False
    bipolar: bool = False

    def verify(self, x: Type) -> None:
        if len(x.shape) != 2:
            raise RuleViolation(
                f"input must be a stream (steps, features), found shape {x.shape}; make one with "
                f"to_stream"
            )
        for name in ("states", "threshold"):
            shape = getattr(self, name).shape
            if shape != (x.channels,):
                raise RuleViolation(
                    f"{name} must have one value a feature ({x.channels}), found shape {shape}"
                )
        if self.states.lo < 2 or self.states.hi > MAX_STATES:
            raise RuleViolation(
                f"states must lie in 2..{MAX_STATES}, found [{self.states.lo}, {self.states.hi}]"
            )
        wrong = (self.threshold.array < 1) | (self.threshold.array >= self.states.array)
        if wrong.any():
            k = int(wrong.argmax())
            raise RuleViolation(
                f"threshold must lie in 1..states - 1, found {self.threshold.array[k]} of "
                f"{self.states.array[k]} states for feature {k}"
            )

    def infer(self, x: Type) -> Type:
        return Type.of(x.shape, -1 if self.bipolar else 0, 1)

    def trajectory(self, x: np.ndarray) -> np.ndarray:
        """The counters after every step: int64, of the shape of ``x``."""
        highest = self.states.array - 1
        state = np.repeat(self.states.array[None] // 2, len(x), axis=0)
        states = np.empty_like(x)
        for t in range(x.shape[1]):
            state = np.clip(state + x[:, t], 0, highest)
            states[:, t] = state
        return states

    def run(self, x: np.ndarray) -> np.ndarray:
        above = self.trajectory(x) >= self.threshold.array
        y = (above != self.falling).astype(np.int64)
        return 2 * y - 1 if self.bipolar else y

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(additions=x.size, cycles=beats(x, schedule))

    def steps(self, x: Type) -> int:
        return x.shape[0]

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
