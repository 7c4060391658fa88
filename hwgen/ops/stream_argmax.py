"""The class whose stream has the largest sum, told as soon as that is settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type

__all__ = ["StreamArgmax"]


@register
@dataclass(frozen=True, slots=True)
class StreamArgmax(Op):
    """``y[0]`` = the first k with the largest sum ``x[0, k] + ... + x[s, k]``, s the deciding step.

    It is the last one or, with ``early``, the first step t after which the largest sum leads the
    second by more than the ``steps - 1 - t`` that are left could make up, each of them ``swing``, or by
    ``margin`` or more, if one is given. The first of these rules never changes a class; a margin is a
    sequential test with one bound for all steps (Wald, "Sequential Analysis", 1947).

    Attributes
    ----------
    early
        Whether to decide before the last step.
    swing
        By how much a lead can change in a step: the interval of x from end to end, or more. 0
        without ``early``.
    margin
        Lead that is enough, 0 for none. Only with ``early``.
    """

    early: bool = False
    swing: int = 0
    margin: int = 0

    def verify(self, x: Type) -> None:
        if len(x.shape) != 2:
            raise RuleViolation(f"input must be a stream (steps, features), found shape {x.shape}")
        if x.shape[0] * max(-x.lo, x.hi, self.swing) >= 1 << 62:
            raise RuleViolation(f"sums over {x.shape[0]} steps must fit 62 bits")
        if not self.early:
            if self.swing or self.margin:
                raise RuleViolation(
                    f"swing and margin must be 0 unless early is set, found {self.swing} and "
                    f"{self.margin}"
                )
            return
        if x.channels < 2:
            raise RuleViolation("early needs two features or more, whose sums can be compared")
        if self.swing < x.hi - x.lo:
            raise RuleViolation(
                f"swing must be {x.hi - x.lo} or more for an input in [{x.lo}, {x.hi}], not {self.swing}"
            )
        if self.margin < 0:
            raise RuleViolation(f"margin must be 0 or more, not {self.margin}")

    def infer(self, x: Type) -> Type:
        return Type.of((1,), 0, x.channels - 1)

    def decide(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class and deciding step of every sample: int64, (batch,) each."""
        length = x.shape[1]
        sums = np.cumsum(x, axis=1)
        step = np.full(len(x), length - 1)
        if self.early:
            top = np.partition(sums, -2, axis=2)
            lead = top[..., -1] - top[..., -2]
            settled = lead > (length - 1 - np.arange(length)) * self.swing
            if self.margin:
                settled |= lead >= self.margin
            settled[:, -1] = True
            step = settled.argmax(axis=1)
        return sums[np.arange(len(x)), step].argmax(axis=1), step

    def run(self, x: np.ndarray) -> np.ndarray:
        return self.decide(x)[0][:, None]

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(additions=2 * x.size, cycles=x.shape[0])

    def steps(self, x: Type) -> int:
        return x.shape[0]

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        return x.channels, 1
