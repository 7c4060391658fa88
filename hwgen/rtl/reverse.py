"""A sequence backwards in hardware: one is written while the one before is read."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib.memory import Memory

from ..ops.reverse import Reverse
from .design import StreamShape
from .lib import area
from .lib.component import StreamComponent, generates
from .lib.intake import intake
from .lib.mac_timing import Event, StepTiming

__all__ = ["ReverseLayer"]


class ReverseTiming(StepTiming):
    """One read a cycle; the first step that is read is the last one to come.

    Parameters
    ----------
    steps
        Of a sequence.
    step_beats
        Beats of a step.
    """

    def __init__(self, steps: int, step_beats: int) -> None:
        self.steps, self.step_beats = steps, step_beats
        frame = steps * step_beats
        super().__init__(1, frame, 2 * frame)

    def events(self) -> list[Event]:
        frame, first = self.steps * self.step_beats, (self.steps - 1) * self.step_beats
        events = [Event(1, first + k, True, -1) for k in range(self.step_beats)]
        events += [Event(1, -1, True, -1)] * first
        return [*events[:-1], events[-1]._replace(limit=3 * frame)]


class ReverseLayer(StreamComponent):
    """A memory of two sequences: at any time the next one comes in.

    Parameters
    ----------
    steps
        Of a sequence.
    shape
        The stream, in and out.
    """

    def __init__(self, steps: int, shape: StreamShape) -> None:
        self._steps, self._step_beats = steps, shape.beats // steps
        super().__init__((shape,), shape)

    def timing(self):
        return [ReverseTiming(self._steps, self._step_beats)]

    def area(self):
        width, depth = self.output.lanes * self.output.width, 2 * self.output.beats
        bits = 2 * depth.bit_length() + self.output.beats.bit_length()
        flags = area.control(bits + (self._step_beats - 1).bit_length() + 3)
        steps = area.comparison(depth.bit_length()) + area.adder(self.output.beats.bit_length())
        return flags + steps + area.ram(depth, width) + area.registers(width)

    def elaborate(self, platform):
        m = Module()
        frame, each = self.output.beats, self._step_beats
        depth = 2 * frame
        m.submodules.storage = storage = Memory(
            shape=len(self.i.payload.as_value()), depth=depth, init=[]
        )
        write, read = storage.write_port(), storage.read_port()

        # ``ahead`` counts the beats taken since the first one of the sequence that is being read.
        ahead = Signal(range(depth + 1))
        taken, write_address = intake(m, self.i, ahead != depth, depth)
        m.d.comb += [
            write.addr.eq(write_address),
            write.data.eq(self.i.payload.as_value()),
            write.en.eq(taken),
        ]

        # Steps go backwards, the beats of a step forwards.
        enable = Signal()
        step = Signal()
        offset = Signal(range(frame), init=frame - each)
        beat = Signal(range(max(2, each)))
        half = Signal()
        step_end = Signal()
        frame_end = Signal()
        m.d.comb += [
            step.eq(enable & (offset < ahead)),
            step_end.eq(beat == each - 1),
            frame_end.eq(offset == each - 1),
            read.addr.eq(offset + Mux(half, frame, 0)),
            read.en.eq(enable),
        ]
        with m.If(step):
            m.d.sync += beat.eq(Mux(step_end, 0, beat + 1))
            with m.If(frame_end):
                m.d.sync += [offset.eq(frame - each), half.eq(~half)]
            with m.Elif(step_end):
                m.d.sync += offset.eq(offset - (2 * each - 1))
            with m.Else():
                m.d.sync += offset.eq(offset + 1)
        m.d.sync += ahead.eq(ahead + taken - Mux(step & frame_end, frame, 0))

        # What was read waits in the memory's own register while the output is blocked.
        is_read = Signal()
        m.d.comb += enable.eq(~(is_read & self.o.valid & ~self.o.ready))
        result = Signal(len(self.o.payload.as_value()), reset_less=True)
        with m.If(enable):
            m.d.sync += is_read.eq(step)
        with m.If(enable & is_read):
            m.d.sync += [result.eq(read.data), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        m.d.comb += self.o.payload.as_value().eq(result)
        return m


@generates(Reverse)
def make(op, types, result, schedule, name):
    lanes, _ = op.lanes(*types, schedule=schedule)
    return ReverseLayer(result.shape[0], StreamShape.of(result, lanes))
