"""The handshakes of a recurrent cell that adds every column: step after step, without its data."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .timing import GAVE, TOOK, Timing

__all__ = ["RecurrentSteps", "RecurrentTiming"]


@dataclass(frozen=True)
class RecurrentSteps:
    """What a cell does, in clocks.

    Attributes
    ----------
    steps, features
        Of a frame; an element of the input a beat.
    units
        Elements of the state.
    words
        Clocks of a column.
    beats, gap
        Results of a step, and clocks from one to the next.
    stages
        From the clock that finds all columns added to the first result.
    ahead
        From a column that is known to the first clock in which it is added.
    every_step
        Whether a step gives its results, or only the last one of a frame.
    """

    steps: int
    features: int
    units: int
    words: int
    beats: int
    gap: int
    stages: int
    every_step: bool
    ahead: int = 0


class RecurrentTiming(Timing):
    """See :class:`hwgen.rtl.lib.recurrent_layer.RecurrentLayer`.

    Two steps of the input have place, one of which may be at work. A step begins with the columns of
    the state, as soon as an element of its input is there. While a result waits for the output
    register, those behind it wait, too.
    """

    def __init__(self, cell: RecurrentSteps) -> None:
        self.cell = cell
        # The input: elements taken of which no column has been added, and where steps have place.
        self._taken: deque[int] = deque()
        self._element = 0
        self._free: deque[int] = deque([0, 0])  # from when on there is room for a step
        self._free_from = 0
        # The step at work: since when, and its results.
        self._step = 0
        self._start = 0
        self._beat: int | None = None  # the next result; None while columns are added
        self._arrival = 0
        self._given = False

    def run(self):
        (source,), (sink,) = self.sources, self.sinks
        moved = 0
        while True:
            took = self._take(source)
            went, gave = self._work(sink)
            moved |= took | gave
            if not (took or went):
                return moved

    def _take(self, source) -> int:
        moved = 0
        while source.offers:
            if self._element == 0:
                if not self._free:
                    break
                self._free_from = self._free.popleft()
            source.last = max(source.offers.popleft(), source.last + 1, self._free_from)
            source.takes.append(source.last)
            self._taken.append(source.last)
            self._element = (self._element + 1) % self.cell.features
            moved = TOOK
        return moved

    def _work(self, sink) -> tuple[bool, int]:
        """Columns, then results, as far as possible: whether that was anywhere, and GAVE."""
        cell = self.cell
        went, moved = False, 0
        while True:
            if self._beat is None:
                if len(self._taken) < cell.features:
                    return went, moved
                first = self._taken[0] + 1
                cycle = max(self._start, first) + cell.ahead + cell.units * cell.words
                for _ in range(cell.features):
                    known = self._taken.popleft() + 1
                    cycle = max(cycle, known + cell.ahead) + cell.words
                self._free.append(cycle + 1)
                self._arrival = cycle + cell.stages
                self._beat = 0
                went = True
            if cell.every_step or self._step == cell.steps - 1:
                while self._beat < cell.beats:
                    if self._given:
                        if not sink.takes:
                            return went, moved
                        self._arrival = max(self._arrival, sink.takes.popleft())
                    self._given = True
                    sink.offers.append(self._arrival + 1)
                    self._arrival += cell.gap
                    self._beat += 1
                    went, moved = True, GAVE
                last = self._arrival - cell.gap
            else:
                last = self._arrival + (cell.beats - 1) * cell.gap
            self._start = last + 1
            self._beat = None
            self._step = (self._step + 1) % cell.steps
            went = True
