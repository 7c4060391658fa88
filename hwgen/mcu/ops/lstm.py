"""C of the long short-term memory."""

from __future__ import annotations

import numpy as np

from ...ops.lib import gates
from ...ops.lib.recurrent import product_intervals
from ...ops.lstm import Lstm
from ..columns import ROWS, UNITS, Columns, column_blocks
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import INT32, CType

__all__: list[str] = []

INT8, INT16 = CType(8, True), CType(16, True)


@renders(Lstm)
def lstm(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    steps, features = x.type.shape
    function.header = "hwgen_recurrent.h"
    function.macs = steps * op.gates * op.units * (op.units + features)
    of_h, recurrent = _columns(op.recurrent_weights, op.recurrent_gain, INT8, op.units)
    of_x, fed = _columns(op.input_weights, op.input_gain, x.ctype, op.units)
    function.held = tuple(form.kernel for form in (of_h, of_x) if form.kernel)
    function.notes.append(
        f"{of_h.summary} for the state, {of_x.summary} for the input, by columns in blocks of {ROWS}"
    )
    function.cut(
        groups=1,
        axes=(),
        kernel=(1 if op.every_step else steps, 1),
        cycles_per_output=function.macs // stage.output.type.size,
    )
    padded = -(-op.units // UNITS) * UNITS
    place = _Scratch()
    lists = {
        "from_h": place.add(of_h.list_bytes, of_h.list_type),
        "from_x": place.add(of_x.list_bytes, of_x.list_type),
    }
    if function.extent.is_team:
        lists["counts"] = place.add(2 * INT32.bytes, str(INT32))
    states = {"h": (INT8, padded), "c": (INT16, padded)}
    is_far = op.stateful and function.extent.is_tile  # beyond fast memory, which gets a copy
    for name, (ctype, size) in states.items():
        if op.stateful:
            function.state(name, ctype, size, f"kept_{name}" if is_far else name)
        if is_far or not op.stateful:
            lists[name] = place.add(size * ctype.bytes, str(ctype))
    function.scratch_bytes = place.size
    gains = np.stack([op.recurrent_gain.array, op.input_gain.array], axis=1)
    name = stage.name
    narrow = all(-(1 << 15) <= lo <= hi < 1 << 15 for lo, hi in product_intervals(op, x.type))
    table = None
    bias = function.constant(f"{name}_bias", column_blocks(op.bias.array, op.units), INT32)
    gains = column_blocks(gains, op.units)
    gains = function.words(f"{name}_gains", gains.reshape(len(gains), -1), INT16)
    weights = [
        function.words(f"{name}_{which}_weights", columns.pack(blocks), columns.ctype)
        for which, columns, blocks in (("recurrent", of_h, recurrent), ("input", of_x, fed))
    ]
    if op.activation == "table":
        table = function.constant(f"{name}_sigmoid", _half_table(), CType(8, False))
    return {
        "op": op,
        "is_far": is_far,
        "features": features,
        "steps": steps,
        "units": op.units,
        "padded": padded,
        "together": UNITS,
        "count": padded // UNITS,
        "rows": ROWS,
        "lists": lists,
        "of_h": of_h,
        "of_x": of_x,
        "find_h": of_h.find("from_h", "h"),
        "find_x": of_x.find("from_x", f"x + k * {features}"),
        "recurrent_sums": of_h.sums("a", f"{weights[0]}[block]", "from_h", "count_h"),
        "input_sums": of_x.sums("b", f"{weights[1]}[block]", "from_x", "count_x"),
        "gate": "hwgen_gate_s16" if narrow else "hwgen_gate",
        "gains": gains,
        "bias": bias,
        "table": table,
        "work": INT32,
    }


class _Scratch:
    """Where arrays lie in the memory that the function works in."""

    def __init__(self) -> None:
        self.size = 0

    def add(self, size: int, ctype: str) -> tuple[str, int]:
        """The array's type and its offset."""
        offset = self.size
        self.size += -(-size // 4) * 4
        return ctype, offset


def _columns(weights, gain, data: CType, units: int) -> tuple[Columns, np.ndarray]:
    """How a product is computed, and its weights in blocks of rows."""
    matrix = weights.decode()
    # Rows without gain have no bound, and no meaning.
    largest = 1 << data.bits
    if np.abs(matrix).sum(axis=1).max() * largest >= 1 << 31:
        matrix = np.where(gain.array[:, None] == 0, 0, matrix)
    return Columns.of(matrix, data), column_blocks(matrix, units)


def _half_table() -> np.ndarray:
    """The sigmoid of what is 0 or more, less a half; that of the rest is its negative."""
    table = gates.sigmoid_table() - gates.ONE // 2
    half = table[len(table) // 2 :]
    if not np.array_equal(table[: len(half)], -half[::-1]):
        raise AssertionError("the table of the sigmoid must be odd")
    return half
