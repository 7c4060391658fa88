"""Ops that treat every element alike: lanes side by side, one beat a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amaranth import Const, Module, Mux, Signal
from amaranth.lib.memory import Memory

from ...ir.types import Int
from . import area, timing
from .area import Area
from .component import StreamComponent, element_shape
from .loops import wrapped
from .pipeline import ElasticPipeline

__all__ = ["ChannelConstants", "Elementwise", "clip", "clip_area", "table"]


class Elementwise(StreamComponent):
    """One input, one output of the same lanes and beats.

    Subclasses set ``depth``, give the arithmetic of one lane and estimate what it takes.
    """

    depth: int = 1

    def timing(self):
        return [timing.Pipeline(self.depth)]

    def area(self):
        lanes = (self.lane_area(index) for index in range(self.output.lanes))
        held = area.registers(self.output.lanes * self.output.width)
        return sum(lanes, area.stages(self.depth) + held)

    def lane_area(self, index: int) -> Area:
        """What the arithmetic of lane ``index`` takes, its output register apart.

        By default a table a bit.
        """
        return Area(lut=max(self.inputs[0].width, self.output.width))

    def lane(self, m: Module, x, index: int, enable: Sequence[Signal]):
        """The value that lane ``index``'s output register takes.

        Parameters
        ----------
        x
            The lane's input.
        enable
            Load enables of the pipeline stages; the last one's register is the output's.
        """
        raise NotImplementedError

    def prepare(self, m: Module, enable: Sequence[Signal], taken) -> None:
        """What all lanes share."""

    def elaborate(self, platform):
        m = Module()
        pipe = ElasticPipeline(m, self.depth, i_valid=self.i.valid, o_ready=self.o.ready)
        m.d.comb += [self.i.ready.eq(pipe.enable[0]), self.o.valid.eq(pipe.valid[-1])]
        self.prepare(m, pipe.enable, self.i.valid & self.i.ready)
        for index in range(self.output.lanes):
            y = Signal.like(self.o.payload[index], name=f"y{index}", reset_less=True)
            value = self.lane(m, self.i.payload[index], index, pipe.enable)
            with m.If(pipe.enable[-1]):
                m.d.sync += y.eq(value)
            m.d.comb += self.o.payload[index].eq(y)
        return m


def clip(value, lo: int | None, hi: int | None):
    """``min(max(value, lo), hi)``; a bound of None, or one out of reach, costs nothing."""
    shape = value.shape()
    low = -(1 << (shape.width - 1)) if shape.signed else 0
    high = (1 << (shape.width - shape.signed)) - 1
    result = value
    if hi is not None and hi < high:
        result = Mux(value > hi, hi, result)
    if lo is not None and lo > low:
        below = value[-1] if lo == 0 else value < lo
        result = Mux(below, lo, result)
    return result


def clip_area(shape: Int, lo: int | None, hi: int | None, width: int) -> Area:
    """What :func:`clip` takes of a value of ``shape`` into ``width`` bits.

    One bound alone is the set or reset of the output's flip-flops.
    """
    above = hi is not None and hi < shape.hi
    below = lo is not None and lo > shape.lo
    detection = Area(lut=math.ceil(max(0, shape.width - width) / 5)) * above
    if below and lo:
        constant = Area(lut=math.ceil(shape.width / 5) + round(0.35 * shape.width))
        detection += constant + Area(carry=area.carry_chain(shape.width / 2))
    return detection + Area(lut=width) * (above and below)


def table(m: Module, entries: Sequence[int], index, name: str):
    """``entries[index]``: a table in logic, called ``name``."""
    shape = element_shape(Int.fit(min(entries), max(entries)))
    m.submodules[name] = memory = Memory(shape=shape, depth=len(entries), init=entries)
    entry = memory.read_port(domain="comb")
    value = Signal(shape, name=f"{name}_value")
    m.d.comb += [entry.addr.eq(index), value.eq(entry.data)]
    return value


class ChannelConstants:
    """Constants of a channel where the channels of a pixel come in several beats.

    Parameters
    ----------
    m
        The module.
    folds
        Beats of a pixel.
    lanes
        Channels a beat.
    taken
        1 when a beat is taken.
    """

    def __init__(self, m: Module, folds: int, lanes: int, taken) -> None:
        self._m = m
        self._folds, self._lanes = folds, lanes
        self.fold = Signal(range(max(2, folds)), name="fold")
        if folds > 1:
            with m.If(taken):
                m.d.sync += self.fold.eq(wrapped(self.fold, folds))

    @staticmethod
    def area(values: Sequence[int], folds: int, lanes: int, lane: int) -> Area:
        """What the constant of a lane takes: nothing if it is the same in every beat."""
        own = [int(values[fold * lanes + lane]) for fold in range(folds)]
        if len(set(own)) == 1:
            return Area()
        return area.table(folds, Int.fit(min(own), max(own)).width)

    def __call__(self, values: Sequence[int], lane: int, name: str):
        """The constant of the current beat's channel in ``lane``; ``name`` is that of its table."""
        own = [int(values[fold * self._lanes + lane]) for fold in range(self._folds)]
        if len(set(own)) == 1:
            return Const(own[0])
        return table(self._m, own, self.fold, f"{name}{lane}")
