"""Which tiles a layer is cut into, so that they fit the fast memory and keep the cores busy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from ..errors import Unsupported
from .tiles import Block, Box, Order, Split, Tile, Tiling, Work, channel_range, expand, window

__all__ = ["Memory", "lay_out", "measure", "tile"]

TILE_CYCLES = 300  # fork, barriers and the programming of the transfers, for each tile


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory and cores of a target.

    Attributes
    ----------
    l1, l2, l3
        Bytes that are free for a layer, for constants and activations, and for weights.
    cores
        That share a tile.
    dma_bytes, dma_setup
        Bytes a cycle between L1 and L2, and cycles to start a transfer.
    l3_bytes, l3_setup
        The same between L2 and L3.
    """

    l1: int
    l2: int = 1 << 30
    l3: int = 0
    cores: int = 1
    dma_bytes: int = 8
    dma_setup: int = 16
    l3_bytes: int = 1
    l3_setup: int = 100


def tile(work: Work, memory: Memory, where: str = "layer") -> Tiling:
    """The best tiling of a layer."""
    for split in work.splits:
        whole = lay_out(work, work.rows, work.columns, work.channels, "weights", split)
        if whole.l1_bytes <= memory.l1:
            return measure(work, whole, memory)
    raise Unsupported(f"{where}: does not fit")


def lay_out(
    work: Work, rows: int, columns: int, channels: int, order: Order, split: Split
) -> Tiling:
    """The tiling with full tiles of that size: its blocks in fast memory, without estimates."""
    tall, wide, deep = rows < work.rows, columns < work.columns, channels < work.channels
    cut = tall or wide or deep
    sizes = []
    for x in work.inputs:
        height = max(n for _, n in _windows(work, 0, rows, x.height))
        width = max(n for _, n in _windows(work, 1, columns, x.width))
        depth = max(channel_range(work, x, *part)[1] for part in _parts(work.channels, channels))
        copies = 2 if tall or wide or (deep and x.groups > 1) else 1
        sizes.append((height * width * depth * x.bytes + x.slack, copies))
    blocks: list[Block | None] = []
    end = 0
    for size, copies in (
        (work.constant_bytes, 1),
        (work.scratch_bytes, 1),
        *sizes,
        (work.weights(channels), 2 if deep else 1),
        (rows * columns * channels * work.out_bytes, 2 if cut else 1),
    ):
        block = Block(end, -(-size // 4) * 4, copies)
        blocks.append(block if size else None)
        end = block.end
    constants, scratch, *inputs, weights, output = blocks
    tiles = prod(
        -(-whole // part)
        for whole, part in (
            (work.rows, rows),
            (work.columns, columns),
            (work.channels, channels),
        )
    )
    inputs = tuple(block or Block(0, 0) for block in inputs)
    return Tiling(
        rows,
        columns,
        channels,
        order,
        split,
        inputs,
        weights,
        output,
        constants,
        scratch,
        end,
        tiles,
    )


def _parts(extent: int, size: int) -> list[tuple[int, int]]:
    return [(first, min(size, extent - first)) for first in range(0, extent, size)]


def _windows(work: Work, axis: int, size: int, extent: int) -> list[tuple[int, int]]:
    """First row (axis 0) or column (axis 1) and number of them that each tile needs."""
    geometry = work.kernel[axis], work.stride[axis], work.padding[axis], extent
    whole = (work.rows, work.columns)[axis]
    return [window(*part, *geometry)[:2] for part in _parts(whole, size)]


def measure(work: Work, tiling: Tiling, memory: Memory) -> Tiling:
    """``tiling`` with its traffic and estimated cycles, from a walk over the tiles."""
    tiles = expand(work, tiling)
    loads = [_load_cycles(t, memory) for t in tiles]
    stores = [_box_cycles(t.output, memory) for t in tiles]
    computes = [_compute_cycles(work, t.output, tiling.split, memory) for t in tiles]
    constants = _cycles(work.constant_bytes, memory) if work.constant_bytes else 0
    cycles = constants + loads[0] + stores[-1]
    for i, compute in enumerate(computes):
        ahead = loads[i + 1] if i + 1 < len(tiles) else 0
        behind = stores[i - 1] if i else 0
        cycles += max(compute, ahead + behind) + TILE_CYCLES
    return replace(
        tiling,
        input_bytes=sum(x.transfer.bytes for t in tiles for x in t.inputs if x.fresh),
        weight_bytes=sum(t.weights.length for t in tiles if t.weights and t.weights.fresh),
        constant_bytes=work.constant_bytes,
        output_bytes=sum(t.output.transfer.bytes for t in tiles),
        compute_cycles=sum(computes) + TILE_CYCLES * len(tiles),
        dma_cycles=constants + sum(loads) + sum(stores),
        cycles=cycles,
    )


def _compute_cycles(work: Work, box: Box, split: Split, memory: Memory) -> int:
    """Of one tile, when every core has done its share."""
    shares = {
        "rows": (box.height, box.width, -(-box.channels // work.granule)),
        "columns": (box.width, box.height, -(-box.channels // work.granule)),
        "channels": (-(-box.channels // work.granule), box.height, box.width),
        "pixels": (box.height * box.width, 1, -(-box.channels // work.granule)),
    }
    shared, *rest = shares[split]
    return -(-shared // memory.cores) * prod(rest) * work.granule * work.cycles_per_output


def _cycles(bytes: int, memory: Memory, lines: int = 1, planes: int = 1) -> int:
    """Of transfers of so many lines of so many bytes."""
    return planes * (memory.dma_setup + lines * -(-bytes // memory.dma_bytes))


def _box_cycles(box: Box, memory: Memory) -> int:
    return _cycles(box.transfer.length, memory, box.transfer.lines, box.transfer.planes)


def _load_cycles(t: Tile, memory: Memory) -> int:
    cycles = sum(_box_cycles(x, memory) for x in t.inputs if x.fresh)
    if t.weights and t.weights.fresh:
        cycles += _cycles(t.weights.length, memory)
    return cycles
