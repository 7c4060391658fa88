"""Pooling in hardware: windows into a balanced tree, lane by lane."""

from __future__ import annotations

import math
from collections.abc import Callable

from amaranth import Module, Signal

from ...ops.lib.window import Window
from ..design import StreamShape
from . import area, timing
from .chain import Chain
from .component import StreamComponent
from .pipeline import ElasticPipeline
from .window import WindowGenerator

__all__ = ["pool"]

_LEVELS_PER_STAGE = 2


class _Tree(StreamComponent):
    """Combines the ``taps`` of every lane by a two-operand ``combine``: a sum, or a choice."""

    def __init__(self, taps: int, combine: Callable, source: StreamShape, target: StreamShape):
        self._taps, self._combine = taps, combine
        self._sums = target.width > source.width  # a choice is as wide as what it chooses from
        levels = math.ceil(math.log2(taps))
        self._depth = max(1, -(-levels // _LEVELS_PER_STAGE))
        super().__init__((source,), target)

    def timing(self):
        return [timing.Pipeline(self._depth)]

    def area(self):
        total, row, width = area.Area(), self._taps, self.inputs[0].width
        for _ in range(self._depth):
            before = row
            for _ in range(_LEVELS_PER_STAGE):
                row = -(-row // 2)
            total += self._stage_area(before, row, width)
            if self._sums:
                width = min(self.output.width, width + _LEVELS_PER_STAGE)
            total += area.registers(row * width)
        return area.stages(self._depth) + total * self.output.lanes

    def _stage_area(self, before: int, after: int, width: int) -> area.Area:
        """Of one lane: ``before`` values of ``width`` bits to ``after`` ones."""
        if not self._sums:
            return (area.comparison(width) + area.selection(2, width)) * (before - after)
        sizes = [before // after + (k < before % after) for k in range(after)]
        return sum((area.adder_tree(size, width) for size in sizes), area.Area())

    def elaborate(self, platform):
        m = Module()
        pipe = ElasticPipeline(m, self._depth, i_valid=self.i.valid, o_ready=self.o.ready)
        m.d.comb += [self.i.ready.eq(pipe.enable[0]), self.o.valid.eq(pipe.valid[-1])]
        lanes = self.output.lanes
        for lane in range(lanes):
            row = [self.i.payload[tap * lanes + lane] for tap in range(self._taps)]
            for stage in range(self._depth):
                for level in range(_LEVELS_PER_STAGE):
                    pairs = [row[k : k + 2] for k in range(0, len(row), 2)]
                    row = []
                    for k, pair in enumerate(pairs):
                        value = self._combine(*pair) if len(pair) == 2 else pair[0]
                        row.append(Signal(value.shape(), name=f"lane{lane}_s{stage}_{level}_{k}"))
                        m.d.comb += row[-1].eq(value)
                registers = []
                for k, value in enumerate(row):
                    register = Signal(
                        value.shape(), name=f"lane{lane}_s{stage}_{k}", reset_less=True
                    )
                    with m.If(pipe.enable[stage]):
                        m.d.sync += register.eq(value)
                    registers.append(register)
                row = registers
            m.d.comb += self.o.payload[lane].eq(row[0])
        return m


def pool(
    window: Window,
    combine: Callable,
    fill: int,
    source: StreamShape,
    target: StreamShape,
    folds: int,
) -> Chain:
    """Windows of ``source`` combined lane by lane.

    Parameters
    ----------
    combine
        Amaranth values (a, b) to their combination: associative.
    fill
        Value of the padding.
    folds
        Beats of one pixel.
    """
    windows = WindowGenerator(window, source, folds, fill)
    taps = window.kernel[0] * window.kernel[1]
    return Chain(windows=windows, tree=_Tree(taps, combine, windows.output, target))
