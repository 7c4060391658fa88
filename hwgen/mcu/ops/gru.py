"""C of the gated recurrent unit."""

from __future__ import annotations

from ...ops.gru import Gru
from ..function import Function
from ..recurrent import recurrent_values, row_constants
from ..registry import renders
from ..stages import Stage
from ..storage import INT32

__all__: list[str] = []


@renders(Gru)
def gru(stage: Stage, function: Function) -> dict[str, object]:
    op: Gru = stage.kernel.op
    values = recurrent_values(stage, function)
    bias = row_constants(op, op.recurrent_bias, values["fours_a_block"])
    symbol = function.constant(f"{stage.name}_recurrent_bias", bias, INT32)
    return {**values, "recurrent_bias": symbol}
