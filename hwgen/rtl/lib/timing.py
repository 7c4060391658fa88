"""Handshakes without data: exact intervals, latencies and queue depths before any Verilog.

Every component of a network takes and gives its beats in order, so that the cycle of each
handshake follows from those of earlier ones: a chain of three registers takes beat k no sooner than
beat k - 3 has left, and offers it three cycles after it was taken. Components work these rules out
beat by beat, each as far as it can with what its neighbours have told so far; cycles in which
nothing is handed over cost nothing. (Timed event graphs: Baccelli, Cohen, Olsder, Quadrat,
"Synchronization and Linearity", 1992, chapter 2.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import HwgenError

__all__ = [
    "Accumulate",
    "Channel",
    "Fork",
    "Join",
    "Link",
    "Measured",
    "Pipeline",
    "Queue",
    "Repack",
    "Timing",
    "frame_ends",
    "measure",
]

# What `Timing.run` did, as bits.
TOOK, GAVE = 1, 2


class Channel:
    """A stream between two components: in which cycles beats are offered, and taken.

    Attributes
    ----------
    offers
        By the producer: for every beat that is still to be taken, the first cycle in which it
        could be shown. It is shown then, or right after the beat before it was taken.
    takes
        By the consumer: for every beat of which the producer has not heard yet, the cycle of its
        handshake.
    last
        Cycle of the last handshake; -1 before the first.
    """

    __slots__ = ("last", "offers", "takes")

    def __init__(self) -> None:
        self.offers: deque[int] = deque()
        self.takes: deque[int] = deque()
        self.last = -1


class Timing:
    """The handshakes of one component.

    Attributes
    ----------
    sources, sinks
        The channels at its inputs and outputs.
    """

    sources: list[Channel]
    sinks: list[Channel]

    def run(self) -> int:
        """Go on as far as the channels allow; tells whether beats were TOOK, GAVE or both."""
        raise NotImplementedError


class Pipeline(Timing):
    """Registers in a row, each of which moves on when it is empty or the next one moves.

    Parameters
    ----------
    depth
        Registers, 1 or more.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._room = depth

    def run(self):
        (source,), (sink,) = self.sources, self.sinks
        offers, freed, room, depth = source.offers, sink.takes, self._room, self.depth
        last, moved = source.last, 0
        while offers and (room or freed):
            cycle = offers.popleft()
            if cycle <= last:
                cycle = last + 1
            if room:
                room -= 1
            else:
                free = freed.popleft()
                if free > cycle:
                    cycle = free
            last = cycle
            source.takes.append(cycle)
            sink.offers.append(cycle + depth)
            moved = TOOK | GAVE
        source.last, self._room = last, room
        return moved


class Join(Timing):
    """One register that takes a beat of every input at once."""

    def __init__(self) -> None:
        self._room = 1

    def run(self):
        (sink,) = self.sinks
        moved = 0
        while all(source.offers for source in self.sources) and (self._room or sink.takes):
            cycle = max(max(s.offers.popleft(), s.last + 1) for s in self.sources)
            if self._room:
                self._room = 0
            else:
                cycle = max(cycle, sink.takes.popleft())
            for source in self.sources:
                source.takes.append(cycle)
                source.last = cycle
            sink.offers.append(cycle + 1)
            moved = TOOK | GAVE
        return moved


class Accumulate(Timing):
    """One register in which ``beats`` beats become one, ``delay`` cycles after the last of them."""

    def __init__(self, beats: int, delay: int = 1) -> None:
        self.beats = beats
        self.delay = delay
        self._count = 0
        self._free: int | None = 0  # from when on the register is free, if that is known

    def run(self):
        (source,), (sink,) = self.sources, self.sinks
        moved = 0
        while source.offers:
            if self._free is None:
                if not sink.takes:
                    break
                self._free = sink.takes.popleft()
            source.last = max(source.offers.popleft(), source.last + 1, self._free)
            source.takes.append(source.last)
            moved |= TOOK
            self._count += 1
            if self._count == self.beats:
                self._count, self._free = 0, None
                sink.offers.append(source.last + self.delay)
                moved |= GAVE
        return moved


class Repack(Timing):
    """``gather`` beats become one, then one becomes ``scatter``."""

    def __init__(self, gather: int, scatter: int) -> None:
        self.gather, self.scatter = gather, scatter
        self._count = 0
        self._owed = 0  # beats of which it is not known when they were taken

    def run(self):
        (source,), (sink,) = self.sources, self.sinks
        moved = 0
        while source.offers:
            cycle = max(source.offers[0], source.last + 1)
            last = self._count == self.gather - 1
            if last and self._owed:
                # Only the end of a group needs the output register.
                if len(sink.takes) < self._owed:
                    break
                for _ in range(self._owed):
                    free = sink.takes.popleft()
                cycle = max(cycle, free)
            source.offers.popleft()
            source.last = cycle
            source.takes.append(cycle)
            moved |= TOOK
            self._count += 1
            if last:
                self._count, self._owed = 0, self.scatter
                sink.offers.extend([cycle + 1] * self.scatter)
                moved |= GAVE
        return moved


class Queue(Timing):
    """A queue of ``depth`` beats, or of any length (None).

    Attributes
    ----------
    left
        For every beat of a queue of any length the cycle in which it left.
    """

    def __init__(self, depth: int | None) -> None:
        self.depth = depth
        self._room = depth or 0
        self.left: list[int] = []

    def run(self):
        (source,), (sink,) = self.sources, self.sinks
        moved = 0
        if self.depth is None:
            self.left.extend(sink.takes)
            sink.takes.clear()
        while source.offers and (self.depth is None or self._room or sink.takes):
            cycle = max(source.offers.popleft(), source.last + 1)
            if self._room:
                self._room -= 1
            elif self.depth is not None:
                cycle = max(cycle, sink.takes.popleft() + 1)
            source.last = cycle
            source.takes.append(cycle)
            sink.offers.append(cycle + 1)
            moved = TOOK | GAVE
        return moved


class Fork(Timing):
    """One stream to several readers, each of which takes a beat when it can."""

    def __init__(self) -> None:
        self._offered = False

    def run(self):
        (source,) = self.sources
        moved = 0
        while True:
            if self._offered:
                if not all(sink.takes for sink in self.sinks):
                    return moved
                source.last = max(sink.takes.popleft() for sink in self.sinks)
                source.takes.append(source.last)
                self._offered = False
                moved |= TOOK
            if not source.offers:
                return moved
            cycle = max(source.offers.popleft(), source.last + 1)
            for sink in self.sinks:
                sink.offers.append(cycle)
            self._offered = True
            moved |= GAVE


class _Source(Timing):
    """Always valid, for ``supply`` beats."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.supply = 0

    def run(self):
        (sink,) = self.sinks
        if self.first is None and sink.takes:
            self.first = sink.takes[0]
        sink.takes.clear()
        if not self.supply:
            return 0
        sink.offers.extend([0] * self.supply)
        self.supply = 0
        return GAVE


class _Sink(Timing):
    """Always ready, up to ``wanted`` beats."""

    def __init__(self) -> None:
        self.wanted = 0

    def run(self):
        (source,) = self.sources
        moved = 0
        while source.offers and self.wanted:
            source.last = max(source.offers.popleft(), source.last + 1)
            source.takes.append(source.last)
            self.wanted -= 1
            moved = TOOK
        return moved


@dataclass
class Link:
    """A timing model in a network: ``inputs`` are (link index or -1 for the source, output port)."""

    model: Timing
    inputs: list[tuple[int, int]]
    outputs: int = 1


class _Worklist:
    """Components that may be able to go on, each at most once, in the order in which they were met."""

    def __init__(self, models: list[Timing]) -> None:
        producer = {id(c): k for k, model in enumerate(models) for c in model.sinks}
        consumer = {id(c): k for k, model in enumerate(models) for c in model.sources}
        self.models = models
        self._woken = []  # by model and by what it did: the neighbours that may go on
        for model in models:
            before = [producer[id(channel)] for channel in model.sources]
            after = [consumer[id(channel)] for channel in model.sinks]
            self._woken.append(([], before, after, before + after))
        self._waiting = deque(range(len(models)))
        self._listed = [True] * len(models)

    def run(self, *more: int) -> None:
        """Until none can go on; ``more`` are looked at, too."""
        waiting, listed, woken = self._waiting, self._listed, self._woken
        for index in more:
            listed[index] = True
            waiting.append(index)
        while waiting:
            index = waiting.popleft()
            listed[index] = False
            moved = self.models[index].run()
            for neighbour in woken[index][moved]:
                if not listed[neighbour]:
                    listed[neighbour] = True
                    waiting.append(neighbour)


def _connect(links: list[Link], source: _Source, sink: _Sink) -> list[Timing]:
    """Put channels between the models; neighbouring pipelines are one, of as many registers."""
    outs = [[Channel() for _ in range(link.outputs)] for link in links]
    entry = Channel()
    models: list[Timing] = [source]
    source.sources, source.sinks = [], [entry]
    last: dict[int, Pipeline] = {}  # by output channel, the pipeline that feeds it
    for link, sinks in zip(links, outs, strict=True):
        model = link.model
        model.sources = [outs[at][port] if at >= 0 else entry for at, port in link.inputs]
        model.sinks = sinks
        if type(model) is Pipeline:
            feeder = last.get(id(model.sources[0]))
            if feeder is not None:
                feeder.depth += model.depth
                feeder._room += model.depth
                feeder.sinks = sinks
                model = feeder
            else:
                models.append(model)
            last[id(sinks[0])] = model
        else:
            models.append(model)
    sink.sources, sink.sinks = [outs[-1][0]], []
    return [*models, sink]


@dataclass(frozen=True)
class Measured:
    """How fast a network is, source always valid and sink always ready.

    Attributes
    ----------
    interval
        Cycles between the ends of frames in steady state: when, after the network has filled, their
        gaps repeat for twice the latency or longer; the longest of the gaps if they differ.
    latency
        Cycles from the edge that takes the first beat to the edge that gives the last one of
        the first frame.
    """

    interval: int
    latency: int


def frame_ends(links: list[Link], in_beats: int, out_beats: int) -> Iterator[int]:
    """For every frame, the cycle in which its last beat leaves; 0 is the network's first handshake.

    The source is always valid, the sink always ready.

    Parameters
    ----------
    links
        In topological order, the models fresh; the last one's output 0 is the network's.
    in_beats, out_beats
        Beats of a frame at both ends.
    """
    source, sink = _Source(), _Sink()
    models = _connect(links, source, sink)
    work = _Worklist(models)
    while True:
        # Frames that come later have no influence on this one.
        source.supply = in_beats
        sink.wanted = out_beats
        work.run(0, len(models) - 1)
        if sink.wanted:
            raise HwgenError("internal error: the streams of this network block each other")
        yield sink.sources[0].last - (source.first or 0)


def measure(links: list[Link], in_beats: int, out_beats: int) -> Measured:
    """Interval and latency of a network; parameters as for :func:`frame_ends`."""
    ends: list[int] = []
    filled = 0  # the first frame after whatever the network can hold was filled once
    for end in frame_ends(links, in_beats, out_beats):
        ends.append(end)
        latency = ends[0]
        while ends[filled] - latency < latency and filled < len(ends) - 1:
            filled += 1
        if end - ends[filled] < 2 * latency:
            continue
        gaps = np.diff(ends[filled:]).tolist()
        # Too short a queue makes gaps that come and go, such as 1, 1, 1, 1, 4.
        for period in range(1, len(gaps) // 3 + 1):
            if gaps[period:] == gaps[:-period]:
                return Measured(max(gaps[:period]), latency)
    raise AssertionError("frames do not end")
