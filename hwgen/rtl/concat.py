"""Two values side by side in hardware: the streams take turns."""

from __future__ import annotations

from amaranth import Module, Mux, Signal

from ..ops.concat import Concat
from .design import StreamShape
from .lib import area
from .lib.component import StreamComponent, generates
from .lib.loops import wrapped
from .lib.pipeline import ElasticPipeline
from .lib.timing import GAVE, TOOK, Timing

__all__ = ["ConcatLayer"]


class Turns(Timing):
    """One register, which takes some beats of the first input, then some of the second.

    Parameters
    ----------
    beats
        How many, by input.
    """

    def __init__(self, beats: tuple[int, int]) -> None:
        self.beats = beats
        self._turn, self._left = 0, beats[0]
        self._room = 1

    def run(self):
        (sink,) = self.sinks
        moved = 0
        while (source := self.sources[self._turn]).offers and (self._room or sink.takes):
            cycle = max(source.offers.popleft(), source.last + 1)
            if self._room:
                self._room = 0
            else:
                cycle = max(cycle, sink.takes.popleft())
            source.takes.append(cycle)
            source.last = cycle
            sink.offers.append(cycle + 1)
            moved = TOOK | GAVE
            self._left -= 1
            if not self._left:
                self._turn = 1 - self._turn
                self._left = self.beats[self._turn]
        return moved


class ConcatLayer(StreamComponent):
    """Of every pixel or step first all beats of one input, then all of the other; one register.

    Parameters
    ----------
    channels
        Of a pixel or step, by input.
    """

    def __init__(
        self, channels: tuple[int, int], inputs: tuple[StreamShape, ...], output: StreamShape
    ) -> None:
        self._beats = tuple(n // output.lanes for n in channels)
        super().__init__(inputs, output)

    def timing(self):
        return [Turns(self._beats)]

    def area(self):
        width = self.output.lanes * self.output.width
        turn = area.control((sum(self._beats) - 1).bit_length())
        return area.stages(1) + turn + area.selection(2, width) + area.registers(width)

    def elaborate(self, platform):
        m = Module()
        beats = sum(self._beats)
        at = Signal(range(beats))
        second = Signal()
        pipe = ElasticPipeline(
            m, 1, i_valid=Mux(second, self.j.valid, self.i.valid), o_ready=self.o.ready
        )
        m.d.comb += [
            second.eq(at >= self._beats[0]),
            self.i.ready.eq(pipe.enable[0] & ~second),
            self.j.ready.eq(pipe.enable[0] & second),
            self.o.valid.eq(pipe.valid[0]),
        ]
        with m.If((self.i.valid & self.i.ready) | (self.j.valid & self.j.ready)):
            m.d.sync += at.eq(wrapped(at, beats))
        for index in range(self.output.lanes):
            y = Signal.like(self.o.payload[index], name=f"y{index}", reset_less=True)
            with m.If(pipe.enable[0]):
                m.d.sync += y.eq(Mux(second, self.j.payload[index], self.i.payload[index]))
            m.d.comb += self.o.payload[index].eq(y)
        return m


@generates(Concat)
def make(op, types, result, schedule, name):
    lanes, _ = op.lanes(*types, schedule=schedule)
    shapes = tuple(StreamShape.of(type, lanes) for type in types)
    channels = tuple(type.channels for type in types)
    return ConcatLayer(channels, shapes, StreamShape.of(result, lanes))
