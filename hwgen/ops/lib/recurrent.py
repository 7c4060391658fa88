"""What recurrent cells share: state, legality, and the schedules of the column-order datapath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode
from ...ir.constant import Constant
from ...ir.op import Cost, Op
from ...ir.schedule import Schedule
from ...ir.types import Type
from . import exact
from .gates import verify_activation
from .linear import accumulator

__all__ = [
    "MEMORY_LATENCY",
    "STATE_BITS",
    "STEP_OVERHEAD",
    "STREAM_LATENCY",
    "Recurrent",
    "State",
    "product_intervals",
    "step_cycles",
    "sum_reach",
]

STATE_BITS = 8  # of h, Q1.7
GAIN_BITS = 16
MAX_SHIFT = 15
MAX_INPUT_BITS = 16
STEP_OVERHEAD = 9  # cycles of a step that no column and no gate row takes: filling and draining

# Where weights are streamed: cycles from a request to the first word of the memory that timing is
# declared for, and from the first event of a step to the first column that is added.
MEMORY_LATENCY = 2
STREAM_LATENCY = MEMORY_LATENCY + 1


class State(NamedTuple):
    """The state of a cell, int64 arrays of shape (sequences, n): h in Q1.7, c in Q4.8."""

    h: np.ndarray
    c: np.ndarray


@dataclass(frozen=True, slots=True)
class Recurrent(Op):
    """A cell over the steps of a sequence (steps, features), in integers.

    A step begins with the products ``a = recurrent_weights h`` and ``b = input_weights x``; what
    follows is the cell's own ``finish``. h is Q1.7, 8 bits, and 0 before the first step, as is c.
    States with ``|h| < threshold`` become 0: skipping them is due to Ardakani, Ji and Gross,
    "Learning to Skip Ineffectual Recurrent Computations in LSTMs", 2019. Gain and bias a gate row are
    what is left of weight normalization (Salimans and Kingma, 2016), or, with values of their own for
    every step, of batch norm a step (Cooijmans et al., "Recurrent Batch Normalization", 2017).

    With ``state_delta`` and ``input_delta`` products see an element as it was when it last changed by so
    much or more, and zero before: the delta rule of Neil et al., "Delta Networks for Optimized
    Recurrent Network Computation", 2017. With 1 they see every change, so that no bit differs.

    Attributes
    ----------
    gates
        Gates of a unit; gate k of unit u is row ``k n + u``, with n units.
    input_weights, recurrent_weights
        Codes that decode to (gates n, features) and (gates n, n).
    input_gain, recurrent_gain, bias
        Shape (gates n,), or (steps, gates n) where steps differ; gains of at most 16 bits.
    shift
        Fractional bits of gains and bias beyond those of a pre-activation, 0..15.
    activation
        ``plan`` or ``table``; see :mod:`hwgen.ops.lib.gates`.
    threshold
        Least magnitude of a state that is kept, 0..128; 0 and 1 keep all.
    every_step
        Whether the result is h of every step, (steps, n), or of the last one, (n).
    stateful
        Whether the state goes on from one sample to the next: samples are then parts of one
        sequence.
    state_delta, input_delta
        Least change of an element of h, and of the input, that products get to see; 0 in both
        where they see the elements themselves.
    """

    gates: ClassVar[int]
    unit_products: ClassVar[int]
    """Products of a unit behind its gates."""
    of_step: ClassVar[tuple[str, ...]] = ("input_gain", "recurrent_gain", "bias")
    """Constants that may differ from step to step, all of them or none."""

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
    state_delta: int = 0
    input_delta: int = 0

    @property
    def units(self) -> int:
        return self.recurrent_weights.shape[1]

    @property
    def rows(self) -> int:
        """Gate rows: gates of all units."""
        return self.gates * self.units

    @property
    def varies(self) -> bool:
        """Whether steps have constants of their own."""
        return self.bias.array.ndim == 2

    @property
    def by_changes(self) -> bool:
        """Whether products are kept, and only changes of elements added."""
        return self.state_delta > 0

    def cells(self) -> Sequence[Self]:
        """The cell of every step, with its own constants; one if they are the same for all."""
        if not self.varies:
            return (self,)
        return [
            replace(self, **{name: Constant(getattr(self, name).array[t]) for name in self.of_step})
            for t in range(len(self.bias.array))
        ]

    def verify(self, x: Type) -> None:
        verify_sequence(x)
        verify_weights(self.input_weights, self.recurrent_weights, self.gates, x.channels)
        verify_activation(self.activation)
        verify_gains(self, x)
        verify_deltas(self, x)
        if not 0 <= self.threshold <= 1 << (STATE_BITS - 1):
            raise RuleViolation(
                f"threshold must be in 0..{1 << (STATE_BITS - 1)}, not {self.threshold}"
            )

    def infer(self, x: Type) -> Type:
        hi = (1 << (STATE_BITS - 1)) - 1
        shape = (x.shape[0], self.units) if self.every_step else (self.units,)
        return Type.of(shape, -hi - 1, hi)

    def initial_state(self, sequences: int) -> State:
        """The state before the first step, zeros of shape (sequences, n)."""
        zeros = np.zeros((sequences, self.units), dtype=np.int64)
        return State(zeros, zeros)

    def finish(self, a: np.ndarray, b: np.ndarray, state: State) -> State:
        """The step behind its two products, (sequences, gates n); h as it is before pruning."""
        raise NotImplementedError(f"op {type(self).__name__} must define finish()")

    def states(self, x: np.ndarray) -> np.ndarray:
        """h after every step, shape (batch, steps, n)."""
        return self._states_and_fed(x)[0]

    def _states_and_fed(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """h after every step, and what the products of every step saw: of the state, and of x."""
        sequences = x.reshape(1, -1, x.shape[-1]) if self.stateful else x
        batch, steps, features = sequences.shape
        sequences = followed(sequences, self.input_delta)
        inputs = exact.product(self.input_weights.decode().T, exact.magnitude(x))
        recurrent = exact.product(self.recurrent_weights.decode().T, 1 << (STATE_BITS - 1))
        b = inputs(sequences.reshape(-1, features)).reshape(batch, steps, self.rows)
        cells = self.cells()
        state = self.initial_state(batch)
        found, fed = np.zeros((2, batch, steps, self.units), dtype=np.int64)
        for t in range(steps):
            h, c = cells[t % len(cells)].finish(recurrent(fed[:, t]), b[:, t], state)
            state = State(prune(h, self.threshold), c)
            found[:, t] = state.h
            if t + 1 < steps:
                fed[:, t + 1] = follow(fed[:, t], state.h, self.state_delta)
        return found.reshape(*x.shape[:2], self.units), fed, sequences

    def run(self, x: np.ndarray) -> np.ndarray:
        h = self.states(x)
        return h if self.every_step else np.ascontiguousarray(h[:, -1])

    def events(self, x: np.ndarray) -> np.ndarray:
        """Columns that every step cannot skip, shape (batch, steps).

        Those of inputs and states that are not zero, or that have changed.
        """
        return sum(np.count_nonzero(added, axis=2) for added in self._added(x)).reshape(x.shape[:2])

    def idle_states(self, x: np.ndarray) -> float:
        """The part of the states that steps begin with which is skipped; the first step aside.

        Those that are zero, or that have not changed.
        """
        fed = self._added(x)[0][:, 1:]
        return float((fed == 0).mean()) if fed.size else 1.0

    def _added(self, x: np.ndarray) -> list[np.ndarray]:
        """What every step adds to its products, of the state and of the input: values or changes."""
        seen = self._states_and_fed(x)[1:]
        return [np.diff(part, axis=1, prepend=0) if self.by_changes else part for part in seen]

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        steps, features = x.shape
        products = self.rows * (self.units + features)
        return Cost(
            multiplications=steps * (products + 2 * self.rows + self.unit_products * self.units),
            additions=steps * (products + 2 * self.rows + self.units),
            weight_bits=self.input_weights.storage_bits + self.recurrent_weights.storage_bits,
            cycles=steps * step_cycles(self.rows, self.units + features, schedule),
        )

    def steps(self, x: Type) -> int:
        return x.shape[0]

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return column_schedules(self.gates, self.units)

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        return column_lanes(self.gates, schedule)

    def rough_luts(self, x: Type, *, result: Type, schedule: Schedule) -> float:
        """Lanes, and what gate rows take that go through the gates at once."""
        bits = max(self.recurrent_weights.field_bits, self.input_weights.field_bits)
        lane = bits * max(STATE_BITS, x.element.width) + 24
        return schedule.pe * lane + schedule.simd * (2 * 16 * GAIN_BITS + 64)


def prune(h: np.ndarray, threshold: int) -> np.ndarray:
    """0 where ``|h| < threshold``, else h."""
    return h * (np.abs(h) >= threshold)


def follow(seen: np.ndarray, new: np.ndarray, least: int) -> np.ndarray:
    """``new`` where it differs from ``seen`` by ``least`` or more, else ``seen``."""
    return np.where(np.abs(new - seen) >= least, new, seen)


def followed(x: np.ndarray, least: int) -> np.ndarray:
    """Of sequences (batch, steps, n): what is seen of every step, zeros having been seen before."""
    if least <= 1:
        return x
    found = np.empty_like(x)
    seen = np.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        seen = found[:, t] = follow(seen, x[:, t], least)
    return found


def verify_deltas(op: Recurrent, x: Type) -> None:
    """Raise RuleViolation unless changes are seen of both the state and the input, or of neither."""
    most = {"state_delta": (1 << STATE_BITS) - 1, "input_delta": max(x.hi, 0) - min(x.lo, 0)}
    for name, limit in most.items():
        if not 0 <= getattr(op, name) <= limit:
            raise RuleViolation(f"{name} must be in 0..{limit}, not {getattr(op, name)}")
    if (op.state_delta > 0) != (op.input_delta > 0):
        raise RuleViolation(
            "state_delta and input_delta must both be 0, or both 1 or more; found "
            f"{op.state_delta} and {op.input_delta}"
        )


def verify_sequence(x: Type) -> None:
    """Raise RuleViolation unless ``x`` is a sequence of small integers."""
    if len(x.shape) != 2:
        raise RuleViolation(f"input must be a sequence (steps, features), found shape {x.shape}")
    if x.element.width > MAX_INPUT_BITS:
        raise RuleViolation(
            f"input must have at most {MAX_INPUT_BITS} bits, found {x.element}; requantize it first"
        )


def verify_weights(
    input_weights: WeightCode, recurrent_weights: WeightCode, gates: int, features: int
) -> None:
    """Raise RuleViolation unless both matrices are legal and fit each other and the input."""
    for name, weights in (("input", input_weights), ("recurrent", recurrent_weights)):
        try:
            weights.verify()
        except RuleViolation as error:
            raise RuleViolation(f"{name}_weights: {error}") from None
        if len(weights.shape) != 2 or not weights.decode().any():
            raise RuleViolation(f"{name}_weights must be a matrix and not all zero")
    rows, units = recurrent_weights.shape
    if rows != gates * units:
        raise RuleViolation(
            f"recurrent_weights must have shape ({gates} n, n), found {recurrent_weights.shape}"
        )
    if input_weights.shape != (rows, features):
        raise RuleViolation(
            f"input_weights must have shape ({rows}, {features}), found {input_weights.shape}"
        )


def verify_gains(op: Recurrent, x: Type) -> None:
    """Raise RuleViolation unless gains and bias fit their bits and every row its 32-bit sum."""
    rows = op.rows
    if not 0 <= op.shift <= MAX_SHIFT:
        raise RuleViolation(f"shift must be in 0..{MAX_SHIFT}, not {op.shift}")
    steps = (x.shape[0],) if op.varies else ()
    for name in ("input_gain", "recurrent_gain", "bias"):
        values = getattr(op, name)
        verify_shape(name, values, steps, "a gate row", rows)
        bits = 32 if name == "bias" else GAIN_BITS
        most = (1 << (bits - 1)) - 1
        wrong = np.argwhere(np.abs(values.array) > most)
        if len(wrong):
            *step, row = wrong[0]
            raise RuleViolation(
                f"{name} must fit {bits} bits, found {values.array[tuple(wrong[0])]} in row {row}"
                + "".join(f" of step {t}" for t in step)
            )
    if steps and op.stateful:
        raise RuleViolation(
            "constants that differ from step to step need whole sequences, not a state that goes on"
        )
    reach = sum_reach(op, x)
    wrong = np.flatnonzero(reach >= 1 << 31)
    if len(wrong):
        raise RuleViolation(
            f"gains times products must stay below 2^31, found up to {reach[wrong[0]]} in row "
            f"{wrong[0]}; lower shift"
        )


def verify_shape(
    name: str, values: Constant, steps: tuple[int, ...], what: str, count: int
) -> None:
    """Raise RuleViolation unless there is one value ``what`` of ``count``, and of ``steps``."""
    if values.shape != (*steps, count):
        of_steps = f" and step ({steps[0]})" if steps else ""
        raise RuleViolation(
            f"{name} must have one value {what} ({count}){of_steps}, found shape {values.shape}"
        )


def sum_reach(op: Recurrent, x: Type) -> np.ndarray:
    """By gate row: the largest magnitude of gains times products with bias and rounding, (rows,).

    That of all steps, where they differ.
    """
    reach = np.abs(op.bias.array) + ((1 << op.shift) >> 1)
    for weights, gain, largest in (
        (op.recurrent_weights, op.recurrent_gain, 1 << (STATE_BITS - 1)),
        (op.input_weights, op.input_gain, max(x.hi, -x.lo)),
    ):
        reach = reach + np.abs(weights.decode()).sum(axis=1) * largest * np.abs(gain.array)
    return reach.max(axis=0) if op.varies else reach


def product_intervals(op: Recurrent, x: Type) -> tuple[tuple[int, int], tuple[int, int]]:
    """Intervals of the recurrent and of the input product, every partial sum included."""
    h = 1 << (STATE_BITS - 1)
    none = np.zeros(op.recurrent_weights.shape[0], dtype=np.int64)
    return (
        accumulator(op.recurrent_weights.decode(), none, -h, h - 1),
        accumulator(op.input_weights.decode(), none, min(x.lo, 0), max(x.hi, 0)),
    )


def column_schedules(gates: int, units: int) -> tuple[Schedule, ...]:
    """Every lane count and number of units that are finished at once, zeros skipped or not.

    Each with weights in ROM, and with streamed ones. ``pe`` lanes add a column to as many rows in a
    clock; ``simd`` gate rows a clock go through the gates, 1 or those of whole units.
    """
    rows = gates * units
    wide = {min(rows, gates << k) for k in range(rows.bit_length())}
    lanes = sorted({1, *wide} | ({2} if gates % 2 == 0 else set()))
    return tuple(
        Schedule(form, pe=pe, simd=simd, streamed=streamed)
        for streamed in (False, True)
        for form in ("events", "columns")  # of equals the first is taken
        for pe in lanes
        for simd in [1, *(gates * e for e in range(1, units + 1) if units % e == 0)]
        if pe % simd == 0
    )


def column_lanes(gates: int, schedule: Schedule) -> tuple[int, int]:
    """One element of the sequence a beat in; the units that are finished at once out."""
    return 1, max(1, schedule.simd // gates)


def step_cycles(rows: int, columns: int, schedule: Schedule) -> int:
    """Clocks of a step that has this many columns to add; of streamed ones the first is waited for."""
    cycles = columns * -(-rows // schedule.pe) + rows // schedule.simd + STEP_OVERHEAD
    return cycles + STREAM_LATENCY * (columns > 0) if schedule.streamed else cycles
