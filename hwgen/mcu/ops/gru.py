"""C of the gated recurrent unit."""

from __future__ import annotations

from ...ops.gru import Gru
from ..function import Function
from ..recurrent import by_fours, recurrent_values
from ..registry import renders
from ..stages import Stage
from ..storage import INT32

__all__: list[str] = []


@renders(Gru)
def gru(stage: Stage, function: Function) -> dict[str, object]:
    op: Gru = stage.kernel.op
    values = recurrent_values(stage, function)
    bias = by_fours(op.recurrent_bias.array, op.units, values["fours_a_block"])
    symbol = function.constant(f"{stage.name}_recurrent_bias", bias, INT32)
    return {**values, "recurrent_bias": symbol}
