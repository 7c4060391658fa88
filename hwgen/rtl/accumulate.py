"""Sums over the steps of a stream in hardware: a register each, or memories that lanes go through."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal

from ..ops.accumulate import Accumulate
from .design import StreamShape
from .lib import area
from .lib.area import Area
from .lib.component import StreamComponent, generates
from .lib.loops import wrapped
from .lib.pipeline import ElasticPipeline
from .lib.rom import read_write
from .lib.timing import GAVE, TOOK, Timing

__all__ = ["AccumulateLayer", "LastStep"]


class LastStep(Timing):
    """One register, which every beat goes through and only those of the last step leave.

    Parameters
    ----------
    steps, beats
        Steps of a frame, and beats of a step.
    """

    def __init__(self, steps: int, beats: int) -> None:
        self.steps, self.beats = steps, beats
        self._left = steps * beats
        self._given = False  # a beat is in the register, and it is not known when it leaves

    def run(self):
        (source,), (sink,) = self.sources, self.sinks
        moved = 0
        while source.offers and not (self._given and not sink.takes):
            cycle = max(source.offers.popleft(), source.last + 1)
            if self._given:
                cycle = max(cycle, sink.takes.popleft())
            source.last = cycle
            source.takes.append(cycle)
            self._given = self._left <= self.beats
            if self._given:
                sink.offers.append(cycle + 1)
                moved |= GAVE
            self._left = self._left - 1 or self.steps * self.beats
            moved |= TOOK
        return moved


class AccumulateLayer(StreamComponent):
    """One beat a clock; lanes that have several sums take turns at them.

    Parameters
    ----------
    steps
        Of a stream.
    source, target
        The streams, of equally many lanes.
    """

    def __init__(self, steps: int, source: StreamShape, target: StreamShape) -> None:
        self._steps, self._folds = steps, target.beats
        super().__init__((source,), target)

    def timing(self):
        return [LastStep(self._steps, self._folds)]

    def area(self):
        y, folds = self.output, self._folds
        counters = area.control((self._steps - 1).bit_length() + (folds - 1).bit_length())
        held = area.registers(y.width)
        if folds > 1:
            held += area.ram(folds, y.width, registered=False)
        sums = (area.adder(y.width) + held) * y.lanes
        return area.stages(1) + counters + Area(lut=2) + sums

    def elaborate(self, platform):
        m = Module()
        steps, folds = self._steps, self._folds
        step = Signal(range(max(2, steps)))
        fold = Signal(range(max(2, folds)))
        first = Signal(name="first_step")
        last = Signal(name="last_step")
        taken = Signal()
        pipe = ElasticPipeline(m, 1, i_valid=self.i.valid, o_ready=self.o.ready, swallow=~last)
        m.d.comb += [
            first.eq(step == 0),
            last.eq(step == steps - 1),
            self.i.ready.eq(pipe.enable[0]),
            self.o.valid.eq(pipe.valid[0]),
            taken.eq(self.i.valid & self.i.ready),
        ]
        with m.If(taken & (fold == folds - 1)):
            m.d.sync += step.eq(wrapped(step, steps))
        if folds > 1:
            with m.If(taken):
                m.d.sync += fold.eq(wrapped(fold, folds))
        width = self.output.width
        before = self.o.payload.as_value()
        if folds > 1:
            write, read = read_write(m, "sums", len(before), folds, domain="comb")
            m.d.comb += [read.addr.eq(fold), write.addr.eq(fold), write.en.eq(taken)]
            before = read.data
        totals = []
        for index in range(self.output.lanes):
            y = Signal.like(self.o.payload[index], name=f"y{index}", reset_less=True)
            total = Signal.like(self.o.payload[index], name=f"total{index}")
            own = before.word_select(index, width)
            m.d.comb += [
                total.eq(Mux(first, 0, own) + self.i.payload[index]),
                self.o.payload[index].eq(y),
            ]
            with m.If(taken):
                m.d.sync += y.eq(total)
            totals.append(total)
        if folds > 1:
            m.d.comb += write.data.eq(Cat(*totals))
        return m


@generates(Accumulate)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, _ = op.lanes(x, schedule=schedule)
    return AccumulateLayer(x.shape[0], StreamShape.of(x, lanes), StreamShape.of(result, lanes))
