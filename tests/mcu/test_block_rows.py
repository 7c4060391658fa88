"""Weights in the layout of the micro-kernels."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.linear import packing
from hwgen.mcu.ops.dense import block_channels
from hwgen.mcu.registry import find_storage
from hwgen.mcu.stages import Value
from hwgen.mcu.storage import INT32
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_on_host
from hwgen.mcu.weights import NESTED_BITS, Packing, block_rows, block_step, nested_rows
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense


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


def unnested(blocks: np.ndarray, bits: int, channels: int) -> np.ndarray:
    """The padded matrix of weights with several channels in a byte, read back as described."""
    together, words = 8 // bits, channels * bits // 8
    steps = blocks.shape[1] // (4 * words)
    matrix = np.zeros((len(blocks) * channels, 4 * steps), dtype=np.int64)
    for row in range(len(matrix)):
        for k in range(4 * steps):
            word = k // 4 * words + row % channels // together
            left = int(blocks[row // channels, 4 * word + k % 4])
            for _ in range(row % together + 1):  # fields from the lowest up
                field = left & ((1 << bits) - 1)
                if bits > 1:
                    field -= (1 << bits) * (field >> (bits - 1))
                left = (left - field) >> bits
            matrix[row, k] = 1 - 2 * field if bits == 1 else field
    return matrix


@pytest.mark.parametrize("bits", NESTED_BITS)
@pytest.mark.parametrize(("rows", "n", "channels"), [(8, 16, 8), (5, 17, 8), (17, 3, 16)])
def test_every_weight_of_several_in_a_byte_lies_where_the_layout_says(bits, rows, n, channels):
    most = max(1, (1 << (bits - 1)) - 1)
    choices = [-1, 1] if bits == 1 else range(-most, most + 1)
    matrix = np.random.default_rng(0).choice(choices, (rows, n))
    matrix.flat[0], matrix.flat[-1] = -most, most
    blocks = nested_rows(matrix, bits, channels)
    found = unnested(blocks, bits, channels)
    assert (found[:rows, :n] == matrix).all()
    found[:rows, :n] = bits == 1
    assert (found == (bits == 1)).all()
    assert blocks.dtype == (np.uint8 if bits == 1 else np.int8)
    assert blocks.size == -(-rows // channels) * channels * -(-n // 4) * bits // 2


@pytest.mark.parametrize("bits", NESTED_BITS)
def test_sums_of_bytes_fit_32_bits(bits):
    """The worst bytes times the worst data, as often as a row of weights is long at most."""
    most = max(1, (1 << (bits - 1)) - 1)
    ends = [nested_rows(np.full((8, 4), w), bits, 8).astype(np.int64) for w in (-most, most)]
    worst = max(int(np.abs(e).max()) for e in ends)
    packing = Packing(bits, is_nested=True)
    assert worst * 255 * packing.most < 1 << 31
    assert worst * 255 * 2 * packing.most >= 1 << 31


def test_no_field_is_ever_alone():
    """Why -8 and -2 are left to words of one channel: their sums leave a byte."""
    for bits, least in ((4, -8), (2, -2)):
        with pytest.raises(ValueError, match="weights must be in"):
            nested_rows(np.full((8, 4), least), bits, 8)
    with pytest.raises(ValueError, match="channels a multiple"):
        nested_rows(np.zeros((4, 4), dtype=np.int64), 1, 4)


def test_a_wrong_byte_is_caught(tmp_path):
    """One byte holds weights of four channels: these differ, and no others."""
    weights = np.random.default_rng(0).integers(-1, 2, (8, 12))
    b = GraphBuilder("ternary")
    op = Dense(Ternary(Constant(weights)), Constant(np.zeros(8, int)))
    graph = b.build(b.add(op, b.input(Type.of((12,), 1, 99))))
    build = emit(graph, tmp_path)
    source = build.folder / "ternary.c"
    text = source.read_text()
    head, number = re.search(r"(_weights\[\d+\]\[\d+\] = \{\s*\{\s*)(-?\d+)", text).groups()
    source.write_text(text.replace(head + number, f"{head}{85 - abs(int(number))}"))
    x = np.random.default_rng(1).integers(1, 100, (5, 12))
    wrong = (run_on_host(build, x) != graph.run(x)).any(axis=0)
    assert wrong[:4].any()
    assert not wrong[4:].any()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("inputs", [1, 3, 8])
def test_a_row_of_less_than_a_byte_has_blocks(bits, inputs):
    channels = block_channels(7, inputs, Packing(bits, bits in NESTED_BITS), find_target("gap8"))
    assert channels in (4, 8)
