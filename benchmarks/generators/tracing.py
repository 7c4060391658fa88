"""What da4ml and alkaid share: a network traced through fixed-point arrays with numpy's operators."""

from __future__ import annotations

import numpy as np

from hwgen.ir.graph import Graph
from hwgen.ir.types import Int

__all__ = ["apply", "fixed_point", "prepare"]

ADDITIONS = (0, 1)  # opcodes of value + value and value - value, in both


def fixed_point(element: Int) -> tuple[int, int, int]:
    """An integer type as (sign bits, whole bits, fraction bits)."""
    return int(element.signed), element.width - element.signed, 0


def apply(graph: Graph, x, quantize):
    """The network over an array ``x`` of the library's own type.

    A requantization by a pure shift is a division by a power of two, which moves the binary point
    only, and a quantization that rounds half up and saturates. Its bounds must be those of an
    integer type.

    Parameters
    ----------
    quantize
        The library's ``quantize(x, sign, whole, fraction, overflow, rounding)``.
    """
    values = {}
    for node in graph.nodes:
        op = node.op
        if op.name == "input":
            values[node.name] = x
            continue
        y = values[node.inputs[0]]
        if op.name == "dense":
            y = y @ op.weights.decode().T.astype(np.float64) + op.bias.array.astype(np.float64)
        elif op.name == "requantize":
            element = Int.fit(op.lo, op.hi)
            if op.multiplier.hi != 1 or (op.lo, op.hi) != (element.lo, element.hi):
                raise ValueError(f"{node.where}: must be a pure shift to an integer type's range")
            y = y * 2.0 ** -op.shift.array.astype(np.float64)
            y = quantize(y, *fixed_point(element), "SAT", "RND")
        else:
            raise ValueError(f"{node.where}: not one of dense, requantize")
        values[node.name] = y
    return values[graph.output]


def prepare(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)
