"""Long short-term memory over a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib import exact, gates
from .lib.recurrent import (
    STATE_BITS,
    State,
    column_lanes,
    column_schedules,
    prune,
    rough_luts,
    step_cycles,
    verify_gains,
    verify_sequence,
    verify_weights,
)

__all__ = ["Lstm"]

GATES = 4  # input, forget, cell, output: PyTorch's order


@register
@dataclass(frozen=True, slots=True)
class Lstm(Op):
    """An LSTM cell without peepholes over the steps of a sequence (steps, features), in integers.

    With n units, ``u`` one of them and ``k`` a gate of (i, f, g, o), row ``r = k n + u``::

        z[r] = sat12((recurrent_gain[r] a[r] + input_gain[r] b[r] + bias[r] + 2^(shift-1)) >> shift)
        a = recurrent_weights h,  b = input_weights x
        c' = sat12((s(z_f) c + s(z_i) t(z_g) + 128) >> 8)
        h' = prune(sat8((s(z_o) t(c') + 256) >> 9))

    ``s`` and ``t`` are the sigmoid and tanh of :mod:`hwgen.ops.lib.gates`, z and c are Q4.8, h is
    Q1.7; ``prune`` makes 0 of every h with ``|h| < threshold``. h and c are 0 before the first step.
    Gain and bias a gate row are what is left of weight normalization (Salimans and Kingma, 2016);
    skipping the zeros of h is due to Ardakani, Ji and Gross, "Learning to Skip Ineffectual
    Recurrent Computations in LSTMs", 2019.

    Attributes
    ----------
    input_weights, recurrent_weights
        Codes that decode to (4 n, features) and (4 n, n).
    input_gain, recurrent_gain, bias
        Shape (4 n,); gains of at most 16 bits.
    shift
        Fractional bits of gains and bias beyond those of z, 0..15.
    activation
        ``plan`` or ``table``.
    threshold
        Least magnitude of a state that is kept, 0..128; 0 and 1 keep all.
    every_step
        Whether the result is h of every step, (steps, n), or of the last one, (n).
    stateful
        Whether h and c go on from one sample to the next: samples are then parts of one sequence.
    """

    input_weights: WeightCode
    recurrent_weights: WeightCode
    input_gain: Constant
    recurrent_gain: Constant
    bias: Constant
    shift: int
    activation: str = "plan"
    threshold: int = 0
    every_step: bool = False
    stateful: bool = False

    @property
    def units(self) -> int:
        return self.recurrent_weights.shape[1]

    def verify(self, x: Type) -> None:
        verify_sequence(x)
        verify_weights(self.input_weights, self.recurrent_weights, GATES, x.channels)
        gates.verify_activation(self.activation)
        verify_gains(self, GATES, x)
        if not 0 <= self.threshold <= 1 << (STATE_BITS - 1):
            raise RuleViolation(
                f"threshold must be in 0..{1 << (STATE_BITS - 1)}, not {self.threshold}"
            )

    def infer(self, x: Type) -> Type:
        hi = (1 << (STATE_BITS - 1)) - 1
        shape = (x.shape[0], self.units) if self.every_step else (self.units,)
        return Type.of(shape, -hi - 1, hi)

    def initial_state(self, sequences: int) -> State:
        """h and c before the first step, zeros of shape (sequences, n)."""
        zeros = np.zeros((sequences, self.units), dtype=np.int64)
        return State(zeros, zeros)

    def step(self, x: np.ndarray, state: State) -> State:
        """h and c after a step.

        Parameters
        ----------
        x
            int64, shape (sequences, features).
        state
            h and c before it, each of shape (sequences, n).
        """
        a = exact.matmul(state.h, self.recurrent_weights.decode().T, 1 << (STATE_BITS - 1))
        b = exact.matmul(x, self.input_weights.decode().T, exact.magnitude(x))
        return self.finish(a, b, state)

    def finish(self, a: np.ndarray, b: np.ndarray, state: State) -> State:
        """The step behind its two matrix products, each of shape (sequences, 4 n)."""
        z = a * self.recurrent_gain.array + b * self.input_gain.array + self.bias.array
        z = gates.narrow(z, self.shift)
        i, f, g, o = (z[:, k * self.units : (k + 1) * self.units] for k in range(GATES))
        forgot = gates.sigmoid(f, self.activation) * state.c
        learned = gates.sigmoid(i, self.activation) * gates.tanh(g, self.activation)
        c = gates.narrow(forgot + learned, gates.FRACTION)
        h = gates.sigmoid(o, self.activation) * gates.tanh(c, self.activation)
        h = gates.narrow(h, 2 * gates.FRACTION - (STATE_BITS - 1), STATE_BITS)
        return State(prune(h, self.threshold), c)

    def states(self, x: np.ndarray) -> np.ndarray:
        """h after every step, shape (batch, steps, n)."""
        sequences = x.reshape(1, -1, x.shape[-1]) if self.stateful else x
        state = self.initial_state(len(sequences))
        found = np.empty((*sequences.shape[:2], self.units), dtype=np.int64)
        for t in range(sequences.shape[1]):
            state = self.step(sequences[:, t], state)
            found[:, t] = state.h
        return found.reshape(*x.shape[:2], self.units)

    def run(self, x: np.ndarray) -> np.ndarray:
        h = self.states(x)
        return h if self.every_step else np.ascontiguousarray(h[:, -1])

    def events(self, x: np.ndarray) -> np.ndarray:
        """Columns that every step cannot skip: non-zero inputs and states, shape (batch, steps)."""
        h = self.states(x)
        fed = np.zeros_like(h)
        if self.stateful:
            fed.reshape(-1, self.units)[1:] = h.reshape(-1, self.units)[:-1]
        else:
            fed[:, 1:] = h[:, :-1]
        return np.count_nonzero(fed, axis=2) + np.count_nonzero(x, axis=2)

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        steps, features = x.shape
        rows = GATES * self.units
        products = rows * (self.units + features)
        return Cost(
            multiplications=steps * (products + 2 * rows + 3 * self.units),
            additions=steps * (products + 2 * rows + self.units),
            weight_bits=self.input_weights.storage_bits + self.recurrent_weights.storage_bits,
            cycles=steps * step_cycles(rows, self.units + features, schedule),
        )

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return column_schedules(GATES, self.units)

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        return column_lanes(GATES, schedule)

    def rough_luts(self, x: Type, *, result: Type, schedule: Schedule) -> float:
        return rough_luts(self, x, schedule)
