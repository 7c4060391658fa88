"""Binary numbers to stochastic streams in hardware: comparators against random numbers."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..ir.types import Int
from ..ops.to_stream import ToStream
from .design import StreamShape
from .lib import area, timing
from .lib.area import Area
from .lib.component import StreamComponent, element_shape, generates
from .lib.pipeline import ElasticPipeline
from .lib.random_sources import RandomSources

__all__ = ["ToStreamLayer"]


class ToStreamLayer(StreamComponent):
    """A vector is held while its steps are drawn; the beats of the next one come in meanwhile.

    Parameters
    ----------
    op
        The conversion.
    values
        Ends of the interval of x.
    source, target
        A vector in some beats, and a step a beat.

    Attributes
    ----------
    begun
        1 in the cycle in which a vector is about to be drawn.
    stop
        What is left of the vector that is being drawn is not wanted.
    """

    def __init__(
        self, op: ToStream, values: tuple[int, int], source: StreamShape, target: StreamShape
    ) -> None:
        self._op = op
        self._limit = Int.fit(values[0] + op.offset, values[1] + op.offset)
        self._sources = RandomSources(op.width, op.taps, op.leap, op.seeds.array, op.bits)
        # Behind the comparators of several components is a register, then their number.
        self._depth = 1 + (op.components > 1)
        super().__init__((source,), target, {"begun": Out(1), "stop": In(1)})

    def timing(self):
        return [timing.Repack(self.inputs[0].beats, self._op.length), timing.Pipeline(self._depth)]

    def area(self):
        op, source = self._op, self.inputs[0]
        n = source.lanes * source.beats
        held = (source.beats - 1) * source.lanes * source.width + n * self._limit.width
        control = area.control((source.beats - 1).bit_length() + op.length.bit_length())
        below = Area(lut=area.comparison(max(op.bits, self._limit.width)).lut)
        each = below * op.components + area.registers(self.output.width)
        each += Area(carry=area.carry_chain(max(op.bits, self._limit.width)) * op.components)
        if op.components > 1:
            each += area.registers(op.components) + Area(lut=op.components * 3 // 4)
        if op.bipolar:
            each += Area(lut=1)
        return control + area.registers(held) + self._sources.area() + each * n

    def elaborate(self, platform):
        m = Module()
        op, source = self._op, self.inputs[0]
        m.submodules.sources = sources = self._sources
        left = Signal(range(op.length + 1))  # steps of the vector that is held
        pipe = ElasticPipeline(m, self._depth, i_valid=left != 0, o_ready=self.o.ready)
        step = Signal()
        is_last = Signal(name="last_step")
        m.d.comb += [
            step.eq((left != 0) & pipe.enable[0]),
            is_last.eq(left == 1),
            self.o.valid.eq(pipe.valid[-1]),
            sources.advance.eq(step),
            sources.restart.eq((step & is_last) | self.stop),
        ]

        held, filled = self._intake(m, free=(left == 0) | (is_last & pipe.enable[0]))
        with m.If(filled):
            m.d.sync += left.eq(op.length)
        with m.Elif(self.stop):
            m.d.sync += left.eq(0)
        with m.Elif(step):
            m.d.sync += left.eq(left - 1)
        with m.If(self.stop):
            m.d.sync += [valid.eq(0) for valid in pipe.valid]
        m.d.comb += self.begun.eq(filled)

        shape = element_shape(self._limit)
        for j in range(self.output.lanes):
            limit = Signal(shape, name=f"limit_{j}", reset_less=True)
            x = held.word_select(j, source.width)
            x = x.as_signed() if source.signed else x
            with m.If(filled):
                m.d.sync += limit.eq(x + op.offset)
            below = Signal(op.components, name=f"below_{j}")
            for k in range(op.components):
                m.d.comb += below[k].eq(sources.number(j, k) < limit)
            if self._depth > 1:
                drawn = Signal.like(below, name=f"below_{j}_q", reset_less=True)
                with m.If(pipe.enable[0]):
                    m.d.sync += drawn.eq(below)
            else:
                drawn = below
            count = Signal(range(op.components + 1), name=f"count_{j}")
            m.d.comb += count.eq(sum(drawn, start=0))
            y = Signal.like(self.o.payload[j], name=f"y{j}", reset_less=True)
            with m.If(pipe.enable[-1]):
                m.d.sync += y.eq(2 * count - op.components if op.bipolar else count)
            m.d.comb += self.o.payload[j].eq(y)
        return m

    def _intake(self, m: Module, free):
        """All beats of a vector side by side, and whether the last one is taken now."""
        beats, beat = self.inputs[0].beats, self.i.payload.as_value()
        filled = Signal()
        if beats == 1:
            m.d.comb += [self.i.ready.eq(free), filled.eq(self.i.valid & free)]
            return beat, filled
        count = Signal(range(beats))
        waiting = Signal((beats - 1) * len(beat), reset_less=True)
        last = Signal(name="last_beat")
        taken = Signal()
        m.d.comb += [
            last.eq(count == beats - 1),
            self.i.ready.eq(~last | free),
            taken.eq(self.i.valid & self.i.ready),
            filled.eq(taken & last),
        ]
        with m.If(taken):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
            m.d.sync += waiting.eq(Cat(waiting, beat)[len(beat) :])
        return Cat(waiting, beat), filled


@generates(ToStream)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, out_lanes = op.lanes(x, schedule=schedule)
    source, target = StreamShape.of(x, lanes), StreamShape.of(result, out_lanes)
    return ToStreamLayer(op, (x.lo, x.hi), source, target)
