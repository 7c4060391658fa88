"""Fully connected layer on stochastic streams: the sums that go into the counters of its neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ir.op import Cost, Op, RandomSources, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.linear import divisors, verify_weights
from .lib.random_numbers import numbers, random_sources, verify_components, verify_sources

__all__ = ["CODINGS", "StochasticDense"]

CODINGS = ("sign_magnitude", "bipolar")
_BLOCK = 1 << 21  # weight words at once: what stays near the processor


@register
@dataclass(frozen=True, slots=True)
class StochasticDense(Op):
    """``y[t, o] = b[t, o] + sum_i w[t, i, o] * x[t, i]`` with streams in the place of weights.

    A word of a stream counts the components k whose random number is below the weight's threshold,
    ``count = #{k : r[t, i, k] < T}``; numbers are shared by all outputs, and the bias is a weight
    behind the last input. ``bipolar``: r has ``bits`` bits, ``T = q + 2^(bits-1)`` and
    ``w = 2 count - components``, as Ardakani et al., "VLSI Implementation of Deep Neural Network
    Using Integral Stochastic Computing", IEEE TVLSI 25(10), 2017. ``sign_magnitude``: r has
    ``bits - 1`` bits, ``T = |q|`` and ``w = sign(q) count``, which varies less the smaller a weight is
    (Zhakatayev et al., "Sign-Magnitude SC: Getting 10X Accuracy for Free in Stochastic Computing for
    Deep Neural Networks", DAC 2018). Either way the mean of w is ``components * q / 2^(bits-1)``.

    Attributes
    ----------
    weights
        A code that decodes to q of shape (outputs, inputs), in ``-2^(bits-1)..2^(bits-1)``.
    bias
        Shape (outputs,), of the same range.
    bits
        2..16: ``2^(bits-1)`` stands for the largest weight there can be.
    components
        Bit streams of a weight: 1, 2, 4, 8 or 16.
    coding
        ``bipolar`` or ``sign_magnitude``.
    width, taps, leap, seeds
        Of the sources, see :mod:`hwgen.ops.lib.random_numbers`; seeds of shape (inputs + 1,
        components), the last row for the bias.
    """

    weights: WeightCode
    bias: Constant
    bits: int
    components: int
    coding: str
    width: int
    taps: tuple[int, ...]
    leap: int
    seeds: Constant

    @property
    def number_bits(self) -> int:
        """Bits of a random number."""
        return self.bits if self.coding == "bipolar" else self.bits - 1

    @property
    def operands(self) -> np.ndarray:
        """Weights and, in the last column, biases: int64, (outputs, inputs + 1)."""
        return np.column_stack([self.weights.decode(), self.bias.array])

    @property
    def thresholds(self) -> np.ndarray:
        """What random numbers are compared with: int64, (outputs, inputs + 1), 0..2^number_bits."""
        q = self.operands
        return q + (1 << (self.bits - 1)) if self.coding == "bipolar" else np.abs(q)

    def verify(self, x: Type) -> None:
        if not 2 <= self.bits <= 16:
            raise RuleViolation(f"bits must be in 2..16, not {self.bits}")
        if self.coding not in CODINGS:
            raise RuleViolation(f"coding must be one of {', '.join(CODINGS)}, not {self.coding!r}")
        verify_components(self.components, self.number_bits)
        verify_weights(self.weights, self.bias)
        if len(x.shape) != 2:
            raise RuleViolation(
                f"input must be a stream (steps, features), found shape {x.shape}; make one with "
                f"to_stream"
            )
        if self.weights.shape[1:] != (x.channels,):
            raise RuleViolation(
                f"weights must have shape (outputs, {x.channels}), found {self.weights.shape}"
            )
        if x.lo < -1 or x.hi > 1:
            raise RuleViolation(
                f"input must be a stream of bits, 0 and 1 or -1 and 1, found [{x.lo}, {x.hi}]"
            )
        largest, q = 1 << (self.bits - 1), self.operands
        if q.min() < -largest or q.max() > largest:
            raise RuleViolation(
                f"weights and bias must lie in [{-largest}, {largest}] for {self.bits} bits, found "
                f"[{q.min()}, {q.max()}]"
            )
        verify_sources(
            self,
            shape=(x.channels + 1, self.components),
            bits=self.number_bits,
            length=x.shape[0],
        )

    def infer(self, x: Type) -> Type:
        low, high = self.word_bounds()
        ends = [end * word for word in (low[:, :-1], high[:, :-1]) for end in (x.lo, x.hi)]
        least = np.min(ends, axis=0).sum(axis=1) + low[:, -1]
        most = np.max(ends, axis=0).sum(axis=1) + high[:, -1]
        return Type.of((x.shape[0], self.weights.shape[0]), least.min(), most.max())

    def word_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest word of every weight: int64, (outputs, inputs + 1)."""
        t = self.thresholds
        least = np.where(t == 1 << self.number_bits, self.components, 0)
        most = np.where(t == 0, 0, self.components)
        if self.coding == "bipolar":
            return 2 * least - self.components, 2 * most - self.components
        negative = self.operands < 0
        return np.where(negative, -most, least), np.where(negative, -least, most)

    def random_sources(self) -> RandomSources | None:
        return random_sources(self)

    def words(self, start: int, stop: int) -> np.ndarray:
        """The words of all weights at some steps: int8, (steps, inputs + 1, outputs)."""
        drawn = numbers(self, self.number_bits, start, stop)
        t = self.thresholds.T.astype(np.int32)
        count = np.zeros((len(drawn), *t.shape), dtype=np.int8)
        for k in range(self.components):
            count += drawn[:, :, k, None] < t
        if self.coding == "bipolar":
            return 2 * count - np.int8(self.components)
        return count * np.sign(self.operands.T).astype(np.int8)

    def run(self, x: np.ndarray) -> np.ndarray:
        length, outputs = x.shape[1], self.weights.shape[0]
        y = np.empty((len(x), length, outputs), dtype=np.int64)
        steps = max(1, _BLOCK // self.operands.size)
        for start in range(0, length, steps):
            stop = min(start + steps, length)
            # Sums of at most 2^16 words of at most 16: whole numbers that single precision holds.
            words = self.words(start, stop).astype(np.float32)
            bits = x[:, start:stop].transpose(1, 0, 2).astype(np.float32)
            sums = bits @ words[:, :-1] + words[:, -1:]
            y[:, start:stop] = sums.transpose(1, 0, 2)
        return y

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        length, (outputs, inputs) = x.shape[0], self.weights.shape
        words = length * outputs * (inputs + 1)
        folds = 1 if schedule.form == "spatial" else outputs // schedule.pe
        return Cost(
            additions=words * self.components - length * outputs,
            bit_operations=words * self.components * self.number_bits,
            weight_bits=self.operands.size * self.bits,
            cycles=length * folds,
        )

    def steps(self, x: Type) -> int:
        return x.shape[0]

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        outputs, inputs = self.weights.shape
        return inputs, outputs if schedule.form == "spatial" else schedule.pe

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        outputs, inputs = self.weights.shape
        folded = (Schedule("folded", pe=pe, simd=inputs) for pe in divisors(outputs))
        return (Schedule("spatial"), *folded)

    def rough_luts(self, x: Type, *, result: Type, schedule: Schedule) -> float:
        outputs, inputs = self.weights.shape
        products = (inputs + 1) * self.components
        sources = products * (self.width + 2)
        if schedule.form == "spatial":
            return sources + 1.5 * products * outputs
        lane = products * (0.5 * self.number_bits + 1)
        return sources + schedule.pe * lane + self.operands.size * self.bits / 64
