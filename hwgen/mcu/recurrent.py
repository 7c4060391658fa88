"""C of recurrent cells, but for what follows their products: what ``recurrent.j2`` needs."""

from __future__ import annotations

import numpy as np

from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ops.lib.recurrent import Recurrent, product_intervals
from .columns import UNITS, Columns, column_blocks, fours_a_block
from .function import Function
from .gates import Z_MOST, form_of
from .stages import Stage
from .storage import INT32, CType

__all__ = ["recurrent_values", "row_constants"]

INT8, INT16 = CType(8, True), CType(16, True)


def recurrent_values(stage: Stage, function: Function) -> dict[str, object]:
    """What the template of a cell needs, its own constants beside."""
    op, (x,) = stage.kernel.op, stage.inputs
    steps, features = x.type.shape
    units, name = op.units, stage.name
    function.header = "hwgen_recurrent.h"
    function.macs = steps * op.rows * (units + features)
    matrices = [
        _bounded(op.recurrent_weights, op.recurrent_gain, INT8),
        _bounded(op.input_weights, op.input_gain, x.ctype),
    ]
    of_h = Columns.of(matrices[0], INT8, op.state_delta)
    of_x = Columns.of(matrices[1], x.ctype, op.input_delta)
    cores = function.target.cores if function.extent.is_team else 1
    fours = fours_a_block(op.gates, units, (of_h, of_x), cores)
    together = UNITS * fours
    rows = op.gates * together
    count = -(-units // together)
    padded = count * together
    function.held = tuple(form.kernel for form in (of_h, of_x) if form.kernel)
    function.notes.append(
        f"{of_h.summary} for the state, {of_x.summary} for the input, by columns in blocks of {rows}"
    )
    function.cut(
        groups=1,
        axes=(),
        kernel=(1 if op.every_step else steps, 1),
        cycles_per_output=function.macs // stage.output.type.size,
    )
    place = _Scratch()
    lists = {
        "from_h": place.add(of_h.list_bytes, of_h.list_type),
        "from_x": place.add(of_x.list_bytes, of_x.list_type),
    }
    if function.extent.is_team:
        lists["counts"] = place.add(2 * INT32.bytes, str(INT32))
    states = {"h": (INT8, padded), "c": (INT16, padded)}
    if op.by_changes:
        states |= {
            "seen_h": (INT8, units),
            "seen_x": (x.ctype, features),
            "sum_h": (INT32, count * rows),
            "sum_x": (INT32, count * rows),
        }
    is_far = op.stateful and function.extent.is_tile  # beyond fast memory, which gets a copy
    for state, (ctype, size) in states.items():
        if op.stateful:
            function.state(state, ctype, size, f"kept_{state}" if is_far else state)
        if is_far or not op.stateful:
            lists[state] = place.add(size * ctype.bytes, str(ctype))
    function.scratch_bytes = place.size
    bias = function.constant(f"{name}_bias", row_constants(op, op.bias, fours), INT32)
    gains = np.stack(
        [row_constants(op, gain, fours) for gain in (op.recurrent_gain, op.input_gain)], axis=2
    )
    gains = function.words(f"{name}_gains", _paired(gains), INT16)
    weights = [
        function.words(
            f"{name}_{which}_weights",
            columns.pack(column_blocks(matrix, units, fours)),
            columns.ctype,
        )
        for which, columns, matrix in zip(
            ("recurrent", "input"), (of_h, of_x), matrices, strict=True
        )
    ]
    table = None
    form = form_of(function.target, op.activation)
    if form.ctype:
        table = function.constant(f"{name}_sigmoid", form.values, form.ctype)
        table += f" + {-form.first}" if form.first else ""
    narrow = all(-(1 << 15) <= lo <= hi < 1 << 15 for lo, hi in product_intervals(op, x.type))
    is_dsp = function.target.isa != "plain"
    halves = narrow and is_dsp
    pairs = halves and not op.by_changes  # else sums that are kept come first
    return {
        "op": op,
        "is_far": is_far,
        "steps": steps,
        "units": units,
        "padded": padded,
        "together": UNITS,
        "fours_a_block": fours,
        "count": count,
        "rows": rows,
        "of_step": f"{count * fours} * k + " if op.varies else "",
        "states": states,
        "sums": max(of_h.padded(rows), of_x.padded(rows)),
        "lists": lists,
        "find_h": of_h.find("from_h", "h", "seen_h"),
        "find_x": of_x.find("from_x", f"x + k * {features}", "seen_x"),
        "recurrent_sums": of_h.sums(
            "a", f"{weights[0]}[block]", "from_h", "count_h", rows, "p" * pairs
        ),
        "input_sums": of_x.sums(
            "b", f"{weights[1]}[block]", "from_x", "count_x", rows, "q" * pairs
        ),
        "halves": halves,
        "copies": is_dsp and units % 4 == 0 and stage.output.ctype == INT8 and not stage.epilogue,
        "products": ("p", "q") if halves else ("a", "b"),
        "gains": gains,
        "bias": bias,
        "form": form,
        "table": table,
        "z_most": Z_MOST,
        "work": INT32,
    }


def row_constants(op: Recurrent, constant: Constant, fours: int) -> np.ndarray:
    """Constants of gate rows as :func:`column_blocks` orders them, UNITS units a row.

    Those of every step, one after the other, where steps differ.
    """
    steps = [column_blocks(rows, op.units, fours) for rows in np.atleast_2d(constant.array)]
    blocks = np.concatenate(steps)
    return blocks.reshape(len(blocks) * fours, -1)


def _paired(gains: np.ndarray) -> np.ndarray:
    """Both gains of every row, so that two rows' recurrent gains are followed by their input gains."""
    pairs = gains.reshape(len(gains), -1, 2, 2)
    return pairs.swapaxes(2, 3).reshape(len(gains), -1)


class _Scratch:
    """Where arrays lie in the memory that the function works in."""

    def __init__(self) -> None:
        self.size = 0

    def add(self, size: int, ctype: str) -> tuple[str, int]:
        """The array's type and its offset."""
        offset = self.size
        self.size += -(-size // 4) * 4
        return ctype, offset


def _bounded(weights: WeightCode, gain: Constant, data: CType) -> np.ndarray:
    """The matrix, without rows that could overflow: those have no gain, and so no meaning."""
    matrix = weights.decode()
    if np.abs(matrix).sum(axis=1).max() * (1 << data.bits) >= 1 << 31:
        matrix = np.where(gain.array[:, None] == 0, 0, matrix)
    return matrix
