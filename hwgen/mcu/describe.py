"""What emitted C says about itself: comments, ranges, scales."""

from __future__ import annotations

import math
import textwrap

from .names import comment
from .stages import Stage, Value
from .templates import COLUMNS

__all__ = ["describe_port", "describe_stage"]


def describe_port(side: str, model: str, value: Value) -> dict[str, object]:
    """What the header says of the input or the output.

    Scales appear as decimal fractions and, for code without floating point, as integers
    ``mantissa`` and ``exponent`` with ``scale = mantissa * 2^exponent`` exactly.
    """
    kind = value.type
    per_channel = isinstance(kind.scale, tuple)
    scales = kind.scale if per_channel else (kind.scale,)
    parts = [_dyadic(scale) for scale in scales]
    return {
        "title": side.capitalize(),
        "macro": side.upper(),
        "typedef": f"{model}_{'in' if side == 'input' else 'out'}_t",
        "shape": "x".join(map(str, kind.shape)),
        "axes": " (height, width, channels)" if len(kind.shape) == 3 else "",
        "size": kind.size,
        "ctype": value.ctype,
        "lo": kind.lo,
        "hi": kind.hi,
        "lo_literal": _literal(kind.lo),
        "hi_literal": _literal(kind.hi),
        "per_channel": per_channel,
        "scale": _list([repr(float(scale)) for scale in scales], per_channel),
        "mantissa": _list([str(m) for m, _ in parts], per_channel),
        "exponent": _list([_literal(e) for _, e in parts], per_channel),
    }


def describe_stage(stage: Stage, notes: list[str]) -> list[str]:
    """Lines of the comment above a function: what each node is, and its result's type."""
    inputs = ", ".join(str(x.type) for x in stage.inputs)
    if not stage.nodes:
        return _fill(f"copy: {inputs}")
    lines = []
    for node in stage.nodes:
        where = f" (layer {comment(node.layer)!r})" if node.layer else ""
        takes = f"{inputs} -> " if node is stage.nodes[0] else ""
        lines += _fill(f"{node.name}: {node.op.name}{where}, {takes}{node.type}")
    return lines + notes


def _fill(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS - 3, subsequent_indent="    ", break_long_words=False)


def _literal(number: int) -> str:
    return f"({number})" if number < 0 else str(number)


def _list(items: list[str], is_list: bool) -> str:
    return "{" + ", ".join(items) + "}" if is_list else items[0]


def _dyadic(scale: float) -> tuple[int, int]:
    """Odd mantissa and exponent with ``scale = mantissa * 2^exponent``."""
    fraction, exponent = math.frexp(scale)
    mantissa, exponent = int(math.ldexp(fraction, 53)), exponent - 53
    while mantissa and mantissa % 2 == 0:
        mantissa, exponent = mantissa // 2, exponent + 1
    return mantissa, exponent if mantissa else 0
