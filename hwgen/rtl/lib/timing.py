"""Handshake behaviour without data: exact intervals, latencies and queue depths before any Verilog.

Every component describes when it takes and gives beats as a small state machine. A network of
them, stepped cycle by cycle, tells the interval and the latency that simulation must measure,
and how deep the queues of a residual connection have to be.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

from ...errors import HwgenError

__all__ = ["Fork", "Link", "Pipeline", "Queue", "Repack", "Timing", "measure"]

_STUCK = 1 << 16  # cycles without a handshake after which a network counts as blocked


class Timing:
    """One component's handshakes.

    In every cycle ``valid`` is asked first, in the order of the stream, then ``ready``, against
    it; then ``step`` tells which handshakes took place. All take and give one bool a port.
    """

    def valid(self, i_valid: list[bool]) -> list[bool]:
        """Which outputs hold a beat."""
        raise NotImplementedError

    def ready(self, i_valid: list[bool], o_ready: list[bool]) -> list[bool]:
        """Which inputs would be taken."""
        raise NotImplementedError

    def step(self, taken: list[bool], given: list[bool]) -> None:
        """The clock edge."""
        raise NotImplementedError

    def quiet(self) -> int:
        """Cycles, this one included, in which nothing changes at the ports if no beat moves.

        1 is always right. A component that is busy with itself answers more, and is then told
        of the cycles that were passed over by ``skip``.
        """
        return 1 << 62

    def skip(self, cycles: int) -> None:
        """As many cycles without a handshake; at most ``quiet()``."""


class Pipeline(Timing):
    """Registers in a row, each of which moves on when it is empty or the next one moves.

    Parameters
    ----------
    depth
        Registers, 1 or more.
    beats
        Beats that become one: only the last of so many reaches the output (1: all do).
    """

    def __init__(self, depth: int, beats: int = 1, inputs: int = 1) -> None:
        self._full = [False] * depth
        self._beats = beats
        self._count = 0
        self._marks: list[bool] = [False] * depth
        self._inputs = inputs
        self._moves = [False] * depth

    def valid(self, i_valid):
        return [self._full[-1]]

    def ready(self, i_valid, o_ready):
        move = o_ready[0]
        for k in reversed(range(len(self._full))):
            move = not self._full[k] or move
            self._moves[k] = move
        return [
            move and all(v for j, v in enumerate(i_valid) if j != i) for i in range(self._inputs)
        ]

    def step(self, taken, given):
        for k in reversed(range(len(self._full))):
            if self._moves[k]:
                if k:
                    self._full[k], self._marks[k] = self._full[k - 1], self._marks[k - 1]
                else:
                    self._full[0] = taken[0]
                    if taken[0]:
                        self._count = (self._count + 1) % self._beats
                        self._marks[0] = self._count == 0
                if k == len(self._full) - 1 and not self._marks[k]:
                    self._full[k] = False

    def quiet(self):
        # Anything but a full or empty tail is still moving.
        full = self._full
        settled = all(full[k + 1] or not full[k] for k in range(len(full) - 1))
        return 1 << 62 if settled else 1

    def skip(self, cycles):
        if self.quiet() == 1:
            for _ in range(cycles):
                self.ready([False] * self._inputs, [False])
                self.step([False] * self._inputs, [False])


class Repack(Timing):
    """``gather`` beats become one, then one becomes ``scatter``; one of the two is 1."""

    def __init__(self, gather: int, scatter: int) -> None:
        self._gather, self._scatter = gather, scatter
        self._count = 0
        self._left = 0

    def valid(self, i_valid):
        return [self._left > 0]

    def ready(self, i_valid, o_ready):
        room = self._left == 0 or (self._left == 1 and o_ready[0])
        return [self._count < self._gather - 1 or room]

    def step(self, taken, given):
        if given[0]:
            self._left -= 1
        if taken[0]:
            self._count += 1
            if self._count == self._gather:
                self._count = 0
                self._left = self._scatter


class Queue(Timing):
    """A queue of ``depth`` beats; None: of any length, recording the most it held."""

    def __init__(self, depth: int | None) -> None:
        self._depth = depth
        self._count = 0
        self.most = 0

    def valid(self, i_valid):
        return [self._count > 0]

    def ready(self, i_valid, o_ready):
        return [self._depth is None or self._count < self._depth]

    def step(self, taken, given):
        self._count += taken[0] - given[0]
        self.most = max(self.most, self._count)


class Fork(Timing):
    """One stream to several readers, each of which takes a beat when it can."""

    def __init__(self, outputs: int) -> None:
        self._done = [False] * outputs

    def valid(self, i_valid):
        return [i_valid[0] and not done for done in self._done]

    def ready(self, i_valid, o_ready):
        return [all(r or d for r, d in zip(o_ready, self._done, strict=True))]

    def step(self, taken, given):
        if taken[0]:
            self._done = [False] * len(self._done)
        else:
            self._done = [d or g for d, g in zip(self._done, given, strict=True)]


@dataclass
class Link:
    """A timing model in a network: ``inputs`` are (link index or -1 for the source, output port)."""

    model: Timing
    inputs: list[tuple[int, int]]
    outputs: int = 1


def measure(links: list[Link], out_beats: int) -> tuple[int, int]:
    """Interval and latency of a network, source always valid and sink always ready.

    Parameters
    ----------
    links
        In topological order; the last one's output 0 is the network's.
    out_beats
        Beats of a frame at the sink.

    Returns
    -------
    interval
        Cycles between the ends of frames once three in a row are equal.
    latency
        Cycles from the edge that takes the first beat to the edge that gives the last one of
        the first frame.
    """
    readers: list[list[tuple[int, int]]] = [[(-1, 0)] * link.outputs for link in links]
    source = (-1, 0)
    for index, link in enumerate(links):
        for port, (origin, output) in enumerate(link.inputs):
            if origin < 0:
                source = (index, port)
            else:
                readers[origin][output] = (index, port)
    count = len(links)
    valids: list[list[bool]] = [[] for _ in links]
    i_valids: list[list[bool]] = [[] for _ in links]
    readies: list[list[bool]] = [[] for _ in links]
    steps: list[tuple[list[bool], list[bool]]] = [([], []) for _ in links]
    ends: deque[int] = deque(maxlen=4)
    cycle = given = stuck = 0
    first: int | None = None
    latency = 0
    while stuck < _STUCK:
        for index, link in enumerate(links):
            i_valids[index] = [
                origin < 0 or valids[origin][output] for origin, output in link.inputs
            ]
            valids[index] = link.model.valid(i_valids[index])
        moved = False
        for index in reversed(range(count)):
            o_ready = [r < 0 or readies[r][p] for r, p in readers[index]]
            readies[index] = links[index].model.ready(i_valids[index], o_ready)
            taken = [v and r for v, r in zip(i_valids[index], readies[index], strict=True)]
            out = [v and r for v, r in zip(valids[index], o_ready, strict=True)]
            steps[index] = taken, out
            moved = moved or any(taken) or any(out)
        if first is None and readies[source[0]][source[1]]:
            first = cycle
        if valids[-1][0]:
            given += 1
            if given % out_beats == 0:
                ends.append(cycle)
                if given == out_beats:
                    latency = cycle - (first or 0)
                gaps = {b - a for a, b in itertools.pairwise(ends)}
                if len(ends) == 4 and len(gaps) == 1:
                    return gaps.pop(), latency
        jump = 1
        if not moved:
            jump = min(link.model.quiet() for link in links)
        stuck = 0 if moved else stuck + 1
        if jump > 1:
            jump = min(jump, 1 << 40)
            for link in links:
                link.model.skip(jump)
        else:
            for link, (taken, out) in zip(links, steps, strict=True):
                link.model.step(taken, out)
        cycle += jump
    raise HwgenError("internal error: the streams of this network block each other")
