"""Matrices of recurrent cells as ``hwgen_recurrent.h`` multiplies them: column by column."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..ir.types import Int
from ..ops.lib import gates
from ..ops.lib.recurrent import STATE_BITS
from .dsp.column_kernels import COLUMN_KERNELS, ColumnKernel
from .dsp.micro_assembly import REGISTERS
from .storage import CType, storage
from .templates import TEMPLATES, wrap_code

__all__ = [
    "MOST_COLUMNS",
    "ROWS",
    "UNITS",
    "Columns",
    "column_blocks",
    "plan_lines",
    "render_recurrent",
]

UNITS = 4
"""Units whose gates are computed at once."""

ROWS = 4 * UNITS
"""Rows of a block: the gates of so many units."""

MOST_COLUMNS = 2048
"""Columns that micro-kernels can add up: sums of bytes stay below 2^27."""

_BYTE = CType(8, False)
_LANES = {
    "add": "HWGEN_PV_ADD_H",
    "sub": "HWGEN_PV_SUB_H",
    "min": "HWGEN_PV_MIN_H",
    "max": "HWGEN_PV_MAX_H",
    "shift_right": "HWGEN_PV_SRA_SC_H",
}
_WIDE_DATA = tuple(CType(bits, signed) for bits in (8, 16) for signed in (True, False))
_WIDE_WEIGHTS = tuple(CType(bits, True) for bits in (8, 16, 32))


def _kind(ctype: CType) -> str:
    """What names of functions call a type."""
    return f"{'s' if ctype.signed else 'u'}{ctype.bits}"


@dataclass(frozen=True, slots=True)
class Columns:
    """How a product is computed.

    Attributes
    ----------
    kernel
        The micro-kernel; None for data or weights of more than 8 bits.
    ctype
        Type of what is stored.
    data
        Type of the data.
    count
        Columns.
    """

    kernel: ColumnKernel | None
    ctype: CType
    data: CType
    count: int

    @classmethod
    def of(cls, matrix: np.ndarray, data: CType) -> Columns:
        """The form of a matrix (rows, columns): the narrowest weights that hold it."""
        count = matrix.shape[1]
        low, high = int(matrix.min()), int(matrix.max())
        if data.bits > 8 or count > MOST_COLUMNS or low < -128 or high > 127:
            return cls(None, storage(Int.fit(min(low, -1), high)), data, count)
        bits = 1 if np.all(np.abs(matrix) == 1) else 2 if -1 <= low <= high <= 1 else 8
        if bits == 8 and -7 <= low <= high <= 7:
            bits = 4
        (kernel,) = (k for k in COLUMN_KERNELS if (k.bits, k.unsigned) == (bits, not data.signed))
        return cls(kernel, _BYTE, data, count)

    @property
    def list_type(self) -> str:
        """Of what says which columns are added up."""
        return "hwgen_four" if self.kernel else "hwgen_one"

    @property
    def list_bytes(self) -> int:
        """Of as many as there are."""
        return -(-self.count // 4) * 20 if self.kernel else 8 * self.count

    @property
    def summary(self) -> str:
        """For comments."""
        bits = self.kernel.bits if self.kernel else self.ctype.bits
        return f"{bits}-bit weights"

    def find(self, name: str, x: str) -> str:
        """The call that lists the columns for ``x``."""
        if self.kernel:
            return (
                f"hwgen_list_{_kind(self.data)}({name}, {x}, {self.count}, "
                f"{self.kernel.column_bytes})"
            )
        return f"hwgen_list_wide_{_kind(self.data)}({name}, {x}, {self.count})"

    def sums(self, into: str, weights: str, name: str, count: str) -> list[str]:
        """The calls that compute a block's sums."""
        if not self.kernel:
            function = f"hwgen_columns_wide_{_kind(self.ctype)}"
            return [f"{function}({into}, {weights}, {name}, {count});"]
        calls = []
        for first in range(0, ROWS, self.kernel.rows):
            part = first // self.kernel.rows * self.kernel.column_bytes * self.count
            at = f" + {first}" if first else ""
            skipped = f" + {part}" if part else ""
            calls.append(f"{self.kernel.name}({into}{at}, {weights}{skipped}, {name}, {count});")
        return calls

    def pack(self, blocks: np.ndarray) -> np.ndarray:
        """What is stored, block by block.

        Parameters
        ----------
        blocks
            Weights of shape (blocks, ROWS, columns).
        """
        count = len(blocks)
        if self.kernel is None:
            return blocks.transpose(0, 2, 1).reshape(count, -1)
        k = self.kernel
        fields = (blocks < 0).astype(np.int64) if k.bits == 1 else blocks
        fields = fields.reshape(count, ROWS // k.rows, k.column_bytes, k.fields, -1)
        places = (k.bits * np.arange(k.fields))[:, None]
        packed = (fields << places).sum(axis=3) & 0xFF
        packed = packed.transpose(0, 1, 3, 2).reshape(count, -1)
        return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))


def column_blocks(rows: np.ndarray, units: int) -> np.ndarray:
    """Gate rows in blocks: those of UNITS units, gate by gate; of missing units zeros.

    Parameters
    ----------
    rows
        Shape (4 units, ...).

    Returns
    -------
    Shape (blocks, ROWS, ...).
    """
    gates_, rest = len(rows) // units, rows.shape[1:]
    by_gate = rows.reshape(gates_, units, *rest)
    padding = ((0, 0), (0, -units % UNITS), *((0, 0) for _ in rest))
    padded = np.pad(by_gate, padding).reshape(gates_, -1, UNITS, *rest)
    return np.moveaxis(padded, 0, 1).reshape(-1, gates_ * UNITS, *rest)


def render_recurrent(used: Collection[ColumnKernel] = COLUMN_KERNELS) -> str:
    """The text of ``hwgen_recurrent.h`` with the given micro-kernels."""
    half = gates.ONE // 2
    ends = [start for start, _, _ in gates.SEGMENTS[1:]] + [gates.LIMIT]
    segments = [(*row, end) for row, end in zip(gates.SEGMENTS, ends, strict=True)]
    text = TEMPLATES.get_template("recurrent.h.j2").render(
        kernels=[kernel for kernel in COLUMN_KERNELS if kernel in used],
        registers=REGISTERS,
        rows=ROWS,
        most=MOST_COLUMNS,
        wide_data={_kind(t): t for t in _WIDE_DATA},
        wide_weights={_kind(t): t for t in _WIDE_WEIGHTS},
        segments=segments,
        half=half,
        lines=plan_lines(),
        lanes=_LANES,
        cells=("plan", "table"),
        together=UNITS,
        fraction=gates.FRACTION,
        h_shift=2 * gates.FRACTION - (STATE_BITS - 1),
        h_most=(1 << (STATE_BITS - 1)) - 1,
        table_shift=gates.WIDTH - gates.TABLE_BITS,
        table_last=(1 << (gates.TABLE_BITS - 1)) - 1,
        width=gates.WIDTH,
        z_most=(1 << (gates.WIDTH - 1)) - 1,
    )
    return wrap_code(text)


def plan_lines() -> list[tuple[int, int, int]]:
    """The sigmoid of ``|z|`` less a half as the least of lines, and of a half.

    Returns
    -------
    Shift, offset and floor of every line: ``max((|z| >> shift) + offset, floor)``. A line that
    rounding makes the least one before it begins has a floor, else that is 0.
    """
    a = np.arange(gates.LIMIT)
    lines: list[tuple[int, int, int]] = []
    least = np.full_like(a, gates.ONE // 2)
    for start, shift, offset in gates.SEGMENTS:
        offset -= gates.ONE // 2
        line = (a >> shift) + offset
        early = np.any(line[:start] < least[:start])
        floor = int(least[start - 1]) if early else 0
        lines.append((shift, offset, floor))
        least = np.minimum(least, np.maximum(line, floor))
    return lines
