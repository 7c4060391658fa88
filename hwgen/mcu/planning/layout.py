"""Where the tiles of a layer lie in fast memory, and what moving and computing them takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np

from .tiles import (
    ALIGN,
    Block,
    Box,
    Order,
    Tile,
    Tiling,
    Work,
    channel_range,
    expand,
    window,
)

__all__ = [
    "TILE_CYCLES",
    "Memory",
    "lay_out",
    "measure",
    "parts",
    "share",
    "smallest",
    "windows",
]

# Measured on the simulated cluster, dense layers and convolutions of 1 to 64 tiles.
TILE_CYCLES = 300  # barriers and the programming of the transfers, for each tile
CONTENTION = 10  # cores that compute keep the DMA engine from L1 for one cycle in this many each


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory and cores of a target.

    Attributes
    ----------
    l1, l2, l3
        Bytes that are free for a layer, for constants and activations, and for weights.
    cores
        That share a tile.
    stack
        Bytes of L1 that one more core takes.
    dma_bytes, dma_setup
        Bytes a cycle between L1 and L2, and cycles to start a transfer.
    l3_bytes, l3_setup
        The same between L2 and L3. These transfers run beside those of L1.
    """

    l1: int
    l2: int = 0
    l3: int = 0
    cores: int = 1
    stack: int = 0
    dma_bytes: int = 8
    dma_setup: int = 16
    l3_bytes: int = 1
    l3_setup: int = 100

    def cycles(self, length: int, lines: int = 1, planes: int = 1) -> int:
        """Of transfers between L1 and L2, of so many lines of so many bytes."""
        return planes * (self.dma_setup + lines * -(-length // self.dma_bytes))

    def delay(self, cycles, cores):
        """Cycles that transfers lose to cores which compute meanwhile; of numbers or arrays."""
        return cycles * np.minimum(cores, CONTENTION) // CONTENTION

    def l3_cycles(self, length: int, transfers: int = 1) -> int:
        """Of transfers from L3 of so many bytes in all."""
        return transfers * self.l3_setup + -(-length // self.l3_bytes)


def lay_out(work: Work, rows: int, columns: int, channels: int, order: Order) -> Tiling:
    """The tiling with full tiles of that size: its blocks in fast memory, without estimates.

    An operand has two copies if it has more than one tile.
    """
    tall, wide, deep = rows < work.rows, columns < work.columns, channels < work.channels
    sizes = []
    for x in work.inputs:
        height = max(n for _, n in windows(work, 0, rows, x.height))
        width = max(n for _, n in windows(work, 1, columns, x.width))
        depth = max(channel_range(work, x, *part)[1] for part in parts(work.channels, channels))
        copies = 2 if tall or wide or (deep and x.groups > 1) else 1
        sizes.append((height * width * depth * x.bytes + x.slack, copies))
    blocks: list[Block] = []
    end = 0
    for size, copies in (
        (work.constant_bytes, 1),
        (work.scratch_bytes, 1),
        *sizes,
        (work.weights(channels), 2 if deep else 1),
        (rows * columns * channels * work.out_bytes, 2 if tall or wide or deep else 1),
    ):
        block = Block(end, -(-size // ALIGN) * ALIGN, copies)
        blocks.append(block)
        end = block.end
    constants, scratch, *inputs, weights, output = blocks
    cuts = ((work.rows, rows), (work.columns, columns), (work.channels, channels))
    return Tiling(
        rows,
        columns,
        channels,
        order,
        tuple(inputs),
        weights if work.weight_bytes else None,
        output,
        constants if work.constant_bytes else None,
        scratch if work.scratch_bytes else None,
        l1_bytes=end,
        tiles=prod(-(-whole // part) for whole, part in cuts),
    )


def smallest(work: Work, limit: int | None = None) -> Tiling:
    """The legal tiling that needs the least fast memory, of at most ``limit`` channels if given.

    Along each axis that is either the least part or the whole, which needs no second copy.
    """
    choices = [
        (least, whole) if name in work.axes else (whole,)
        for name, least, whole in (
            ("rows", 1, work.rows),
            ("columns", 1, work.columns),
            ("channels", min(work.granule, work.channels), work.channels),
        )
    ]
    if limit is not None and limit < work.channels:
        choices[2] = choices[2][:1]
    found = (lay_out(work, *sizes, "weights") for sizes in product(*choices))
    return min(found, key=lambda tiling: (tiling.l1_bytes, tiling.tiles))


def parts(extent: int, size: int) -> list[tuple[int, int]]:
    """First element and length of every part of ``extent`` elements."""
    return [(first, min(size, extent - first)) for first in range(0, extent, size)]


def windows(work: Work, axis: int, size: int, extent: int) -> list[tuple[int, int]]:
    """First row (axis 0) or column (axis 1) of an input that each part needs, and how many."""
    geometry = work.kernel[axis], work.stride[axis], work.padding[axis], extent
    whole = (work.rows, work.columns)[axis]
    return [window(*part, *geometry)[:2] for part in parts(whole, size)]


def measure(work: Work, tiling: Tiling, memory: Memory, from_l3: bool = False) -> Tiling:
    """``tiling`` with its traffic and estimated cycles, from a walk over the tiles.

    While the cores compute a tile, the inputs of the next come in and the output of the one
    before goes out. With ``from_l3`` each channel tile's weights come from L3 besides.
    """
    tiles = expand(work, tiling)
    loads = [sum(_load_cycles(t, memory)) for t in tiles]
    stores = [_box_cycles(t.output, memory) for t in tiles]
    areas = ((t.output.height * t.output.width, t.output.channels) for t in tiles)
    shares = [share(work, *area, memory.cores) for area in areas]
    computes = [TILE_CYCLES + int(cycles) for cycles, _ in shares]
    delays = [memory.delay(*share) for share in shares]
    constants = memory.cycles(work.constant_bytes) if work.constant_bytes else 0
    cycles = constants + loads[0] + stores[-1]
    for i, (compute, delay) in enumerate(zip(computes, delays, strict=True)):
        ahead = loads[i + 1] if i + 1 < len(tiles) else 0
        behind = stores[i - 1] if i else 0
        cycles += max(compute, ahead + behind + delay)
    slices = [t.weights.length for t in tiles if t.weights and t.weights.fresh]
    if from_l3:
        cycles = max(cycles, memory.l3_cycles(sum(slices), len(slices)))
    return replace(
        tiling,
        input_bytes=sum(x.transfer.bytes for t in tiles for x in t.inputs if x.fresh),
        weight_bytes=sum(slices),
        constant_bytes=work.constant_bytes,
        output_bytes=sum(t.output.transfer.bytes for t in tiles),
        compute_cycles=sum(computes),
        dma_cycles=constants + sum(loads) + sum(stores),
        cycles=int(cycles),
    )


def share(work: Work, pixels, channels, cores: int) -> tuple:
    """What sharing a tile among cores comes to; of numbers or of arrays.

    Returns
    -------
    tuple
        Cycles of the core with the largest share, and how many cores get one. The shares are those
        that ``hwgen_tile.h`` gives.
    """

    def part(count, multiple: int = 1, among=cores):
        most = np.minimum(-(-count // (multiple * among)) * multiple, count)
        return most, -(-count // most)

    def area(pixels, blocks):
        return pixels * (work.cycles_per_pixel + blocks * work.granule * work.cycles_per_output)

    blocks = -(-channels // work.granule)
    if work.split == "outputs":
        most, busy = part(pixels * channels)
        return most * work.cycles_per_output, busy
    if work.split == "pixels":
        most, busy = part(pixels, work.pixel_granule)
        return area(most, blocks), busy
    if work.split == "channels":
        most, busy = part(blocks)
        return area(pixels, most), busy
    across = np.minimum(-(-pixels // work.pixel_granule), cores)
    tall, busy = part(pixels, work.pixel_granule, across)
    wide, down = part(blocks, 1, cores // across)
    return area(tall, wide), busy * down


def _box_cycles(box: Box, memory: Memory) -> int:
    return memory.cycles(box.transfer.length, box.transfer.lines, box.transfer.planes)


def _load_cycles(t: Tile, memory: Memory) -> Iterator[int]:
    yield from (_box_cycles(x, memory) for x in t.inputs if x.fresh)
    if t.weights and t.weights.fresh:
        yield memory.cycles(t.weights.length)
