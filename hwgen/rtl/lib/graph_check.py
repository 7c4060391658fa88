"""Adder graphs compared with their matrices, bit by bit as hardware works."""

from __future__ import annotations

import numpy as np

from ...errors import Mismatch
from .adder_graph import AdderGraph
from .natural import Slice

__all__ = ["check_graph", "run_cells"]

_CHUNK = 64
_RANDOM = 32


def check_graph(graph: AdderGraph, matrix: np.ndarray, bias: np.ndarray) -> None:
    """Show that ``graph`` computes ``matrix @ x + bias``.

    All inputs at ``lo`` and one after the other at ``hi`` settles every coefficient of a linear
    graph; the vectors that take every output to its bounds, and random ones, show that no width
    is too small.

    Raises
    ------
    Mismatch
        It does not: a fault of this program.
    """
    matrix, bias = np.asarray(matrix, np.int64), np.asarray(bias, np.int64)
    x = np.concatenate(
        [
            np.full((1, graph.inputs), graph.lo),
            np.where(np.eye(graph.inputs, dtype=bool), graph.hi, graph.lo),
            np.where(np.concatenate([matrix, -matrix]) > 0, graph.hi, graph.lo),
            np.random.default_rng(0).integers(
                graph.lo, graph.hi, (_RANDOM, graph.inputs), endpoint=True
            ),
        ]
    )
    for start in range(0, len(x), _CHUNK):
        part = x[start : start + _CHUNK]
        wrong = np.argwhere(run_cells(graph, part) != part @ matrix.T + bias)
        if len(wrong):
            raise Mismatch(
                f"internal error: the adder graph of a {len(matrix)} x {graph.inputs} matrix is "
                f"wrong in row {wrong[0][1]}"
            )


def run_cells(graph: AdderGraph, x: np.ndarray) -> np.ndarray:
    """What the hardware of ``graph`` computes: x of shape (batch, inputs), result (batch, outputs).

    Numbers are cut off where the hardware's wires end.
    """
    values = [x[:, k] + graph.naturals[k].offset for k in range(graph.inputs)]

    def bits(part: Slice) -> np.ndarray:
        ones = (1 << part.width) - 1
        taken = (values[part.value] >> part.low) & ones
        return taken ^ ones if part.invert else taken

    for cell in graph.cells:
        value = bits(cell.left)
        if cell.right:
            value = (value + bits(cell.right) + cell.carry) & ((1 << cell.chain) - 1)
        if cell.low:
            value = (value << (cell.low.width + cell.zeros)) + bits(cell.low)
        values.append(value)
    rows = []
    for output in graph.outputs:
        value = (
            values[output.value] << output.shift if output.value >= 0 else np.zeros_like(x[:, 0])
        )
        total = graph.constant(output) + (-value if output.negate else value)
        half = 1 << (graph.output_width(output) - 1)
        rows.append(((total + half) & (2 * half - 1)) - half)
    return np.stack(rows, axis=1)
