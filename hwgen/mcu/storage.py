"""How integers of the IR lie in C: types of storage, and types to compute in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.types import Int

__all__ = ["INT32", "INT64", "CType", "conversion", "storage", "widest", "work"]


@dataclass(frozen=True, slots=True)
class CType:
    """A type of ``<stdint.h>``.

    Attributes
    ----------
    bits, signed
        What it is.
    """

    bits: int
    signed: bool

    @property
    def name(self) -> str:
        return f"{'' if self.signed else 'u'}int{self.bits}_t"

    @property
    def bytes(self) -> int:
        return self.bits // 8

    @property
    def dtype(self) -> np.dtype:
        """The numpy type of equal layout, in the byte order of this machine."""
        return np.dtype(f"{'i' if self.signed else 'u'}{self.bytes}")

    @property
    def suffix(self) -> str:
        """Ending of the runtime functions that compute in this type."""
        return f"i{self.bits}"

    def __str__(self) -> str:
        return self.name


INT32 = CType(32, True)
INT64 = CType(64, True)


def storage(element: Int) -> CType:
    """The smallest type that holds ``element``; signed where that costs no byte beyond 16 bits.

    Unsigned types of 32 bits drag C's arithmetic into unsigned, so they are taken only where
    nothing else of that size will do; there is no unsigned type of 64 bits.
    """
    for bits in (8, 16):
        if element.width <= bits:
            return CType(bits, element.signed)
    if element.width + (not element.signed) <= 32:
        return INT32
    return CType(32, False) if element.width == 32 else INT64


def work(*bounds: int) -> CType:
    """The type to compute in if every intermediate lies between the extremes of ``bounds``.

    Never narrower than 32 bits: C promotes to ``int`` anyway.
    """
    return INT32 if min(bounds) >= -(1 << 31) and max(bounds) < 1 << 31 else INT64


def widest(*types: CType) -> CType:
    """The widest of several types to compute in."""
    return max(types, key=lambda t: t.bits)


def conversion(value: CType, to: CType) -> str:
    """The cast without which arithmetic on a stored ``value`` would not be that of ``to``.

    Empty where C's own promotions already do it.
    """
    if value == to or (to == INT32 and value.bits < 32):
        return ""
    return f"({to})"
