"""Weights in memory: rows of elements, packed several a byte where the code allows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ir.types import Int
from ..ops.codes.lfsr_masked import LfsrMasked
from .storage import CType, storage

if TYPE_CHECKING:
    from .rebuild import Rebuild

__all__ = [
    "BIT_PRODUCTS",
    "BLOCK_BITS",
    "NARROW_PRODUCTS",
    "NESTED_BITS",
    "Kept",
    "Packing",
    "StoredWeights",
    "block_rows",
    "block_step",
    "nested_rows",
    "pack",
    "plain_weights",
    "power_fields",
    "tap_words",
]

BLOCK_BITS = (8, 4, 2)
"""Widths of the weights of a row that a word holds."""

NESTED_BITS = (4, 2, 1)
"""Widths of the weights of several rows that a byte holds."""

NARROW_PRODUCTS = 1 << 16
"""Products with weights of 4 or 2 bits that micro-kernels can sum up, see ``hwgen_dot.h``."""

BIT_PRODUCTS = 1 << 15
"""The same of weights of one bit."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How the weights that the micro-kernels of ``hwgen_dot.h`` multiply lie in words.

    Attributes
    ----------
    bits
        Of a weight.
    is_nested
        Whether a byte holds weights of several rows, see :func:`nested_rows`; else of one, see
        :func:`block_rows`.
    is_power
        Whether the 4 bits are those of 0 or a power of two, see :func:`power_fields`.
    """

    bits: int
    is_nested: bool = False
    is_power: bool = False

    @property
    def kind(self) -> str:
        """What names of micro-kernels call it."""
        return f"{'n' if self.is_nested else 'p' if self.is_power else 's'}{self.bits}"

    @property
    def step(self) -> int:
        """Weights of a row that a micro-kernel multiplies in a step."""
        return 4 if self.is_nested else block_step(self.bits)

    @property
    def rows(self) -> int:
        """Rows that bytes hold weights of: a block's are a multiple."""
        return 8 // self.bits if self.is_nested else 1

    @property
    def most(self) -> int:
        """Products of a row that 32 bits can sum up; 0 where there is no limit."""
        return 0 if self.is_power else {8: 0, 1: BIT_PRODUCTS}.get(self.bits, NARROW_PRODUCTS)

    def row_bytes(self, n: int) -> int:
        """What n weights of a row take."""
        return -(-n // self.step) * self.step * self.bits // 8

    def blocks(self, matrix: np.ndarray, channels: int) -> np.ndarray:
        """The weights in blocks of ``channels`` rows: integers of shape (blocks, bytes)."""
        if self.is_power:
            rows, n = matrix.shape
            padding = ((0, -rows % channels), (0, -n % self.step))
            return block_rows(power_fields(np.pad(matrix, padding)), self.bits, channels)
        layout = nested_rows if self.is_nested else block_rows
        return layout(matrix, self.bits, channels)


@dataclass(frozen=True, slots=True)
class Kept:
    """Which weights of a sparse matrix are not zero for sure.

    Attributes
    ----------
    mask
        Booleans of shape (output channels, weights a row).
    share
        Neighbouring channels that keep the same positions; divides the channels.
    drawn
        The code whose shift registers draw the mask, if any do.
    """

    mask: np.ndarray
    share: int
    drawn: LfsrMasked | None = None


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """A matrix of weights, one row an output channel.

    Attributes
    ----------
    rows
        int64, shape (output channels, elements a row): what is stored.
    ctype
        Type of a stored element.
    each
        Weights a stored element: 1 unless they are packed.
    kind
        Of packed weights the ending of the runtime's ``hwgen_weight_<kind>(row, i)`` and
        ``hwgen_field_<kind>(byte, i)``; empty where ``row[i]`` is the weight.
    summary
        How they are stored, for comments.
    packing
        How micro-kernels can multiply them; or None.
    kept
        Of sparse weights those that can be stored alone, see :mod:`.gather`.
    rebuild
        How int8 weights can be stored in fewer bytes, see :mod:`.rebuild`.
    """

    rows: np.ndarray
    ctype: CType
    each: int
    kind: str
    summary: str
    packing: Packing | None = None
    kept: Kept | None = None
    rebuild: Rebuild | None = None


def pack(rows: np.ndarray, bits: int) -> np.ndarray:
    """Fields of ``bits`` bits (1, 2 or 4), several a byte, the first in the lowest bits.

    Parameters
    ----------
    rows
        Integers of shape (rows, n); only the low ``bits`` bits of each are stored.

    Returns
    -------
    int64 array of shape (rows, bytes a row), each in 0..255; every row starts a new byte.
    """
    each = 8 // bits
    count, n = rows.shape
    padded = np.zeros((count, -(-n // each) * each), dtype=np.int64)
    padded[:, :n] = rows & ((1 << bits) - 1)
    fields = padded.reshape(count, -1, each) << (bits * np.arange(each))
    return fields.sum(axis=2)


def plain_weights(values: np.ndarray) -> StoredWeights:
    """Decoded weights, output channels first, in the narrowest of 2, 4, 8 and 16 bits that holds them."""
    rows = values.reshape(len(values), -1)
    width = Int.fit(min(int(rows.min()), -1), int(rows.max())).width
    for bits in (2, 4):
        packed = pack(rows, bits)
        if width <= bits and packed.size < rows.size:
            summary = f"{bits}-bit weights, {8 // bits} a byte"
            packing = Packing(bits, is_nested=bool(rows.min() > -(1 << (bits - 1))))
            return StoredWeights(packed, CType(8, False), 8 // bits, f"s{bits}", summary, packing)
    ctype = storage(Int(width, signed=True))
    packing = Packing(8) if ctype.bits == 8 else None
    return StoredWeights(rows, ctype, 1, "", f"{ctype.bits}-bit weights", packing)


def block_step(bits: int) -> int:
    """Weights of a row that one 32-bit word holds: what a micro-kernel does in one step."""
    return 32 // bits


def block_rows(matrix: np.ndarray, bits: int, channels: int) -> np.ndarray:
    """Weights as the micro-kernels of ``hwgen_dot.h`` read them, in the order in which they do.

    Rows come in blocks of ``channels``. A block holds word 0 of each of its rows, then word 1 of
    each, and so on, so that one ascending pointer walks through it. A word is four bytes, the
    first in the lowest bits; byte j holds, from its lowest bits up, the weights j, 4 + j, 8 + j
    and so on of the word's weights: a shift of all bytes by ``bits`` leaves four weights that
    belong to four neighbouring inputs.

    Parameters
    ----------
    matrix
        Integers of shape (rows, n), each in the range of ``bits`` bits in two's complement.
    bits
        8, 4 or 2.
    channels
        Rows of a block. Missing rows, and weights beyond n up to a whole word, are zero.

    Returns
    -------
    int8 (8 bits) or uint8 array of shape (blocks, bytes of a block).
    """
    if bits not in BLOCK_BITS:
        raise ValueError(f"bits must be one of {BLOCK_BITS}, not {bits}")
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if matrix.size and not low <= matrix.min() <= matrix.max() <= high:
        raise ValueError(f"weights must be in [{low}, {high}]")
    rows, n = matrix.shape
    step, fields = block_step(bits), 8 // bits
    blocks, steps = -(-rows // channels), -(-n // step)
    padded = np.zeros((blocks * channels, steps * step), dtype=np.int64)
    padded[:rows, :n] = matrix & ((1 << bits) - 1)
    # Axes: block, row of the block, step, field of a byte, byte of the word.
    words = padded.reshape(blocks, channels, steps, fields, 4)
    packed = (words << (bits * np.arange(fields))[:, None]).sum(axis=3)
    interleaved = packed.transpose(0, 2, 1, 3).reshape(blocks, -1).astype(np.uint8)
    return interleaved.view(np.int8) if bits == 8 else interleaved


def power_fields(values: np.ndarray) -> np.ndarray:
    """Powers of two up to 64, and 0, as 4 bits from which DSP cores make them by a shift.

    The highest bit is the sign. The others say how far 64 is shifted to the right: 64 to 1, and 0
    for a shift of 7.

    Returns
    -------
    Integers of the shape of ``values``, the 4 bits in two's complement.
    """
    shifts = np.full_like(values, 7)
    for k in range(7):
        shifts -= np.abs(values) >> k > 0
    return shifts - 8 * (values < 0)


def nested_rows(matrix: np.ndarray, bits: int, channels: int) -> np.ndarray:
    """Narrow weights of several rows in a byte, as the micro-kernels of ``hwgen_dot.h`` read them.

    Rows come in blocks of ``channels``, of which every ``8 / bits`` share bytes: byte j of a word
    holds their weights of input j. A byte is the sum of the weights times 1, ``2^bits``,
    ``4^bits`` and so on, the first row's weight times 1: in two's complement, which all of them
    fit that are not the least number of their width. Shifted left by ``bits``, it is the same sum
    without the last row. Of weights of one bit that are -1 or +1, a bit says which are -1.

    Parameters
    ----------
    matrix
        Integers of shape (rows, n), in ``[-2^(bits-1) + 1, 2^(bits-1) - 1]``; of one bit -1 and 1.
    bits
        4, 2 or 1.
    channels
        Rows of a block, a multiple of ``8 / bits``. Missing rows, and weights beyond n up to a
        whole word, are zero bits.

    Returns
    -------
    int8 (4 and 2 bits) or uint8 array of shape (blocks, bytes of a block).
    """
    if bits not in NESTED_BITS or channels % (8 // bits):
        raise ValueError(
            f"bits must be one of {NESTED_BITS} and channels a multiple of 8 / bits, "
            f"not {bits} and {channels}"
        )
    most = max(1, (1 << (bits - 1)) - 1)
    if matrix.size and not -most <= matrix.min() <= matrix.max() <= most:
        raise ValueError(f"weights must be in [{-most}, {most}]")
    rows, n = matrix.shape
    together = 8 // bits
    blocks, steps = -(-rows // channels), -(-n // 4)
    padded = np.zeros((blocks * channels, 4 * steps), dtype=np.int64)
    padded[:rows, :n] = matrix < 0 if bits == 1 else matrix
    # Axes: block, word of a step, row of the word, step, byte of the word.
    fields = padded.reshape(blocks, channels // together, together, steps, 4)
    packed = (fields << (bits * np.arange(together))[:, None, None]).sum(axis=2)
    bytes_ = packed.transpose(0, 2, 1, 3).reshape(blocks, -1)
    return bytes_.astype(np.uint8 if bits == 1 else np.int8)


def tap_words(taps: np.ndarray) -> np.ndarray:
    """Weights of a depthwise convolution as ``hwgen_depthwise.h`` reads them.

    Parameters
    ----------
    taps
        Integers of 8 bits, of shape (channels, rows of the window, columns of the window).

    Returns
    -------
    Integers of shape (channels, bytes): column after column, its taps from the top down, with zeros
    behind up to a whole word.
    """
    channels, rows, _ = taps.shape
    padded = np.pad(taps, ((0, 0), (0, -rows % 4), (0, 0)))
    return padded.transpose(0, 2, 1).reshape(channels, -1)
