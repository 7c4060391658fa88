"""Weights in memory: rows of elements, packed several a byte where the code allows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.types import Int
from .storage import CType, storage

__all__ = [
    "BLOCK_BITS",
    "NARROW_PRODUCTS",
    "Kept",
    "StoredWeights",
    "block_rows",
    "block_step",
    "pack",
    "plain_weights",
    "tap_words",
]

BLOCK_BITS = (8, 4, 2)
"""Widths of weights that the micro-kernels multiply."""

NARROW_PRODUCTS = 1 << 16
"""Products with weights of 4 or 2 bits that they can sum up, see ``hwgen_dot.h``."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Which weights of a sparse matrix are not zero for sure.

    Attributes
    ----------
    mask
        Booleans of shape (output channels, weights a row).
    share
        Neighbouring channels that keep the same positions; divides the channels.
    """

    mask: np.ndarray
    share: int


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
    bits
        Width of a weight in two's complement if micro-kernels can multiply it, see
        :func:`block_rows`; else 0.
    kept
        Of sparse weights those that can be stored alone, see :mod:`.gather`.
    """

    rows: np.ndarray
    ctype: CType
    each: int
    kind: str
    summary: str
    bits: int = 0
    kept: Kept | None = None


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
            return StoredWeights(packed, CType(8, False), 8 // bits, f"s{bits}", summary, bits)
    ctype = storage(Int(width, signed=True))
    bits = 8 if ctype.bits == 8 else 0
    return StoredWeights(rows, ctype, 1, "", f"{ctype.bits}-bit weights", bits)


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
