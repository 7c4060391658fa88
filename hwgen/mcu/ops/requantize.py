"""C of requantization: the parts of its equation that do something."""

from __future__ import annotations

import numpy as np

from ...ir.constant import Constant
from ...ir.graph import Node
from ...ops.lib import fixed_point
from ...ops.requantize import Requantize
from ..function import Function
from ..operands import Scalar
from ..registry import renders
from ..storage import INT32, INT64, conversion, widest, work

__all__: list[str] = []

_UNBOUNDED = 1 << 62  # the op's own rule keeps products below it


@renders(Requantize, kind="elementwise")
def requantize(node: Node, value: Scalar, function: Function) -> dict[str, object]:
    op = node.op
    ends = np.array([[value.type.lo], [value.type.hi]], dtype=np.int64)
    free = fixed_point.requantize(
        ends, op.multiplier.array, op.shift.array, -_UNBOUNDED, _UNBOUNDED
    )
    lo = op.lo if int(free.min()) < op.lo else None
    hi = op.hi if int(free.max()) > op.hi else None
    multiplies = op.multiplier.hi > 1
    shifts = op.shift.hi > 0
    if not multiplies and not shifts and lo is None and hi is None:
        return {}
    bounds = [bound for bound in (lo, hi) if bound is not None]
    wide = widest(value.ctype, work(*op.product_interval(value.type), *bounds))
    result = work(node.type.lo, node.type.hi)
    multiplier, shift = op.multiplier, op.shift
    high = None
    if multiplies and wide == INT64 and value.ctype == work(*bounds, 0) == INT32:
        high = high_half(multiplier.array, shift.array)
    if high is not None:
        multiplier, shift = (Constant(part) for part in high)
        wide = INT32
    return {
        "takes_high_half": high is not None,
        "multiplier": function.parameter(f"{node.name}_multiplier", multiplier)
        if multiplies
        else None,
        "shift": function.parameter(f"{node.name}_shift", shift) if shifts else None,
        "lo": lo,
        "hi": hi,
        "wide": wide,
        "widen": conversion(value.ctype, wide) if multiplies else "",
        "result": result,
        "narrow": f"({result})" if result != wide else "",
    }


def high_half(multiplier: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Multipliers and shifts that need only the high 32 bits of 64-bit products.

    With ``s + n >= 33`` the low half of ``x * m * 2^n`` cannot reach the result:
    ``(x * m + 2^(s - 1)) >> s = ((x * m * 2^n >> 32) + 2^(s + n - 33)) >> (s + n - 32)``.

    Parameters
    ----------
    multiplier, shift
        One number each, or one a channel; multipliers are 1 or more.

    Returns
    -------
    ``m * 2^n`` and ``s + n - 32``; the shift is one for all channels where that is possible. None if
    a multiplier or a shift leaves its 32 bits.
    """
    if int(shift.min()) < 1:
        return None
    each = np.maximum(33 - shift, 0)
    common = np.maximum(shift, 33).max() - shift
    for n in (common, each):
        n = np.minimum(n, 32)  # 2^32 is too large for any multiplier; numpy shifts no further
        scaled = multiplier << n
        if scaled.max() < 1 << 31 and (shift + n).max() <= 63:
            return scaled, shift + n - 32
    return None
