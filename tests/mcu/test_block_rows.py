"""Weights in the layout of the micro-kernels."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Constant, Type
from hwgen.mcu.linear import packing
from hwgen.mcu.registry import find_storage
from hwgen.mcu.stages import Value
from hwgen.mcu.storage import INT32
from hwgen.mcu.target import find_target
from hwgen.mcu.weights import Packing, block_rows, block_step
from hwgen.ops.codes.uniform import Uniform


def unpacked(blocks: np.ndarray, bits: int, channels: int) -> np.ndarray:
    """The padded matrix, read back one weight at a time as the layout is described."""
    step = block_step(bits)
    steps = blocks.shape[1] // (4 * channels)
    matrix = np.zeros((len(blocks) * channels, steps * step), dtype=np.int64)
    for row in range(len(matrix)):
        for k in range(steps * step):
            word = (k // step) * channels + row % channels
            byte = int(blocks[row // channels, 4 * word + k % 4]) & 0xFF
            field = byte >> (bits * (k % step // 4)) & ((1 << bits) - 1)
            matrix[row, k] = field - (1 << bits) * (field >> (bits - 1))
    return matrix


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize(("rows", "n", "channels"), [(4, 16, 4), (5, 17, 4), (1, 1, 8), (9, 35, 2)])
def test_every_weight_lies_where_the_layout_says(bits, rows, n, channels):
    half = 1 << (bits - 1)
    matrix = np.random.default_rng(0).integers(-half, half, (rows, n))
    matrix.flat[0], matrix.flat[-1] = -half, half - 1
    blocks = block_rows(matrix, bits, channels)
    found = unpacked(blocks, bits, channels)
    assert (found[:rows, :n] == matrix).all()
    found[:rows, :n] = 0
    assert not found.any()
    assert blocks.dtype == (np.int8 if bits == 8 else np.uint8)
    assert blocks.shape == (-(-rows // channels), -(-n // block_step(bits)) * 4 * channels)


def test_words_of_the_channels_alternate():
    matrix = np.arange(16).reshape(2, 8)
    expected = [[0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]]
    assert block_rows(matrix, 8, 2).tolist() == expected


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"weights must be in \[-8, 7\]"):
        block_rows(np.array([[8]]), 4, 4)
    with pytest.raises(ValueError, match="bits must be one of"):
        block_rows(np.array([[1]]), 3, 4)


def test_long_rows_of_narrow_weights_are_left_to_loops():
    """Micro-kernels scale sums with narrow weights: 2^16 products are what 32 bits then hold."""
    x = Value("x", Type.of((1 << 17,), 0, 255))
    for weight, is_nested in ((-8, False), (-7, True)):
        for inputs, expected in ((1 << 16, Packing(4, is_nested)), ((1 << 16) + 2, None)):
            code = Uniform(Constant(np.full((1, inputs), weight)), 4)
            stored = find_storage(code, find_target("cv32e40p"))(code)
            assert packing(stored, x, INT32) == expected
