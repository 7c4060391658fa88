"""Convolutions in hardware: windows into constant logic, or a folded array."""

from __future__ import annotations

import numpy as np

from ..ops.conv2d import Conv2d
from .design import StreamShape
from .lib.chain import Chain
from .lib.component import generates
from .lib.constant_matrix import ConstantMatrix
from .lib.mac_array import Folding, MacArray
from .lib.window import WindowGenerator

__all__ = ["make"]


@generates(Conv2d)
def make(op, types, result, schedule, name):
    """One window position a clock (spatial), or products / multipliers clocks (folded)."""
    (x,) = types
    in_lanes, out_lanes = op.lanes(x, schedule=schedule)
    source, target = StreamShape.of(x, in_lanes), StreamShape.of(result, out_lanes)
    window = op.window(x)
    if schedule.form == "spatial":
        windows = WindowGenerator(window, source, 1, 0)
        matrix = ConstantMatrix(
            name,
            _ungrouped(op.weights.decode(), x.channels, op.groups),
            op.bias.array,
            op.input_interval(x),
            windows.output,
            target,
            adders_per_stage=schedule.pipeline,
        )
        return Chain(windows=windows, weights=matrix)
    folding = Folding(window, x.channels, result.channels, op.groups, schedule)
    return MacArray(folding, op.weights, op.bias.array, source, target)


def _ungrouped(weights: np.ndarray, channels: int, groups: int) -> np.ndarray:
    """Weights (C_out, kh, kw, C_in / groups) as a matrix over the whole window, zeros between groups."""
    outputs, kh, kw, depth = weights.shape
    full = np.zeros((outputs, kh, kw, channels), dtype=weights.dtype)
    each = outputs // groups
    for g in range(groups):
        full[g * each : (g + 1) * each, :, :, g * depth : (g + 1) * depth] = weights[
            g * each : (g + 1) * each
        ]
    return full.reshape(outputs, -1)
