"""Index of the largest element in hardware: a tree over the lanes, then over the beats."""

from __future__ import annotations

import math

from amaranth import Const, Module, Mux, Signal

from ..ops.argmax import Argmax
from .design import StreamShape
from .lib import area, timing
from .lib.component import StreamComponent, generates
from .lib.pipeline import ElasticPipeline

__all__ = ["ArgmaxLayer"]

_LEVELS_PER_STAGE = 2


class ArgmaxLayer(StreamComponent):
    """Of equal elements the first wins, on every level of the tree and from beat to beat.

    Parameters
    ----------
    channels
        Elements that are compared with each other: those of a step of a sequence.
    """

    def __init__(self, channels: int, source: StreamShape, target: StreamShape) -> None:
        self._beats = channels // source.lanes
        super().__init__((source,), target)

    @property
    def _tree_stages(self) -> int:
        levels = math.ceil(math.log2(self.inputs[0].lanes))
        return max(1, -(-levels // _LEVELS_PER_STAGE))

    def timing(self):
        return [timing.Pipeline(self._tree_stages), timing.Accumulate(self._beats)]

    def area(self):
        source, stages = self.inputs[0], self._tree_stages
        width, lane_bits = source.width, max(1, (source.lanes - 1).bit_length())
        beat_bits = (self._beats - 1).bit_length()
        first_bits = lane_bits + beat_bits if beat_bits else 0  # index of a beat's first element
        total = area.stages(stages + 1) + area.control(2 * stages + beat_bits)
        row = source.lanes
        for stage in range(stages):
            before = row
            for _ in range(_LEVELS_PER_STAGE):
                row = -(-row // 2)
            # Of a lane's index the bits that the tree has chosen so far.
            chosen = min(lane_bits, (stage + 1) * _LEVELS_PER_STAGE)
            winner = area.comparison(width) + area.selection(2, width + chosen)
            total += winner * (before - row)
            total += area.registers(row * (width + chosen) + first_bits)
        best = area.comparison(width) + area.adder(lane_bits) * (beat_bits > 0)
        return total + best + area.registers(width + lane_bits + beat_bits)

    def elaborate(self, platform):
        m = Module()
        beats, lanes = self._beats, self.inputs[0].lanes
        stages = self._tree_stages
        # The last register is the running best; only a frame's last beat leaves it.
        ends = [Signal(name=f"frame_end_q{k}") for k in range(stages)]
        begins = [Signal(name=f"frame_begin_q{k}") for k in range(stages)]
        pipe = ElasticPipeline(
            m, stages + 1, i_valid=self.i.valid, o_ready=self.o.ready, swallow=~ends[-1]
        )
        m.d.comb += [self.i.ready.eq(pipe.enable[0]), self.o.valid.eq(pipe.valid[-1])]
        count = Signal(range(max(2, beats)))
        end, begin = count == beats - 1, count == 0
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += count.eq(Mux(end, 0, count + 1))
        index_shape = range(max(2, lanes * beats))
        first = Signal(index_shape, name="first_index")
        m.d.comb += first.eq(count * lanes)
        for k in range(stages):
            with m.If(pipe.enable[k]):
                m.d.sync += [
                    ends[k].eq(ends[k - 1] if k else end),
                    begins[k].eq(begins[k - 1] if k else begin),
                ]
        # An element travels with its lane; the beat's first index is added at the end.
        row = [
            (self.i.payload[k], Const(k, max(1, (lanes - 1).bit_length()))) for k in range(lanes)
        ]
        for stage in range(stages):
            for level in range(_LEVELS_PER_STAGE):
                pairs = [row[k : k + 2] for k in range(0, len(row), 2)]
                row = [_better(m, pair, f"s{stage}_{level}_{k}") for k, pair in enumerate(pairs)]
            registers = []
            for k, (value, lane) in enumerate(row):
                value_q = Signal.like(
                    self.i.payload[0], name=f"value_s{stage}_{k}", reset_less=True
                )
                lane_q = Signal(lane.shape(), name=f"lane_s{stage}_{k}", reset_less=True)
                with m.If(pipe.enable[stage]):
                    m.d.sync += [value_q.eq(value), lane_q.eq(lane)]
                registers.append((value_q, lane_q))
            first_q = Signal(index_shape, name=f"first_index_q{stage}", reset_less=True)
            with m.If(pipe.enable[stage]):
                m.d.sync += first_q.eq(first)
            first, row = first_q, registers
        ((value, lane),) = row
        best_value = Signal.like(self.i.payload[0], name="best_value", reset_less=True)
        best_index = Signal(index_shape, name="best_index", reset_less=True)
        with m.If(pipe.enable[-1] & pipe.valid[-2]):
            with m.If(begins[-1] | (value > best_value)):
                m.d.sync += [best_value.eq(value), best_index.eq(first + lane)]
        m.d.comb += self.o.payload[0].eq(best_index)
        return m


def _better(m: Module, pair, name: str):
    """The larger of two (value, lane); the first one if they are equal or alone."""
    if len(pair) == 1:
        return pair[0]
    (a, a_lane), (b, b_lane) = pair
    wins = Signal(name=f"second_wins_{name}")
    value = Signal.like(a, name=f"larger_{name}")
    m.d.comb += [wins.eq(b > a), value.eq(Mux(wins, b, a))]
    return value, Mux(wins, b_lane, a_lane)


@generates(Argmax)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, _ = op.lanes(x, schedule=schedule)
    return ArgmaxLayer(x.channels, StreamShape.of(x, lanes), StreamShape.of(result, 1))
