"""Fully connected layers in hardware: constants in logic, folded arrays, masked lanes."""

from __future__ import annotations

from dataclasses import replace

from ..ops.dense import Dense
from ..ops.lib.window import Window
from .design import StreamShape
from .lib.component import generates
from .lib.constant_matrix import ConstantMatrix
from .lib.mac_array import Folding, MacArray
from .lib.scan_array import ScanArray

__all__ = ["make"]


@generates(Dense)
def make(op, types, result, schedule, name):
    """The component of a dense layer.

    One vector a clock (spatial), ``outputs x inputs / multipliers`` clocks (folded and serial), or
    about as many clocks as a lane keeps weights (scan). The steps of a sequence are vectors that
    come one after the other.
    """
    (x,) = types
    in_lanes, out_lanes = op.lanes(x, schedule=schedule)
    source, target = StreamShape.of(x, in_lanes), StreamShape.of(result, out_lanes)
    if schedule.form == "spatial":
        return ConstantMatrix(
            name,
            op.weights.decode(),
            op.bias.array,
            (x.lo, x.hi),
            source,
            target,
            adders_per_stage=schedule.pipeline,
        )
    if schedule.form == "scan":
        step = StreamShape.of(replace(x, shape=x.shape[-1:]), in_lanes)
        return ScanArray(op.weights, op.bias.array, schedule.simd, step, target)
    outputs, inputs = op.weights.shape
    folding = Folding(Window(1, 1, (1, 1), (1, 1), (0, 0)), inputs, outputs, 1, schedule)
    return MacArray(folding, op.weights, op.bias.array, source, target)
