"""The product of a stream and a stream of bits in hardware: both taken at once, one register."""

from __future__ import annotations

from amaranth import Module, Mux, Signal

from ..ops.stream_multiply import StreamMultiply
from .design import StreamShape
from .lib import area, timing
from .lib.area import Area
from .lib.component import StreamComponent, generates
from .lib.pipeline import ElasticPipeline

__all__ = ["StreamMultiplyLayer"]


class StreamMultiplyLayer(StreamComponent):
    """Every lane of the first input is passed on, cleared or negated."""

    def timing(self):
        return [timing.Join()]

    def area(self):
        signs = self.inputs[1].signed
        lut = self.output.width if signs else min(self.inputs[0].width, self.output.width)
        lane = Area(lut=lut + signs, carry=area.carry_chain(self.output.width) * signs)
        held = area.registers(self.output.width)
        return area.stages(1) + Area(lut=2) + (lane + held) * self.output.lanes

    def elaborate(self, platform):
        m = Module()
        both = self.i.valid & self.j.valid
        pipe = ElasticPipeline(m, 1, i_valid=both, o_ready=self.o.ready)
        m.d.comb += [
            self.i.ready.eq(pipe.enable[0] & self.j.valid),
            self.j.ready.eq(pipe.enable[0] & self.i.valid),
            self.o.valid.eq(pipe.valid[0]),
        ]
        for index in range(self.output.lanes):
            a, b = self.i.payload[index], self.j.payload[index]
            signed = Mux(b[-1], -a, a) if self.inputs[1].signed else a
            y = Signal.like(self.o.payload[index], name=f"y{index}", reset_less=True)
            with m.If(pipe.enable[0]):
                m.d.sync += y.eq(Mux(b[0], signed, 0))
            m.d.comb += self.o.payload[index].eq(y)
        return m


@generates(StreamMultiply)
def make(op, types, result, schedule, name):
    lanes, _ = op.lanes(*types, schedule=schedule)
    shapes = tuple(StreamShape.of(type, lanes) for type in types)
    return StreamMultiplyLayer(shapes, StreamShape.of(result, lanes))
