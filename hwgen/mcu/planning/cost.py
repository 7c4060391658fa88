"""The time and the fast memory of every tiling that a layer is offered.

They are those of a pipeline in which transfers and computing overlap, but for the first load and
the last store, which no computing hides, and for the last tile, which hides no load. Cores that
compute delay the transfers, whose banks of fast memory they use:

    time = max(compute + exposed, max(transfers, transfers from L3) + delay + last tile)

Tables have an axis for each choice: the rows, columns and channels of a tile, and the order
of the loops. All counts are exact but where a tensor's edge makes one tile's box
empty or equal to the next one's; a walk over the tiles (:func:`.layout.measure`) counts those too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from .layout import TILE_CYCLES, Memory, parts, share, windows
from .tiles import ALIGN, Operand, Order, Work, channel_range

__all__ = ["Choice", "Costs", "costs", "sizes"]

FEW = 16  # so many sizes along an axis are all tried
FINEST = 256  # parts of an axis at most
TABLE_PRICE = 100  # cycles that a tile less is worth, for some 100 bytes of tables in L2

Choice = tuple[int, int, int, Order]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a layer can choose from.

    Attributes
    ----------
    axes
        The values of each choice, those to prefer between equals first.
    time, compute, transfers
        Cycles in all, of the cores alone and of the transfers alone; an axis for every choice.
    memory, tiles
        Bytes of fast memory and number of tiles, likewise.
    """

    axes: tuple[tuple, ...]
    time: np.ndarray
    compute: np.ndarray
    transfers: np.ndarray
    memory: np.ndarray
    tiles: np.ndarray

    @property
    def price(self) -> np.ndarray:
        """What is to be least: the time, and some for what takes no time but energy and memory.

        These are transfers that computing hides, and the tables of the tiles.
        """
        return self.time + self.transfers // 8 + TABLE_PRICE * self.tiles

    def choice(self, number: int) -> Choice:
        """The choice at that place of the flattened tables."""
        place = np.unravel_index(number, self.time.shape)
        return tuple(axis[i] for axis, i in zip(self.axes, place, strict=True))


def sizes(extent: int, granule: int, cores: int) -> tuple[int, ...]:
    """Sizes of a tile along an axis that are worth a try, descending.

    All multiples of the granule where they are few. Else those that make parts as equal as can
    be, and the multiples of granule and cores next to them.
    """
    units = -(-extent // granule)
    most = min(units, FINEST)
    found = set(range(1, units + 1)) if units <= FEW else {-(-units // most)}
    count = 1
    while count < most and units > FEW:
        even = -(-units // count)
        found |= {even, min(-(-even // cores) * cores, units)}
        count = max(count + 1, count * 5 // 4)
    return tuple(sorted({min(n * granule, extent) for n in found}, reverse=True))


def costs(work: Work, memory: Memory, limit: int | None = None, from_l3: bool = False) -> Costs:
    """The tables of a layer.

    Parameters
    ----------
    work, memory
        The layer and the target.
    limit
        Most channels of a tile; all if None. A multiple of the granule, or all channels.
    from_l3
        Whether the weights of each channel tile come from L3 while the layer runs; they are
        then read once only.
    """
    extents = (("rows", work.rows, 1), ("columns", work.columns, 1))
    extents = (*extents, ("channels", work.channels, work.granule))
    heights, widths, depths = (
        sizes(extent, granule, memory.cores) if axis in work.axes else (extent,)
        for axis, extent, granule in extents
    )
    if limit is not None and limit < work.channels:
        depths = (limit, *(n for n in depths if n < limit))
    orders: tuple[Order, ...] = ("weights",) if from_l3 else ("weights", "inputs")
    return _Tables(work, memory, (heights, widths, depths, orders)).costs(from_l3)


class _Tables:
    """Adds up the tables, operand by operand.

    Arrays that do not depend on some of the choices have axes of length 1 for those.
    """

    def __init__(self, work: Work, memory: Memory, axes: tuple[tuple, ...]) -> None:
        self.work, self.memory, self.axes = work, memory, axes
        heights, widths, depths, _ = axes
        # Lengths of all parts, for every size.
        self.rows = [_lengths(work.rows, n) for n in heights]
        self.columns = [_lengths(work.columns, n) for n in widths]
        self.channels = [_lengths(work.channels, n) for n in depths]
        self.row_tiles, self.column_tiles, self.channel_tiles = (
            _along(axis, [len(n) for n in lengths])
            for axis, lengths in enumerate((self.rows, self.columns, self.channels))
        )
        self.pixel_tiles = self.row_tiles * self.column_tiles
        self.tiles = self.pixel_tiles * self.channel_tiles
        shape = tuple(len(axis) for axis in axes)
        self.transfers, self.exposed = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        fixed = _blocks(work.constant_bytes) + _blocks(work.scratch_bytes)
        self.bytes = np.full(shape, fixed, np.int64)

    def costs(self, from_l3: bool) -> Costs:
        work, memory = self.work, self.memory
        if work.constant_bytes:
            cycles = memory.cycles(work.constant_bytes)
            self.transfers += cycles
            self.exposed += cycles
        for x in work.inputs:
            self._input(x)
        if work.weight_bytes:
            self._weights()
        self._output()
        transfers = self.transfers
        if from_l3:
            l3 = memory.l3_cycles(work.weights(work.channels))
            transfers = np.maximum(transfers, l3 + memory.l3_setup * (self.channel_tiles - 1))
        compute, delay = np.broadcast_arrays(*self._compute(), transfers)[:2]
        last, delay = compute // self.tiles, delay - delay // self.tiles
        time = np.maximum(compute + self.exposed, transfers + delay + last)
        tiles = np.broadcast_to(self.tiles, transfers.shape)
        return Costs(self.axes, time, compute, self.transfers, self.bytes, tiles)

    def _compute(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the core with the largest share and what every tile takes beside; and the delay."""
        memory = self.memory
        total, delay = TILE_CYCLES * self.tiles, 0
        kinds = (_kinds(i, a) for i, a in enumerate((self.rows, self.columns, self.channels)))
        for (rows, m), (columns, n), (channels, k) in product(*kinds):
            cycles, busy = share(self.work, rows * columns, channels, memory.cores)
            total = total + m * n * k * cycles
            delay = delay + m * n * k * memory.delay(cycles, busy)
        return total, delay

    def _input(self, x: Operand) -> None:
        work = self.work
        heights, widths, depths, orders = self.axes
        tall = [[n for _, n in windows(work, 0, size, x.height)] for size in heights]
        wide = [[n for _, n in windows(work, 1, size, x.width)] for size in widths]
        deep = [[channel_range(work, x, *part) for part in parts(work.channels, n)] for n in depths]
        counts = np.array(
            [[[self._pass(x, w, d, order) for order in orders] for d in deep] for w in wide]
        )
        every, last, first = np.moveaxis(counts, 3, 0)[:, None]
        sums = ((map(sum, tall), every), (map(_last, tall), -last), (map(_first, tall), -first))
        for rows, cycles in sums:
            self.transfers += _along(0, rows) * cycles[..., 0]
        self.transfers += self.row_tiles * every[..., 1] - last[..., 1] - first[..., 1]
        start = self._boxes(x, [w[0] for w in wide], [d[0][1] for d in deep])
        self.exposed += _along(0, map(_first, tall)) * start[0] + start[1]
        box = _along(0, map(max, tall)) * _along(1, map(max, wide))
        box = box * _along(2, [max(n for _, n in d) for d in deep])
        is_cut = self.pixel_tiles > 1
        if x.groups > 1:
            is_cut = is_cut | (self.channel_tiles > 1)
        self._need(box * x.bytes + x.slack, is_cut)

    def _pass(self, x: Operand, widths: list[int], ranges: list, order: Order) -> np.ndarray:
        """Cycles of all boxes along columns and channels, for a row and beside the rows.

        Two more such pairs are saved where the loop over pixels turns round: of the last and of
        the first tile of the pixels, which are there already.
        """
        turns = {i: a for i, (a, b) in enumerate(pairwise(ranges)) if a == b}
        if order == "inputs":  # the next channel tile finds its input in place
            ranges = [a for i, a in enumerate(ranges) if i not in turns]
            turns = {}
        cycles = np.zeros((3, 2), np.int64)
        cycles[0] = self._sum(x, widths, [depth for _, depth in ranges])
        for i, (_, depth) in turns.items():
            cycles[1 + i % 2] += self._box(x, widths[0 if i % 2 else -1], depth)
        return cycles

    def _sum(self, x: Operand, widths: list[int], depths: list[int]) -> tuple[int, int]:
        """Cycles of all boxes of these widths and depths, for a row and beside the rows."""
        rows = beside = 0
        for (w, m), (d, n) in product(Counter(widths).items(), Counter(depths).items()):
            row, once = self._box(x, w, d)
            rows, beside = rows + m * n * row, beside + m * n * once
        return rows, beside

    def _box(self, x: Operand, width: int, depth: int) -> tuple[int, int]:
        """Cycles that every row of a box takes, and those beside the rows.

        The pixels of a row join if all channels are wanted. Rows are one transfer if they or
        their pixels join, else one each.
        """
        is_deep = depth == x.channels
        lines, length = (1, width * depth) if is_deep else (width, depth)
        row = lines * -(-length * x.bytes // self.memory.dma_bytes)
        setup = self.memory.dma_setup
        return (row, setup) if is_deep or width in (1, x.width) else (row + setup, 0)

    def _boxes(self, x: Operand, widths: Sequence[int], depths: Sequence[int]) -> np.ndarray:
        """The same of one box, for every choice of columns and channels."""
        cycles = np.array([[self._box(x, w, d) for d in depths] for w in widths])
        return np.moveaxis(cycles, 2, 0)[:, None, ..., None]

    def _weights(self) -> None:
        work, memory = self.work, self.memory
        loads = [[memory.cycles(work.weights(n)) for n in channels] for channels in self.channels]
        once, first, last = (_along(2, map(f, loads)) for f in (sum, _first, _last))
        # Where the loop over channels turns round, the slice is there already.
        turns = self.pixel_tiles - 1
        again = self.pixel_tiles * once - (turns + 1) // 2 * last - turns // 2 * first
        is_again = np.array([order == "inputs" for order in self.axes[3]])
        self.transfers += np.where(is_again & (self.channel_tiles > 1), again, once)
        self.exposed += first
        self._need(_along(2, [work.weights(n) for n in self.axes[2]]), self.channel_tiles > 1)

    def _output(self) -> None:
        work = self.work
        heights, widths, depths, _ = self.axes
        y = Operand(work.rows, work.columns, work.channels, work.out_bytes)
        counts = [[self._sum(y, w, d) for d in self.channels] for w in self.columns]
        rows, beside = np.moveaxis(np.array(counts), 2, 0)[:, None, ..., None]
        self.transfers += work.rows * rows + self.row_tiles * beside
        tall = _along(0, heights)
        end = self._boxes(y, widths, depths)
        self.exposed += tall * end[0] + end[1]
        box = tall * _along(1, widths) * _along(2, depths)
        self._need(box * work.out_bytes, self.tiles > 1)

    def _need(self, size: np.ndarray, is_cut: np.ndarray) -> None:
        """Fast memory of an operand: two copies if it is not in one piece."""
        self.bytes += _blocks(size) * np.where(is_cut, 2, 1)


def _along(axis: int, values: Iterable) -> np.ndarray:
    """Numbers for the choices of one axis."""
    array = np.array(list(values), np.int64)
    return array.reshape([-1 if i == axis else 1 for i in range(4)])


def _kinds(axis: int, lengths: Sequence[list[int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sizes of the first and of the last parts along an axis, and how many have that size."""
    counts = [len(parts) - parts.count(parts[-1]) for parts in lengths]
    return [
        (_along(axis, map(_first, lengths)), _along(axis, counts)),
        (
            _along(axis, map(_last, lengths)),
            _along(axis, map(list.count, lengths, map(_last, lengths))),
        ),
    ]


def _lengths(extent: int, size: int) -> list[int]:
    return [n for _, n in parts(extent, size)]


def _first(values: list[int]) -> int:
    return values[0]


def _last(values: list[int]) -> int:
    return values[-1]


def _blocks(size):
    return -(-size // ALIGN) * ALIGN
