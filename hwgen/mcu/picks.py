"""Sparse layers with one kept weight in every eight inputs, as ``hwgen_pick.h`` computes them."""

from __future__ import annotations

import numpy as np

from ..ir.constant import Constant
from .blocks import Blocks, data_kind
from .dsp.pick_kernels import GROUP, PICK_CHANNELS, PICK_STEP
from .function import Function
from .gather import BLOCK_CYCLES, DENSE_CYCLES, gather_cycles
from .target import Target
from .weights import Kept, StoredWeights

__all__ = ["add_picks", "is_picked", "pick_cycles", "pick_rows"]

STEP_CYCLES = 64  # of a block of channels


def is_picked(stored: StoredWeights, target: Target) -> bool:
    """Whether sparse weights are one in eight, and picking the inputs takes the fewest cycles."""
    kept = stored.kept
    if kept is None or stored.packing is None or target.isa == "plain":
        return False
    if kept.drawn is not None:  # a drawn mask stays a list, which a test can compare
        return False
    rows, n = kept.mask.shape
    if n % GROUP or n < GROUP * PICK_STEP:
        return False
    if (kept.mask.reshape(rows, -1, GROUP).sum(axis=2) > 1).any():
        return False
    cores = target.cores if target.is_tiled else 1
    others = min(gather_cycles(kept) / rows, n * DENSE_CYCLES) * -(-rows // cores)
    return pick_cycles(rows, n, cores) < others


def pick_cycles(rows: int, n: int, cores: int = 1) -> int:
    """Of the micro-kernels on DSP cores that share the rows, each of n inputs."""
    steps = -(-n // (GROUP * PICK_STEP))
    return -(-rows // (PICK_CHANNELS * cores)) * (steps * STEP_CYCLES + BLOCK_CYCLES)


def pick_rows(matrix: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Kept weights and where they are, as the micro-kernels of ``hwgen_pick.h`` read them.

    Parameters
    ----------
    matrix
        Integers of 8 bits, of shape (rows, n); n is a multiple of 8, and 32 or more.
    mask
        Booleans of that shape: which are kept, one in every eight at most.

    Returns
    -------
    uint8 array of shape (blocks of 8 rows, bytes of a block). Missing rows have weights of zero.
    """
    rows, n = matrix.shape
    groups = n // GROUP
    parts = np.where(mask, matrix, 0).reshape(rows, groups, GROUP)
    steps = -(-groups // PICK_STEP)
    again = steps * PICK_STEP - groups  # groups of the first step that are in the second as well
    order = np.r_[:PICK_STEP, PICK_STEP - again : groups]
    at, kept = mask.reshape(parts.shape).argmax(axis=2)[:, order], parts.sum(axis=2)[:, order]
    kept[:, PICK_STEP : PICK_STEP + again] = 0
    shape = (-(-rows // PICK_CHANNELS), 2, PICK_CHANNELS // 2, steps, PICK_STEP)
    padding = ((0, -rows % PICK_CHANNELS), (0, 0))
    # Of a step and four channels: a word a group, with a byte a channel; then the other way round.
    at = np.pad(at, padding).reshape(shape).transpose(0, 3, 1, 4, 2)
    kept = np.pad(kept, padding).reshape(shape).transpose(0, 3, 1, 2, 4)
    return (np.stack([at, kept], axis=3) & 0xFF).astype(np.uint8).reshape(shape[0], -1)


def add_picks(function: Function, matrix: np.ndarray, kept: Kept, bias: Constant) -> Blocks:
    """Add the kept weights of a layer and where they are."""
    blocks = pick_rows(matrix, kept.mask)
    function.notes.append(
        f"{int(kept.mask.sum())} of {kept.mask.size} weights are kept, one in every {GROUP}"
    )
    function.micro_kernel = f"hwgen_pick_{data_kind(function)}"
    return Blocks.of(
        function.micro_kernel,
        function,
        blocks,
        bias.array,
        PICK_CHANNELS,
        steps=matrix.shape[1] // GROUP,
        column_bytes=0,
        run_bytes=0,
        tail_bytes=0,
        is_direct=True,
    )
