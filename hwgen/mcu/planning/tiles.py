"""A layer cut into tiles: what must be known of the layer, and what every tile moves and computes.

Tensors lie in memory as rows of columns of channels. A tile is a box of the output; the boxes of
the inputs follow from it. Nothing here knows an op: each op describes itself as :class:`Work`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "ALIGN",
    "Block",
    "Box",
    "Operand",
    "Slice",
    "Tile",
    "Tiling",
    "Transfer",
    "Work",
    "channel_range",
    "expand",
    "window",
]

ALIGN = 8  # bytes; of every block of fast memory, as the widest integers need it

Order = Literal["weights", "inputs"]
Split = Literal["outputs", "pixels", "channels", "area"]


@dataclass(frozen=True, slots=True)
class Operand:
    """An input of a layer.

    Attributes
    ----------
    height, width, channels
        Of the whole tensor; 1, 1, n for a vector.
    bytes
        Of an element.
    groups
        Outputs and channels are divided into this many groups, and the outputs of a group need
        the channels of that group: 1 if every output needs every channel (convolution, dense);
        the number of outputs if output channel i needs channel i (pooling, add, and a depthwise
        convolution).
    slack
        Bytes behind a tile in fast memory that may be read (their contents do not matter).
    """

    height: int
    width: int
    channels: int
    bytes: int = 1
    groups: int = 1
    slack: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What the tiler must know of one layer.

    Attributes
    ----------
    rows, columns, channels
        Of the output; 1, 1, n for a vector.
    inputs
        What is read, beside the weights.
    granule
        Channels of a tile are a multiple of this, but for the last tile.
    kernel, stride, padding
        Geometry between rows (first number) or columns (second) of the inputs and the output:
        output row r needs input rows r * stride - padding to r * stride - padding + kernel - 1.
        With dilation, ``kernel`` is the whole extent.
    out_bytes
        Of an output element.
    weight_bytes
        Weights of ``granule`` output channels, 0 if there are none. The last granule is stored
        whole.
    constant_bytes
        Copied to fast memory once, when the layer starts.
    scratch_bytes
        Fast memory that the cores need beside the tiles, whatever the tiles are.
    core_bytes
        Of it, what every core has for itself.
    cycles_per_output, cycles_per_pixel
        Of one core, for an output element, and for every pixel of a tile beside its elements
        (such as the gathering of its window); only for estimates.
    axes
        Along which of rows, columns, channels the output may be cut.
    split
        What of a tile the cores share: its ``outputs`` one by one, its ``pixels``, the granules
        of its ``channels``, or an ``area``: pixels and, where these are few, channels too.
    pixel_granule
        A core's share of the pixels is a multiple of this.
    """

    rows: int
    columns: int
    channels: int
    inputs: tuple[Operand, ...]
    granule: int = 1
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    out_bytes: int = 1
    weight_bytes: int = 0
    constant_bytes: int = 0
    scratch_bytes: int = 0
    core_bytes: int = 0
    cycles_per_output: int = 1
    cycles_per_pixel: int = 0
    axes: tuple[Literal["rows", "columns", "channels"], ...] = ("rows", "columns", "channels")
    split: Split = "outputs"
    pixel_granule: int = 1

    def weights(self, channels: int) -> int:
        """Bytes of the weights of that many output channels."""
        return -(-channels // self.granule) * self.weight_bytes

    @property
    def outputs(self) -> int:
        return self.rows * self.columns * self.channels


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of fast memory that one operand's tiles occupy.

    Attributes
    ----------
    offset
        Bytes from the start of the fast memory given to the layer; a multiple of ``ALIGN``.
    size
        Bytes of one copy, a multiple of ``ALIGN``.
    copies
        2 if one is filled or emptied while the other is worked on; the second follows the first.
    """

    offset: int
    size: int
    copies: int = 1

    @property
    def end(self) -> int:
        return self.offset + self.copies * self.size

    def at(self, buffer: int) -> int:
        """Offset of copy 0 or 1."""
        return self.offset + buffer * self.size


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a layer is cut, and where its tiles lie in fast memory.

    Attributes
    ----------
    rows, columns, channels
        Of a full tile of the output; the last along an axis may be smaller.
    order
        What is loaded once: ``weights``: channels are the outermost loop, then rows, then columns;
        ``inputs``: channels are the innermost loop. Every other pass of an inner loop runs
        backwards, so that the tile at the turn is not loaded again.
    inputs, weights, output, constants, scratch
        Fast memory; None for what the layer has not.
    l1_bytes
        Fast memory in all.
    tiles
        How many there are.
    input_bytes, weight_bytes, constant_bytes, output_bytes
        Moved between slow and fast memory by the whole layer.
    compute_cycles, dma_cycles, cycles
        Estimates: of the cores, of the transfers, and of both when they overlap.
    """

    rows: int
    columns: int
    channels: int
    order: Order
    inputs: tuple[Block, ...]
    weights: Block | None
    output: Block
    constants: Block | None
    scratch: Block | None
    l1_bytes: int
    tiles: int
    input_bytes: int = 0
    weight_bytes: int = 0
    constant_bytes: int = 0
    output_bytes: int = 0
    compute_cycles: int = 0
    dma_cycles: int = 0
    cycles: int = 0

    @property
    def dma_bytes(self) -> int:
        return self.input_bytes + self.weight_bytes + self.constant_bytes + self.output_bytes


@dataclass(frozen=True, slots=True)
class Transfer:
    """A box of a tensor as the DMA engine moves it; its image in fast memory is packed.

    Attributes
    ----------
    length
        Bytes of a line.
    lines, stride
        Lines of a plane, and bytes from the start of one to the next in slow memory.
    planes, plane_stride
        Two-dimensional transfers, and bytes from the start of one to the next in slow memory.
    """

    length: int
    lines: int = 1
    stride: int = 0
    planes: int = 1
    plane_stride: int = 0

    @property
    def bytes(self) -> int:
        return self.length * self.lines * self.planes


@dataclass(frozen=True, slots=True)
class Box:
    """Part of an input or of the output.

    Attributes
    ----------
    row, height, column, width, channel, channels
        The part, clipped to the tensor. Height and width are 0 if nothing of the tensor is needed.
    top, left
        Rows and columns of the windows that lie before the part: zero padding. Input row i of the
        part is met by tap k of the tile's output row r where r * stride + k - top = i; taps
        that fall outside 0 to height - 1 see padding.
    offset
        Elements from the start of the tensor to the part.
    transfer
        How it is moved.
    fresh
        Whether it must be moved: not if the tile before left it in place, nor if it is empty.
    buffer
        Which copy in fast memory, 0 or 1.
    """

    row: int
    height: int
    column: int
    width: int
    channel: int
    channels: int
    top: int
    left: int
    offset: int
    transfer: Transfer
    fresh: bool
    buffer: int

    @property
    def place(self) -> tuple[int, int, int, int]:
        """What tells parts of one tensor apart."""
        return self.offset, self.height, self.width, self.channels


@dataclass(frozen=True, slots=True)
class Slice:
    """The weights of a tile.

    Attributes
    ----------
    offset, length
        Bytes, from the start of the layer's weights.
    fresh, buffer
        As of a :class:`Box`.
    """

    offset: int
    length: int
    fresh: bool
    buffer: int

    @property
    def place(self) -> tuple[int, int]:
        """What tells slices apart."""
        return self.offset, self.length


@dataclass(frozen=True, slots=True)
class Tile:
    """One step of a layer. The output's box gives its rows, columns and channels."""

    inputs: tuple[Box, ...]
    weights: Slice | None
    output: Box


def window(
    first: int, count: int, kernel: int, stride: int, padding: int, extent: int
) -> tuple[int, int, int]:
    """Which of ``extent`` input rows the output rows from ``first`` need.

    Returns
    -------
    tuple
        The first row, how many, and how many rows of the windows lie before (padding).
    """
    low = first * stride - padding
    # Where the stride is larger than the kernel, rows between windows are not needed.
    reach = max(0, -(-(-low - kernel + 1) // stride))  # first output row that sees the input
    last = min(count - 1, (extent - 1 - low) // stride)
    start = max(0, low + reach * stride)
    end = min(extent, low + last * stride + kernel)
    if reach > last or start >= end:
        return 0, 0, (count - 1) * stride + kernel
    return start, end - start, start - low


def expand(work: Work, tiling: Tiling) -> tuple[Tile, ...]:
    """Every tile, in the order of execution."""
    tiles: list[Tile] = []
    before: Tile | None = None
    for number, (row, column, channel) in enumerate(_corners(work, tiling)):
        rows = min(tiling.rows, work.rows - row)
        columns = min(tiling.columns, work.columns - column)
        channels = min(tiling.channels, work.channels - channel)
        inputs = tuple(
            _input(work, x, row, rows, column, columns, channel, channels) for x in work.inputs
        )
        weights = None
        if work.weight_bytes:
            weights = Slice(work.weights(channel), work.weights(channels), True, 0)
        if before is not None:
            pairs = zip(inputs, before.inputs, tiling.inputs, strict=True)
            inputs = tuple(_continue(box, old, block) for box, old, block in pairs)
            if weights is not None:
                weights = _continue(weights, before.weights, tiling.weights)
        buffer = number % tiling.output.copies
        whole = (work.rows, work.columns, work.channels)
        box = (row, rows, column, columns, channel, channels)
        output = _box(whole, work.out_bytes, box, 0, 0, buffer)
        before = Tile(inputs, weights, output)
        tiles.append(before)
    return tuple(tiles)


def _corners(work: Work, tiling: Tiling) -> Iterator[tuple[int, int, int]]:
    """First row, column and channel of each tile; inner loops turn round at their ends."""
    rows = range(0, work.rows, tiling.rows)
    columns = range(0, work.columns, tiling.columns)
    channels = range(0, work.channels, tiling.channels)
    pixels = [(r, c) for r in rows for c in columns]
    if tiling.order == "weights":
        for i, k in enumerate(channels):
            for r, c in pixels[:: -1 if i % 2 else 1]:
                yield r, c, k
    else:
        for i, (r, c) in enumerate(pixels):
            for k in channels[:: -1 if i % 2 else 1]:
                yield r, c, k


def _input(
    work: Work,
    x: Operand,
    row: int,
    rows: int,
    column: int,
    columns: int,
    channel: int,
    channels: int,
) -> Box:
    (kh, kw), (sh, sw), (ph, pw) = work.kernel, work.stride, work.padding
    y, height, top = window(row, rows, kh, sh, ph, x.height)
    z, width, left = window(column, columns, kw, sw, pw, x.width)
    if not height or not width:
        y = height = z = width = 0
    k, depth = channel_range(work, x, channel, channels)
    whole = (x.height, x.width, x.channels)
    return _box(whole, x.bytes, (y, height, z, width, k, depth), top, left, 0)


def channel_range(work: Work, x: Operand, channel: int, channels: int) -> tuple[int, int]:
    """The first channel of ``x`` that these output channels need, and how many."""
    outputs, depth = work.channels // x.groups, x.channels // x.groups
    first = channel // outputs
    return first * depth, ((channel + channels - 1) // outputs + 1 - first) * depth


def _box(
    whole: tuple[int, int, int],
    bytes: int,
    box: tuple[int, int, int, int, int, int],
    top: int,
    left: int,
    buffer: int,
) -> Box:
    """A box of a tensor of ``whole`` rows, columns, channels, with its offset and transfer."""
    _, width, depth = whole
    row, height, column, columns, channel, channels = box
    offset = (row * width + column) * depth + channel
    if not height:
        return Box(*box, top, left, 0, Transfer(0, 0, 0, 0, 0), False, buffer)
    length = channels * bytes
    repeats: list[tuple[int, int]] = []  # count, stride
    for count, stride in ((columns, depth * bytes), (height, width * depth * bytes)):
        if count == 1:
            continue
        if not repeats and stride == length:
            length *= count
        elif repeats and stride == repeats[0][0] * repeats[0][1]:
            repeats[0] = (repeats[0][0] * count, repeats[0][1])
        else:
            repeats.append((count, stride))
    transfer = Transfer(length, *(n for repeat in repeats for n in repeat))
    return Box(*box, top, left, offset, transfer, True, buffer)


def _continue(now: Box | Slice, old: Box | Slice, block: Block) -> Box | Slice:
    """A part as it follows on that of the tile before: kept where it is, or in the other copy."""
    fresh = now.fresh and now.place != old.place
    return replace(now, fresh=fresh, buffer=(old.buffer + fresh) % block.copies)
