"""The class of the largest sum in hardware: sums, a tree that finds the best two, and the decision."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..ir.types import Int
from ..ops.stream_argmax import StreamArgmax
from .design import StreamShape
from .lib import area, timing
from .lib.area import Area
from .lib.component import StreamComponent, element_shape, generates
from .lib.loops import wrapped
from .lib.pipeline import ElasticPipeline

__all__ = ["StreamArgmaxLayer"]

IN_FLIGHT = 12  # bits of the counter of frames: far more than a chain holds


@dataclass(frozen=True)
class _Best:
    """Of some classes the best one, its sum, and the second largest sum."""

    index: Value
    first: Value
    second: Value | None


class StreamArgmaxLayer(StreamComponent):
    """A step a clock. The class is given after the deciding step, and the other steps are swallowed.

    With ``early`` it asks for an end of the frame once it has decided, if that frame is the only one
    on its way: ``stop`` is 1 for one cycle, in which all that is on the way is dropped.

    Parameters
    ----------
    op
        When it decides.
    steps
        Of a stream.

    Attributes
    ----------
    begun
        1 in the cycle in which the source of the streams is about to begin a frame. Where nothing
        drives it, frames are never stopped.
    stop
        The rest of the frame is not wanted. Only with ``early``.
    """

    def __init__(
        self, op: StreamArgmax, steps: int, source: StreamShape, target: StreamShape
    ) -> None:
        self._op, self._steps = op, steps
        self._sum = Int.fit(steps * source.element.lo, steps * source.element.hi)
        self.timing_is_bound = op.early
        self._levels = (source.lanes - 1).bit_length()
        # Comparisons in a row between registers: with the second largest sum there are two a level.
        self._per_stage = 1 if op.early else 2
        self._tree_stages = -(-self._levels // self._per_stage)
        super().__init__((source,), target, {"begun": In(1), "stop": Out(1)} if op.early else None)

    @property
    def _depth(self) -> int:
        """Sums, the tree, with ``early`` the lead, and the decision."""
        return 1 + self._tree_stages + self._op.early + 1

    def timing(self):
        return [timing.Pipeline(self._depth - 1), timing.Accumulate(self._steps)]

    def area(self):
        source, width, early = self.inputs[0], self._sum.width, self._op.early
        bits = self.output.width
        total = area.stages(self._depth) + area.control(2 * (self._steps - 1).bit_length())
        total += (area.adder(width) + area.registers(width)) * source.lanes
        row, level = source.lanes, 0
        for _ in range(self._tree_stages):
            for _ in range(self._per_stage):
                level += 1
                winner = area.comparison(width) + area.selection(2, width + min(level, bits))
                if early:
                    second = area.selection(2, width)
                    if level > 1:
                        second = (area.comparison(width) + area.selection(2, width)) * 1
                        second += area.selection(2, width)
                    winner += second
                total += winner * (row // 2)
                row = -(-row // 2)
            held = width * (1 + early) + min(level, bits)
            total += area.registers(row * held)
        if early:
            slack = (self._steps * max(1, self._op.swing)).bit_length()
            total += area.adder(width) + area.registers(width + 1 + bits) + area.comparison(width)
            total += Area(lut=round(0.4 * width)) * bool(self._op.margin)
            total += area.control(slack) + area.control(IN_FLIGHT) + Area(lut=6, ff=1)
        return total + area.registers(bits)

    def elaborate(self, platform):
        m = Module()
        op, depth = self._op, self._depth
        decides = Signal()
        pipe = ElasticPipeline(
            m, depth, i_valid=self.i.valid, o_ready=self.o.ready, swallow=~decides
        )
        m.d.comb += [self.i.ready.eq(pipe.enable[0]), self.o.valid.eq(pipe.valid[-1])]
        sums = self._sums(m, pipe)
        best = self._tree(m, pipe, sums)
        arrives = Signal()
        last = Signal(name="last_step")
        m.d.comb += arrives.eq(pipe.valid[-2] & pipe.enable[-1])
        step = Signal(range(max(2, self._steps)), name="decision_step")
        m.d.comb += last.eq(step == self._steps - 1)
        with m.If(arrives):
            m.d.sync += step.eq(wrapped(step, self._steps))
        if op.early:
            index = self._early(m, pipe, best, arrives, last, step, decides)
        else:
            index = best.index
            m.d.comb += decides.eq(last)
        y = Signal.like(self.o.payload[0], name="best_index", reset_less=True)
        with m.If(arrives & decides):
            m.d.sync += y.eq(index)
        m.d.comb += self.o.payload[0].eq(y)
        return m

    def _sums(self, m: Module, pipe: ElasticPipeline) -> list[Signal]:
        """The sums up to the step in the first register."""
        self._step = step = Signal(range(max(2, self._steps)))
        taken = self.i.valid & self.i.ready
        with m.If(taken):
            m.d.sync += step.eq(wrapped(step, self._steps))
        sums = []
        for k in range(self.inputs[0].lanes):
            total = Signal(element_shape(self._sum), name=f"sum_{k}", reset_less=True)
            with m.If(taken):
                m.d.sync += total.eq(Mux(step == 0, 0, total) + self.i.payload[k])
            sums.append(total)
        return sums

    def _tree(self, m: Module, pipe: ElasticPipeline, sums: list[Signal]) -> _Best:
        """The best two: of equal ones the first, on every level."""
        row = [_Best(Const(k, self.output.width), total, None) for k, total in enumerate(sums)]
        for stage in range(1, 1 + self._tree_stages):
            for level in range(self._per_stage):
                name = f"s{stage}_{level}"
                pairs = [row[k : k + 2] for k in range(0, len(row), 2)]
                row = [
                    self._better(m, *pair, f"{name}_{k}") if len(pair) == 2 else pair[0]
                    for k, pair in enumerate(pairs)
                ]
            row = [
                self._registered(m, pipe.enable[stage], best, f"s{stage}_{k}")
                for k, best in enumerate(row)
            ]
        return row[0]

    def _better(self, m: Module, a: _Best, b: _Best, name: str) -> _Best:
        wins = Signal(name=f"later_wins_{name}")
        first = Signal.like(self._zero, name=f"largest_{name}")
        m.d.comb += [wins.eq(b.first > a.first), first.eq(Mux(wins, b.first, a.first))]
        second = None
        if self._op.early:
            second = Signal.like(first, name=f"second_{name}")
            # The loser of the two best, or the second of the winner's side.
            rival = Signal.like(first, name=f"rival_{name}")
            m.d.comb += rival.eq(Mux(wins, a.first, b.first))
            if a.second is None:
                m.d.comb += second.eq(rival)
            else:
                behind = a.second if b.second is None else Mux(wins, b.second, a.second)
                other = Signal.like(first, name=f"behind_{name}")
                m.d.comb += other.eq(behind)
                if b.second is None:  # alone on its side: if it wins, the rival is second
                    m.d.comb += second.eq(Mux(~wins & (other > rival), other, rival))
                else:
                    m.d.comb += second.eq(Mux(other > rival, other, rival))
        return _Best(Mux(wins, b.index, a.index), first, second)

    @property
    def _zero(self) -> Signal:
        return Signal(element_shape(self._sum))

    def _registered(self, m: Module, enable, best: _Best, name: str) -> _Best:
        held = {}
        for what in ("index", "first", "second"):
            value = getattr(best, what)
            if value is None or isinstance(value, Const):
                held[what] = value
                continue
            held[what] = Signal(value.shape(), name=f"{what}_{name}", reset_less=True)
            with m.If(enable):
                m.d.sync += held[what].eq(value)
        return _Best(**held)

    def _early(self, m: Module, pipe: ElasticPipeline, best: _Best, arrives, last, step, decides):
        """Decide at the first step whose lead is enough, and stop the frame behind it."""
        op = self._op
        lead = Signal(self._sum.width + 1, reset_less=True)
        index = Signal(self.output.width, name="leader", reset_less=True)
        with m.If(pipe.enable[-2]):
            m.d.sync += [lead.eq(best.first - best.second), index.eq(best.index)]

        # What the steps that are left could make up.
        most = (self._steps - 1) * op.swing
        slack = Signal(range(max(2, most + 1)), init=most)
        decided = Signal()
        enough = Signal()
        m.d.comb += [
            enough.eq((lead > slack) | (lead >= op.margin if op.margin else 0) | last),
            decides.eq(enough & ~decided),
        ]
        in_flight = Signal(IN_FLIGHT)
        m.d.comb += self.stop.eq(decided & (in_flight == 1))
        ended = self.stop | (arrives & last)
        with m.If(self.begun & ~ended):
            m.d.sync += in_flight.eq(in_flight + 1)
        with m.Elif(~self.begun & ended & (in_flight != 0)):
            m.d.sync += in_flight.eq(in_flight - 1)
        with m.If(ended):
            m.d.sync += [decided.eq(0), slack.eq(most)]
        with m.Elif(arrives):
            m.d.sync += [decided.eq(decided | enough), slack.eq(slack - op.swing)]
        # The class that was given stays at the output; what follows it is dropped.
        with m.If(self.stop):
            m.d.sync += [self._step.eq(0), step.eq(0)]
            m.d.sync += [valid.eq(0) for valid in pipe.valid[:-1]]
        return index


@generates(StreamArgmax)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, out_lanes = op.lanes(x, schedule=schedule)
    shapes = (StreamShape.of(x, lanes), StreamShape.of(result, out_lanes))
    return StreamArgmaxLayer(op, x.shape[0], *shapes)
