"""What the planners decide about memory, checked without them; and tiles at random."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest

from hwgen.mcu import emit as emit_module
from hwgen.mcu.build import CBuild
from hwgen.mcu.planning import memory, tiling
from hwgen.mcu.planning.tiles import Tiling, Work, expand
from hwgen.mcu.target import Target

__all__ = ["check_memory", "check_tiling", "cut_anywhere", "decisions"]


@contextlib.contextmanager
def cut_anywhere(seed: int, share: float = 0.6) -> Iterator[None]:
    """Let layers be cut at random for that share of them, where they need not be cut at all."""
    rng = random.Random(seed)
    real = tiling.tile

    def tile(work: Work, room, where: str = "layer", chunk: int | None = None) -> Tiling:
        if chunk is None and rng.random() < share:
            return tiling.random_tiling(work, room, rng)
        return real(work, room, where, chunk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "tile", tile)
        yield


@contextlib.contextmanager
def decisions() -> Iterator[list]:
    """What every emission inside decides about memory: functions, program, memories."""
    found = []
    real = memory.assign

    def assign(functions, program):
        result = real(functions, program)
        found.append((functions, program, result))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emit_module, "assign", assign)
        yield found


def apart(boxes: Sequence[tuple[int, int]], what: object) -> None:
    """No two of these ranges of bytes overlap."""
    for (_, end), (start, _) in pairwise(sorted(boxes)):
        assert end <= start, (what, sorted(boxes))


def check_memory(functions, program, found, build: CBuild) -> None:
    """Nothing overlaps, everything fits, tiles cover the output, bytes are what is declared."""
    target = program.target
    live = {b.name: (b.first, b.last, b.size) for b in program.buffers()}
    for step, (function, stream) in enumerate(zip(functions, found.streams, strict=True)):
        if stream is not None:
            size = 2 * stream.half or stream.size
            live[stream.buffer] = (max(step - 1, 0), step, size)
        if found.tilings[step] is None and function.scratch_size:
            live[f"{function.name} scratch"] = (step, step, function.scratch_size)
    offsets = found.arena.offsets
    assert set(live) <= set(offsets)
    over = {b.name: b for b in program.buffers()}
    for step in range(len(functions)):
        boxes = {}
        for name, (first, last, size) in live.items():
            if first <= step <= last and size:
                boxes[name] = (offsets[name], offsets[name] + size)
        merged = dict(boxes)
        for name in boxes:  # a result may lie over an input that dies where it is made
            buffer = over.get(name)
            if buffer is not None and buffer.first == step:
                for source in buffer.in_place:
                    if source in merged and name in merged:
                        a, b = merged[source], merged[name]
                        if a[0] < b[1] and b[0] < a[1]:
                            assert a[0] == b[0], (name, source)
                            merged[name] = (a[0], max(a[1], b[1]))
                            del merged[source]
        apart(list(merged.values()), (build.model, step))
        assert all(end <= build.arena_bytes for _, end in boxes.values())
    if not target.is_tiled:
        return
    assert build.l1_bytes <= target.l1_usable
    lent = program.input.bytes + program.output.bytes
    weights = sum(f.weights_array.bytes for f, s in zip(functions, found.streams, strict=True) if s)
    rows = sum(
        cut.tiles * (2 + len(f.stage.inputs) + (f.weights_array is not None))
        for f, cut in zip(functions, found.tilings, strict=True)
    )
    needed = build.constant_bytes - weights + build.arena_bytes + lent + 32 * rows
    assert needed <= target.l2_usable, (needed, target.l2_usable, 32 * rows)
    assert build.l3_bytes <= target.l3
    apart([(s.address, s.address + s.size) for s in found.streams if s], "l3")
    for function, cut, stream in zip(functions, found.tilings, found.streams, strict=True):
        check_tiling(function.work, cut, target)
        if stream is not None and stream.half:
            assert all(t.weights.length <= stream.half for t in expand(function.work, cut))


def check_tiling(work: Work, cut: Tiling, target: Target) -> None:
    """Tiles fit their blocks, cover every output once and move as much as is said."""
    boxes = [b for b in (cut.weights, cut.output, cut.constants, cut.scratch, *cut.inputs) if b]
    apart([(b.offset, b.end) for b in boxes], work)
    assert all(b.end <= cut.l1_bytes for b in boxes)
    assert cut.l1_bytes <= target.l1_usable
    tiles = expand(work, cut)
    assert len(tiles) == cut.tiles
    seen = np.zeros((work.rows, work.columns, work.channels), dtype=np.int64)
    moved = [0, 0, 0]
    for t in tiles:
        y = t.output
        seen[
            y.row : y.row + y.height,
            y.column : y.column + y.width,
            y.channel : y.channel + y.channels,
        ] += 1
        assert y.transfer.bytes <= cut.output.size
        moved[2] += y.transfer.bytes
        for x, box, operand in zip(t.inputs, cut.inputs, work.inputs, strict=True):
            moved[0] += x.transfer.bytes * x.fresh
            assert x.transfer.bytes + operand.slack <= box.size
            assert x.buffer < box.copies
        if t.weights:
            moved[1] += t.weights.length * t.weights.fresh
            assert t.weights.length <= cut.weights.size
            assert t.weights.buffer < cut.weights.copies
    assert (seen == 1).all()
    assert moved == [cut.input_bytes, cut.weight_bytes, cut.output_bytes]
