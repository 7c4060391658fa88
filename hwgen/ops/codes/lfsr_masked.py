"""Weights under a mask that a shift register draws, so that no position is stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode, register_code
from ...ir.constant import Constant
from ..lib import lfsr
from ..lib.masked import Masked
from ..lib.scan import scan_clocks

__all__ = ["LfsrMasked"]


@register_code
@dataclass(frozen=True, slots=True)
class LfsrMasked(Masked):
    """Input i of output j is kept if state i of register j is below a threshold.

    One register an output, all alike but for their seeds; see :mod:`hwgen.ops.lib.lfsr`. Inputs
    are counted in the order of the layout, channels last (Ardakani et al., ICLR 2017,
    arXiv 1611.01427, section 3).

    Attributes
    ----------
    kept, row
        As for :class:`~hwgen.ops.lib.masked.Masked`.
    width, taps
        Of the registers: a maximal LFSR of 3 to 24 bits.
    leap
        Steps a register makes an input; shares no factor with ``2^width - 1``.
    threshold
        In ``2..2^width``: ``threshold - 1`` of the ``2^width - 1`` states keep an input.
    seeds
        State for input 0, shape (outputs,): different numbers in ``1..2^width - 1``.
    """

    forms: ClassVar[tuple[str, ...]] = ("serial", "scan")

    kept: WeightCode
    row: tuple[int, ...]
    width: int
    taps: tuple[int, ...]
    leap: int
    threshold: int
    seeds: Constant

    @property
    def outputs(self) -> int:
        return self.seeds.array.size

    @property
    def storage_bits(self) -> int:
        return self.kept.storage_bits

    def mask(self) -> np.ndarray:
        return _mask(self.inputs, self.seeds, self.width, self.taps, self.leap, self.threshold)

    def scan_clocks(self, window: int) -> np.ndarray:
        return _scan_clocks(self, window)

    def notes(self) -> tuple[str, ...]:
        seeds = self.outputs * self.width
        return (*Masked.notes(self), f"{seeds} bits of seeds in the place of the mask")

    def verify_mask(self) -> None:
        lfsr.verify_register(self.width, self.taps, self.leap)
        if not 2 <= self.threshold <= 1 << self.width:
            raise RuleViolation(f"threshold must be in 2..{1 << self.width}, not {self.threshold}")
        seeds = self.seeds.array
        if seeds.ndim != 1 or seeds.min() < 1 or seeds.max() >= 1 << self.width:
            raise RuleViolation(
                f"seeds must be a list of numbers in 1..{(1 << self.width) - 1}, found shape "
                f"{seeds.shape} in {seeds.min()}..{seeds.max()}"
            )
        values, counts = np.unique(seeds, return_counts=True)
        if len(values) < len(seeds):
            twice = int(values[counts > 1][0])
            raise RuleViolation(f"seeds must differ, found {twice} for more than one output")


@lru_cache(maxsize=32)
def _mask(
    inputs: int, seeds: Constant, width: int, taps: tuple[int, ...], leap: int, threshold: int
) -> np.ndarray:
    drawn = lfsr.mask(inputs, seeds.array, width, taps, leap, threshold)
    drawn.setflags(write=False)
    return drawn


@lru_cache(maxsize=64)
def _scan_clocks(code: LfsrMasked, window: int) -> np.ndarray:
    clocks = scan_clocks(code.mask(), window)
    clocks.setflags(write=False)
    return clocks
