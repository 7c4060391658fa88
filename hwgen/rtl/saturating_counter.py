"""Saturating counters in hardware: a register each, or memories that lanes go through."""

from __future__ import annotations

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal

from ..ops.saturating_counter import SaturatingCounter
from .design import StreamShape
from .lib import area, timing
from .lib.area import Area
from .lib.component import StreamComponent, generates
from .lib.elementwise import ChannelConstants
from .lib.loops import wrapped
from .lib.pipeline import ElasticPipeline
from .lib.rom import read_write
from .lib.saturation import saturated_sum, saturated_sum_area

__all__ = ["SaturatingCounterLayer"]


class SaturatingCounterLayer(StreamComponent):
    """One beat a clock; lanes that have several counters take turns at them.

    Parameters
    ----------
    op
        The counters.
    steps
        Of a stream: behind the last one they begin anew.
    source, target
        The streams, of equally many lanes.

    Attributes
    ----------
    counters, following
        By lane, the state of its counter and what it counts to in this cycle; once it is elaborated.
    """

    def __init__(
        self, op: SaturatingCounter, steps: int, source: StreamShape, target: StreamShape
    ) -> None:
        self._op, self._steps = op, steps
        self._folds = len(op.states.array) // source.lanes
        self.counters: list[Signal] = []
        self.following: list[Signal] = []
        super().__init__((source,), target)

    def timing(self):
        return [timing.Pipeline(1)]

    def area(self):
        op, lanes, folds = self._op, self.output.lanes, self._folds
        highest, threshold = op.states.array - 1, op.threshold.array
        total = area.stages(1) + area.control((self._steps - 1).bit_length()) + Area(lut=1)
        total += area.control((folds - 1).bit_length())
        for k in range(lanes):
            own = highest[k::lanes]
            bits = int(own.max()).bit_length()
            alike = len(set(own.tolist())) == 1
            total += saturated_sum_area(
                int(own.max()) if alike else (1 << bits) - 2, self.inputs[0].element
            )
            compared = bits if folds > 1 or threshold[k] & (threshold[k] - 1) else 1
            total += Area(lut=round(0.7 * compared)) + area.registers(self.output.width)
            if folds == 1:
                total += area.registers(bits)
                continue
            for values in (own, threshold[k::lanes], op.states.array[k::lanes] // 2):
                total += ChannelConstants.area(values, folds, 1, 0)
            total += area.ram(folds, bits, registered=False) + Area(lut=bits)
        return total

    def elaborate(self, platform):
        m = Module()
        op, folds = self._op, self._folds
        pipe = ElasticPipeline(m, 1, i_valid=self.i.valid, o_ready=self.o.ready)
        taken = Signal()
        step = Signal(range(max(2, self._steps)))
        fold_end = Signal()
        m.d.comb += [
            self.i.ready.eq(pipe.enable[0]),
            self.o.valid.eq(pipe.valid[0]),
            taken.eq(self.i.valid & self.i.ready),
        ]
        with m.If(taken & fold_end):
            m.d.sync += step.eq(wrapped(step, self._steps))
        if folds == 1:
            m.d.comb += fold_end.eq(1)
            counters, following = self._registers(m, taken, step == self._steps - 1)
            thresholds = [Const(int(t)) for t in op.threshold.array]
        else:
            counters, following, thresholds = self._memories(m, taken, step == 0, fold_end)
        self.counters, self.following = counters, following
        for k, (state, threshold) in enumerate(zip(following, thresholds, strict=True)):
            above = Signal(name=f"above_{k}")
            m.d.comb += above.eq(state >= threshold)
            y = Signal.like(self.o.payload[k], name=f"y{k}", reset_less=True)
            is_one = ~above if op.falling else above
            with m.If(pipe.enable[0]):
                m.d.sync += y.eq(Mux(is_one, 1, -1 if op.bipolar else 0))
            m.d.comb += self.o.payload[k].eq(y)
        return m

    def _registers(self, m: Module, taken, last_step) -> tuple[list, list]:
        """All counters, and what they count to now. Behind the last step flip-flops are set anew."""
        counters, found = [], []
        for k, states in enumerate(self._op.states.array.tolist()):
            counter = Signal(range(states), name=f"counter_{k}", init=states // 2)
            following = Signal(range(states), name=f"following_{k}")
            x = self.i.payload[k]
            element = self.inputs[0].element
            m.d.comb += following.eq(saturated_sum(m, counter, x, states - 1, element, f"sum_{k}"))
            with m.If(taken & last_step):
                m.d.sync += counter.eq(states // 2)
            with m.Elif(taken):
                m.d.sync += counter.eq(following)
            counters.append(counter)
            found.append(following)
        return counters, found

    def _memories(self, m: Module, taken, first_step, fold_end) -> tuple[list, list, list]:
        """The same for the counters whose turn it is, and their thresholds."""
        op, lanes, folds = self._op, self.output.lanes, self._folds
        highest = op.states.array - 1
        constants = ChannelConstants(m, folds, lanes, taken)
        m.d.comb += fold_end.eq(constants.fold == folds - 1)
        widths = [int(highest[k::lanes].max()).bit_length() for k in range(lanes)]
        write, read = read_write(m, "counters", sum(widths), folds, domain="comb")
        m.d.comb += [
            read.addr.eq(constants.fold),
            write.addr.eq(constants.fold),
            write.en.eq(taken),
        ]
        counters, found, thresholds, at = [], [], [], 0
        for k, width in enumerate(widths):
            limit = constants(highest, k, "highest")
            if isinstance(limit, Const):
                limit = limit.value
            counter = Signal(width, name=f"counter_{k}")
            following = Signal(width, name=f"following_{k}")
            begin = constants(np.array(op.states.array) // 2, k, "begin")
            m.d.comb += [
                counter.eq(Mux(first_step, begin, read.data[at : at + width])),
                following.eq(
                    saturated_sum(
                        m, counter, self.i.payload[k], limit, self.inputs[0].element, f"sum_{k}"
                    )
                ),
            ]
            at += width
            counters.append(counter)
            found.append(following)
            thresholds.append(constants(op.threshold.array, k, "threshold"))
        m.d.comb += write.data.eq(Cat(*found))
        return counters, found, thresholds


@generates(SaturatingCounter)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, _ = op.lanes(x, schedule=schedule)
    shapes = (StreamShape.of(x, lanes), StreamShape.of(result, lanes))
    return SaturatingCounterLayer(op, x.shape[0], *shapes)
