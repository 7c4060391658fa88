"""Elementwise sum in hardware: waits for both streams."""

from __future__ import annotations

from amaranth import Module, Signal

from ..ops.add import Add
from .design import StreamShape
from .lib import area, timing
from .lib.component import StreamComponent, generates
from .lib.pipeline import ElasticPipeline

__all__ = ["AddLayer"]


class AddLayer(StreamComponent):
    """One adder a lane; one register."""

    def timing(self):
        return [timing.Join()]

    def area(self):
        sums = area.adder(min(shape.width for shape in self.inputs)) * self.output.lanes
        held = area.registers(self.output.lanes * self.output.width)
        return area.stages(1) + area.Area(lut=2) + held + sums

    def elaborate(self, platform):
        m = Module()
        pipe = ElasticPipeline(m, 1, i_valid=self.i.valid & self.j.valid, o_ready=self.o.ready)
        m.d.comb += [
            self.i.ready.eq(pipe.enable[0] & self.j.valid),
            self.j.ready.eq(pipe.enable[0] & self.i.valid),
            self.o.valid.eq(pipe.valid[0]),
        ]
        for index in range(self.output.lanes):
            y = Signal.like(self.o.payload[index], name=f"y{index}")
            with m.If(pipe.enable[0]):
                m.d.sync += y.eq(self.i.payload[index] + self.j.payload[index])
            m.d.comb += self.o.payload[index].eq(y)
        return m


@generates(Add)
def make(op, types, result, schedule, name):
    lanes, _ = op.lanes(*types, schedule=schedule)
    shapes = tuple(StreamShape.of(type, lanes) for type in types)
    return AddLayer(shapes, StreamShape.of(result, lanes))
