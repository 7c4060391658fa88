"""Matrices of recurrent cells as ``hwgen_recurrent.h`` multiplies them: column by column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..ir.types import Int
from ..ops.gru import CELL_FRACTION
from ..ops.lib import gates
from ..ops.lib.recurrent import STATE_BITS, Recurrent
from .dsp.column_kernels import COLUMN_KERNELS, ColumnKernel
from .dsp.micro_assembly import REGISTERS
from .gates import Z_MOST, Form
from .storage import CType, storage
from .templates import TEMPLATES, wrap_code

__all__ = [
    "MOST_COLUMNS",
    "ROWS",
    "UNITS",
    "Columns",
    "column_blocks",
    "fours_a_block",
    "render_recurrent",
]

UNITS = 4
"""Units whose gates are computed at once."""

ROWS = 16
"""Rows that are summed up at once without a micro-kernel."""

MOST_COLUMNS = 2048
"""Columns that micro-kernels can add up: sums of bytes stay below 2^27."""

_PARTS = 3
"""Bytes that a change of a byte takes at most."""

_BYTE = CType(8, False)
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
    least
        Least change of an element that is added up; 0 where elements themselves are.
    """

    kernel: ColumnKernel | None
    ctype: CType
    data: CType
    count: int
    least: int = 0

    @classmethod
    def of(cls, matrix: np.ndarray, data: CType, least: int = 0) -> Columns:
        """The form of a matrix (rows, columns): the narrowest weights that hold it."""
        count = matrix.shape[1]
        low, high = int(matrix.min()), int(matrix.max())
        most = MOST_COLUMNS // (_PARTS if least else 1)
        if data.bits > 8 or count > most or low < -128 or high > 127:
            return cls(None, storage(Int.fit(min(low, -1), high)), data, count, least)
        is_unsigned = not data.signed and not least
        bits = 1 if np.all(np.abs(matrix) == 1) else 2 if -1 <= low <= high <= 1 else 8
        if bits == 8 and -7 <= low <= high <= 7:
            bits = 4
        (kernel,) = (k for k in COLUMN_KERNELS if (k.bits, k.unsigned) == (bits, is_unsigned))
        return cls(kernel, _BYTE, data, count, least)

    @property
    def list_type(self) -> str:
        """Of what says which columns are added up."""
        return "hwgen_four" if self.kernel else "hwgen_one"

    @property
    def list_bytes(self) -> int:
        """Of as many as there are."""
        if self.kernel is None:
            return 8 * self.count
        return -(-self.count * (_PARTS if self.least else 1) // 4) * 20

    @property
    def rows(self) -> int:
        """Rows that are summed up at once."""
        return self.kernel.rows if self.kernel else ROWS

    def padded(self, rows: int) -> int:
        """Rows that are stored of a block of so many."""
        return -(-rows // self.rows) * self.rows

    @property
    def summary(self) -> str:
        """For comments."""
        bits = self.kernel.bits if self.kernel else self.ctype.bits
        return f"{bits}-bit weights"

    def find(self, name: str, x: str, seen: str) -> str:
        """The call that lists the columns for ``x``, or for what differs from ``seen``."""
        what = "_wide" * (self.kernel is None) + "_changes" * (self.least > 0)
        arguments = [name, x, *([seen] if self.least else []), str(self.count)]
        if self.kernel:
            arguments.append(str(self.kernel.column_bytes))
        if self.least:
            arguments.append(str(self.least))
        return f"hwgen_list{what}_{_kind(self.data)}({', '.join(arguments)})"

    def sums(
        self, into: str, weights: str, name: str, count: str, rows: int, pairs: str = ""
    ) -> list[str]:
        """The calls that compute the sums of a block of so many rows, and pair them if asked."""
        k = self.kernel
        function = k.name if k else f"hwgen_columns_wide_{_kind(self.ctype)}"
        each = self.count * (k.column_bytes if k else ROWS)
        calls = []
        for part in range(self.padded(rows) // self.rows):
            at = f" + {part * self.rows}" if part else ""
            skipped = f" + {part * each}" if part else ""
            calls.append(f"{function}({into}{at}, {weights}{skipped}, {name}, {count});")
            if pairs:
                pair = f" + {part * self.rows // 2}" if part else ""
                calls.append(f"hwgen_pairs({pairs}{pair}, {into}{at}, {self.rows});")
        return calls

    def pack(self, blocks: np.ndarray) -> np.ndarray:
        """What is stored, block by block.

        Parameters
        ----------
        blocks
            Weights of shape (blocks, rows, columns).
        """
        count, rows, columns = blocks.shape
        blocks = np.pad(blocks, ((0, 0), (0, self.padded(rows) - rows), (0, 0)))
        k = self.kernel
        if k is None:
            parts = blocks.reshape(count, -1, ROWS, columns)
            return parts.transpose(0, 1, 3, 2).reshape(count, -1)
        fields = (blocks < 0).astype(np.int64) if k.bits == 1 else blocks
        fields = fields.reshape(count, -1, k.column_bytes, k.fields, columns)
        places = (k.bits * np.arange(k.fields))[:, None]
        packed = (fields << places).sum(axis=3) & 0xFF
        packed = packed.transpose(0, 1, 3, 2).reshape(count, -1)
        return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))


def fours_a_block(gates_: int, units: int, products: Sequence[Columns], cores: int) -> int:
    """How often UNITS units a block shall hold: 1, 2 or 4.

    Micro-kernels sum up 8 rows or 16, and what a block lacks of them are zeros; but cores share
    whole blocks, and units that the last one lacks are zeros as well.
    """

    def products_a_core(fours: int) -> int:
        blocks = -(-units // (fours * UNITS))
        rows = gates_ * fours * UNITS
        return -(-blocks // cores) * sum(p.padded(rows) * p.count for p in products)

    return min((1, 2, 4), key=products_a_core)  # of equals the first


def column_blocks(rows: np.ndarray, units: int, fours: int = 1) -> np.ndarray:
    """Gate rows in blocks: those of UNITS units, gate by gate, then those of the next units.

    Rows of missing units are zeros.

    Parameters
    ----------
    rows
        Shape (gates units, ...).
    fours
        How often UNITS units are a block.

    Returns
    -------
    Shape (blocks, fours gates UNITS, ...).
    """
    gates_, rest = len(rows) // units, rows.shape[1:]
    by_gate = rows.reshape(gates_, units, *rest)
    padding = ((0, 0), (0, -units % (fours * UNITS)), *((0, 0) for _ in rest))
    padded = np.pad(by_gate, padding).reshape(gates_, -1, UNITS, *rest)
    return np.moveaxis(padded, 0, 1).reshape(-1, fours * gates_ * UNITS, *rest)


def render_recurrent(
    used: Collection[ColumnKernel], cells: Sequence[Recurrent], forms: Collection[Form]
) -> str:
    """The text of ``hwgen_recurrent.h`` with the given micro-kernels, for the given cells.

    Of each kind of them it holds ``kernels/<op>.h.j2`` in all forms of the sigmoid.
    """
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
        cells=sorted({op.name for op in cells}),
        by_changes=any(op.by_changes for op in cells),
        forms=forms,
        is_lookup=all(form.is_lookup for form in forms),
        together=UNITS,
        fraction=gates.FRACTION,
        h_shift=2 * gates.FRACTION - (STATE_BITS - 1),
        state_fraction=CELL_FRACTION,
        fresh_shift=CELL_FRACTION - gates.FRACTION + 1,  # twice the sigmoid
        shown_shift=CELL_FRACTION - (STATE_BITS - 1),
        h_most=(1 << (STATE_BITS - 1)) - 1,
        table_shift=gates.WIDTH - gates.TABLE_BITS,
        z_most=Z_MOST,
        width=gates.WIDTH,
        h_bits=STATE_BITS,
    )
    return wrap_code(text)
