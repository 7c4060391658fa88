"""Stochastic weights in a memory: some neurons a clock, whose words share a popcount a lane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data

from ...ops.stochastic_dense import StochasticDense
from ..design import StreamShape
from . import area, timing
from .area import Area
from .component import StreamComponent
from .elementwise import table
from .loops import wrapped
from .pipeline import ElasticPipeline
from .popcount import CountPlan, popcount
from .random_sources import RandomSources
from .rom import packed, read_only
from .stochastic_matrix import forced_low, output_offset

__all__ = ["StochasticLanes"]


class StochasticLanes(StreamComponent):
    """A step is held while all neurons take their turns at the lanes; then the sources go on.

    The product p of a sign-magnitude weight counts as ``(p ^ s) - s``, s its sign.

    Parameters
    ----------
    name
        Full module name, of which the popcounts' names are made.
    op
        The layer.
    lanes
        Neurons a clock, at least two turns of them.
    steps
        Of a stream.
    levels
        Counters in a row between registers.
    """

    def __init__(
        self,
        name: str,
        op: StochasticDense,
        lanes: int,
        steps: int,
        source: StreamShape,
        target: StreamShape,
        levels: int,
    ) -> None:
        self._name, self._op, self._steps = name, op, steps
        self._folds = op.weights.shape[0] // lanes
        self._operands, self._components = op.seeds.shape
        self._bipolar = op.coding == "bipolar"
        self._counts_inputs = self._bipolar and op.components == 1
        self._counts_signs = source.signed and not self._bipolar
        self._sources = RandomSources(op.width, op.taps, op.leap, op.seeds.array, op.number_bits)
        negative = op.operands < 0
        if self._bipolar:
            offsets = np.full(len(negative), output_offset(op))
        elif self._counts_signs:
            offsets = np.full(len(negative), -op.components * self._operands)
        else:
            offsets = -op.components * negative.sum(axis=1)
        self._offsets = offsets.reshape(self._folds, lanes)
        alike = len(np.unique(offsets)) == 1
        width = target.width
        offset = int(offsets[0]) >> self._bipolar if alike else 0
        if alike:
            self._offsets = self._offsets * 0
        words = max(1, width - self._bipolar)
        plan = CountPlan(op.seeds.array.size, offset, words, 0, levels)
        second = CountPlan(self._operands, 0, width, 0, levels)  # signs, or inputs that are not 0
        deepest = plan.depth
        if self._counts_inputs or self._counts_signs:
            deepest = max(deepest, second.depth)
        self._plan = replace(plan, delay=deepest - plan.depth)
        self._second = replace(second, delay=max(0, deepest - second.depth))
        self._adds = bool(self._offsets.any()) or self._counts_inputs or self._counts_signs
        self._depth = 1 + self._plan.depth + self._adds
        self._limit_bits = int(op.thresholds.max()).bit_length() or 1
        super().__init__((source,), target)

    def _contents(self) -> np.ndarray:
        """Bits of the memory, a word a row: of every lane and operand the threshold, and the sign."""
        t = self._op.thresholds[..., None] >> np.arange(self._limit_bits) & 1
        if not self._bipolar:
            t = np.concatenate([t, self._op.operands[..., None] < 0], axis=2)
        return t.reshape(self._folds, -1).astype(np.int64)

    def timing(self):
        return [timing.Repack(1, self._folds), timing.Pipeline(self._depth)]

    def area(self):
        op, lanes, width = self._op, self.output.lanes, self.output.width
        inputs = self._operands - 1
        held = area.registers(2 * inputs * self.inputs[0].width)
        control = area.control(
            2 * self._folds.bit_length() + (self._steps - 1).bit_length()
        ) + area.stages(self._depth)
        compared = area.comparison(max(op.number_bits, self._limit_bits))
        lane = (compared + Area(lut=1)) * op.seeds.array.size + self._plan.area
        total = control + held + self._sources.area() + area.rom(self._contents())
        if self._counts_signs:
            lane += self._second.area
        elif self._counts_inputs:
            total += self._second.area
        if self._adds:
            lane += area.adder(width) + area.registers(width)
        if self._offsets.any():
            lane += area.table(self._folds, width)
            total += area.control((self._folds - 1).bit_length())
        return total + lane * lanes

    def elaborate(self, platform):
        m = Module()
        folds = self._folds
        m.submodules.sources = sources = self._sources
        left = Signal(range(folds + 1))
        fold = Signal(range(folds))
        pipe = ElasticPipeline(m, self._depth, i_valid=left != 0, o_ready=self.o.ready)
        taken = Signal()
        turn = Signal()
        m.d.comb += [
            turn.eq((left != 0) & pipe.enable[0]),
            self.i.ready.eq((left == 0) | ((left == 1) & pipe.enable[0])),
            taken.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(pipe.valid[-1]),
        ]
        with m.If(taken):
            m.d.sync += left.eq(folds)
        with m.Elif(turn):
            m.d.sync += left.eq(left - 1)
        with m.If(turn):
            m.d.sync += fold.eq(wrapped(fold, folds))

        # The first register holds thresholds, inputs, and in the sources the numbers.
        x = self._inputs(m, taken, pipe.enable[0])
        word = self._word(m, fold, pipe.enable[0])
        step = Signal(range(max(2, self._steps)))
        ends = Signal()
        leaves = Signal()
        with m.If(pipe.enable[0]):
            m.d.sync += ends.eq(left == 1)
        m.d.comb += [
            leaves.eq(pipe.valid[0] & pipe.enable[1] & ends),
            sources.advance.eq(leaves),
            sources.restart.eq(leaves & (step == self._steps - 1)),
        ]
        with m.If(leaves):
            m.d.sync += step.eq(wrapped(step, self._steps))
        self._lanes(m, platform, pipe, x, word)
        return m

    def _inputs(self, m: Module, taken, enable):
        """The step at the lanes: it is held in front of the first register, too."""
        held = Signal(
            data.ArrayLayout(self.i.payload[0].shape(), len(self.i.payload)),
            name="held",
            reset_less=True,
        )
        x = Signal.like(held, name="x_q0")
        with m.If(taken):
            m.d.sync += held.eq(self.i.payload)
        with m.If(enable):
            m.d.sync += x.eq(held)
        return x

    def _word(self, m: Module, fold, enable):
        """Thresholds and signs of the neurons at the lanes."""
        contents = self._contents()
        words = [packed(row, 1) for row in contents]
        port = read_only(m, "weights", contents.shape[1], words)
        m.d.comb += [port.addr.eq(fold), port.en.eq(enable)]
        return port.data

    def _lanes(self, m: Module, platform, pipe: ElasticPipeline, x, word) -> None:
        """Products, their numbers, and what is added to them."""
        op, plan = self._op, self._plan
        enables = pipe.enable[1 : 1 + plan.depth]
        fields = self._limit_bits + (not self._bipolar)
        inputs = self._operands - 1
        signed = self.inputs[0].signed
        nonzero = [x[j][0] for j in range(inputs)]
        negative = [x[j][-1] for j in range(inputs)] if signed else []

        def counted(name: str, leaf: str, plan: CountPlan, bits):
            return popcount(m, platform, plan, f"{self._name}_{leaf}", name, enables, bits)

        offsets = self._offset_tables(m, pipe)
        present = None
        if self._counts_inputs:
            bits = [*nonzero, Const(1, 1)]
            present = counted("inputs", "popcount_inputs", self._second, bits)
        for lane in range(self.output.lanes):
            products = Signal(op.seeds.array.size, name=f"products_{lane}")
            signs = []
            for j in range(self._operands):
                own = word.word_select(lane * self._operands + j, fields)
                limit = Signal(self._limit_bits, name=f"limit_{lane}_{j}")
                m.d.comb += limit.eq(own[: self._limit_bits])
                turned = Const(0, 1) if self._bipolar else own[-1]
                if signed and j < inputs:
                    turned = turned ^ negative[j]
                signs.append(~turned)
                for k in range(op.components):
                    below = self._sources.number(j, k) < limit
                    if j < inputs:
                        low = forced_low(op, k)
                        below = below | ~nonzero[j] if low else below & nonzero[j]
                    m.d.comb += products[j * op.components + k].eq(below ^ turned)
            total = counted(f"neuron_{lane}", "popcount", plan, list(products))
            if self._bipolar:
                total = Cat(Const(0, 1), total)
            if present is not None:
                total = total - present
            elif self._counts_signs:
                seen = counted(f"signs_{lane}", "popcount_signs", self._second, signs)
                total = total + seen * op.components
            if self._adds:
                y = Signal.like(self.o.payload[lane], name=f"y{lane}", reset_less=True)
                with m.If(pipe.enable[-1]):
                    m.d.sync += y.eq(total + offsets[lane])
                total = y
            m.d.comb += self.o.payload[lane].eq(total)

    def _offset_tables(self, m: Module, pipe: ElasticPipeline) -> list:
        """The constant of the neuron of every lane whose sum comes now, where they differ."""
        if not self._offsets.any():
            return [0] * self.output.lanes
        result = Signal(range(self._folds), name="result_fold")
        with m.If(pipe.valid[-2] & pipe.enable[-1]):
            m.d.sync += result.eq(wrapped(result, self._folds))
        return [
            table(m, self._offsets[:, lane].tolist(), result, f"offset{lane}")
            for lane in range(self.output.lanes)
        ]
