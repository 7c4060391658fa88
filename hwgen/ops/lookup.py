"""A small table: any function of one integer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import RuleViolation
from ..ir.constant import Constant
from ..ir.op import Cost, Op, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib.stream import beats, lane_schedules

__all__ = ["Lookup"]

MAX_ENTRIES = 4096


@register
@dataclass(frozen=True, slots=True)
class Lookup(Op):
    """``y = table[x - base]``: an activation as a table.

    Attributes
    ----------
    table
        Shape (entries,), at most 4096; covers the whole interval of x.
    base
        The x of the first entry.
    """

    table: Constant
    base: int

    def verify(self, x: Type) -> None:
        if len(self.table.shape) != 1 or not 1 <= self.table.array.size <= MAX_ENTRIES:
            raise RuleViolation(
                f"table must be a vector of 1..{MAX_ENTRIES} entries, found shape {self.table.shape}"
            )
        last = self.base + self.table.array.size - 1
        if x.lo < self.base or x.hi > last:
            raise RuleViolation(
                f"table must cover the input's interval [{x.lo}, {x.hi}], "
                f"found [{self.base}, {last}]"
            )

    def infer(self, x: Type) -> Type:
        reached = self.table.array[x.lo - self.base : x.hi - self.base + 1]
        return Type.of(x.shape, reached.min(), reached.max())

    def run(self, x: np.ndarray) -> np.ndarray:
        return self.table.array[x - self.base]

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        return Cost(
            weight_bits=self.table.array.size * self.infer(x).element.width,
            cycles=beats(x, schedule),
        )

    def schedules(self, x: Type) -> tuple[Schedule, ...]:
        return lane_schedules(x)
