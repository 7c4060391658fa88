"""Fully connected layers of binary weights and few-bit data as ``hwgen_bits.h`` computes them."""

from __future__ import annotations

import numpy as np

from ..ir.constant import Constant
from .blocks import Blocks
from .dsp.bit_kernels import counts
from .function import Function
from .stages import Value
from .target import Target
from .weights import StoredWeights

__all__ = ["add_bits", "bit_channels", "bit_rows", "plane_count"]

MOST = 15  # of the range of values: four planes


def plane_count(stored: StoredWeights, x: Value, bias: Constant) -> int:
    """Bit planes of ``x`` with which binary weights are multiplied by counting; 0 if they are not.

    They are where an input has 16 values at most. Three planes are computed as four.
    """
    packing, spread = stored.packing, x.type.hi - x.type.lo
    if packing is None or packing.bits > 1 or x.ctype.bits != 8 or spread > MOST:
        return 0
    room = 4 * (spread + 1 + abs(x.type.lo)) * stored.rows.shape[1] * stored.each
    if max(-bias.lo, bias.hi) + room >= 1 << 31:
        return 0
    return 1 if spread <= 1 else 2 if spread <= 3 else 4


def bit_channels(outputs: int, planes: int, target: Target) -> int:
    """Output channels of a block.

    DSP cores have registers for 16, which read the input half as often, where no core of a team
    then computes more channels.
    """
    cores = target.cores if target.is_tiled else 1
    longest = {channels: -(-outputs // (channels * cores)) * channels for channels in (16, 8)}
    if planes == 1 and target.isa != "plain" and longest[16] <= longest[8]:
        return 16
    return 8 if outputs > 4 else 4


def bit_rows(matrix: np.ndarray, planes: int, channels: int) -> np.ndarray:
    """Weights of -1 and 1 as the micro-kernels of ``hwgen_bits.h`` read them.

    Parameters
    ----------
    matrix
        Integers of shape (rows, n).
    planes, channels
        Of the micro-kernel. Missing rows, and what is behind n, are zero bits.

    Returns
    -------
    uint8 array of shape (blocks, bytes of a block).
    """
    rows, n = matrix.shape
    together = counts(planes) // planes
    blocks, words = -(-rows // channels), row_words(n, planes)
    bits = np.zeros((blocks * channels, 32 * words), dtype=np.uint8)
    bits[:rows, :n] = matrix < 0
    # Input 4 k + j of a word is bit 7 - k of byte j.
    places = bits.reshape(-1, words, 8, 4)[:, :, ::-1].swapaxes(2, 3)
    packed = np.packbits(places, axis=3, bitorder="little").reshape(blocks, channels, words, 4)
    whole = words // together * together
    steps = packed[:, :, :whole].reshape(blocks, channels, -1, together * 4).transpose(0, 2, 1, 3)
    rest = packed[:, :, whole:].transpose(0, 2, 1, 3)
    return np.concatenate([steps.reshape(blocks, -1), rest.reshape(blocks, -1)], axis=1)


def row_words(n: int, planes: int) -> int:
    """Words of n weights: of two planes a multiple of two."""
    words = -(-n // 32)
    return words + (words % 2 if planes == 2 else 0)


def add_bits(
    function: Function, matrix: np.ndarray, bias: Constant, planes: int, channels: int
) -> Blocks:
    """Add binary weights, 32 a word, in blocks of ``channels`` rows.

    The micro-kernels multiply with what an input is above its least value, and add up all bits of
    the weights as well; what is known of every sum joins the bias.
    """
    (x,) = function.stage.inputs
    blocks = bit_rows(matrix, planes, channels)
    counted = f"{planes} bit plane{'s' * (planes > 1)} of the input"
    function.notes.append(f"binary weights, 32 a word, in blocks of {channels}; {counted}")
    function.micro_kernel = f"hwgen_bits_p{planes}"
    words = row_words(matrix.shape[1], planes)
    function.scratch_bytes = 4 * planes * words
    known = bias.array + x.type.lo * matrix.sum(axis=1) - (2**planes - 1) * (matrix < 0).sum(axis=1)
    return Blocks.of(
        function.micro_kernel,
        function,
        blocks,
        known,
        channels,
        steps=words,
        column_bytes=0,
        run_bytes=0,
        tail_bytes=0,
        is_direct=True,
    )
