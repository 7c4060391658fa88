"""A source, a sink and a protocol checker around a stream design, one call a clock cycle.

The engines that run in Python (cocotb, Amaranth) move the values between this and the simulated
ports; ``harness.cpp`` does the same in C++ for whole data sets.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hwgen.rtl.design import Design

from .faults import Fault, Status
from .memory import Answer, MemoryModel, Request, read_image
from .packing import bytes_to_beats
from .scenario import Scenario, drain_cycles, idle_limit

__all__ = ["FaultFound", "Stimulus", "StreamDriver"]

POWER_ON_RESET = 2  # cycles

# Phases of random stalls, in turn: pauses of source and sink in eighths of the cycles, and whether
# the sink waits for tvalid. What finds most comes first, so that short runs meet it too.
TEMPOS = (
    (0, 4, True),
    (0, 8, False),  # fills the design up
    (0, 4, False),
    (7, 0, False),  # drains it
    (4, 4, False),
    (0, 0, False),
)


class FaultFound(Exception):
    """Stops a simulation; ``fault`` and ``status`` say why."""

    def __init__(self, fault: Fault, status: Status) -> None:
        super().__init__(f"{fault.name} at {status}")
        self.fault = fault
        self.status = status


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What the design's inputs are in one cycle; ``answers`` are those of its memories."""

    reset: bool
    valid: bool
    data: int
    ready: bool
    answers: tuple[Answer, ...] = ()


class StreamDriver:
    """Drives one scenario.

    Every cycle: set the ports to :meth:`drive`, let the logic settle, give what the design shows
    to :meth:`observe`, then let the clock rise; until :attr:`done`.

    Parameters
    ----------
    beats
        All beats of all frames, as natural numbers.
    in_beats, out_beats
        Beats of a frame.
    data_bits
        Width of the input's data; while nothing is valid it carries noise.
    idle_limit
        Cycles without a beat after which the design has hung.
    drain
        Cycles to watch for superfluous beats at the end.
    settle
        Cycles between isolated frames; phases of stalls are about as long.
    memories
        What answers requests for weights.

    Attributes
    ----------
    outputs
        The beats that came out since the last reset.
    starts, ends
        For every frame the cycle whose clock edge took its first input beat, gave its last output
        beat.
    """

    def __init__(
        self,
        scenario: Scenario,
        beats: list[int],
        *,
        in_beats: int,
        out_beats: int,
        data_bits: int,
        idle_limit: int,
        drain: int,
        settle: int,
        memories: Sequence[MemoryModel] = (),
    ) -> None:
        self._memories = tuple(memories)
        self._scenario = scenario
        self._beats = beats
        self._in_beats = in_beats
        self._out_beats = out_beats
        self._frames = len(beats) // in_beats
        self._data_bits = data_bits
        self._idle_limit = idle_limit
        self._drain = drain
        self._settle = settle
        self._random = random.Random(scenario.seed)
        self._reset_at = scenario.reset_at
        self._reset_left = POWER_ON_RESET
        self._restart()

    @classmethod
    def of(
        cls, design: Design, scenario: Scenario, beats: list[int], data_bits: int
    ) -> StreamDriver:
        """A driver for ``design``; ``data_bits`` is the width of a beat of ``beats``."""
        return cls(
            scenario,
            beats,
            in_beats=design.input.beats,
            out_beats=design.output.beats,
            data_bits=data_bits,
            idle_limit=idle_limit(design),
            drain=drain_cycles(design),
            settle=design.interval,
            memories=[
                MemoryModel(
                    memory,
                    bytes_to_beats(read_image(design, memory)),
                    scenario.stalls or scenario.slow_memory,
                    scenario.seed + number,
                )
                for number, memory in enumerate(design.memories)
            ],
        )

    def _restart(self) -> None:
        self.outputs: list[int] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._cycle = 0
        self._sent = 0
        self._idle = 0
        self._offering = False
        self._stalled: tuple[int, bool] | None = None  # the beat that waits at the output
        self._phase = self._phase_left = self._phase_start = 0
        self._source_pause = self._sink_pause = 0
        self._patient = False
        for memory in self._memories:
            memory.reset()

    @property
    def requests(self) -> tuple[int, ...]:
        """Columns that were asked for since the last reset, of every memory."""
        return tuple(memory.requests for memory in self._memories)

    @property
    def frames(self) -> int:
        """How many frames are sent."""
        return self._frames

    @property
    def cycle(self) -> int:
        """Clock cycles since the last reset."""
        return self._cycle

    @property
    def cycles(self) -> int:
        """Clock cycles from reset to the last output beat."""
        return self.ends[-1] + 1 if self.ends else self._cycle

    @property
    def complete(self) -> bool:
        """Every beat went in and came out."""
        return (
            self._sent == len(self._beats) and len(self.outputs) == self._frames * self._out_beats
        )

    @property
    def done(self) -> bool:
        """Nothing is left to do, and nothing superfluous came out."""
        waiting = self._reset_left or self._reset_at is not None
        return not waiting and self.complete and self._idle >= self._drain and not self._asking

    @property
    def _asking(self) -> bool:
        return any(memory.busy for memory in self._memories)

    def drive(self) -> Stimulus:
        """The design's inputs in this cycle."""
        noise = self._random.getrandbits(self._data_bits)
        answers = tuple(memory.drive(self._reset_left > 0) for memory in self._memories)
        if self._reset_left:
            return Stimulus(True, False, noise, False, answers)
        if self._scenario.stalls:
            self._choose_phase()
        if not self._offering:
            self._offering = self._may_offer()
        data = self._beats[self._sent] if self._offering else noise
        self._ready = self._may_take()
        return Stimulus(False, self._offering, data, self._ready, answers)

    def observe(
        self,
        in_ready: int | None,
        out_valid: int | None,
        out_data,
        out_last,
        requests: Sequence[Request] = (),
    ) -> None:
        """Check and count one cycle.

        Parameters
        ----------
        in_ready, out_valid
            The design's handshake outputs before the clock edge; None if unknown (X).
        out_data, out_last
            Functions that read data and tlast, called only while the output is valid. They
            return None if unknown; where there is no tlast, ``out_last`` is None.
        requests
            What the memories are asked.

        Raises
        ------
        FaultFound
        """
        if self._reset_left:
            self._reset_left -= 1
            if not self._reset_left:
                self._restart()
            return
        self._in_ready, self._out_valid = bool(in_ready), bool(out_valid)
        if in_ready is None or out_valid is None:
            self._fail(Fault.UNKNOWN)
        self._idle += 1
        if self._offering and in_ready:
            if self._sent % self._in_beats == 0:
                self.starts.append(self._cycle)
            self._sent += 1
            self._offering = False
            self._idle = 0
        self._check_output(bool(out_valid), out_data, out_last)
        for memory, request in zip(self._memories, requests, strict=True):
            if fault := memory.observe(request):
                self._fail(fault)
        if self._idle > self._idle_limit and not self.complete:
            self._fail(Fault.HANG)
        if self._idle > self._idle_limit and self._asking:
            self._fail(Fault.WORDS_LEFT)
        self._cycle += 1
        if self._cycle == self._reset_at:
            self._reset_at = None
            self._reset_left = 1

    def _check_output(self, valid: bool, out_data, out_last) -> None:
        stalled, self._stalled = self._stalled, None
        if not valid:
            if stalled is not None:
                self._fail(Fault.VALID_DROPPED)
            return
        received = len(self.outputs)
        last_beat = received % self._out_beats == self._out_beats - 1
        data, last = out_data(), last_beat if out_last is None else out_last()
        if data is None or last is None:
            self._fail(Fault.UNKNOWN)
        if stalled is not None and data != stalled[0]:
            self._fail(Fault.DATA_CHANGED)
        if stalled is not None and last != stalled[1]:
            self._fail(Fault.LAST_CHANGED)
        if received == self._frames * self._out_beats:
            self._fail(Fault.EXTRA_BEAT)
        if not self._ready:
            self._stalled = data, last
            return
        if last != last_beat:
            self._fail(Fault.LAST_MISPLACED)
        self.outputs.append(data)
        self._idle = 0
        if last_beat:
            self.ends.append(self._cycle)

    def _may_offer(self) -> bool:
        if self._sent == len(self._beats):
            return False
        if self._scenario.isolated and self._sent % self._in_beats == 0:
            frame = self._sent // self._in_beats
            if len(self.outputs) < frame * self._out_beats:
                return False
            if frame and self._idle < self._settle:
                return False
        return self._random.randrange(8) >= self._source_pause

    def _may_take(self) -> bool:
        if self._patient and self._stalled is None:
            return False
        return self._random.randrange(8) >= self._sink_pause

    def _choose_phase(self) -> None:
        # A patient phase lasts until a beat came out: a design that waits for tready hangs in it.
        moved = len(self.outputs) > self._phase_start or self.complete
        if self._phase_left or (self._patient and not moved):
            self._phase_left = max(0, self._phase_left - 1)
            return
        self._source_pause, self._sink_pause, patient = TEMPOS[self._phase % len(TEMPOS)]
        self._patient = patient and not self.complete
        self._phase += 1
        self._phase_left = 8 + self._random.randrange(32 + 2 * self._settle)
        self._phase_start = len(self.outputs)

    def _fail(self, fault: Fault) -> None:
        raise FaultFound(
            fault,
            Status(
                cycle=self._cycle,
                sent=self._sent,
                received=len(self.outputs),
                in_beats=self._in_beats,
                out_beats=self._out_beats,
                frames=self._frames,
                in_ready=self._in_ready,
                out_valid=self._out_valid,
                patient=self._patient,
                idle=self._idle,
            ),
        )
