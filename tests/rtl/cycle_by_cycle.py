"""Handshakes stepped cycle by cycle: the plain reference for :mod:`hwgen.rtl.lib.timing`.

In every cycle ``valid`` is asked first, in the order of the stream, then ``ready``, against it; then
``step`` tells which handshakes took place. All take and give one bool a port.
"""

from __future__ import annotations

import itertools
from collections import deque

from hwgen.rtl.accumulate import LastStep
from hwgen.rtl.concat import Turns
from hwgen.rtl.lib import timing
from hwgen.rtl.lib.mac_timing import MacTiming
from hwgen.rtl.lib.recurrent_timing import RecurrentTiming
from hwgen.rtl.lib.scan_timing import ScanTiming
from hwgen.rtl.lib.window import WindowTiming
from hwgen.rtl.reverse import ReverseTiming

__all__ = ["measure", "stepped"]


class Pipeline:
    """An elastic pipeline; only the last of every ``beats`` beats leaves it."""

    def __init__(self, depth, beats=1, inputs=1):
        self.full = [False] * depth
        self.marks = [False] * depth
        self.moves = [False] * depth
        self.beats, self.inputs, self.count = beats, inputs, 0

    def valid(self, i_valid):
        return [self.full[-1]]

    def ready(self, i_valid, o_ready):
        move = o_ready[0]
        for k in reversed(range(len(self.full))):
            move = not self.full[k] or move
            self.moves[k] = move
        return [
            move and all(v for j, v in enumerate(i_valid) if j != i) for i in range(self.inputs)
        ]

    def step(self, taken, given):
        for k in reversed(range(len(self.full))):
            if self.moves[k]:
                if k:
                    self.full[k], self.marks[k] = self.full[k - 1], self.marks[k - 1]
                else:
                    self.full[0] = taken[0]
                    if taken[0]:
                        self.count = (self.count + 1) % self.beats
                        self.marks[0] = self.count == 0
                if k == len(self.full) - 1 and not self.marks[k]:
                    self.full[k] = False


class Repack:
    def __init__(self, gather, scatter):
        self.gather, self.scatter = gather, scatter
        self.count = self.left = 0

    def valid(self, i_valid):
        return [self.left > 0]

    def ready(self, i_valid, o_ready):
        room = self.left == 0 or (self.left == 1 and o_ready[0])
        return [self.count < self.gather - 1 or room]

    def step(self, taken, given):
        self.left -= given[0]
        if taken[0]:
            self.count += 1
            if self.count == self.gather:
                self.count = 0
                self.left = self.scatter


class Queue:
    def __init__(self, depth):
        self.depth, self.count = depth, 0

    def valid(self, i_valid):
        return [self.count > 0]

    def ready(self, i_valid, o_ready):
        return [self.depth is None or self.count < self.depth]

    def step(self, taken, given):
        self.count += taken[0] - given[0]


class Fork:
    def __init__(self, outputs):
        self.done = [False] * outputs

    def valid(self, i_valid):
        return [i_valid[0] and not done for done in self.done]

    def ready(self, i_valid, o_ready):
        return [all(r or d for r, d in zip(o_ready, self.done, strict=True))]

    def step(self, taken, given):
        if taken[0]:
            self.done = [False] * len(self.done)
        else:
            self.done = [d or g for d, g in zip(self.done, given, strict=True)]


class Window:
    def __init__(self, takes, emits):
        self.takes, self.emits = takes, emits
        self.at, self.o_valid, self.moves = 0, False, True

    def valid(self, i_valid):
        return [self.o_valid]

    def ready(self, i_valid, o_ready):
        self.moves = not self.o_valid or o_ready[0]
        return [self.moves and self.takes[self.at]]

    def step(self, taken, given):
        if not self.moves:
            return
        self.o_valid = False
        if taken[0] or not self.takes[self.at]:
            self.o_valid = self.emits[self.at]
            self.at = (self.at + 1) % len(self.takes)


class Mac:
    """The states of :class:`hwgen.rtl.lib.mac_array.MacArray`, by their names there."""

    def __init__(self, folding, stages):
        self.folding = folding
        self.depth = self.limit = folding.rows * folding.row_beats
        self.ahead = self.at = 0
        self.last = [False] * stages
        self.o_valid, self.enable = False, True
        self.needs = self._needs()

    def _needs(self):
        """For every step of a frame the beat that it reads; None in the padding."""
        f, w = self.folding, self.folding.window
        needs = []
        for turns in itertools.product(*(range(loop.turns) for loop in f.loops)):
            turn = dict(zip((loop.name for loop in f.loops), turns, strict=True))
            row = turn["row"] * w.stride[0] + turn["kernel_row"] - w.padding[0]
            column = turn["column"] * w.stride[1] + turn["kernel_column"] - w.padding[1]
            fold = turn["group"] * f.loops[-1].turns + turn["channel"]
            beat = (row * w.width + column) * f.position_beats + fold
            needs.append(beat if 0 <= row < w.height and 0 <= column < w.width else None)
        return needs

    def valid(self, i_valid):
        return [self.o_valid]

    def ready(self, i_valid, o_ready):
        self.enable = not (self.last[-1] and self.o_valid and not o_ready[0])
        return [self.ahead < self.limit]

    def step(self, taken, given):
        f = self.folding
        if given[0]:
            self.o_valid = False
        ahead = self.ahead + taken[0]
        if self.enable:
            if self.last[-1]:
                self.o_valid = True
            last = False
            need = self.needs[self.at]
            if need is None or need < self.ahead:
                self.at += 1
                last = self.at % f.sums == 0
                row_steps = len(self.needs) // f.window.out_height
                if self.at == len(self.needs):
                    self.at = 0
                    ahead -= f.frame_beats
                    self.limit = self.depth
                elif self.at % row_steps == 0:
                    row = self.at // row_steps
                    keep = max(0, row * f.window.stride[0] - f.window.padding[0])
                    self.limit = self.depth + keep * f.row_beats
            self.last = [last, *self.last[:-1]]
        self.ahead = ahead


class Scan:
    """The states of :class:`hwgen.rtl.lib.scan_array.ScanArray`, by their names there."""

    def __init__(self, clocks, frame_beats, stages):
        self.clocks, self.frame_beats = clocks, frame_beats
        self.ahead = self.turn = self.at = 0
        self.last = [False] * stages
        self.o_valid = self.read_on = False
        self.enable = True

    def valid(self, i_valid):
        return [self.o_valid]

    def ready(self, i_valid, o_ready):
        self.enable = not (self.last[-1] and self.o_valid and not o_ready[0])
        return [self.ahead < 2 * self.frame_beats]

    def step(self, taken, given):
        if given[0]:
            self.o_valid = False
        ahead = self.ahead + taken[0]
        if self.enable:
            if self.last[-1]:
                self.o_valid = True
            last = False
            if self.read_on:
                self.read_on = False
                ahead -= self.frame_beats
            elif self.ahead >= self.frame_beats:
                self.at += 1
                last = self.at == self.clocks[self.turn]
                if last:
                    self.at, self.turn = 0, self.turn + 1
                    self.read_on = self.turn == len(self.clocks)
                    self.turn %= len(self.clocks)
            self.last = [last, *self.last[:-1]]
        self.ahead = ahead


class Reverse:
    """The states of :class:`hwgen.rtl.reverse.ReverseLayer`, by their names there."""

    def __init__(self, steps, step_beats):
        self.order = [
            step * step_beats + beat
            for step in reversed(range(steps))
            for beat in range(step_beats)
        ]
        self.ahead = self.at = 0
        self.is_read = self.o_valid = False
        self.enable = True

    def valid(self, i_valid):
        return [self.o_valid]

    def ready(self, i_valid, o_ready):
        self.enable = not (self.is_read and self.o_valid and not o_ready[0])
        return [self.ahead < 2 * len(self.order)]

    def step(self, taken, given):
        if given[0]:
            self.o_valid = False
        ahead = self.ahead + taken[0]
        if self.enable:
            self.o_valid |= self.is_read
            self.is_read = self.order[self.at] < self.ahead
            if self.is_read:
                self.at = (self.at + 1) % len(self.order)
                if self.at == 0:
                    ahead -= len(self.order)
        self.ahead = ahead


class LastSteps:
    """One register, which only the beats of the last step leave."""

    def __init__(self, steps, beats):
        self.leaves = [False] * ((steps - 1) * beats) + [True] * beats
        self.at, self.full, self.moves = 0, False, True

    def valid(self, i_valid):
        return [self.full]

    def ready(self, i_valid, o_ready):
        self.moves = not self.full or o_ready[0]
        return [self.moves]

    def step(self, taken, given):
        if self.moves:
            self.full = taken[0] and self.leaves[self.at]
            self.at = (self.at + taken[0]) % len(self.leaves)


class Concat:
    """One register; ``beats`` of the first input, then of the second."""

    def __init__(self, beats):
        self.order = [0] * beats[0] + [1] * beats[1]
        self.at, self.full, self.moves = 0, False, True

    def valid(self, i_valid):
        return [self.full]

    def ready(self, i_valid, o_ready):
        self.moves = not self.full or o_ready[0]
        return [self.moves and self.order[self.at] == port for port in (0, 1)]

    def step(self, taken, given):
        if self.moves:
            self.full = any(taken)
            self.at = (self.at + self.full) % len(self.order)


class Recurrent:
    """The states of :class:`hwgen.rtl.lib.recurrent_layer.RecurrentLayer` without skipping."""

    def __init__(self, cell):
        self.cell = cell
        self.taken = self.steps_waiting = 0
        self.step_index = 0
        self.added = 0  # elements whose columns have been added since reset
        self.clock = self.result = 0  # since all of a step were found to be added
        self.adding, self.enable = True, True
        self.o_valid = self.complete = self.gives = False
        self._begin()

    def _begin(self):
        """Clocks that are left of every column: those of the state, then those of the input."""
        self.state = self.cell.units * self.cell.words
        self.input = self.cell.features * self.cell.words

    def valid(self, i_valid):
        return [self.o_valid]

    def ready(self, i_valid, o_ready):
        cell = self.cell
        due = cell.stages + self.result * cell.gap
        self.complete = not self.adding and self.clock == due
        gives = self.complete and (cell.every_step or self.step_index == cell.steps - 1)
        self.enable = not (gives and self.o_valid and not o_ready[0])
        self.gives = gives and self.enable
        return [self.steps_waiting != 2]

    def step(self, taken, given):
        cell = self.cell
        if given[0]:
            self.o_valid = False
        self.o_valid |= self.gives
        waiting, steps = self.taken, self.steps_waiting
        if taken[0]:
            self.taken += 1
            self.steps_waiting += self.taken % cell.features == 0
        if not self.adding:
            if not self.enable:
                return
            self.clock += 1
            self.result += self.complete
            if self.result == cell.beats:
                self.adding = True
                self.step_index = (self.step_index + 1) % cell.steps
                self._begin()
            return
        if self._add(waiting) and steps:
            self.steps_waiting -= 1
            self.adding, self.clock, self.result = False, 1, 0

    def _add(self, waiting):
        """A clock in which columns are added, if any are there: whether there are none."""
        # Elements of this step that are there, the one whose column is under way included.
        words = self.cell.words
        left = -(-self.input // words)
        there = min(waiting - self.added, left) if left else 0
        if there and self.state:
            self.state -= 1
        elif there:
            self.input -= 1
            self.added += self.input % words == 0
        return not there


class Streamed(Recurrent):
    """With weights that come ``ahead`` clocks after a column was asked for."""

    def __init__(self, cell):
        super().__init__(cell)
        self.now = self.word = 0
        self.asked = deque()  # when the first word of each column can be added

    def _begin(self):
        """Columns that are still to be asked for."""
        self.state, self.input = self.cell.units, self.cell.features

    def step(self, taken, given):
        super().step(taken, given)
        self.now += 1

    def _add(self, waiting):
        there = waiting > self.added and self.input > 0
        idle = not there and not self.asked
        room = len(self.asked) < 16
        if self.asked and self.asked[0] <= self.now:
            self.word += 1
            if self.word == self.cell.words:
                self.word = 0
                self.asked.popleft()
        if there and room:
            self.asked.append(self.now + self.cell.ahead)
            if self.state:
                self.state -= 1
            else:
                self.input -= 1
                self.added += 1
        return idle


def stepped(model: timing.Timing, outputs: int = 1, inputs: int = 1):
    """The reference of a (fresh) timing model."""
    if isinstance(model, MacTiming):
        return Mac(model.folding, model.stages)
    if isinstance(model, ScanTiming):
        return Scan(model.clocks, model.frame_beats, model.stages)
    if isinstance(model, RecurrentTiming):
        return (Streamed if model.cell.ahead else Recurrent)(model.cell)
    if isinstance(model, ReverseTiming):
        return Reverse(model.steps, model.step_beats)
    if isinstance(model, Turns):
        return Concat(model.beats)
    if isinstance(model, LastStep):
        return LastSteps(model.steps, model.beats)
    if isinstance(model, WindowTiming):
        return Window(model.takes, model.emits)
    return {
        timing.Pipeline: lambda: Pipeline(model.depth),
        timing.Join: lambda: Pipeline(1, inputs=inputs),
        timing.Accumulate: lambda: Pipeline(1, beats=model.beats),
        timing.Repack: lambda: Repack(model.gather, model.scatter),
        timing.Queue: lambda: Queue(model.depth),
        timing.Fork: lambda: Fork(outputs),
    }[type(model)]()


def measure(links: list[timing.Link], out_beats: int, frames: int, most_cycles: int = 1 << 20):
    """The cycles of the first handshake at the source, and of the last of every frame at the sink."""
    models = [stepped(link.model, link.outputs, len(link.inputs)) for link in links]
    readers = [[None] * link.outputs for link in links]
    for index, link in enumerate(links):
        for port, (origin, output) in enumerate(link.inputs):
            if origin >= 0:
                readers[origin][output] = (index, port)
            else:
                source = (index, port)
    first, ends, given = None, [], 0
    for cycle in range(most_cycles):
        valids, i_valids, readies, steps = [], [], [None] * len(links), [None] * len(links)
        for link, model in zip(links, models, strict=True):
            i_valids.append([at < 0 or valids[at][port] for at, port in link.inputs])
            valids.append(model.valid(i_valids[-1]))
        for index in reversed(range(len(links))):
            o_ready = [r is None or readies[r[0]][r[1]] for r in readers[index]]
            readies[index] = models[index].ready(i_valids[index], o_ready)
            taken = [v and r for v, r in zip(i_valids[index], readies[index], strict=True)]
            out = [v and r for v, r in zip(valids[index], o_ready, strict=True)]
            steps[index] = taken, out
        if first is None and readies[source[0]][source[1]]:
            first = cycle
        if valids[-1][0]:
            given += 1
            if given % out_beats == 0:
                ends.append(cycle)
                if len(ends) == frames:
                    return first, ends
        for model, (taken, out) in zip(models, steps, strict=True):
            model.step(taken, out)
    return first, ends
