"""Tiles: they cover the output once, read the receptive fields, and stay inside fast memory."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwgen.mcu.planning.layout import Memory, measure, share
from hwgen.mcu.planning.tiles import ALIGN, Transfer, Work, channel_range, expand
from tests.mcu.layers import tilings, works


def moved(tensor: np.ndarray, box) -> np.ndarray:
    """What a transfer brings, packed: bytes picked from the tensor as the DMA engine does."""
    flat = np.ascontiguousarray(tensor).view(np.uint8).reshape(-1)
    start, t = box.offset * tensor.itemsize, box.transfer
    lines = [
        flat[start + p * t.plane_stride + i * t.stride :][: t.length]
        for p, i in product(range(t.planes), range(t.lines))
    ]
    return np.concatenate([np.zeros(0, np.uint8), *lines]).view(tensor.dtype)


def tensor_of(height: int, width: int, channels: int, itemsize: int) -> np.ndarray:
    return np.arange(height * width * channels, dtype=f"u{itemsize}").reshape(
        height, width, channels
    )


def taps(first, count, kernel, stride, padding, extent) -> list[int]:
    """Input rows that these output rows touch, by definition."""
    at = (r * stride - padding + k for r in range(first, first + count) for k in range(kernel))
    return sorted({i for i in at if 0 <= i < extent})


@given(tilings())
def test_tiles_cover_every_output_once(case):
    work, tiling = case
    whole = tensor_of(work.rows, work.columns, work.channels, 4)
    seen = np.zeros(whole.size, int)
    tiles = expand(work, tiling)
    assert len(tiles) == tiling.tiles
    for t in tiles:
        y = t.output
        part = whole[y.row :, y.column :, y.channel :][: y.height, : y.width, : y.channels]
        np.add.at(seen, part.reshape(-1), 1)
        assert (y.height <= tiling.rows, y.width <= tiling.columns) == (True, True)
        assert y.channel % work.granule == 0
        assert y.channels % work.granule == 0 or y.channel + y.channels == work.channels
        shadow = tensor_of(work.rows, work.columns, work.channels, work.out_bytes)
        part = shadow[y.row :, y.column :, y.channel :][: y.height, : y.width, : y.channels]
        assert (moved(shadow, y) == part.reshape(-1)).all()
    assert (seen == 1).all()


@given(tilings())
def test_inputs_are_the_receptive_fields(case):
    work, tiling = case
    (kh, kw), (sh, sw), (ph, pw) = work.kernel, work.stride, work.padding
    for t in expand(work, tiling):
        y = t.output
        for x, box in zip(work.inputs, t.inputs, strict=True):
            rows = taps(y.row, y.height, kh, sh, ph, x.height)
            columns = taps(y.column, y.width, kw, sw, pw, x.width)
            each, depth = work.channels // x.groups, x.channels // x.groups
            groups = sorted({o // each for o in range(y.channel, y.channel + y.channels)})
            if rows and columns:
                assert (box.row, box.height) == (rows[0], rows[-1] + 1 - rows[0])
                assert (box.column, box.width) == (columns[0], columns[-1] + 1 - columns[0])
            else:
                assert (box.height, box.width, box.fresh, box.transfer.bytes) == (0, 0, False, 0)
            assert (box.channel, box.channels) == (groups[0] * depth, len(groups) * depth)
            assert (box.channel, box.channels) == channel_range(work, x, y.channel, y.channels)
            # Every tap finds its row at the place that ``top`` promises, or padding outside.
            for r, k in product(range(y.height), range(kh)):
                place = r * sh + k - box.top
                source = (y.row + r) * sh - ph + k
                inside = 0 <= source < x.height
                assert inside == (0 <= place < box.height) or not columns
                assert not inside or not columns or place == source - box.row
            for c, k in product(range(y.width), range(kw)):
                place = c * sw + k - box.left
                source = (y.column + c) * sw - pw + k
                inside = 0 <= source < x.width
                assert inside == (0 <= place < box.width) or not rows
                assert not inside or not rows or place == source - box.column


@given(tilings())
def test_fast_memory_holds_what_each_tile_computes_on(case):
    """Plays the transfers: a box that is not fresh is still where an earlier tile put it."""
    work, tiling = case
    held: dict[tuple[int, int], np.ndarray] = {}
    tensors = [tensor_of(x.height, x.width, x.channels, x.bytes) for x in work.inputs]
    weights = tensor_of(1, 1, max(1, work.weights(work.channels)), 1)
    kept = None
    for t in expand(work, tiling):
        parts = [*zip(t.inputs, tensors, tiling.inputs, strict=True)]
        now = []
        for i, (box, tensor, block) in enumerate(parts):
            assert box.buffer < block.copies
            if box.fresh:
                held[i, box.buffer] = moved(tensor, box)
                assert held[i, box.buffer].nbytes + work.inputs[i].slack <= block.size
                # It lands beside what the tile before still computes on.
                assert kept is None or kept[i] != box.buffer
            part = tensor[box.row :, box.column :, box.channel :]
            part = part[: box.height, : box.width, : box.channels].reshape(-1)
            assert box.height == 0 or (held[i, box.buffer] == part).all()
            now.append(box.buffer)
        if t.weights:
            assert t.weights.buffer < tiling.weights.copies
            if t.weights.fresh:
                held[-1, t.weights.buffer] = (t.weights.offset, t.weights.length)
                assert kept is None or kept[-1] != t.weights.buffer
            first = t.output.channel // work.granule
            last = -(-(t.output.channel + t.output.channels) // work.granule)
            expected = (first * work.weight_bytes, (last - first) * work.weight_bytes)
            assert held[-1, t.weights.buffer] == expected
            assert sum(expected) <= weights.size and expected[1] <= tiling.weights.size
            now.append(t.weights.buffer)
        kept = now


@given(tilings())
def test_outputs_alternate(case):
    """One tile is stored while the next one is computed."""
    work, tiling = case
    buffers = [t.output.buffer for t in expand(work, tiling)]
    assert buffers == [i % 2 for i in range(len(buffers))]
    assert tiling.output.copies == min(2, len(buffers))


@given(tilings())
def test_blocks_keep_apart(case):
    work, tiling = case
    blocks = [tiling.constants, tiling.scratch, *tiling.inputs, tiling.weights, tiling.output]
    ranges = [(b.offset, b.end) for b in blocks if b is not None and b.size]
    for (a, b), (c, d) in combinations(ranges, 2):
        assert b <= c or d <= a
    assert all(start % ALIGN == 0 for start, _ in ranges)
    assert max(end for _, end in ranges) == tiling.l1_bytes
    assert (tiling.weights is None) == (work.weight_bytes == 0)
    for t in expand(work, tiling):
        assert t.output.transfer.bytes <= tiling.output.size


@given(tilings())
def test_traffic_is_the_sum_over_the_tiles(case):
    work, tiling = case
    measured = measure(work, tiling, Memory(1 << 20))
    tiles = expand(work, tiling)
    loaded = sum(
        b.height * b.width * b.channels * x.bytes
        for t in tiles
        for x, b in zip(work.inputs, t.inputs, strict=True)
        if b.fresh
    )
    assert measured.input_bytes == loaded
    assert measured.output_bytes == work.outputs * work.out_bytes
    assert measured.weight_bytes == sum(
        t.weights.length for t in tiles if t.weights and t.weights.fresh
    )
    assert measured.dma_bytes >= measured.input_bytes + measured.output_bytes
    assert max(measured.compute_cycles, measured.dma_cycles) <= measured.cycles


def shares(work: Work, pixels: int, channels: int, cores: int) -> list[int]:
    """Cycles of every core, by giving them their parts one after another."""

    def parts(count: int, multiple: int, among: int) -> list[int]:
        groups = -(-count // multiple)
        each = -(-groups // among) * multiple
        return [max(0, min(each, count - core * each)) for core in range(among)]

    blocks = -(-channels // work.granule)
    if work.split == "outputs":
        return [part * work.cycles_per_output for part in parts(pixels * channels, 1, cores)]
    if work.split == "pixels":
        areas = product(parts(pixels, work.pixel_granule, cores), [blocks])
    elif work.split == "channels":
        areas = product([pixels], parts(blocks, 1, cores))
    else:
        across = min(-(-pixels // work.pixel_granule), cores)
        down = parts(blocks, 1, cores // across)
        areas = product(parts(pixels, work.pixel_granule, across), down)
    each = work.granule * work.cycles_per_output
    return [a * (work.cycles_per_pixel + b * each) if b else 0 for a, b in areas]


@given(works(), st.integers(1, 60), st.integers(1, 40), st.sampled_from([1, 2, 3, 8]))
def test_the_busiest_core(work, pixels, channels, cores):
    cycles = shares(work, pixels, channels, cores)
    expected = max(cycles), sum(n > 0 for n in cycles)
    assert share(work, pixels, channels, cores) == expected
    arrays = np.broadcast_arrays(
        *share(work, np.array([pixels, pixels]), np.array([[channels]]), cores), np.zeros((1, 2))
    )[:2]
    assert [array.tolist() for array in arrays] == [[[n, n]] for n in expected]


@given(tilings(), st.integers(1, 8))
def test_the_time_is_that_of_a_pipeline(case, cores):
    """Plays it: a transfer engine and the cores, which wait for each other once a tile."""
    work, tiling = case
    memory = Memory(1 << 20, cores=cores)
    tiles = expand(work, tiling)

    def moved(transfer: Transfer) -> int:
        lines = transfer.lines * -(-transfer.length // 8)
        return transfer.planes * (16 + lines)

    def load(t) -> int:
        weights = [16 + -(-t.weights.length // 8)] if t.weights and t.weights.fresh else []
        return sum([moved(x.transfer) for x in t.inputs if x.fresh] + weights)

    clock = load(tiles[0]) + (16 + -(-work.constant_bytes // 8) if work.constant_bytes else 0)
    for before, now, after in zip([None, *tiles], tiles, [*tiles[1:], None], strict=False):
        transfers = (load(after) if after else 0) + (moved(before.output.transfer) if before else 0)
        pixels = now.output.height * now.output.width
        cycles = shares(work, pixels, now.output.channels, cores)
        delay = max(cycles) * sum(n > 0 for n in cycles) // 10
        clock += max(300 + max(cycles), transfers + delay)
    clock += moved(tiles[-1].output.transfer)
    assert measure(work, tiling, memory).cycles == clock
