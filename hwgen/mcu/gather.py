"""Sparse layers: kept weights alone, with lists or with bitmaps of where they are.

Lists are for the micro-kernels of ``hwgen_gather.h``, bitmaps for that of ``hwgen_bitmap.h``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ..ir.constant import Constant
from .blocks import Blocks, data_kind
from .dsp.gather_kernels import GATHER_CHANNELS, STEP
from .function import Function
from .target import Target
from .weights import Kept, StoredWeights

__all__ = [
    "Form",
    "add_gather",
    "bitmap_rows",
    "gather_channels",
    "gather_cycles",
    "gather_rows",
    "sparse_form",
]

Form = Literal["zeros", "list", "bitmap"]

FARTHEST = 255  # from a kept weight to the next one: a byte
LONGEST = 1 << 16  # of a row, with what lies between rows of a window: positions are halfwords
BLOCK_CYCLES = 14  # of a micro-kernel, beside its loop
DENSE_CYCLES = 33 / 64  # of a product of the micro-kernels of hwgen_dot.h, of one pixel


def gather_channels(share: int) -> int:
    """Channels of a block whose channels keep the same positions."""
    return next(c for c in GATHER_CHANNELS if share % c == 0)


def gather_rows(matrix: np.ndarray, mask: np.ndarray, channels: int) -> np.ndarray:
    """Kept weights and where they are, as the micro-kernels of ``hwgen_gather.h`` read them.

    A block of rows that keep the same positions begins with two halfwords: the first position and
    the number of steps. A step holds four bytes, how far it is from each of its four positions to
    the next one, and for every row four weights. Positions farther apart than a byte says have
    others between them, whose weights are zero.

    Parameters
    ----------
    matrix
        Integers of 8 bits, of shape (rows, n).
    mask
        Booleans of that shape: which are kept. Rows of a block have the same.
    channels
        Rows of a block; divides the rows.

    Returns
    -------
    uint8 array of shape (blocks, bytes of the longest block, a multiple of 4).
    """
    rows, n = matrix.shape
    if n > LONGEST or rows % channels:
        raise ValueError(f"{rows} rows of {n} weights are no blocks of {channels} rows")
    blocks = []
    for first in range(0, rows, channels):
        at = _stops(np.flatnonzero(mask[first]))
        steps = -(-len(at) // STEP)
        kept = np.zeros((channels, steps * STEP), dtype=np.int64)
        kept[:, : len(at)] = np.where(
            mask[first : first + channels, at], matrix[first : first + channels, at], 0
        )
        distances = np.zeros(steps * STEP, dtype=np.int64)
        distances[: len(at) - 1] = np.diff(at)
        words = np.concatenate([distances[None], kept]).reshape(channels + 1, steps, STEP)
        head = np.array([at[0], steps], dtype="<u2").view(np.uint8)
        blocks.append(np.concatenate([head, words.transpose(1, 0, 2).ravel() & 0xFF]))
    longest = max(map(len, blocks))
    return np.array([np.pad(block, (0, longest - len(block))) for block in blocks], dtype=np.uint8)


def _stops(at: np.ndarray) -> np.ndarray:
    """Positions with others between them where they are farther apart than a byte says."""
    between = [np.arange(a + FARTHEST, b, FARTHEST) for a, b in pairwise(at) if b - a > FARTHEST]
    return np.sort(np.concatenate([at, *between])) if between else at


def bitmap_rows(matrix: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Kept weights behind a bit for every weight, as the micro-kernel of ``hwgen_bitmap.h`` reads them.

    Parameters
    ----------
    matrix, mask
        As for :func:`gather_rows`.

    Returns
    -------
    uint8 array of shape (rows, bytes of the longest row): 16 bits a halfword, low byte first, the
    first weight in the lowest bit, then the kept weights.
    """
    bits = np.packbits(np.pad(mask, ((0, 0), (0, -mask.shape[1] % 16))), axis=1, bitorder="little")
    kept = [(row[where] & 0xFF).astype(np.uint8) for row, where in zip(matrix, mask, strict=True)]
    longest = max(map(len, kept))
    weights = np.array([np.pad(row, (0, longest - len(row))) for row in kept])
    return np.concatenate([bits, weights], axis=1)


def gather_cycles(kept: Kept) -> int:
    """Of the micro-kernels on a DSP core, for all rows."""
    channels = gather_channels(kept.share)
    steps = -(-kept.mask[::channels].sum(axis=1) // STEP)
    return int((steps * (10 + 2 * channels) + BLOCK_CYCLES).sum())


def gather_bytes(kept: Kept) -> int:
    """Of all rows, each as long as the longest."""
    channels = gather_channels(kept.share)
    counts = kept.mask[::channels].sum(axis=1)
    return len(counts) * (4 + -(-int(counts.max()) // STEP) * STEP * (channels + 1))


def bitmap_bytes(kept: Kept) -> int:
    """Of all rows, each as long as the longest."""
    rows, n = kept.mask.shape
    return rows * (-(-n // 16) * 2 + int(kept.mask.sum(axis=1).max()))


def sparse_form(stored: StoredWeights, target: Target, dense_cycles: float = DENSE_CYCLES) -> Form:
    """How sparse weights are stored.

    On DSP cores that is a question of time: a list if the cycles estimated for it are fewer than
    those with the zeros between, of which ``dense_cycles`` are for a product. Elsewhere it is one
    of bytes: a list if it is smaller than the weights with the zeros, since there it is faster
    too; else a bitmap if that is smaller, though it takes more than twice as long.
    """
    kept = stored.kept
    if kept is None or stored.packing is None or kept.mask.shape[1] > LONGEST // 4:
        return "zeros"
    if target.isa != "plain":
        return "list" if gather_cycles(kept) < kept.mask.size * dense_cycles else "zeros"
    size = stored.rows.size * stored.ctype.bytes
    if gather_bytes(kept) < size:
        return "list"
    return "bitmap" if bitmap_bytes(kept) < size else "zeros"


def add_gather(
    function: Function,
    form: Form,
    runs: np.ndarray,
    kept: Kept,
    bias: Constant,
    is_direct: bool,
) -> Blocks:
    """Add the kept weights of a layer and where they are.

    Parameters
    ----------
    form
        A list or a bitmap.
    runs
        All weights, of shape (output channels, rows of the window, length of a row).
    is_direct
        Whether the data need not be gathered into columns.
    """
    outputs, rows, length = runs.shape
    # A row of the window starts at a whole word.
    padding = ((0, 0), (0, 0), (0, -length % 4 if rows > 1 else 0))
    matrix = np.pad(runs, padding).reshape(outputs, -1)
    mask = np.pad(kept.mask.reshape(runs.shape), padding).reshape(outputs, -1)
    column_bytes = -(-matrix.shape[1] // 4) * 4
    if form == "list":
        channels = gather_channels(kept.share)
        blocks, steps = gather_rows(matrix, mask, channels), 0
        function.micro_kernel = f"hwgen_gather_{data_kind(function)}"
    else:
        channels, blocks, steps = 1, bitmap_rows(matrix, mask), -(-mask.shape[1] // 16)
        function.header = "hwgen_bitmap.h"
    count = int(kept.mask.sum())
    function.notes.append(
        f"{count} of {kept.mask.size} weights are kept, a {form} of them for {channels} channels"
    )
    made = Blocks.of(
        function.micro_kernel or f"hwgen_bitmap_{data_kind(function)}",
        function,
        blocks,
        bias.array,
        channels,
        steps=steps,
        column_bytes=column_bytes,
        run_bytes=length + padding[2][1],
        tail_bytes=0,
        is_direct=is_direct,
    )
    return replace(made, count=made.whole)  # shares divide the channels
