"""A constant matrix in logic, fully pipelined: one vector a clock.

In Verilog the adder graph is one leaf module of named wires, laid out from
``rtl_templates/constant_matrix.v.j2``: far faster to emit than one Amaranth statement an adder,
and easier to read. Amaranth's own simulator gets the same graph as Amaranth statements.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth import Cat, ClockSignal, Instance, Module, Signal, signed

from ...ir.types import Int
from ..design import StreamShape
from ..platform import VerilogPlatform
from . import area, timing
from .adder_graph import AdderGraph, Output, build_adder_graph
from .component import StreamComponent
from .matrix_area import adders_area
from .pipeline import ElasticPipeline

__all__ = ["ADDERS_PER_STAGE", "ConstantMatrix"]

ADDERS_PER_STAGE = 4


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
        adders_per_stage: int = ADDERS_PER_STAGE,
    ) -> None:
        self._leaf = f"{name}_matrix"
        self.graph = build_adder_graph(matrix, bias, *interval)
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
        adders = adders_area(graph, plan.stage_of, plan.output_stage, self.output.width)
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
        now = {k: self.i.payload[k] for k in range(graph.inputs) if k in last}
        done: dict[int, Signal] = {}
        for stage in range(plan.stages):
            for k, adder in enumerate(graph.adders):
                value = graph.inputs + k
                if plan.stage_of(value) != stage or value not in last:
                    continue
                left = now[adder.left] << adder.left_shift
                right = now[adder.right] << adder.right_shift
                wire = Signal(signed(graph.width(value)), name=f"n{k}")
                m.d.comb += wire.eq(left - right if adder.subtract else left + right)
                now[value] = wire
            registers = {}
            for index, output in enumerate(graph.outputs):
                if index in done:
                    source = done[index]
                elif plan.output_stage(output) == stage:
                    value = now[output.value] << output.shift if output.value >= 0 else 0
                    source = output.offset - value if output.negate else output.offset + value
                else:
                    continue
                register = Signal.like(self.o.payload[index], name=f"y{index}_stage{stage}")
                with m.If(pipe.enable[stage]):
                    m.d.sync += register.eq(source)
                done[index] = register
            for value, wire in now.items():
                if last[value] > stage:
                    width = graph.width(value)
                    register = Signal(signed(width), name=f"v{value}_stage{stage}")
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

        def shifted(value: int, shift: int, stage: int) -> str:
            text = name(value, stage)
            return f"({text} <<< {shift})" if shift else text

        def sign_extended(k: int) -> str:
            low = k * source.width
            bits = f"x[{low + source.width - 1}:{low}]"
            if source.signed:
                return bits
            # A constant 0 in front makes a natural number a signed one.
            return f"{{1'b0, {bits}}}"

        inputs = [
            {
                "name": f"x{k}",
                "width": source.width + (not source.signed),
                "value": sign_extended(k),
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
                    left = shifted(a.left, a.left_shift, stage)
                    right = shifted(a.right, a.right_shift, stage)
                    adders.append(
                        {
                            "name": name(value, stage),
                            "width": graph.width(value),
                            "value": f"{left} {'-' if a.subtract else '+'} {right}",
                        }
                    )
            registers = []
            for value in sorted(last):
                if plan.stage_of(value) <= stage < last[value]:
                    width = graph.width(value)
                    if value < graph.inputs:
                        width = source.width + (not source.signed)
                    registers.append(
                        {
                            "name": name(value, stage + 1),
                            "width": width,
                            "value": name(value, stage),
                        }
                    )
            for index, o in enumerate(graph.outputs):
                born = plan.output_stage(o)
                if born > stage:
                    continue
                if born == stage:
                    text = _sum(o, shifted(o.value, o.shift, stage) if o.value >= 0 else "")
                else:
                    text = f"y{index}_q{stage - born}"
                registers.append(
                    {
                        "name": f"y{index}_q{stage - born + 1}",
                        # No wider than this output's own interval asks for.
                        "width": min(target.width, graph.output_width(o)),
                        "value": text,
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


def _signed_literal(value: int) -> str:
    width = Int.fit(min(value, -1), value).width
    return f"{'-' if value < 0 else ''}{width + 1}'sd{abs(value)}"


def _sum(output: Output, text: str) -> str:
    """The right-hand side of an output: ``offset +- value``."""
    if not text:
        return _signed_literal(output.offset)
    if output.negate:
        return f"{_signed_literal(output.offset)} - {text}"
    if output.offset == 0:
        return text
    sign = "-" if output.offset < 0 else "+"
    return f"{text} {sign} {_signed_literal(abs(output.offset))}"
