"""Components that only move beats: queue, fork, repack."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..design import StreamShape
from . import area, timing
from .component import StreamComponent, lanes_layout
from .loops import wrapped

__all__ = ["Fork", "Queue", "Repack"]


class Queue(StreamComponent):
    """First in, first out; a beat can be read in the cycle after it was written.

    Parameters
    ----------
    shape
        The stream.
    depth
        Beats, 1 or more.
    """

    def __init__(self, shape: StreamShape, depth: int) -> None:
        self.depth = depth
        super().__init__((shape,), shape)

    def timing(self):
        return [timing.Queue(self.depth)]

    def area(self):
        index = (self.depth - 1).bit_length()
        bits = 2 * index + self.depth.bit_length()
        width = self.output.lanes * self.output.width
        return area.control(bits) + area.ram(self.depth, width, registered=False)

    def elaborate(self, platform):
        m = Module()
        depth = self.depth
        width = len(self.i.payload.as_value())
        m.submodules.storage = storage = Memory(shape=width, depth=depth, init=[])
        write = storage.write_port()
        read = storage.read_port(domain="comb")
        write_index = Signal(range(depth))
        read_index = Signal(range(depth))
        level = Signal(range(depth + 1))
        taken = Signal()
        given = Signal()
        m.d.comb += [
            self.i.ready.eq(level != depth),
            self.o.valid.eq(level != 0),
            taken.eq(self.i.valid & self.i.ready),
            given.eq(self.o.valid & self.o.ready),
            write.addr.eq(write_index),
            write.data.eq(self.i.payload.as_value()),
            write.en.eq(taken),
            read.addr.eq(read_index),
            self.o.payload.as_value().eq(read.data),
        ]
        m.d.sync += level.eq(level + taken - given)
        with m.If(taken):
            m.d.sync += write_index.eq(wrapped(write_index, depth))
        with m.If(given):
            m.d.sync += read_index.eq(wrapped(read_index, depth))
        return m


class Fork(wiring.Component):
    """One stream to ``outputs`` readers (``o0``, ``o1``, ...), each of which takes a beat when it can."""

    _MustUse__silence = True

    def __init__(self, shape: StreamShape, outputs: int) -> None:
        self.outputs = outputs
        signature = stream.Signature(lanes_layout(shape))
        super().__init__({"i": In(signature), **{f"o{k}": Out(signature) for k in range(outputs)}})

    def timing(self):
        return [timing.Fork()]

    def area(self):
        return area.Area(lut=3 * self.outputs, ff=self.outputs)

    def elaborate(self, platform):
        m = Module()
        done = Signal(self.outputs)
        finished = Signal(self.outputs)
        for k in range(self.outputs):
            port = getattr(self, f"o{k}")
            m.d.comb += [
                port.payload.as_value().eq(self.i.payload.as_value()),
                port.valid.eq(self.i.valid & ~done[k]),
                finished[k].eq(port.ready | done[k]),
            ]
        m.d.comb += self.i.ready.eq(finished.all())
        m.d.sync += done.eq(Mux(self.i.ready | ~self.i.valid, 0, finished))
        return m


class Repack(StreamComponent):
    """The same elements at other lanes a beat: gathers whole beats, or scatters one over several.

    Parameters
    ----------
    source, target
        The streams; one number of lanes divides the other.
    """

    def __init__(self, source: StreamShape, target: StreamShape) -> None:
        self._gather = max(1, target.lanes // source.lanes)
        self._scatter = max(1, source.lanes // target.lanes)
        super().__init__((source,), target)

    def timing(self):
        return [timing.Repack(self._gather, self._scatter)]

    def area(self):
        beats = max(self._gather, self._scatter)
        if self._gather > 1:
            held = area.registers((2 * beats - 1) * self.inputs[0].lanes * self.inputs[0].width)
            return area.control((beats - 1).bit_length() + 1) + area.Area(lut=2) + held
        # All but the last word are loaded, or shifted.
        width = self.output.lanes * self.output.width
        moved = area.registers(beats * width) + area.Area(lut=(beats - 1) * width)
        return area.control(beats.bit_length()) + area.Area(lut=4) + moved

    def elaborate(self, platform):
        return self._elaborate_gather() if self._gather > 1 else self._elaborate_scatter()

    def _elaborate_gather(self) -> Module:
        m = Module()
        beats = self._gather
        width = len(self.i.payload.as_value())
        held = Signal((beats - 1) * width, reset_less=True)
        count = Signal(range(beats))
        last = Signal()
        full = Signal()
        m.d.comb += [
            last.eq(count == beats - 1),
            self.i.ready.eq(~last | ~full | self.o.ready),
            self.o.valid.eq(full),
        ]
        out = Signal.like(self.o.payload.as_value(), name="gathered", reset_less=True)
        m.d.comb += self.o.payload.as_value().eq(out)
        with m.If(self.o.ready):
            m.d.sync += full.eq(0)
        taken = Signal()
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        with m.If(taken):
            with m.If(last):
                m.d.sync += [
                    out.eq(Cat(held, self.i.payload.as_value())),
                    full.eq(1),
                    count.eq(0),
                ]
            with m.Else():
                m.d.sync += [
                    held.eq(Cat(held, self.i.payload.as_value())[width:]),
                    count.eq(count + 1),
                ]
        return m

    def _elaborate_scatter(self) -> Module:
        m = Module()
        beats = self._scatter
        width = len(self.o.payload.as_value())
        held = Signal(beats * width, reset_less=True)
        left = Signal(range(beats + 1))
        m.d.comb += [
            self.o.payload.as_value().eq(held[:width]),
            self.o.valid.eq(left != 0),
            self.i.ready.eq((left == 0) | ((left == 1) & self.o.ready)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(self.i.payload.as_value()), left.eq(beats)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [held.eq(held >> width), left.eq(left - 1)]
        return m
