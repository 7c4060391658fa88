"""Two's complement lanes in beats: the only place that packs and unpacks them.

A beat carries ``lanes`` integers; lane ``i`` sits in bits ``[i * lane_bits +: lane_bits]``. On an
AXI4-Stream port a lane is a whole number of bytes, so that a batch of frames is one contiguous
little-endian buffer; inside a design (Amaranth components) lanes are as wide as the integer.
"""

from __future__ import annotations

import numpy as np

from hwgen.errors import InvalidInput
from hwgen.rtl.design import StreamShape

__all__ = [
    "beats_to_bytes",
    "bytes_to_beats",
    "pack_bytes",
    "pack_lanes",
    "unpack_bytes",
    "unpack_lanes",
]


def elements(x, shape: StreamShape) -> np.ndarray:
    """``x`` as an int64 array of shape (batch, elements of a frame), checked against ``shape``.

    Raises
    ------
    InvalidInput
        If a frame has another number of elements, or an element does not fit its lane.
    """
    x = np.asarray(x)
    size = shape.lanes * shape.beats
    if x.dtype.kind not in "iub":
        raise InvalidInput(f"a stream carries integers, found an array of {x.dtype}")
    if x.ndim < 1 or x.size != x.shape[0] * size:
        raise InvalidInput(
            f"a frame must have {size} elements ({shape.beats} beats of {shape.lanes} lanes), "
            f"found an array of shape {x.shape}"
        )
    flat = np.ascontiguousarray(x, dtype=np.int64).reshape(x.shape[0], size)
    lo, hi = shape.element.lo, shape.element.hi
    if flat.size and (flat.min() < lo or flat.max() > hi):
        raise InvalidInput(
            f"elements must fit {shape.element} ([{lo}, {hi}]), found [{flat.min()}, {flat.max()}]"
        )
    return flat


def pack_bytes(x, shape: StreamShape, noise: np.random.Generator | None = None) -> np.ndarray:
    """Integers to the beats of an AXI4-Stream port.

    Parameters
    ----------
    x
        Integers of shape (batch, ...), ``shape.lanes * shape.beats`` a sample.
    noise
        Fills the bits of a lane above ``shape.width``, which a design must not read; without it
        they are zero for unsigned and copies of the sign for signed elements.

    Returns
    -------
    uint8 array of shape (batch * beats, ``shape.data_bits // 8``), C order.
    """
    flat = elements(x, shape)
    if noise is not None and shape.width < shape.lane_bits:
        above = noise.integers(0, 1 << (shape.lane_bits - shape.width), flat.shape, dtype=np.int64)
        flat = (flat & ((1 << shape.width) - 1)) | (above << shape.width)
    words = flat.astype("<i8", copy=False).view(np.uint8).reshape(*flat.shape, 8)
    lanes = np.ascontiguousarray(words[..., : shape.lane_bits // 8])
    return lanes.reshape(-1, shape.data_bits // 8)


def unpack_bytes(beats: np.ndarray, shape: StreamShape) -> np.ndarray:
    """Beats of an AXI4-Stream port to integers: the inverse of :func:`pack_bytes`.

    Whole lanes are read, so an element whose bits above ``shape.width`` are not its extension
    comes out as a wrong number rather than unnoticed.

    Parameters
    ----------
    beats
        uint8 array of shape (batch * beats, ``shape.data_bits // 8``).

    Returns
    -------
    int64 array of shape (batch, ``shape.lanes * shape.beats``).
    """
    size = shape.lanes * shape.beats
    used = shape.lane_bits // 8
    lanes = beats.reshape(-1, size, used)
    words = np.zeros((*lanes.shape[:2], 8), dtype=np.uint8)
    words[..., :used] = lanes
    if shape.signed:
        words[..., used:] = np.where(lanes[..., -1:] >> 7, 0xFF, 0)
    return words.view("<i8")[..., 0].astype(np.int64, copy=False)


def bytes_to_beats(beats: np.ndarray) -> list[int]:
    """Every row of a uint8 array as one natural number: what a bus handle takes."""
    return [int.from_bytes(row, "little") for row in np.ascontiguousarray(beats)]


def beats_to_bytes(beats: list[int], shape: StreamShape) -> np.ndarray:
    """Natural numbers, one a beat, to rows of ``shape.data_bits // 8`` bytes."""
    width = shape.data_bits // 8
    data = b"".join(beat.to_bytes(width, "little") for beat in beats)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, width)


def pack_lanes(x, shape: StreamShape) -> list[int]:
    """Integers to beats whose lanes are exactly ``shape.width`` bits wide.

    Returns
    -------
    One natural number a beat, ``batch * shape.beats`` in all.
    """
    mask = (1 << shape.width) - 1
    rows = elements(x, shape).reshape(-1, shape.lanes).tolist()
    return [
        sum((value & mask) << (lane * shape.width) for lane, value in enumerate(row))
        for row in rows
    ]


def unpack_lanes(beats: list[int], shape: StreamShape) -> np.ndarray:
    """The inverse of :func:`pack_lanes`: int64 array of shape (batch, elements of a frame)."""
    mask, sign = (1 << shape.width) - 1, 1 << (shape.width - 1)
    fold = sign if shape.signed else 0
    values = [
        (((beat >> (lane * shape.width)) & mask) ^ fold) - fold
        for beat in beats
        for lane in range(shape.lanes)
    ]
    return np.array(values, dtype=np.int64).reshape(-1, shape.lanes * shape.beats)
