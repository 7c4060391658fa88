"""How the matrices of a recurrent cell lie in one memory, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...ir.code import WeightCode
from ...ir.constant import Constant
from ...ir.types import Int
from ...ops.codes.binary import Binary
from ...ops.codes.power_of_two import PowerOfTwo
from ...ops.codes.ternary import Ternary
from ...ops.codes.uniform import Uniform
from ...ops.lib.masked import Masked
from ..codes import WeightLane, weight_lane

__all__ = ["column_words", "interleaved", "joint_lane"]


def interleaved(values: np.ndarray, gates: int) -> np.ndarray:
    """Gate rows of PyTorch's order, row ``k n + u`` for gate k of unit u, as row ``gates u + k``."""
    return values.reshape(gates, -1, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)


def joint_lane(codes: Sequence[WeightCode]) -> WeightLane:
    """One lane for weights of all of several codes: the cheapest one that they have in common.

    What a mask leaves out is stored as zero. Binary weights are also ternary ones, and those powers
    of two; codes that have nothing else in common are uniform.
    """
    weights = np.concatenate([code.decode().reshape(-1) for code in codes])
    masked = any(isinstance(code, Masked) for code in codes)
    kept = [code.kept if isinstance(code, Masked) else code for code in codes]
    kinds = {type(code) for code in kept}
    values = Constant(weights)
    if kinds == {Binary} and not masked:
        return weight_lane(Binary(values))
    if kinds <= {Binary, Ternary}:
        return weight_lane(Ternary(values))
    if kinds <= {Binary, Ternary, PowerOfTwo}:
        bits = max(code.bits for code in kept if isinstance(code, PowerOfTwo))
        return weight_lane(PowerOfTwo(values, bits))
    declared = [code.bits for code in kept if isinstance(code, Uniform)]
    fit = Int.fit(min(int(weights.min()), -1), int(weights.max())).width
    return weight_lane(Uniform(values, max([fit, *declared])))


def column_words(matrix: np.ndarray, lanes: int, lane: WeightLane) -> np.ndarray:
    """A matrix as the words of its columns, one after the other.

    Parameters
    ----------
    matrix
        Shape (rows, columns).
    lanes
        Rows of a word. Where they do not divide the rows, the last word of a column is filled up.

    Returns
    -------
    Unsigned fields, shape (columns x words of a column, lanes).
    """
    fields = lane.encode(matrix.T)
    return np.pad(fields, ((0, 0), (0, -len(matrix) % lanes))).reshape(-1, lanes)
