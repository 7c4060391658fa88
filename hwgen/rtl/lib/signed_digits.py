"""Canonical signed digits.

No two neighbouring digits are non-zero (Avizienis, "Signed-digit number representations", 1961):
the fewest non-zero digits, hence the fewest additions of a single constant.
"""

from __future__ import annotations

__all__ = ["csd"]


def csd(value: int) -> list[tuple[int, int]]:
    """Canonical signed digits of ``value``: pairs (shift, +1 or -1), lowest shift first."""
    digits = []
    shift = 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((shift, digit))
            value -= digit
        value >>= 1
        shift += 1
    return digits
