"""C of the fully connected layer."""

from __future__ import annotations

from ...ops.dense import Dense
from ..function import Function
from ..linear import accumulator
from ..registry import renders
from ..stages import Stage
from ..storage import conversion

__all__: list[str] = []


@renders(Dense)
def dense(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    outputs, inputs = op.weights.shape
    work = accumulator(op.weights.decode(), op.bias, x.type.lo, x.type.hi)
    weights = function.weights(f"{stage.name}_weights", op.weights)
    return {
        "outputs": outputs,
        "inputs": inputs,
        "weights": weights,
        "bias": function.parameter(f"{stage.name}_bias", op.bias),
        "work": work,
        "weight_to_work": function.weight_conversion(weights, work),
        "to_work": conversion(x.ctype, work) if work.bits == 32 else "",
    }
