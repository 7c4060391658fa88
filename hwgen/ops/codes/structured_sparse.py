"""N:M sparsity: of every M neighbouring weights N are kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode, register_code
from ...ir.constant import Constant
from ..lib.masked import Masked

__all__ = ["StructuredSparse"]


@register_code
@dataclass(frozen=True, slots=True)
class StructuredSparse(Masked):
    """Rows of weights are cut into blocks of ``block`` neighbours, of each of which some are kept.

    N:M sparsity (Zhou et al., "Learning N:M Fine-Grained Structured Sparse Neural Networks from
    Scratch", ICLR 2021). ``share`` neighbouring outputs may keep the same positions, so that an
    input which is looked up once serves them all.

    Attributes
    ----------
    kept, row
        As for :class:`~hwgen.ops.lib.masked.Masked`.
    block
        M: 2 to 256, divides the weights of a row.
    share
        Outputs that keep the same positions; divides the outputs.
    positions
        Shape (outputs / share, blocks of a row, N): what is kept of a block, ascending, each in
        ``0..block - 1``.
    """

    kept: WeightCode
    row: tuple[int, ...]
    block: int
    share: int
    positions: Constant

    @property
    def outputs(self) -> int:
        return self.positions.shape[0] * self.share

    @property
    def storage_bits(self) -> int:
        index = (self.block - 1).bit_length()
        return self.kept.storage_bits + index * self.positions.array.size

    def mask(self) -> np.ndarray:
        return _mask(self.positions, self.block, self.share)

    def verify_mask(self) -> None:
        if not 2 <= self.block <= 256 or self.inputs % self.block:
            raise RuleViolation(
                f"block must be in 2..256 and divide the {self.inputs} weights of a row, "
                f"not {self.block}"
            )
        at = self.positions.array
        if self.share < 1 or at.ndim != 3 or at.shape[1] * self.block != self.inputs:
            raise RuleViolation(
                f"positions must have shape (outputs / share, {self.inputs // self.block}, N) and "
                f"share be 1 or more, found {at.shape} and {self.share}"
            )
        if at.min() < 0 or at.max() >= self.block or (np.diff(at, axis=2) <= 0).any():
            raise RuleViolation(
                f"positions of a block must ascend within 0..{self.block - 1}, found "
                f"{at.min()}..{at.max()}"
            )


@lru_cache(maxsize=32)
def _mask(positions: Constant, block: int, share: int) -> np.ndarray:
    at = positions.array
    mask = np.zeros((*at.shape[:2], block), dtype=bool)
    np.put_along_axis(mask, at, True, axis=2)
    mask = np.repeat(mask.reshape(len(at), -1), share, axis=0)
    mask.setflags(write=False)
    return mask
