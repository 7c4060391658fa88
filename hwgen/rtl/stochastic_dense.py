"""Fully connected layers on stochastic streams in hardware: weights in logic, or in a memory."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal

from ..ops.stochastic_dense import StochasticDense
from .design import StreamShape
from .lib import area, timing
from .lib.component import StreamComponent, generates
from .lib.loops import wrapped
from .lib.pipeline import ElasticPipeline
from .lib.random_sources import RandomSources
from .lib.stochastic_lanes import StochasticLanes
from .lib.stochastic_matrix import StochasticMatrix, forced_low

__all__ = ["SpatialStochasticLayer"]


class SpatialStochasticLayer(StreamComponent):
    """A step a clock: sources, a register that holds their numbers, and the matrix.

    Parameters
    ----------
    name
        Full module name.
    op
        The layer.
    steps
        Of a stream: behind the last one the sources begin anew.
    source, target
        Streams, a step a beat.
    levels
        Tables in a row between registers.
    """

    def __init__(
        self,
        name: str,
        op: StochasticDense,
        steps: int,
        source: StreamShape,
        target: StreamShape,
        levels: int,
    ) -> None:
        self._op, self._steps = op, steps
        self._sources = RandomSources(op.width, op.taps, op.leap, op.seeds.array, op.number_bits)
        self._matrix = StochasticMatrix(name, op, source.signed, target.width, levels)
        super().__init__((source,), target)

    def timing(self):
        return [timing.Pipeline(1 + self._matrix.depth)]

    def area(self):
        op, inputs = self._op, self.inputs[0].lanes
        kinds = self._matrix.uses("nonzero") + self._matrix.uses("negative")
        held = area.registers(len(self._matrix.compared) * op.number_bits + kinds * inputs)
        forced = area.Area(lut=inputs)  # where an input is 0, the register is set or reset
        control = area.control((self._steps - 1).bit_length()) + area.stages(1 + self._matrix.depth)
        return control + held + forced + self._sources.area() + self._matrix.area()

    def elaborate(self, platform):
        m = Module()
        op = self._op
        m.submodules.sources = sources = self._sources
        matrix = self._matrix
        pipe = ElasticPipeline(m, 1 + matrix.depth, i_valid=self.i.valid, o_ready=self.o.ready)
        step = Signal(range(max(2, self._steps)))
        taken = Signal()
        last = Signal(name="last_step")
        m.d.comb += [
            self.i.ready.eq(pipe.enable[0]),
            self.o.valid.eq(pipe.valid[-1]),
            taken.eq(self.i.valid & self.i.ready),
            last.eq(step == self._steps - 1),
            sources.advance.eq(taken),
            sources.restart.eq(taken & last),
            self.o.payload.as_value().eq(matrix.sums),
        ]
        with m.If(taken):
            m.d.sync += step.eq(wrapped(step, self._steps))
        x = [self.i.payload[j] for j in range(self.inputs[0].lanes)]
        bits = {"nonzero": [v[0] for v in x], "negative": [v[-1] for v in x]}
        for kind, values in bits.items():
            if self._matrix.uses(kind):
                held = Signal(len(values), name=f"{kind}_q0", reset_less=True)
                with m.If(pipe.enable[0]):
                    m.d.sync += held.eq(Cat(*values))
                m.d.comb += getattr(matrix, kind).eq(held)

        components = op.components
        for j, k in matrix.compared:
            number = Signal(op.number_bits, name=f"number_{j}_{k}_q0", reset_less=True)
            drawn = sources.number(j, k)
            if j < len(x):
                forced = 0 if forced_low(op, k) else (1 << op.number_bits) - 1
                drawn = Mux(x[j][0], drawn, Const(forced, op.number_bits))
            with m.If(pipe.enable[0]):
                m.d.sync += number.eq(drawn)
            m.d.comb += matrix.numbers.word_select(j * components + k, op.number_bits).eq(number)
        matrix.place(m, platform, pipe.enable[1:])
        return m


@generates(StochasticDense)
def make(op, types, result, schedule, name):
    """The component of a stochastic layer.

    A step a clock (spatial), or a step in ``outputs / pe`` clocks (folded).
    """
    (x,) = types
    in_lanes, out_lanes = op.lanes(x, schedule=schedule)
    source, target = StreamShape.of(x, in_lanes), StreamShape.of(result, out_lanes)
    steps, levels = x.shape[0], schedule.pipeline
    if out_lanes == result.channels:
        return SpatialStochasticLayer(name, op, steps, source, target, levels)
    return StochasticLanes(name, op, out_lanes, steps, source, target, levels)
