"""A C function under construction: its constants, its names, its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..ir.constant import Constant
from ..ir.graph import Node
from ..ir.types import Int
from .describe import describe_stage
from .expressions import Term
from .extent import Extent, image
from .fours import add_fours
from .names import Names
from .operands import ConstantArray, Parameter, Scalar, StateArray, Weights, operand_names
from .planning.tiles import Operand, Work
from .registry import find_renderer
from .stages import Stage
from .storage import INT32, CType, conversion, storage, work
from .target import Target
from .templates import TEMPLATES
from .weights import StoredWeights

if TYPE_CHECKING:
    from .blocks import Blocks
    from .depthwise import Depthwise
    from .dsp.column_kernels import ColumnKernel

__all__ = ["Function", "Step"]

# What kernels call their operands, loop variables and accumulators.
_LOCALS = (
    *("x", "y", "z", "a", "b", "w", "p", "q", "v", "n", "t", "acc", "best", "sum", "byte"),
    *("i", "i0", "i1", "j", "j0", "j1", "k", "o", "r", "c", "top", "left", "length", "count"),
    *("column", "constants", "copied", "gathered", "ones", "part", "pixel", "planes", "rebuilt"),
    *("rest", "scratch", "weights", "base", "block", "counted", "counter", "counts", "first", "g"),
    *("group", "h", "l", "lead", "less", "pairs", "product", "round", "s", "second", "step"),
    *("tables", "turned", "values"),
    *("rows", "columns", "channels", "first_channel", "height", "width", "pad_top", "pad_left"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of the epilogue: an elementwise node, its template and what that needs."""

    node: Node
    template: str
    values: dict[str, object]

    @property
    def is_per_channel(self) -> bool:
        return any(isinstance(v, Parameter) and v.is_array for v in self.values.values())

    @property
    def reads_constants(self) -> bool:
        texts = (v.text if isinstance(v, Parameter) else v for v in self.values.values())
        return any(isinstance(text, str) and "constants->" in text for text in texts)


@dataclass
class Function:
    """Renders one stage.

    Parameters
    ----------
    name
        Of the C function.
    stage, target
        What to render, for what.
    names
        Names of the file's scope, to take those of constants from.

    Attributes
    ----------
    constants
        Arrays of the program that it reads.
    states
        What it keeps from one run to the next.
    notes
        Lines for its comment.
    scratch_bytes, scratch_bytes_a_core
        Memory that it needs while it runs.
    shape
        How it can be cut into tiles: arguments of :class:`.tiles.Work`, filled by the op.
    micro_kernel
        Name of the one it calls, without its shape; or empty.
    header
        Of the runtime, that it needs beside the common ones; or empty.
    has_clones
        Whether the host's compiler compiles it for several processors.
    held
        Micro-kernels that this header holds for it.
    macs
        Products that it sums up.
    blocks
        Its weights as micro-kernels compute them, if they do.
    parts
        Texts of the functions that it calls.
    body
        Text of the function.
    """

    name: str
    stage: Stage
    target: Target
    names: Names
    constants: list[ConstantArray] = field(default_factory=list)
    states: list[StateArray] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scratch_bytes: int = 0
    scratch_bytes_a_core: int = 0
    shape: dict[str, object] = field(default_factory=dict)
    micro_kernel: str = ""
    header: str = ""
    has_clones: bool = False
    held: tuple[ColumnKernel, ...] = ()
    macs: int = 0
    blocks: Blocks | Depthwise | None = None
    parts: list[str] = field(default_factory=list)
    body: str = ""

    @property
    def where(self) -> str:
        """What messages call it."""
        return self.stage.nodes[0].where if self.stage.nodes else self.name

    @property
    def extent(self) -> Extent:
        """What a call of the function computes."""
        padding = self.shape.get("padding", (0, 0))
        x, y = self.stage.inputs[0].type, self.stage.output.type
        return Extent.of(x, y, padding, self.target)

    @property
    def weights_array(self) -> ConstantArray | None:
        """The layer's weights, if it has any."""
        return next((c for c in self.constants if c.is_weights), None)

    @property
    def scratch_size(self) -> int:
        """Bytes of memory for all cores while the function runs."""
        return self.scratch_bytes + self.scratch_bytes_a_core * self.target.cores

    @property
    def work(self) -> Work:
        """What the tiler must know."""
        rows, columns, channels = image(self.stage.output.type)
        shape = dict(self.shape)
        groups = shape.pop("groups", channels)
        slack = shape.pop("slack", 0)
        inputs = tuple(
            Operand(*image(x.type), x.ctype.bytes, groups, slack) for x in self.stage.inputs
        )
        granules = -(-channels // shape.get("granule", 1))
        weights = self.weights_array
        return Work(
            rows,
            columns,
            channels,
            inputs,
            out_bytes=self.stage.output.ctype.bytes,
            weight_bytes=weights.bytes // granules if weights else 0,
            constant_bytes=self.constants_bytes,
            scratch_bytes=self.scratch_size,
            core_bytes=self.scratch_bytes_a_core,
            **shape,
        )

    @property
    def constants_bytes(self) -> int:
        """Bytes of all constants but the weights, as members of a struct."""
        end, align = 0, 1
        for constant in self.constants:
            if not constant.is_weights and not constant.stays:
                align = max(align, constant.alignment)
                end = -(-end // constant.alignment) * constant.alignment + constant.bytes
        return -(-end // align) * align

    @property
    def staying_bytes(self) -> int:
        """Bytes of the constants that fast memory does not hold."""
        return sum(constant.bytes for constant in self.constants if constant.stays)

    @property
    def context(self) -> dict[str, object]:
        """What ``model.c.j2`` needs of the function beside its call."""
        is_tile = self.extent.is_tile
        return {
            "name": self.name,
            "arrays": [c for c in self.constants if not is_tile or c.stays],
            "weights": self.weights_array if is_tile else None,
            "members": [c for c in self.constants if is_tile and not (c.is_weights or c.stays)],
            "parts": self.parts,
            "has_clones": self.has_clones,
            "comment": describe_stage(self.stage, self.notes),
            "parameters": ", ".join(self._parameters()),
            "body": self.body,
        }

    def _parameters(self) -> list[str]:
        stage, is_tile = self.stage, self.extent.is_tile
        names = operand_names(len(stage.inputs))
        parts = ["const hwgen_tile *t"] if is_tile else []
        parts += [f"const {x.ctype} *{n}" for n, x in zip(names, stage.inputs, strict=True)]
        if is_tile and self.weights_array:
            parts.append(f"const {self.weights_array.ctype} *weights")
        if is_tile and self.constants_bytes:
            parts.append(f"const struct {self.name}_constants *constants")
        parts.append(f"{stage.output.ctype} *y")
        if self.scratch_size:
            parts.append("uint8_t *scratch")
        parts += [f"{state.ctype} *{state.parameter}" for state in self.states]
        return parts

    def cut(self, **shape) -> None:
        """Say how the layer can be cut into tiles; see :class:`.tiles.Work`.

        ``groups`` is that of :class:`.tiles.Operand`: by default output channel i needs channel i
        of the inputs.
        """
        self.shape.update(shape)

    def constant(self, name: str, values: np.ndarray, ctype: CType | None = None) -> str:
        """Add a constant array and return its name in C; the smallest type unless one is given."""
        symbol = self.names.take(name)
        if ctype is None:
            ctype = storage(Int.fit(int(values.min()), int(values.max())))
        self.constants.append(ConstantArray(symbol, ctype, values))
        return f"constants->{symbol}" if self.extent.is_tile else symbol

    def words(self, name: str, values: np.ndarray, ctype: CType, room: int | None = None) -> str:
        """Add a constant array that is read by words and stays in slow memory if it is large.

        ``room`` is what all constants may take of fast memory: three quarters of it by default.
        """
        symbol = self.names.take(name)
        array = ConstantArray(symbol, ctype, values, is_words=True)
        is_tile = self.extent.is_tile
        room = self.target.l1_usable * 3 // 4 if room is None else room
        stays = is_tile and array.bytes > room - self.constants_bytes
        self.constants.append(replace(array, stays=stays))
        return f"constants->{symbol}" if is_tile and not stays else symbol

    def state(self, name: str, ctype: CType, size: int, parameter: str) -> None:
        """Add an array that is kept from one run to the next, and is zero before the first."""
        member = f"{self.stage.name}_{name}"
        self.states.append(StateArray(member, ctype, size, parameter))

    def parameter(self, name: str, constant: Constant) -> Parameter:
        """One number if all are equal, else an array."""
        if constant.lo == constant.hi:
            return Parameter(str(constant.lo), is_array=False)
        return Parameter(self.constant(name, constant.array), is_array=True)

    def weights(self, name: str, stored: StoredWeights) -> Weights:
        """Add the weights of a layer as its code stores them."""
        symbol = self.add_weights(name, stored.rows, stored.ctype)
        self.notes.append(stored.summary)
        length = stored.rows.shape[1] if self.extent.is_tile else 0
        return Weights(symbol, stored.ctype, stored.each, stored.kind, length)

    def add_weights(self, name: str, rows: np.ndarray, ctype: CType) -> str:
        """Add an array of weights, rows first, and return its name in C."""
        symbol = self.names.take(name)
        self.constants.append(ConstantArray(symbol, ctype, rows, is_weights=True))
        return "weights" if self.extent.is_tile else symbol

    @staticmethod
    def weight_conversion(weights: Weights, work: CType) -> str:
        """The cast that makes the product of a weight and an input one of type ``work``."""
        return conversion(INT32 if weights.kind else weights.ctype, work)

    def render(self) -> None:
        """Fill ``body``, ``parts``, ``constants`` and ``shape``."""
        stage = self.stage
        if stage.kernel is None:
            template, values = "elementwise.c.j2", self._copy_values()
        else:
            renderer = find_renderer(stage.kernel.op, self.target)
            template, values = renderer.template, renderer.values(stage, self)
        made = Scalar(values["work"], (stage.nodes[0] if stage.kernel else stage.inputs[0]).type)
        steps, last = self._epilogue(made)
        self.blocks = blocks = values.get("blocks") or values.get("depthwise")
        if blocks is not None:
            self.parts.append(self._finish(blocks, steps, last))
            if blocks.gather:
                self.parts.append(self._gather(blocks, values))
        body = TEMPLATES.get_template(template).render(
            values,
            e=self.extent,
            per_channel=any(step.is_per_channel for step in steps),
            fours=add_fours(self, steps, made, last) if values.get("is_elementwise") else None,
            store=self._store(steps, last),
        )
        self.body = self.extent.prelude(body.strip())

    def _copy_values(self) -> dict[str, object]:
        """What ``elementwise.c.j2`` needs: a loop that hands every element to the epilogue."""
        (x,) = self.stage.inputs
        ctype = work(x.type.lo, x.type.hi)
        return {"work": ctype, "to_work": conversion(x.ctype, ctype), "is_elementwise": True}

    def _epilogue(self, value: Scalar) -> tuple[list[Step], Scalar]:
        """The statements of the epilogue, and the integer that leaves it."""
        steps: list[Step] = []
        for node in self.stage.epilogue:
            renderer = find_renderer(node.op, self.target)
            values = renderer.values(node, value, self)
            if values:
                steps.append(Step(node, renderer.template, values))
                value = Scalar(values["result"], node.type)
            else:
                value = Scalar(value.ctype, node.type)
        return steps, value

    def statements(
        self, steps: Iterable[Step], value: str, channel: str, taken: Iterable[str] = ()
    ) -> tuple[list[str], str]:
        """The epilogue in C, and the name of what it yields; ``taken`` are names beside the usual."""
        names = Names((*_LOCALS, *taken, *(constant.symbol for constant in self.constants)))
        lines = []
        for step in steps:
            name = names.take(step.node.name)
            values = {**step.values, "value": value, "channel": channel, "name": name}
            text = TEMPLATES.get_template(step.template).render(values)
            lines.append(text.rstrip("\n"))
            value = name
        return lines, value

    def _finish(self, blocks: Blocks | Depthwise, steps: list[Step], last: Scalar) -> str:
        """The function that makes a result of an accumulator."""
        lines, value = self.statements(steps, "acc", "o")
        constants = self.extent.is_tile
        unused = [] if any(step.is_per_channel for step in steps) else ["o"]
        if constants and not any(step.reads_constants for step in steps):
            unused.insert(0, "constants")
        struct = f"const struct {self.name}_constants *constants, " if constants else ""
        return (
            TEMPLATES.get_template("finish.c.j2")
            .render(
                name=blocks.finish,
                result=blocks.result,
                comment="What becomes of a sum of channel o.",
                parameters=f"{struct}int32_t acc, int o",
                unused=unused,
                lines=lines,
                value=value if blocks.result == last.ctype else f"({blocks.result}){value}",
            )
            .strip()
        )

    def _gather(self, blocks: Blocks | Depthwise, values: dict[str, object]) -> str:
        """The function that makes a column of a window."""
        template = TEMPLATES.get_template("conv2d_gather.j2")
        return template.render(
            values, e=self.extent, name=blocks.gather, prelude=self.extent.prelude
        ).strip()

    def _store(self, steps: list[Step], last: Scalar) -> Callable[[str, Term, Term], str]:
        """The function by which a kernel's template places the epilogue and the store."""
        output = self.stage.output.ctype

        def store(value: str, channel: Term, at: Term) -> str:
            lines, value = self.statements(steps, value, str(channel))
            cast = "" if output == last.ctype else f"({output})"
            return "\n".join([*lines, f"y[{at}] = {cast}{value};"])

        return store
