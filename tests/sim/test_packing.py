"""Lanes go into beats and come back unchanged, and sit where the convention says."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.errors import InvalidInput
from hwgen.rtl.design import StreamShape
from hwgen.sim import packing

SHAPES = [
    StreamShape(lanes, width, signed, beats=4)
    for lanes, width in [
        (1, 1),
        (3, 5),
        (2, 8),
        (3, 9),
        (1, 16),
        (2, 17),
        (2, 33),
        (1, 57),
        (2, 63),
    ]
    for signed in (False, True)
]


def corner_samples(shape: StreamShape) -> np.ndarray:
    element, size = shape.element, shape.lanes * shape.beats
    x = np.random.default_rng(0).integers(
        element.lo, element.hi, (5, size), dtype=np.int64, endpoint=True
    )
    x[0], x[1] = element.lo, element.hi
    return x


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_round_trips(shape: StreamShape) -> None:
    x = corner_samples(shape)
    rows = packing.pack_bytes(x, shape)
    assert rows.shape == (len(x) * shape.beats, shape.data_bits // 8)
    assert np.array_equal(packing.unpack_bytes(rows, shape), x)
    beats = packing.bytes_to_beats(rows)
    assert np.array_equal(packing.beats_to_bytes(beats, shape), rows)
    assert np.array_equal(packing.unpack_lanes(packing.pack_lanes(x, shape), shape), x)


def test_lane_positions() -> None:
    shape = StreamShape(lanes=3, width=5, signed=True, beats=2)
    x = np.array([[1, -1, 2, -16, 15, 0]])
    assert packing.bytes_to_beats(packing.pack_bytes(x, shape)) == [0x02FF01, 0x000FF0]
    assert packing.pack_lanes(x, shape) == [0b00010_11111_00001, 0b00000_01111_10000]


def test_noise_stays_above_the_element() -> None:
    shape = StreamShape(lanes=2, width=5, signed=False, beats=1)
    x = np.array([[3, 31]] * 50)
    rows = packing.pack_bytes(x, shape, np.random.default_rng(0))
    assert np.array_equal(rows & 31, x)
    assert len(np.unique(rows >> 5)) == 8


def test_missing_sign_extension_shows() -> None:
    shape = StreamShape(lanes=1, width=5, signed=True, beats=1)
    assert packing.unpack_bytes(np.array([[0x1F]], np.uint8), shape).item() == 31


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 5), int), "must have 6 elements .* found an array of shape"),
        (np.full((2, 6), 16), r"must fit s5 .* found \[16, 16\]"),
        (np.zeros((2, 6)), "integers, found an array of float64"),
    ],
)
def test_bad_arrays(x: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        packing.pack_bytes(x, StreamShape(lanes=3, width=5, signed=True, beats=2))
