"""Binary numbers to integral stochastic streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.constant import Constant
from ..ir.op import Cost, Op, RandomSources, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.random_numbers import numbers, random_sources, verify_components, verify_sources
from .lib.stream import beats, lane_schedules

__all__ = ["ToStream"]

LOADING = 16  # part of a stream's steps in which its vector comes in, at most
_BLOCK = 1 << 22  # comparisons at once: what stays in the processor's cache


@register
@dataclass(frozen=True, slots=True)
class ToStream(Op):
    """``y[t, i]`` = how many of the components k have ``r[t, i, k] < x[i]``, r in 0..2^bits - 1.

    The mean of y is ``components * x / 2^bits``. With ``bipolar`` it is ``2 count - components`` and
    compared with ``x + 2^(bits-1)``: the mean is ``components * x / 2^(bits-1)``. Ardakani et al.,
    "VLSI Implementation of Deep Neural Network Using Integral Stochastic Computing", IEEE TVLSI
    25(10), 2017.

    Attributes
    ----------
    length
        Steps of the stream.
    components
        Bit streams that are summed up: 1, 2, 4, 8 or 16.
    bits
        Of a random number, 1..16.
    bipolar
        Whether a component counts +1 or -1 instead of 1 or 0.
    width, taps, leap, seeds
        Of the sources, see :mod:`hwgen.ops.lib.random_numbers`; seeds of shape (elements of x,
        components).
    """

    length: int
    components: int
    bits: int
    bipolar: bool
    width: int
    taps: tuple[int, ...]
    leap: int
    seeds: Constant

    @property
    def offset(self) -> int:
        """What is added to x before it is compared."""
        return 1 << (self.bits - 1) if self.bipolar else 0

    def verify(self, x: Type) -> None:
        if len(x.shape) != 1:
            raise RuleViolation(f"input must be a vector, found shape {x.shape}; flatten it first")
        verify_components(self.components, self.bits)
        verify_sources(
            self,
            shape=(x.channels, self.components),
            bits=self.bits,
            length=self.length,
        )
        least, most = -self.offset, (1 << self.bits) - self.offset
        if x.lo < least or x.hi > most:
            raise RuleViolation(
                f"input must lie in [{least}, {most}] for numbers of {self.bits} bits, found "
                f"[{x.lo}, {x.hi}]"
            )

    def infer(self, x: Type) -> Type:
        least = self.components if x.lo + self.offset == 1 << self.bits else 0
        most = 0 if x.hi + self.offset == 0 else self.components
        if self.bipolar:
            least, most = (2 * count - self.components for count in (least, most))
        return Type.of((self.length, x.channels), least, most)

    def random_sources(self) -> RandomSources | None:
        return random_sources(self)

    def run(self, x: np.ndarray) -> np.ndarray:
        threshold = (x + self.offset).astype(np.int32)
        y = np.empty((len(x), self.length, x.shape[1]), dtype=np.int64)
        steps = max(1, _BLOCK // max(1, threshold.size))
        for start in range(0, self.length, steps):
            stop = min(start + steps, self.length)
            drawn = numbers(self, self.bits, start, stop)
            count = np.zeros((len(x), stop - start, x.shape[1]), dtype=np.int8)
            for k in range(self.components):
                count += drawn[None, :, :, k] < threshold[:, None]
            y[:, start:stop] = count
        return 2 * y - self.components if self.bipolar else y

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        each = self.length * x.size * self.components
        return Cost(
            additions=each - self.length * x.size,
            bit_operations=each * self.bits,
            cycles=max(self.length, beats(x, schedule)),
        )

    def steps(self, x: Type) -> int:
        return self.length

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        return schedule.lanes or x.channels, x.channels

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        # Frames may end early: a vector is not to take much longer than a small part of its stream.
        quick = max(1, self.length // LOADING)
        return tuple(s for s in lane_schedules(x) if beats(x, s) <= quick)
