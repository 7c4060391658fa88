"""A constant matrix in logic, fully pipelined: one vector a clock.

In Verilog the adder graph is one leaf module of named wires, laid out from
``rtl_templates/constant_matrix.v.j2``: far faster to emit than one Amaranth statement an adder,
and easier to read. Amaranth's own simulator gets the same graph as Amaranth statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from ...ir.schedule import PIPELINE
from ..design import StreamShape
from ..platform import VerilogPlatform
from . import area, timing
from .adder_graph import Adder, AdderGraph, Output, build_adder_graph
from .component import StreamComponent
from .graph_check import check_graph
from .matrix_area import adders_area
from .natural import Cell, Slice
from .pipeline import ElasticPipeline

__all__ = ["ConstantMatrix"]


@dataclass(frozen=True)
class _Plan:
    """Which value is registered where: the adder graph cut into pipeline stages.

    ``stage_of(value)`` is the stage whose logic computes it; a value used in a later stage is
    registered at the end of every stage on the way.
    """

    graph: AdderGraph
    per_stage: int

    @property
    def stages(self) -> int:
        deepest = max(self.graph.output_depth(o) for o in self.graph.outputs)
        return max(1, -(-deepest // self.per_stage))

    def stage_of(self, value: int) -> int:
        return max(0, self.graph.depth(value) - 1) // self.per_stage

    def output_stage(self, output: Output) -> int:
        return max(0, self.graph.output_depth(output) - 1) // self.per_stage

    def last_use(self) -> dict[int, int]:
        """For every value that is used, the last stage whose logic reads it."""
        last: dict[int, int] = {}
        for k, adder in enumerate(self.graph.adders):
            stage = self.stage_of(self.graph.inputs + k)
            for operand in (adder.left, adder.right):
                last[operand] = max(last.get(operand, 0), stage)
        for output in self.graph.outputs:
            if output.value >= 0:
                stage = self.output_stage(output)
                last[output.value] = max(last.get(output.value, 0), stage)
        return last


class ConstantMatrix(StreamComponent):
    """``y = matrix @ x + bias`` for every beat.

    Parameters
    ----------
    name
        Full module name; the leaf is called ``<name>_matrix``.
    matrix, bias
        Integers of shape (outputs, inputs) and (outputs,).
    interval
        Proven interval of the input.
    source, target
        Streams of ``inputs`` and ``outputs`` lanes.
    adders_per_stage
        Adders in a row between registers.
    """

    def __init__(
        self,
        name: str,
        matrix: np.ndarray,
        bias: np.ndarray,
        interval: tuple[int, int],
        source: StreamShape,
        target: StreamShape,
        *,
        adders_per_stage: int = PIPELINE,
    ) -> None:
        self._leaf = f"{name}_matrix"
        self.graph = build_adder_graph(matrix, bias, *interval)
        check_graph(self.graph, matrix, bias)
        self._plan = _Plan(self.graph, adders_per_stage)
        super().__init__((source,), target)

    def timing(self):
        return [timing.Pipeline(self._plan.stages)]

    def area(self):
        graph, plan = self.graph, self._plan
        bits = 0
        for value, last in plan.last_use().items():
            own = self.inputs[0].width if value < graph.inputs else graph.width(value)
            bits += (last - plan.stage_of(value)) * own
        for output in graph.outputs:
            own = min(self.output.width, graph.output_width(output))
            bits += (plan.stages - plan.output_stage(output)) * own
        adders = adders_area(graph, self.output.width)
        return area.stages(plan.stages) + adders + area.registers(bits)

    def elaborate(self, platform):
        m = Module()
        pipe = ElasticPipeline(m, self._plan.stages, i_valid=self.i.valid, o_ready=self.o.ready)
        m.d.comb += [self.i.ready.eq(pipe.enable[0]), self.o.valid.eq(pipe.valid[-1])]
        if isinstance(platform, VerilogPlatform):
            platform.add_leaf(self._leaf, "constant_matrix.v.j2", self._leaf_values())
            m.submodules.matrix = Instance(
                self._leaf,
                i_clk=ClockSignal(),
                i_enable=Cat(pipe.enable),
                i_x=self.i.payload.as_value(),
                o_y=self.o.payload.as_value(),
            )
        else:
            self._elaborate_graph(m, pipe)
        return m

    def _elaborate_graph(self, m: Module, pipe: ElasticPipeline) -> None:
        graph, plan = self.graph, self._plan
        last = plan.last_use()
        now = {}
        for k in range(graph.inputs):
            if k in last:
                bits = Value.cast(self.i.payload[k])[: graph.width(k)]
                now[k] = bits ^ (1 << (graph.width(k) - 1)) if graph.inverts_sign else bits
        done: dict[int, Signal] = {}
        for stage in range(plan.stages):
            for k in range(len(graph.adders)):
                value = graph.inputs + k
                if plan.stage_of(value) != stage or value not in last:
                    continue
                wire = Signal(graph.width(value), name=f"n{k}")
                m.d.comb += wire.eq(_amaranth_cell(graph.cells[k], now))
                now[value] = wire
            registers = {}
            for index, output in enumerate(graph.outputs):
                if index in done:
                    source = done[index]
                elif plan.output_stage(output) == stage:
                    constant = graph.constant(output)
                    carried = now[output.value] << output.shift if output.value >= 0 else 0
                    source = constant - carried if output.negate else constant + carried
                else:
                    continue
                register = Signal.like(self.o.payload[index], name=f"y{index}_stage{stage}")
                with m.If(pipe.enable[stage]):
                    m.d.sync += register.eq(source)
                done[index] = register
            for value, wire in now.items():
                if last[value] > stage:
                    register = Signal(graph.width(value), name=f"v{value}_stage{stage}")
                    with m.If(pipe.enable[stage]):
                        m.d.sync += register.eq(wire)
                    registers[value] = register
            now = registers
        for index, register in done.items():
            m.d.comb += self.o.payload[index].eq(register)

    def _leaf_values(self) -> dict:
        """What the template lays out."""
        graph, plan = self.graph, self._plan
        source, target = self.inputs[0], self.output
        last = plan.last_use()

        def name(value: int, stage: int) -> str:
            base = f"x{value}" if value < graph.inputs else f"n{value - graph.inputs}"
            delay = stage - plan.stage_of(value)
            return f"{base}_q{delay}" if delay else base

        def slice_text(part: Slice, stage: int) -> str:
            text = _bits(name(part.value, stage), graph.width(part.value), part.low, part.high)
            return f"~{text}" if part.invert else text

        def meaning(adder: Adder, stage: int) -> str:
            terms = []
            for value, shift in (
                (adder.left, adder.left_shift),
                (adder.right, adder.right_shift),
            ):
                terms.append(f"{1 << shift} {name(value, stage)}" if shift else name(value, stage))
            return f" {'-' if adder.subtract else '+'} ".join(terms)

        inputs = [
            {
                "name": f"x{k}",
                "width": graph.width(k),
                "value": _input(k * source.width, graph.width(k), graph.inverts_sign),
            }
            for k in range(graph.inputs)
            if k in last
        ]
        body = []
        for stage in range(plan.stages):
            adders = []
            for k, a in enumerate(graph.adders):
                value = graph.inputs + k
                if plan.stage_of(value) == stage and value in last:
                    adders.append(
                        {
                            "name": name(value, stage),
                            "width": graph.width(value),
                            "meaning": meaning(a, stage),
                            "value": _verilog_cell(
                                graph.cells[k], lambda part, stage=stage: slice_text(part, stage)
                            ),
                        }
                    )
            registers = []
            for value in sorted(last):
                if plan.stage_of(value) <= stage < last[value]:
                    registers.append(
                        {
                            "name": name(value, stage + 1),
                            "width": graph.width(value),
                            "value": name(value, stage),
                            "signed": False,
                        }
                    )
            for index, o in enumerate(graph.outputs):
                born = plan.output_stage(o)
                if born > stage:
                    continue
                # No wider than this output's own interval asks for.
                width = min(target.width, graph.output_width(o))
                if born == stage:
                    carried = name(o.value, stage) if o.value >= 0 else ""
                    text = _output(graph, o, carried, width)
                else:
                    text = f"y{index}_q{stage - born}"
                registers.append(
                    {
                        "name": f"y{index}_q{stage - born + 1}",
                        "width": width,
                        "value": text,
                        "signed": True,
                    }
                )
            body.append({"adders": adders, "registers": registers})
        outputs = [
            {
                "high": (index + 1) * target.width - 1,
                "low": index * target.width,
                "value": f"y{index}_q{plan.stages - plan.output_stage(o)}",
            }
            for index, o in enumerate(graph.outputs)
        ]
        return {
            "module": self._leaf,
            "stages": plan.stages,
            "additions": graph.additions,
            "inputs": inputs,
            "input_bits": source.lanes * source.width,
            "output_bits": target.lanes * target.width,
            "body": body,
            "outputs": outputs,
        }


def _amaranth_cell(cell: Cell, values: Mapping[int, Value]) -> Value:
    """An adder as an Amaranth expression."""

    def bits(part: Slice) -> Value:
        taken = values[part.value][part.low : part.high]
        return (~taken)[: part.width] if part.invert else taken

    top = bits(cell.left)
    if cell.right is not None:
        top = (top + bits(cell.right) + int(cell.carry))[: cell.chain]
    return Cat(bits(cell.low), Const(0, cell.zeros), top) if cell.low else top


def _verilog_cell(cell: Cell, text: Callable[[Slice], str]) -> str:
    """An adder as a Verilog expression; ``text`` writes a slice.

    With a carry-in as ``a - ~b``, which is ``a + b + 1``. Besides, Yosys makes no adders of three
    operands from it, which take twice as many look-up tables.
    """
    top = text(cell.left)
    if cell.right is not None:
        right = cell.right
        if cell.carry:
            right = replace(right, invert=not right.invert)
        top = (
            f"{_padded(top, cell.chain - cell.left.width, '0')} {'-' if cell.carry else '+'} "
            f"{_padded(text(right), cell.chain - right.width, '1' if cell.carry else '0')}"
        )
    if not cell.low:
        return top
    zeros = [f"{cell.zeros}'d0"] if cell.zeros else []
    return f"{{{', '.join([top, *zeros, text(cell.low)])}}}"


def _padded(text: str, bits: int, digit: str) -> str:
    """``text`` with ``bits`` equal digits in front."""
    return f"{{{bits}'b{digit * bits}, {text}}}" if bits else text


def _input(low: int, width: int, invert: bool) -> str:
    """Bits of an input as a natural number; ``invert``: the highest one inverted."""
    if width == 1:
        return f"~x[{low}]" if invert else f"x[{low}]"
    high = low + width - 1
    if not invert:
        return f"x[{high}:{low}]"
    rest = f"x[{high - 1}:{low}]" if width > 2 else f"x[{low}]"
    return f"{{~x[{high}], {rest}}}"


def _output(graph: AdderGraph, output: Output, name: str, width: int) -> str:
    """``constant +- (value << shift)`` modulo 2^width; ``name`` is the value's."""
    constant = graph.constant(output) & ((1 << width) - 1)
    if not name:
        return f"{width}'d{constant}"
    low = [f"{output.shift}'d{constant & ((1 << output.shift) - 1)}"] if output.shift else []
    constant >>= output.shift
    width -= output.shift
    if output.negate:  # -value is ~value + 1
        name = f"~{name}"
        constant = (constant + 1) & ((1 << width) - 1)
    whole = graph.width(output.value)
    bits = min(whole, width)
    # The value's bits below the lowest one of the constant pass through.
    split = min((constant & -constant).bit_length() - 1, bits) if constant else bits
    if split:
        low.insert(0, _bits(name, whole, 0, split))
    constant >>= split
    if split < bits:
        # As constant - ~value - 1, or constant + ~value: see _verilog_cell for the reason.
        value = _bits(name if output.negate else f"~{name}", whole, split, bits)
        sign = "+" if output.negate else "-"
        constant -= not output.negate
        low.insert(0, f"{width - split}'d{constant} {sign} {_padded(value, width - bits, '1')}")
    elif width > bits:
        constant -= output.negate
        low.insert(0, f"{width - bits}'d{constant & ((1 << (width - bits)) - 1)}")
    return f"{{{', '.join(low)}}}" if len(low) > 1 else low[0]


def _bits(name: str, whole: int, low: int, high: int) -> str:
    """Bits ``low`` to ``high - 1`` of a value of ``whole`` bits."""
    if high - low == whole:
        return name
    return f"{name}[{low}]" if high - low == 1 else f"{name}[{high - 1}:{low}]"
