"""A C function under construction: its constants, its names, its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..ir.constant import Constant
from ..ir.graph import Node
from ..ir.types import Int, Type
from ..ops.lib.window import Window
from .describe import describe_stage
from .expressions import Term, plus, times
from .extent import Extent, image
from .names import Names
from .registry import find_renderer
from .stages import Stage
from .storage import INT32, CType, conversion, storage, work
from .target import Target
from .templates import TEMPLATES
from .tiles import ALIGN, Operand, Work
from .weights import StoredWeights, block_rows, block_step, tap_words

__all__ = [
    "Blocks",
    "ConstantArray",
    "Function",
    "Parameter",
    "Scalar",
    "Weights",
    "operand_names",
]

# What kernels call their operands, loop variables and accumulators.
_LOCALS = (
    *("x", "y", "z", "a", "b", "w", "p", "q", "v", "n", "t", "acc", "best", "sum", "byte"),
    *("i", "i0", "i1", "j", "j0", "j1", "k", "o", "r", "c", "top", "left", "length", "count"),
    *("column", "constants", "copied", "gathered", "part", "pixel", "rest", "scratch", "weights"),
    *("rows", "columns", "channels", "first_channel", "height", "width", "pad_top", "pad_left"),
)


def operand_names(inputs: int) -> tuple[str, ...]:
    """What a layer's C calls its inputs."""
    return ("x",) if inputs == 1 else ("a", "b", "c", "d")[:inputs]


@dataclass(frozen=True, slots=True)
class ConstantArray:
    """A constant of the program.

    Attributes
    ----------
    symbol, ctype
        Its name and the type of an element.
    values
        int64, one axis or two.
    is_weights
        Whether it is cut into tiles with the layer.
    """

    symbol: str
    ctype: CType
    values: np.ndarray
    is_weights: bool = False

    @property
    def bytes(self) -> int:
        return self.values.size * self.ctype.bytes

    @property
    def align(self) -> str:
        """Blocks of weights are read by words."""
        return " _Alignas(4)" if self.is_weights and self.ctype.bytes < 4 else ""

    @property
    def sizes(self) -> str:
        return "".join(f"[{n}]" for n in self.values.shape)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An integer that is one number, or one a channel in an array.

    Attributes
    ----------
    text
        The number or the array's name.
    is_array
        Which of them.
    """

    text: str
    is_array: bool


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight matrix as templates see it: one row an output channel.

    Attributes
    ----------
    symbol, ctype
        The array and the type of its elements.
    each, kind
        Weights an element and how to read them, see :class:`.weights.StoredWeights`.
    length
        Elements of a row where ``symbol`` points at the rows of a tile; 0 where it is the array.
    """

    symbol: str
    ctype: CType
    each: int
    kind: str
    length: int

    def row(self, o: str) -> Term:
        """The row of output channel ``o`` of the extent."""
        return plus(self.symbol, times(o, self.length)) if self.length else f"{self.symbol}[{o}]"


@dataclass(frozen=True, slots=True)
class Blocks:
    """A layer as the micro-kernels of ``hwgen_dot.h`` compute it.

    Attributes
    ----------
    function
        Name of the micro-kernel, without its shape.
    channels
        Output channels of a block.
    steps
        Of the inner loop.
    column_bytes
        What one pixel's data take in whole steps.
    run_bytes
        Of these, what a row of the window takes.
    is_direct
        Whether the data are read where they lie.
    gather
        Function that makes a column of a window; empty where there is none.
    count, whole
        Blocks of the extent, and how many of them have all their channels.
    has_tail
        Whether the last block may be larger than what is left of the channels.
    result
        Type of a stored result.
    finish
        Function that makes a result of an accumulator.
    constants
        Its first argument with a comma behind it, or nothing.
    bias
        Array of the bias.
    symbol, block_bytes
        Where the weights are; bytes of a block where ``symbol`` points at those of a tile, else 0.
    """

    function: str
    channels: int
    steps: int
    column_bytes: int
    run_bytes: int
    is_direct: bool
    gather: str
    count: Term
    whole: Term
    has_tail: bool
    result: CType
    finish: str
    constants: str
    bias: str
    symbol: str
    block_bytes: int

    def at(self, b: str) -> Term:
        """The weights of block ``b`` of the extent."""
        if self.block_bytes:
            return plus(self.symbol, times(b, self.block_bytes))
        return f"{self.symbol}[{b}]"


@dataclass(frozen=True, slots=True)
class Depthwise:
    """A depthwise convolution as ``hwgen_depthwise.h`` computes it.

    Attributes
    ----------
    outputs
        Rows of outputs that the same words give.
    words
        Words that hold the taps of a column of the window.
    row_bytes
        Of a channel's weights.
    stack_bytes
        Memory for the words of a row, four channels of it.
    blocks
        Blocks of four channels in the extent.
    result, finish, constants, bias
        As of :class:`Blocks`.
    symbol
        Where the weights are.
    is_tile
        Whether ``symbol`` points at those of a tile, else it is the array.
    """

    outputs: int
    words: int
    row_bytes: int
    stack_bytes: int
    blocks: Term
    result: CType
    finish: str
    constants: str
    bias: str
    symbol: str
    is_tile: bool
    gather: str = ""

    def row(self, o: str) -> Term:
        """The weights of channel ``o`` of the extent."""
        if self.is_tile:
            return plus(self.symbol, times(o, self.row_bytes))
        return f"{self.symbol}[{o}]"


@dataclass(frozen=True, slots=True)
class Scalar:
    """An integer on its way from a kernel through the epilogue to memory.

    Attributes
    ----------
    ctype
        Of the variable that holds it.
    type
        Its interval is that of one element.
    """

    ctype: CType
    type: Type


@dataclass(frozen=True, slots=True)
class _Step:
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
    macs
        Products that it sums up.
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
    notes: list[str] = field(default_factory=list)
    scratch_bytes: int = 0
    scratch_bytes_a_core: int = 0
    shape: dict[str, object] = field(default_factory=dict)
    micro_kernel: str = ""
    header: str = ""
    macs: int = 0
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
            **shape,
        )

    @property
    def constants_bytes(self) -> int:
        """Bytes of all constants but the weights, as members of a struct."""
        end = 0
        for constant in self.constants:
            if not constant.is_weights:
                end = -(-end // constant.ctype.bytes) * constant.ctype.bytes + constant.bytes
        return -(-end // ALIGN) * ALIGN

    @property
    def context(self) -> dict[str, object]:
        """What ``model.c.j2`` needs of the function beside its call."""
        is_tile = self.extent.is_tile
        return {
            "name": self.name,
            "arrays": [c for c in self.constants if not is_tile],
            "weights": self.weights_array if is_tile else None,
            "members": [c for c in self.constants if is_tile and not c.is_weights],
            "parts": self.parts,
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

    def parameter(self, name: str, constant: Constant) -> Parameter:
        """One number if all are equal, else an array."""
        if constant.lo == constant.hi:
            return Parameter(str(constant.lo), is_array=False)
        return Parameter(self.constant(name, constant.array), is_array=True)

    def weights(self, name: str, stored: StoredWeights) -> Weights:
        """Add the weights of a layer as its code stores them."""
        symbol = self._weights(name, stored.rows, stored.ctype)
        self.notes.append(stored.summary)
        length = stored.rows.shape[1] if self.extent.is_tile else 0
        return Weights(symbol, stored.ctype, stored.each, stored.kind, length)

    def blocks(
        self,
        runs: np.ndarray,
        bias: Constant,
        bits: int,
        channels: int,
        is_direct: bool,
    ) -> Blocks:
        """Add the weights of a layer in blocks of ``channels`` rows.

        Parameters
        ----------
        runs
            Weights of shape (output channels, rows of the window, length of a row).
        bits
            In which they are stored: 8, 4 or 2.
        is_direct
            Whether the data need not be gathered into columns.
        """
        name = self.stage.name
        outputs, rows, length = runs.shape
        if rows > 1:  # a row of the window starts at a whole word
            runs = np.pad(runs, ((0, 0), (0, 0), (0, -length % 4)))
        matrix = runs.reshape(outputs, -1)
        blocks = block_rows(matrix, bits, channels)
        step = block_step(bits)
        steps = -(-matrix.shape[1] // step)
        ctype = CType(8, bits == 8)
        symbol = self._weights(f"{name}_weights", blocks.astype(np.int64), ctype)
        padded = np.pad(bias.array, (0, -outputs % channels))
        each = "" if bits == 8 else f", {8 // bits} a byte"
        self.notes.append(f"{bits}-bit weights{each}, in blocks of {channels} channels")
        e = self.extent
        count = f"({e.channels} + {channels - 1}) / {channels}" if e.is_tile else len(blocks)
        (x,) = self.stage.inputs
        self.micro_kernel = f"hwgen_dot_{'s' if x.ctype.signed else 'u'}8_s{bits}"
        return Blocks(
            function=self.micro_kernel,
            channels=channels,
            steps=steps,
            column_bytes=steps * step,
            run_bytes=runs.shape[2],
            is_direct=is_direct,
            gather="" if is_direct else self.names.take(f"{self.name}_gather"),
            count=count,
            whole=f"{e.channels} / {channels}" if e.is_tile else outputs // channels,
            has_tail=outputs % channels > 0,
            result=self.stage.output.ctype,
            finish=self.names.take(f"{self.name}_finish"),
            constants="constants, " if e.is_tile else "",
            bias=self.constant(f"{name}_bias", padded, INT32),
            symbol=symbol,
            block_bytes=blocks.shape[1] if e.is_tile else 0,
        )

    def depthwise(self, taps: np.ndarray, bias: Constant, window: Window) -> Depthwise:
        """Add the weights of a depthwise convolution in words of vertical taps.

        Parameters
        ----------
        taps
            Weights of shape (channels, rows of the window, columns of the window).
        """
        name, e = self.stage.name, self.extent
        rows = tap_words(taps)
        words = -(-window.kernel[0] // 4)
        room = 4 - window.kernel[0]
        columns = (window.out_width - 1) * window.stride[1] + window.kernel[1]
        self.header = "hwgen_depthwise.h"
        self.scratch_bytes_a_core = stack_bytes = 16 * words * columns
        symbol = self._weights(f"{name}_weights", rows, CType(8, True))
        self.notes.append("8-bit weights, a column of the window a word")
        return Depthwise(
            outputs=max(room // window.stride[0] + 1, 1) if room >= 0 else 1,
            words=words,
            row_bytes=rows.shape[1],
            stack_bytes=stack_bytes,
            blocks=f"({e.channels} + 3) / 4" if e.is_tile else -(-len(rows) // 4),
            result=self.stage.output.ctype,
            finish=self.names.take(f"{self.name}_finish"),
            constants="constants, " if e.is_tile else "",
            bias=self.constant(f"{name}_bias", bias.array, INT32),
            symbol=symbol,
            is_tile=e.is_tile,
        )

    def _weights(self, name: str, rows: np.ndarray, ctype: CType) -> str:
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
        blocks = values.get("blocks") or values.get("depthwise")
        if blocks is not None:
            self.parts.append(self._finish(blocks, steps, last))
            if blocks.gather:
                self.parts.append(self._gather(blocks, values))
        body = TEMPLATES.get_template(template).render(
            values,
            e=self.extent,
            per_channel=any(step.is_per_channel for step in steps),
            store=self._store(steps, last),
        )
        self.body = self.extent.prelude(body.strip())

    def _copy_values(self) -> dict[str, object]:
        """What ``elementwise.c.j2`` needs: a loop that hands every element to the epilogue."""
        (x,) = self.stage.inputs
        ctype = work(x.type.lo, x.type.hi)
        return {"work": ctype, "to_work": conversion(x.ctype, ctype)}

    def _epilogue(self, value: Scalar) -> tuple[list[_Step], Scalar]:
        """The statements of the epilogue, and the integer that leaves it."""
        steps: list[_Step] = []
        for node in self.stage.epilogue:
            renderer = find_renderer(node.op, self.target)
            values = renderer.values(node, value, self)
            if values:
                steps.append(_Step(node, renderer.template, values))
                value = Scalar(values["result"], node.type)
            else:
                value = Scalar(value.ctype, node.type)
        return steps, value

    def _statements(self, steps: list[_Step], value: str, channel: str) -> tuple[list[str], str]:
        """The epilogue in C, and the name of what it yields."""
        names = Names((*_LOCALS, *(constant.symbol for constant in self.constants)))
        lines = []
        for step in steps:
            name = names.take(step.node.name)
            values = {**step.values, "value": value, "channel": channel, "name": name}
            text = TEMPLATES.get_template(step.template).render(values)
            lines.append(text.rstrip("\n"))
            value = name
        return lines, value

    def _finish(self, blocks: Blocks, steps: list[_Step], last: Scalar) -> str:
        """The function that makes a result of an accumulator."""
        lines, value = self._statements(steps, "acc", "o")
        return (
            TEMPLATES.get_template("finish.c.j2")
            .render(
                name=blocks.finish,
                result=blocks.result,
                constants=f"{self.name}_constants" if self.extent.is_tile else "",
                reads_constants=any(step.reads_constants for step in steps),
                reads_channel=any(step.is_per_channel for step in steps),
                lines=lines,
                value=value if blocks.result == last.ctype else f"({blocks.result}){value}",
            )
            .strip()
        )

    def _gather(self, blocks: Blocks, values: dict[str, object]) -> str:
        """The function that makes a column of a window."""
        template = TEMPLATES.get_template("conv2d_gather.j2")
        return template.render(
            values, e=self.extent, name=blocks.gather, prelude=self.extent.prelude
        ).strip()

    def _store(self, steps: list[_Step], last: Scalar) -> Callable[[str, Term, Term], str]:
        """The function by which a kernel's template places the epilogue and the store."""
        output = self.stage.output.ctype

        def store(value: str, channel: Term, at: Term) -> str:
            lines, value = self._statements(steps, value, str(channel))
            cast = "" if output == last.ctype else f"({output})"
            return "\n".join([*lines, f"y[{at}] = {cast}{value};"])

        return store
