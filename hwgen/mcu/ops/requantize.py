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
from ..storage import INT32, CType, conversion, widest, work

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
    form, parts = "", None
    if multiplies and shifts and value.ctype == work(*bounds, 0) == INT32:
        has_halves = function.target.isa != "plain"
        form, parts = _exact_form(value, multiplier.array, shift.array, wide, has_halves)
    if parts is not None:
        multiplier, shift = (Constant(part) for part in parts)
        wide = INT32
    return {
        "form": form,
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


def _exact_form(
    value: Scalar, multiplier: np.ndarray, shift: np.ndarray, wide: CType, has_halves: bool
) -> tuple[str, tuple[np.ndarray, np.ndarray] | None]:
    """What computes in 32 bits, with its multipliers and shifts; without any, products of ``wide``.

    ``scale_i16`` and ``scale_i32`` of the runtime are a rounded shift as well, ``mul_high`` is not.
    They pay where the core has instructions for halves of words.
    """
    is_half = value.type.lo >= -(1 << 15) and value.type.hi < 1 << 15
    if has_halves and is_half and (halves := one_shift(multiplier, shift, 1, 31)):
        return "scale_i16", halves
    if wide == INT32:
        return "", None
    if has_halves and (words := one_shift(multiplier, shift, 17, 47)):
        return "scale_i32", (words[0] * 0x10001, words[1] - 16)
    parts = high_half(multiplier, shift)
    return ("mul_high", parts) if parts else ("", None)


def one_shift(
    multiplier: np.ndarray, shift: np.ndarray, least: int, most: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Multipliers of 15 bits with one shift for all channels, for products of 16-bit halves.

    ``(x * m + 2^(s - 1)) >> s = (x * m * 2^n + 2^(s + n - 1)) >> (s + n)``

    Parameters
    ----------
    multiplier, shift
        One number each, or one a channel; multipliers are 1 or more.
    least, most
        Between which the shift must be.

    Returns
    -------
    ``m * 2^n`` and ``s + n``; None if there are none.
    """
    common = max(int(shift.max()), least)
    scaled = multiplier << np.minimum(common - shift, 15)
    if common > most or scaled.max() >= 1 << 15:
        return None
    return scaled, np.asarray(common)


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
