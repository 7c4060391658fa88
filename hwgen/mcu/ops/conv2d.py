"""C of the convolution."""

from __future__ import annotations

from ...ops.conv2d import Conv2d
from ..function import Function
from ..linear import accumulator, geometry
from ..registry import renders
from ..stages import Stage
from ..storage import conversion

__all__: list[str] = []


@renders(Conv2d)
def conv2d(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    outputs, _, _, depth = op.weights.shape
    work = accumulator(op.weights.decode(), op.bias, *op.input_interval(x.type))
    weights = function.weights(f"{stage.name}_weights", op.weights)
    return {
        "g": geometry(op.window(x.type), x.type.channels),
        "outputs": outputs,
        "depth": depth,
        "groups": op.groups,
        "each": outputs // op.groups,
        "weights": weights,
        "aligned": depth % weights.each == 0,
        "bias": function.parameter(f"{stage.name}_bias", op.bias),
        "x": x,
        "work": work,
        "weight_to_work": function.weight_conversion(weights, work),
        "to_work": conversion(x.ctype, work) if work.bits == 32 else "",
    }
