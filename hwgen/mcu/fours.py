"""Elementwise layers on DSP cores: four elements at a time, bytes in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..ops.clip import Clip
from .expressions import Term, plus
from .extent import image
from .names import Names
from .operands import Parameter, Scalar, operand_names
from .storage import INT32, CType
from .templates import TEMPLATES

if TYPE_CHECKING:
    from .function import Function, Step

__all__ = ["Fours", "add_fours"]


@dataclass(frozen=True, slots=True)
class Fours:
    """How ``fours.j2`` goes through the elements of a layer.

    Attributes
    ----------
    operands
        What the function reads and writes.
    finish
        Function that makes a result of an integer; empty where a conversion does.
    constants
        Its first argument with a comma behind it, or nothing.
    parameters
        Its last arguments: names, and the arrays that hold one a channel.
    is_by_channel
        Whether it pays to go through all pixels of some channels, then of the next ones.
    result, last
        Types of a stored result and of what becomes of an integer.
    word
        Four results out of ``hwgen_load(x + i)``, where lanes of words are enough; or empty.
    """

    operands: tuple[str, ...]
    finish: str
    constants: str
    parameters: tuple[tuple[str, str], ...]
    is_by_channel: bool
    result: CType
    last: CType
    word: str = ""

    @property
    def is_packed(self) -> bool:
        """Whether four results are stored as a word."""
        return self.result.bits == 8

    def call(self, value: str, lane: Term = "") -> str:
        """What becomes of ``value``, or of number ``lane`` of several with parameters of their own."""
        if not self.finish:
            return f"{value}{lane}"
        arguments = "".join(f", {name}{lane}" for name, _ in self.parameters)
        return f"{self.finish}({self.constants}{value}{lane}{arguments})"

    def store(self, at: Term, value: str, lane: Term = "") -> str:
        """The statement that stores it."""
        text = self.call(value, lane)
        if self.result != self.last:
            text = f"({self.result})({text})" if " + " in text else f"({self.result}){text}"
        return f"y[{at}] = {text};"

    def read(self, channel: Term, lanes: Sequence[Term] = ("",)) -> list[str]:
        """Statements that read the parameters of some channels from ``channel`` on."""
        return [
            f"const int32_t {name}{lane} = {array}[{plus(channel, lane or 0)}];"
            for name, array in self.parameters
            for lane in lanes
        ]


def add_fours(
    function: Function, steps: Sequence[Step], value: Scalar, last: Scalar
) -> Fours | None:
    """Add the function that makes a result of an integer, if four at a time are worth it.

    Parameters
    ----------
    steps
        The epilogue.
    value, last
        What enters it and what leaves it.

    Returns
    -------
    Fours, or None: the core has no instructions for it, the layer needs 64 bits, or its elements
    must be read in the order of memory (see :meth:`.stages.Program.buffers`).
    """
    stage, out = function.stage, function.stage.output.ctype
    is_wide = value.ctype != INT32 or any(x.ctype.bits > 32 for x in stage.inputs)
    if function.target.isa == "plain" or is_wide:
        return None
    arrays: dict[str, str] = {}
    own = [_with_parameters(step, arrays) for step in steps]
    rows, columns, _ = image(stage.output.type)
    is_by_channel = bool(arrays) and rows * columns > 1
    any_order = function.target.is_team or all(x.ctype.bytes == out.bytes for x in stage.inputs)
    if is_by_channel and not any_order:
        return None
    word = "" if stage.kernel else _word(function, steps)
    fours = Fours(
        operands=(*operand_names(len(stage.inputs)), "y"),
        finish="",
        constants="",
        parameters=tuple(arrays.items()),
        is_by_channel=is_by_channel,
        result=out,
        last=last.ctype,
        word=word,
    )
    size = function.extent.size
    if not own or (word and isinstance(size, int) and size % 4 == 0):
        return fours
    return replace(fours, **_finish(function, own, arrays, last))


def _finish(
    function: Function, steps: Sequence[Step], arrays: Iterable[str], last: Scalar
) -> dict[str, str]:
    """Add the function that makes a result of an integer."""
    finish = function.names.take(f"{function.name}_finish")
    is_read = any(step.reads_constants for step in steps)
    lines, result = function.statements(steps, "v", "", arrays)
    text = TEMPLATES.get_template("finish.c.j2").render(
        name=finish,
        result=last.ctype,
        comment="What becomes of an element.",
        parameters=", ".join(
            [
                *([f"const struct {function.name}_constants *constants"] if is_read else []),
                "int32_t v",
                *(f"int32_t {name}" for name in arrays),
            ]
        ),
        unused=[],
        lines=lines,
        value=result,
    )
    function.parts.append(text.strip())
    return {"finish": finish, "constants": "constants, " if is_read else ""}


def _with_parameters(step: Step, arrays: dict[str, str]) -> Step:
    """A step that reads variables instead of arrays; both are added to ``arrays``."""
    values = dict(step.values)
    for key, value in step.values.items():
        if isinstance(value, Parameter) and value.is_array:
            name = Names(arrays).take(key)
            arrays[name] = value.text
            values[key] = Parameter(name, is_array=False)
    return replace(step, values=values)


def _word(function: Function, steps: Sequence[Step]) -> str:
    """The layer on four bytes in a word, if it only clips or copies bytes."""
    (x,), y = function.stage.inputs, function.stage.output
    if x.ctype.bits != 8 or y.ctype.bits != 8:
        return ""
    text = "hwgen_load(x + i)"
    kind = "s8" if x.ctype.signed else "u8"
    least, most = (-128, 127) if x.ctype.signed else (0, 255)
    for step in steps:
        if not isinstance(step.node.op, Clip):
            return ""
        for name, bound in (("max", step.values["lo"]), ("min", step.values["hi"])):
            if bound is not None:
                if not least <= bound <= most:  # it is no such byte
                    return ""
                text = f"hwgen_{name}_{kind}({text}, {(bound & 0xFF) * 0x01010101:#010x})"
    return text
