"""Dense layers under a shift register's mask that take as long as they keep weights.

``pe`` lanes work on as many outputs. Each looks at a window of its mask bits a clock and multiplies
one kept weight a clock, for which it reads its own copy of the input wherever the mask says; a turn
ends when the slowest lane is done. There is room for two frames: the next one comes in while the
last one is worked on.
"""

from __future__ import annotations

import numpy as np
from amaranth import Cat, Module, Mux, Signal

from ...ops.codes.lfsr_masked import LfsrMasked
from ..codes import weight_lane
from ..design import StreamShape
from . import area
from .accumulators import accumulate
from .area import Area
from .component import StreamComponent
from .intake import intake
from .loops import wrapped
from .scan_lane import STAGES, ScanLane
from .scan_timing import ScanTiming
from .serial_weights import MaskedLanes, turn_area, turn_table

__all__ = ["ScanArray"]


class ScanArray(StreamComponent):
    """A dense layer on scanning lanes.

    Parameters
    ----------
    code, bias
        Weights, and (outputs,) integers.
    window
        Mask bits that a lane looks at in a clock.
    source, target
        The streams. The lanes of ``source`` divide ``window``; ``target`` has one for every
        output that is computed at once.
    """

    def __init__(
        self,
        code: LfsrMasked,
        bias: np.ndarray,
        window: int,
        source: StreamShape,
        target: StreamShape,
    ) -> None:
        self._code, self._window = code, window
        self._bias = bias.reshape(-1, target.lanes)
        self._clocks = code.scan_clocks(window).reshape(-1, target.lanes).max(axis=1)
        super().__init__((source,), target)

    def timing(self):
        return [ScanTiming(self._clocks.tolist(), self.inputs[0].beats, STAGES)]

    def area(self):
        lanes, width = self.output.lanes, self.output.width
        held = MaskedLanes(self._code, lanes)
        most = int(held.counts.max())
        bits = 2 * (2 * self.inputs[0].beats).bit_length() + len(self._clocks).bit_length()
        total = area.control(bits + 3 * STAGES + 4)
        total += turn_area(held.seeds, self._code.width)
        total += turn_area(held.counts, most.bit_length())
        total += sum((lane.area() for lane in self._make_lanes(held)), Area())
        total += Area(lut=width, carry=area.carry_chain(width)) * lanes  # accumulators
        total += area.registers(2 * width * lanes)
        if len(self._bias) > 64:  # else it is one with the accumulators' tables
            total += area.table(len(self._bias), width * lanes)
        return total

    def elaborate(self, platform):
        m = Module()
        source = self.inputs[0]
        depth = 2 * source.beats

        # ``ahead`` counts the beats taken since the first one of the frame that is worked on.
        ahead = Signal(range(depth + 1))
        taken, write_address = intake(m, self.i, ahead != depth, depth)

        enable = Signal()
        step = Signal()
        turn = Signal()  # in a step: the last one of a turn
        done = Signal(self.output.lanes)
        half = Signal()
        last_turn = self._turns(m, step & turn)
        # A step's input is read while the array moves on once more; only then is its frame done.
        read_on = Signal()
        frame_done = Signal()
        m.d.comb += [
            step.eq(enable & (ahead >= source.beats) & ~read_on),
            turn.eq(done.all()),
            frame_done.eq(enable & read_on),
        ]
        m.d.sync += ahead.eq(ahead + taken - Mux(frame_done, source.beats, 0))
        with m.If(frame_done):
            m.d.sync += [half.eq(~half), read_on.eq(0)]
        with m.Elif(step & turn & last_turn):
            m.d.sync += read_on.eq(1)

        lanes = self._lanes(m, step & turn)
        for k, lane in enumerate(lanes):
            m.d.comb += [
                lane.beat.eq(self.i.payload.as_value()),
                lane.beat_address.eq(write_address),
                lane.beat_taken.eq(taken),
                lane.half.eq(half),
                lane.step.eq(step),
                lane.enable.eq(enable),
                lane.turn.eq(turn),
                done[k].eq(lane.done),
            ]

        # Flags that travel along with the data.
        first = Signal(init=1)
        with m.If(step):
            m.d.sync += first.eq(turn)
        flags = [
            [Signal(name=f"{name}_q{k}") for k in range(STAGES)]
            for name in ("valid", "first", "last")
        ]
        with m.If(enable):
            for now, row in zip((step, first, turn), flags, strict=True):
                m.d.sync += Cat(row).eq(Cat(now, *row[:-1]))
        valid, first_q, last_q = (row[-1] for row in flags)
        products = [lane.product for lane in lanes]
        accumulate(m, self.o, products, self._bias, enable, valid, first_q, last_q)
        return m

    def _turns(self, m: Module, advance):
        """1 in the last turn of a frame."""
        turns = len(self._clocks)
        last = Signal(name="last_turn")
        if turns == 1:
            m.d.comb += last.eq(1)
        else:
            at = Signal(range(turns), name="turn_index")
            with m.If(advance):
                m.d.sync += at.eq(wrapped(at, turns))
            m.d.comb += last.eq(at == turns - 1)
        return last

    def _lanes(self, m: Module, advance) -> list[ScanLane]:
        """The lanes, as submodules; seeds and counts of the next turn are with them."""
        code, held = self._code, MaskedLanes(self._code, self.output.lanes)
        most = int(held.counts.max())
        seeds = turn_table(m, "seed", held.seeds, code.width, advance)
        counts = turn_table(m, "count", held.counts, most.bit_length(), advance)
        lanes = self._make_lanes(held)
        for k, lane in enumerate(lanes):
            m.submodules[f"lane{k}"] = lane
            m.d.comb += [lane.seed.eq(seeds[k]), lane.count.eq(counts[k])]
        return lanes

    def _make_lanes(self, held: MaskedLanes) -> list[ScanLane]:
        return [
            ScanLane(
                held.register(k, self._window),
                weight_lane(self._code.kept),
                weights,
                int(held.counts[0, k]),
                int(held.counts.max()),
                self._code.inputs,
                self.inputs[0],
            )
            for k, weights in enumerate(held.weights)
        ]
