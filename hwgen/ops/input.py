"""The value that enters a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Int, Type

__all__ = ["Input"]


@register
@dataclass(frozen=True, slots=True)
class Input(Op):
    """An external value of a declared type; every element lies in ``[lo, hi]``."""

    shape: tuple[int, ...]
    element: Int
    lo: int
    hi: int

    arity: ClassVar[int] = 0

    def infer(self) -> Type:
        return Type(self.shape, self.element, self.lo, self.hi)

    def run(self):
        raise RuntimeError("an input has no value of its own; Graph.run supplies it")

    def cost(self, *, schedule: Schedule) -> Cost:
        return Cost()
