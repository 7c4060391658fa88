"""The handshakes of a folded array: its loops without its data."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .timing import GAVE, TOOK, Timing

if TYPE_CHECKING:
    from .mac_array import Folding

__all__ = ["Event", "MacTiming", "StepTiming"]

_NONE = -1


class Event(NamedTuple):
    """A step that matters to the neighbours.

    Attributes
    ----------
    gap
        Steps since the event before.
    need
        Index in the frame of the beat that is read for the first time, or -1.
    ends
        Whether an accumulation ends.
    limit
        Number of beats that may have been taken from then on, counted from the frame's first, or
        -1 if that does not change.
    """

    gap: int
    need: int
    ends: bool
    limit: int


class StepTiming(Timing):
    """An array that makes one step a cycle, the same steps for every frame.

    Only some steps matter to its neighbours: those that are the first to read a beat, those that
    end an accumulation, and those that free a part of the input's memory. What lies between them
    is passed over.

    While a finished result waits for the output register, the whole array stands still; ``_holds``
    are those times, as (first cycle, first cycle in which it moves again).

    Parameters
    ----------
    stages
        Registers between the read of a beat and the accumulator.
    frame_beats
        Beats of a frame.
    depth
        Beats that the input's memory holds.
    """

    def __init__(self, stages: int, frame_beats: int, depth: int) -> None:
        self._stages, self._frame_beats = stages, frame_beats
        self._events: list[Event] | None = None
        self._at = 0
        self._base = 0  # index of the frame's first beat since reset
        self._previous = -1  # cycle of the last event's step
        self._held = 0  # cycles of standing still up to that step
        # The line buffer: beats taken, those that may be, and when more may be.
        self._taken: deque[int] = deque()
        self._first = 0
        self._count = 0
        self._limit, self._limit_from = depth, 0
        self._limits: deque[tuple[int, int]] = deque()
        # Accumulations on their way to the output, by the cycle if the array never stood still.
        self._flight: deque[int] = deque()
        self._holds: deque[tuple[int, int]] = deque()
        self._held_ever = 0
        self._given = False

    def events(self) -> list[Event]:
        """The steps of a frame that matter, in their order."""
        raise NotImplementedError

    def run(self):
        if self._events is None:
            self._events = self.events()
        (source,), (sink,) = self.sources, self.sinks
        moved = 0
        while True:
            did = self._take(source) | self._finish(sink)
            moved |= did
            # Without new beats or results, what `_step` left undone cannot be done now.
            if not self._step() and not did:
                return moved

    def _take(self, source) -> int:
        """Beats into the line buffer, while rows are free."""
        offers, takes, taken, last = source.offers, source.takes, self._taken, source.last
        count, moved = self._count, 0
        while offers:
            if count >= self._limit:
                if not self._limits:
                    break
                self._limit, self._limit_from = self._limits.popleft()
                continue
            last = max(offers.popleft(), last + 1, self._limit_from)
            takes.append(last)
            taken.append(last)
            count += 1
            moved = TOOK
        source.last, self._count = last, count
        return moved

    def _finish(self, sink) -> int:
        """Results to the output register, while it is known when the one before has left."""
        moved = 0
        while self._flight and (sink.takes or not self._given):
            arrival = self._flight.popleft() + self._held_ever
            cycle = arrival
            if self._given:
                cycle = max(arrival, sink.takes.popleft())
            self._given = True
            if cycle > arrival:
                self._held_ever += cycle - arrival
                self._holds.append((arrival, cycle))
            sink.offers.append(cycle + 1)
            moved = GAVE
        return moved

    def _step(self) -> bool:
        """Events, while their beats are there and no unfinished result can hold them up."""
        events, flight, holds = self._events, self._flight, self._holds
        stages, taken, at = self._stages, self._taken, self._at
        moved = False
        while True:
            gap, need, ends, limit = events[at]
            cycle = self._previous + gap
            for stop, go in holds:
                if cycle >= stop:
                    cycle += go - stop
            if need >= 0:
                index = need + self._base
                if index >= self._count:
                    break
                while self._first < index:
                    taken.popleft()
                    self._first += 1
                # A beat can be read in the cycle after it was taken.
                there = taken[0] + 1
                for stop, go in holds:
                    if stop <= there < go:
                        there = go
                cycle = max(cycle, there)
            if flight and flight[0] + self._held_ever <= cycle:
                break
            while holds and holds[0][1] <= cycle:
                stop, go = holds.popleft()
                self._held += go - stop
            self._previous = cycle
            if ends:
                flight.append(cycle - self._held + stages)
            if limit >= 0:
                self._limits.append((limit + self._base, cycle + 1))
            at += 1
            if at == len(events):
                at = 0
                self._base += self._frame_beats
            moved = True
        self._at = at
        return moved


class MacTiming(StepTiming):
    """See :class:`hwgen.rtl.lib.mac_array.MacArray`."""

    def __init__(self, folding: Folding, delay: int = 0) -> None:
        self.folding = folding
        self.stages = folding.stages + delay
        super().__init__(self.stages, folding.frame_beats, folding.rows * folding.row_beats)

    def events(self) -> list[Event]:
        return _events(self.folding)


def _events(folding: Folding) -> list[Event]:
    f, w = folding, folding.window
    turns = {loop.name: loop.turns for loop in f.loops}
    neurons = turns["neuron"]

    # All outputs of a group read the same beats: look at the first one of each.
    names = [name for name in turns if name != "neuron"]
    shape = [turns[name] for name in names]
    index = np.full(shape, f.first_beat, dtype=np.int64)
    inside = np.ones(shape, dtype=bool)

    def along(name: str) -> np.ndarray:
        at = names.index(name)
        return np.arange(turns[name]).reshape([-1 if k == at else 1 for k in range(len(names))])

    for name, stride in f.beat_strides.items():
        index = index + along(name) * stride
    for axis, (size, name) in enumerate(((w.height, "row"), (w.width, "column"))):
        at = along(name) * w.stride[axis] + along(f"kernel_{name}") - w.padding[axis]
        inside = inside & (at >= 0) & (at < size)
    needs = np.where(inside, index, _NONE).reshape(-1)

    # Beats arrive in order: a read waits only if it goes further than all before.
    seen = np.maximum.accumulate(needs)
    new = needs > np.concatenate([[_NONE], seen[:-1]])
    steps = np.arange(len(needs))
    # As steps of the whole nest: those of the other outputs lie between two groups.
    real = steps + steps // f.sums * f.sums * (neurons - 1)
    total = len(needs) * neurons
    when = np.union1d(real[new], np.arange(f.sums - 1, total, f.sums))

    read = dict(zip(real[new].tolist(), needs[new].tolist(), strict=True))
    row_steps = total // w.out_height
    depth = f.rows * f.row_beats
    events, previous = [], -1
    for step in when.tolist():
        limit = _NONE
        if step + 1 == total:
            limit = f.frame_beats + depth
        elif (step + 1) % row_steps == 0:
            top = (step + 1) // row_steps * w.stride[0] - w.padding[0]
            limit = depth + max(0, top) * f.row_beats
        ends = (step + 1) % f.sums == 0
        events.append(Event(step - previous, read.get(step, _NONE), ends, limit))
        previous = step
    return events
