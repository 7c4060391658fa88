"""Networks of spins: cuts, factors and speed beside other samplers, and the size of the hardware."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .invertible_cuts import cuts
from .invertible_factors import factors
from .invertible_size import sizes
from .invertible_speed import speeds
from .report import Table

__all__ = ["run"]


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    for tables in (cuts, factors, speeds, sizes):
        yield from tables(progress)
