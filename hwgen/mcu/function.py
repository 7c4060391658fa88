"""A C function under construction: its constants, its names, its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ir.graph import Node
from ..ir.types import Int, Type
from .names import Names
from .registry import find_renderer, find_storage
from .stages import Stage
from .storage import INT32, CType, conversion, storage, work
from .target import Target
from .templates import TEMPLATES

__all__ = ["ConstantArray", "Function", "Parameter", "Scalar", "Weights"]

# What kernels call their operands, loop variables and accumulators.
_LOCALS = (
    *("x", "y", "a", "b", "w", "p", "v", "n", "acc", "best", "sum", "top", "left", "byte"),
    *("i", "i0", "i1", "j", "j0", "j1", "k", "o", "r", "c"),
)


@dataclass(frozen=True, slots=True)
class ConstantArray:
    """A constant of the program.

    Attributes
    ----------
    symbol, ctype
        Its name and the type of an element.
    values
        int64, one axis or two.
    """

    symbol: str
    ctype: CType
    values: np.ndarray

    @property
    def bytes(self) -> int:
        return self.values.size * self.ctype.bytes

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
    """

    symbol: str
    ctype: CType
    each: int
    kind: str


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
    """

    name: str
    stage: Stage
    target: Target
    names: Names
    constants: list[ConstantArray] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    body: str = ""

    def constant(self, name: str, values: np.ndarray, ctype: CType | None = None) -> str:
        """Add a constant array and return its symbol; the smallest type unless one is given."""
        symbol = self.names.take(name)
        if ctype is None:
            ctype = storage(Int.fit(int(values.min()), int(values.max())))
        self.constants.append(ConstantArray(symbol, ctype, values))
        return symbol

    def parameter(self, name: str, constant: Constant) -> Parameter:
        """One number if all are equal, else an array."""
        if constant.lo == constant.hi:
            return Parameter(str(constant.lo), is_array=False)
        return Parameter(self.constant(name, constant.array), is_array=True)

    def weights(self, name: str, code: WeightCode) -> Weights:
        """Add the weights of a layer as its code stores them."""
        stored = find_storage(code, self.target)(code)
        symbol = self.constant(name, stored.rows, stored.ctype)
        self.notes.append(stored.summary)
        return Weights(symbol, stored.ctype, stored.each, stored.kind)

    @staticmethod
    def weight_conversion(weights: Weights, work: CType) -> str:
        """The cast that makes the product of a weight and an input one of type ``work``."""
        return conversion(INT32 if weights.kind else weights.ctype, work)

    def render(self) -> None:
        """Fill ``body`` and ``constants``."""
        stage = self.stage
        if stage.kernel is None:
            template, values = "elementwise.c.j2", self._copy_values()
        else:
            renderer = find_renderer(stage.kernel.op, self.target)
            template, values = renderer.template, renderer.values(stage, self)
        made = Scalar(values["work"], (stage.nodes[0] if stage.kernel else stage.inputs[0]).type)
        steps, last = self._epilogue(made)
        self.body = TEMPLATES.get_template(template).render(
            values,
            per_channel=any(step.is_per_channel for step in steps),
            store=self._store(steps, last),
        )

    def _copy_values(self) -> dict[str, object]:
        """What ``elementwise.c.j2`` needs: a loop that hands every element to the epilogue."""
        (x,) = self.stage.inputs
        ctype = work(x.type.lo, x.type.hi)
        return {
            "work": ctype,
            "to_work": conversion(x.ctype, ctype),
            "size": x.type.size,
            "channels": x.type.channels,
        }

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

    def _store(self, steps: list[_Step], last: Scalar) -> Callable[[str, str, str], str]:
        """The function by which a kernel's template places the epilogue and the store."""
        output = self.stage.output.ctype

        def store(value: str, channel: str, at: str) -> str:
            names = Names((*_LOCALS, *(constant.symbol for constant in self.constants)))
            lines = []
            for step in steps:
                name = names.take(step.node.name)
                values = {**step.values, "value": value, "channel": channel, "name": name}
                text = TEMPLATES.get_template(step.template).render(values)
                lines.append(text.rstrip("\n"))
                value = name
            cast = "" if output == last.ctype else f"({output})"
            return "\n".join([*lines, f"y[{at}] = {cast}{value};"])

        return store
