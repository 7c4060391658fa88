"""C of saturating counters."""

from __future__ import annotations

from ...ir.constant import Constant
from ...ops.saturating_counter import SaturatingCounter
from ..function import Function
from ..registry import renders
from ..stages import Stage
from ..storage import INT32, CType, conversion, work

__all__: list[str] = []

INT16 = CType(16, True)


@renders(SaturatingCounter)
def saturating_counter(stage: Stage, function: Function) -> dict[str, object]:
    op: SaturatingCounter = stage.kernel.op
    (x,) = stage.inputs
    steps, features = x.type.shape
    # All steps of a feature are in one tile.
    function.cut(axes=("channels",), split="channels", cycles_per_output=9)
    bounds = (x.type.lo, x.type.hi, x.type.lo, op.states.hi + x.type.hi)
    is_half = x.ctype.bits <= 16 and min(bounds) >= -(1 << 15) and max(bounds) < 1 << 15
    by_lanes = function.target.is_host and is_half
    ctype = INT16 if by_lanes else work(*bounds)
    if by_lanes:
        function.header = "hwgen_stochastic.h"
        function.has_clones = True
        function.scratch_bytes = features * ctype.bytes
    top = Constant(op.states.array - 1)
    constants = {}
    for name, constant in (("top", top), ("threshold", op.threshold)):
        if by_lanes:  # lanes of one width
            constants[name] = function.constant(f"{stage.name}_{name}", constant.array, INT16)
        else:
            constants[name] = function.parameter(f"{stage.name}_{name}", constant)
    return {
        "op": op,
        **constants,
        "steps": steps,
        "features": features,
        "by_lanes": by_lanes,
        "direct": not stage.epilogue,
        "counter": ctype,
        "x_ctype": x.ctype,
        "to_counter": conversion(x.ctype, ctype),
        "work": INT32,
    }
