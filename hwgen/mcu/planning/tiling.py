"""Which tiles a layer is cut into, so that they fit fast memory and keep cores and DMA busy.

As in DORY (Burrello et al., IEEE Transactions on Computers 70, 2021) the choice is a constraint
program: what a tile holds must fit, and the estimated time of :mod:`.cost` is to be least.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from ...errors import Unsupported
from .cost import Costs, costs
from .layout import Memory, lay_out, measure, smallest
from .solver import import_cp_model, solve
from .tiles import Tiling, Work

__all__ = ["NoTile", "best_choice", "random_tiling", "tile"]

EFFORT = 4.0  # deterministic seconds; most layers need a fiftieth
MANY = 500  # tiles, whose tables begin to fill L2


class NoTile(Unsupported):
    """Not even a layer's smallest tile fits.

    Attributes
    ----------
    missing
        Bytes of L1 with which it would.
    """

    def __init__(self, text: str, missing: int) -> None:
        super().__init__(text)
        self.missing = missing


def tile(work: Work, memory: Memory, where: str = "layer", chunk: int | None = None) -> Tiling:
    """The tiling of least time; that of most layers which fit as a whole is one tile.

    Parameters
    ----------
    work, memory
        The layer and the target.
    where
        What messages call the layer.
    chunk
        If given, the weights of each channel tile come from L3 while the layer runs, and are at
        most so many bytes. If None, all weights lie in L2 when the layer starts.

    Raises
    ------
    Unsupported
        The weights of a channel are more than ``chunk``.
    NoTile
        Not even the smallest tile fits; the message says what would.
    MissingTool
        OR-tools is needed and not installed.
    """
    limit, from_l3 = work.channels, chunk is not None
    if chunk is not None and work.weights(limit) > chunk:
        limit = chunk // work.weight_bytes * work.granule if "channels" in work.axes else 0
        if not limit:
            raise Unsupported(_chunk_refusal(work, where, chunk))
    least = smallest(work, limit)
    if least.l1_bytes > memory.l1:
        raise NoTile(_refusal(work, least, memory, where), least.l1_bytes - memory.l1)
    table = costs(work, memory, limit, from_l3)
    if limit == work.channels and table.memory.flat[0] <= memory.l1:
        # No tiling computes less or moves less than one tile; some hide more of the transfers.
        bound = max(table.compute.flat[0], table.transfers.flat[0])
        if table.time.flat[0] <= bound + bound // 16:
            return measure(work, lay_out(work, *table.choice(0)), memory, from_l3)
    best = best_choice(table, memory.l1)
    tiling = least if best is None else lay_out(work, *table.choice(best))
    return measure(work, tiling, memory, from_l3)


def best_choice(table: Costs, l1: int) -> int | None:
    """The choice of least price that fits, the first of several; None if none was found.

    One variable says which number of rows is chosen and one which of the combinations of
    everything else; the chosen rows turn on the constraints that hold for them.
    """
    cp_model = import_cp_model()
    count = len(table.axes[0])
    price, memory = table.price.reshape(count, -1), table.memory.reshape(count, -1)
    fits = memory <= l1
    rows, others = (np.flatnonzero(fits.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    others = others[_undominated(price[:, others], memory[:, others])]
    model, weighted_sum = cp_model.CpModel(), cp_model.LinearExpr.weighted_sum
    is_row = [model.new_bool_var(f"rows {i}") for i in rows]
    is_other = [model.new_bool_var(f"others {i}") for i in others]
    least = model.new_int_var(0, int(price[fits].max()), "price")
    model.add_exactly_one(is_row)
    model.add_exactly_one(is_other)
    for chosen, i in zip(is_row, rows, strict=True):
        needs, takes = (weighted_sum(is_other, table[i, others]) for table in (memory, price))
        model.add(needs <= l1).only_enforce_if(chosen)
        model.add(takes <= least).only_enforce_if(chosen)
    number = weighted_sum(is_row, rows * price.shape[1]) + weighted_sum(is_other, others)
    model.minimize(least * price.size + number)
    solver = solve(model, EFFORT)
    return None if solver is None else solver.value(number)


def _undominated(price: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Numbers of the columns without those that an earlier column never is worse than."""
    both = np.concatenate([price, memory])
    kept, left = [], np.arange(both.shape[1])
    while left.size:
        first, left = left[0], left[1:]
        kept.append(first)
        left = left[(both[:, left] < both[:, [first]]).any(axis=0)]
    return np.array(kept)


def random_tiling(work: Work, memory: Memory, rng: random.Random) -> Tiling:
    """Any tiling that fits, small tiles as likely as large ones, but few that are very many.

    Parameters
    ----------
    work, memory
        The layer and the target.
    rng
        Source of the choices.

    Raises
    ------
    NoTile
        Not even the smallest tile fits.
    """

    def size(axis: str, extent: int, granule: int = 1) -> int:
        if axis not in work.axes:
            return extent
        units = -(-extent // granule)
        return min(round(units ** rng.random()) * granule, extent)

    for _ in range(100):
        sizes = size("rows", work.rows), size("columns", work.columns)
        channels = size("channels", work.channels, work.granule)
        tiling = lay_out(work, *sizes, channels, rng.choice(("weights", "inputs")))
        if tiling.l1_bytes <= memory.l1 and tiling.tiles <= MANY:
            return measure(work, tiling, memory)
    least = smallest(work)
    if least.l1_bytes > memory.l1:
        raise NoTile(_refusal(work, least, memory, "layer"), least.l1_bytes - memory.l1)
    return measure(work, least, memory)


def _refusal(work: Work, least: Tiling, memory: Memory, where: str) -> str:
    """Why the smallest tile does not fit, in numbers, and what would."""
    boxes = [
        *(
            (f"input{i + 1 if len(work.inputs) > 1 else ''}", block)
            for i, block in enumerate(least.inputs)
        ),
        ("weights", least.weights),
        ("output", least.output),
        ("constants", least.constants),
        ("buffers of the cores", least.scratch),
    ]
    parts = ", ".join(
        f"{name} {'2 x ' if block.copies == 2 else ''}{block.size}"
        for name, block in boxes
        if block is not None
    )
    changes = [f"L1 larger by {least.l1_bytes - memory.l1} bytes"]
    if (inputs := _most_inputs(work, memory)) > 0:
        changes.append(f"at most {inputs} input channels instead of {work.inputs[0].channels}")
    if (cores := _most_cores(work, memory)) > 0:
        changes.append(f"at most {cores} core{'s' * (cores > 1)} instead of {memory.cores}")
    return (
        f"{where}: its smallest tile, {least.rows}x{least.columns}x{least.channels} outputs, needs "
        f"{least.l1_bytes} bytes of L1, of which {memory.l1} are free ({parts}); "
        f"what would fit: {', or '.join(changes)}"
    )


def _chunk_refusal(work: Work, where: str, chunk: int) -> str:
    one, every = work.weight_bytes, work.weights(work.channels)
    needs = f"the weights of {min(work.granule, work.channels)} channels need {one} bytes"
    if "channels" not in work.axes:
        needs = f"the weights need {every} bytes and the layer cannot be cut along its channels"
    return (
        f"{where}: weights that come from L3 pass through L2, where {chunk} bytes are free, but "
        f"{needs}; use a target with more L2, or fewer input channels"
    )


def _most_inputs(work: Work, memory: Memory) -> int:
    """The most input channels with which some tile fits; 0 if that is not what is too large."""
    if len(work.inputs) != 1 or work.inputs[0].groups != 1 or not work.weight_bytes:
        return 0
    x = work.inputs[0]

    def fits(channels: int) -> bool:
        fewer = replace(
            work,
            inputs=(replace(x, channels=channels),),
            weight_bytes=-(-work.weight_bytes * channels // x.channels),
            scratch_bytes=-(-work.scratch_bytes * channels // x.channels),
        )
        return smallest(fewer).l1_bytes <= memory.l1

    return _most(fits, x.channels - 1)


def _most_cores(work: Work, memory: Memory) -> int:
    """The most cores whose buffers and stacks leave room for a tile; 0 if there are none."""

    def fits(cores: int) -> bool:
        fewer = memory.cores - cores
        scratch = work.scratch_bytes - work.core_bytes * fewer
        free = memory.l1 + memory.stack * fewer
        return smallest(replace(work, scratch_bytes=scratch)).l1_bytes <= free

    return _most(fits, memory.cores - 1)


def _most(holds, limit: int) -> int:
    """The largest number up to ``limit`` for which a condition holds that holds up to some number."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
