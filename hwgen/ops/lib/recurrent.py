"""What recurrent cells share: state, legality, and the schedules of the column-order datapath."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode
from ...ir.schedule import Schedule
from ...ir.types import Type
from .linear import accumulator

__all__ = [
    "STATE_BITS",
    "STEP_OVERHEAD",
    "State",
    "column_lanes",
    "column_schedules",
    "product_intervals",
    "prune",
    "rough_luts",
    "step_cycles",
    "sum_reach",
    "verify_gains",
    "verify_sequence",
    "verify_weights",
]

STATE_BITS = 8  # of h, Q1.7
GAIN_BITS = 16
MAX_SHIFT = 15
MAX_INPUT_BITS = 16
STEP_OVERHEAD = 9  # cycles of a step that no column and no gate row takes: filling and draining


class State(NamedTuple):
    """The state of a cell, int64 arrays of shape (sequences, n): h in Q1.7, c in Q4.8."""

    h: np.ndarray
    c: np.ndarray


def prune(h: np.ndarray, threshold: int) -> np.ndarray:
    """0 where ``|h| < threshold``, else h."""
    return h * (np.abs(h) >= threshold)


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


def verify_gains(op, gates: int, x: Type) -> None:
    """Raise RuleViolation unless gains and bias fit their bits and every row its 32-bit sum."""
    rows = gates * op.units
    if not 0 <= op.shift <= MAX_SHIFT:
        raise RuleViolation(f"shift must be in 0..{MAX_SHIFT}, not {op.shift}")
    for name in ("input_gain", "recurrent_gain", "bias"):
        values = getattr(op, name)
        if values.shape != (rows,):
            raise RuleViolation(
                f"{name} must have one value a gate row ({rows}), found shape {values.shape}"
            )
        bits = 32 if name == "bias" else GAIN_BITS
        most = (1 << (bits - 1)) - 1
        wrong = np.flatnonzero(np.abs(values.array) > most)
        if len(wrong):
            raise RuleViolation(
                f"{name} must fit {bits} bits, found {values.array[wrong[0]]} in row {wrong[0]}"
            )
    reach = sum_reach(op, x)
    wrong = np.flatnonzero(reach >= 1 << 31)
    if len(wrong):
        raise RuleViolation(
            f"gains times products must stay below 2^31, found up to {reach[wrong[0]]} in row "
            f"{wrong[0]}; lower shift"
        )


def sum_reach(op, x: Type) -> np.ndarray:
    """By gate row: the largest magnitude of gains times products with bias and rounding, (rows,)."""
    reach = np.abs(op.bias.array) + ((1 << op.shift) >> 1)
    for weights, gain, largest in (
        (op.recurrent_weights, op.recurrent_gain, 1 << (STATE_BITS - 1)),
        (op.input_weights, op.input_gain, max(x.hi, -x.lo)),
    ):
        reach = reach + np.abs(weights.decode()).sum(axis=1) * largest * np.abs(gain.array)
    return reach


def product_intervals(op, x: Type) -> tuple[tuple[int, int], tuple[int, int]]:
    """Intervals of the recurrent and of the input product, every partial sum included."""
    h = 1 << (STATE_BITS - 1)
    none = np.zeros(op.recurrent_weights.shape[0], dtype=np.int64)
    return (
        accumulator(op.recurrent_weights.decode(), none, -h, h - 1),
        accumulator(op.input_weights.decode(), none, min(x.lo, 0), max(x.hi, 0)),
    )


def column_schedules(gates: int, units: int) -> tuple[Schedule, ...]:
    """Every lane count and number of units that are finished at once, zeros skipped or not.

    ``pe`` lanes add a column to as many rows in a clock; ``simd`` gate rows a clock go through the
    gates, 1 or those of whole units.
    """
    rows = gates * units
    lanes = sorted({min(rows, 1 << k) for k in range(rows.bit_length() + 1)})
    return tuple(
        Schedule(form, pe=pe, simd=simd)
        for form in ("events", "columns")  # of equals the first is taken
        for pe in lanes
        for simd in [1, *(gates * e for e in range(1, units + 1) if units % e == 0)]
        if pe % simd == 0
    )


def column_lanes(gates: int, schedule: Schedule) -> tuple[int, int]:
    """One element of the sequence a beat in; the units that are finished at once out."""
    return 1, max(1, schedule.simd // gates)


def step_cycles(rows: int, columns: int, schedule: Schedule) -> int:
    """Clocks of a step that has this many columns to add."""
    return columns * -(-rows // schedule.pe) + rows // schedule.simd + STEP_OVERHEAD


def rough_luts(op, x: Type, schedule: Schedule) -> float:
    """A rough count of look-up tables, to compare schedules of one cell with each other."""
    bits = max(op.recurrent_weights.field_bits, op.input_weights.field_bits)
    lane = bits * max(STATE_BITS, x.element.width) + 24
    row = 2 * 16 * GAIN_BITS + 64
    return schedule.pe * lane + schedule.simd * row
