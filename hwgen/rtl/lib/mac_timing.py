"""The handshakes of a folded array: its loops without its data."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .timing import Timing

if TYPE_CHECKING:
    from .mac_array import Folding

__all__ = ["MacTiming"]

_ALWAYS = -(1 << 62)


class MacTiming(Timing):
    """See :class:`hwgen.rtl.lib.mac_array.MacArray`; states have the same names."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding
        self._depth = folding.rows * folding.row_beats
        self._ahead = 0
        self._limit = self._depth
        self._at = 0
        self._last = [False] * folding.stages
        self._o_valid = False
        self._enable = True

    @cached_property
    def _needs(self) -> np.ndarray:
        """For every step of a frame the beat that it reads; padding needs none."""
        f = self._folding
        turns = [loop.turns for loop in f.loops]
        index = np.full(turns, f.first_beat, dtype=np.int64)
        inside = np.ones(turns, dtype=bool)

        def along(level: int) -> np.ndarray:
            shape = [1] * len(turns)
            shape[level] = turns[level]
            return np.arange(turns[level]).reshape(shape)

        for level, loop in enumerate(f.loops):
            index = index + along(level) * f.beat_strides.get(loop.name, 0)
        w = f.window
        for axis, size in enumerate((w.height, w.width)):
            at = along(axis) * w.stride[axis] + along(4 + axis) - w.padding[axis]
            inside = inside & (at >= 0) & (at < size)
        return np.where(inside, index, _ALWAYS).reshape(-1)

    @cached_property
    def _row_steps(self) -> int:
        return len(self._needs) // self._folding.window.out_height

    def valid(self, i_valid):
        return [self._o_valid]

    def ready(self, i_valid, o_ready):
        self._enable = not (self._last[-1] and self._o_valid and not o_ready[0])
        return [self._ahead < self._limit]

    def _limit_after(self, row: int) -> int:
        f = self._folding
        keep = max(0, row * f.window.stride[0] - f.window.padding[0])
        return self._depth + keep * f.row_beats

    def step(self, taken, given):
        if given[0]:
            self._o_valid = False
        ahead = self._ahead + taken[0]
        if self._enable:
            if self._last[-1]:
                self._o_valid = True
            moves = bool(self._needs[self._at] < self._ahead)
            last = False
            if moves:
                self._at += 1
                last = self._at % self._folding.sums == 0
                if self._at == len(self._needs):
                    self._at = 0
                    ahead -= self._folding.frame_beats
                    self._limit = self._depth
                elif self._at % self._row_steps == 0:
                    self._limit = self._limit_after(self._at // self._row_steps)
            self._last = [last, *self._last[:-1]]
        self._ahead = ahead

    def quiet(self):
        if any(self._last):
            return 1
        left = self._folding.sums - self._at % self._folding.sums
        blocked = self._needs[self._at : self._at + left] >= self._ahead
        free = int(blocked.argmax()) if blocked.any() else left - 1
        if free:
            return free
        return 1 << 62 if blocked[0] else 1

    def skip(self, cycles):
        if not any(self._last) and self._needs[self._at] < self._ahead:
            self._at += cycles
