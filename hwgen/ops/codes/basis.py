"""Weights as a small dense basis times coefficients that are powers of two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode, register_code
from ...ir.constant import Constant
from ...ir.types import Int

__all__ = ["Basis"]

MAX_EXPONENT = 6


@register_code
@dataclass(frozen=True, slots=True)
class Basis(WeightCode):
    """``w[S r + t] = sat8((sum_s c[r, s] * B[s, t] + 2^(shift-1)) >> shift)`` in every row.

    A row of weights is cut into runs of S, the last one padded with zeros that are dropped again.
    Each run is a row of S coefficients in {0, +-2^p, p = 0..6}, stored in four bits as a sign and
    0 or ``p + 1``, times the basis of its outputs. SmartExchange (arXiv 2005.03403), section 3.

    Attributes
    ----------
    coefficients
        Shape (outputs, runs, S).
    basis
        Shape (ceil(outputs / group), S, S), 8-bit integers.
    group
        Neighbouring outputs that have a basis in common.
    shift
        0 to 15; with 0 nothing is added.
    row
        Shape of an output's weights: (inputs,), or (kernel height, kernel width, channels).
    """

    coefficients: Constant
    basis: Constant
    group: int
    shift: int
    row: tuple[int, ...]

    @property
    def run(self) -> int:
        """S, the weights that one row of coefficients makes."""
        return self.coefficients.shape[2]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.coefficients.shape[0], *self.row)

    @property
    def element(self) -> Int:
        return Int(8, signed=True)

    @property
    def storage_bits(self) -> int:
        return 4 * self.coefficients.array.size + 8 * self.basis.array.size

    def decode(self) -> np.ndarray:
        return _decoded(self)

    def notes(self) -> tuple[str, ...]:
        coefficients, bases = 4 * self.coefficients.array.size, 8 * self.basis.array.size
        full = math.prod(self.shape) * self.field_bits
        return (
            f"stores {coefficients} bits of coefficients and {bases} of bases against {full} of weights "
            f"({(coefficients + bases) / full:.3f})",
        )

    def codes(self) -> np.ndarray:
        """What is stored for the coefficients: int64 in ``0..15``, of their shape."""
        magnitude = np.abs(self.coefficients.array)
        exponent = np.zeros_like(magnitude)
        for p in range(MAX_EXPONENT + 1):
            exponent += magnitude >> p > 0
        return exponent | ((self.coefficients.array < 0).astype(np.int64) << 3)

    def verify(self) -> None:
        c, b = self.coefficients.array, self.basis.array
        if c.ndim != 3:
            raise RuleViolation(f"coefficients must have shape (outputs, runs, S), found {c.shape}")
        outputs, runs, size = c.shape
        if not self.row or min(self.row) < 1 or -(-math.prod(self.row) // size) != runs:
            raise RuleViolation(
                f"{runs} runs of {size} must just hold the weights of a row, found row {self.row}"
            )
        if self.group < 1 or b.shape != (-(-outputs // self.group), size, size):
            raise RuleViolation(
                f"basis must have shape (outputs / group, {size}, {size}), found {b.shape} for "
                f"{outputs} outputs and group {self.group}"
            )
        magnitude = np.abs(c)
        if (magnitude & (magnitude - 1)).any() or magnitude.max() > 1 << MAX_EXPONENT:
            raise RuleViolation(
                f"coefficients must be 0 or +-2^p with p in 0..{MAX_EXPONENT}, found "
                f"[{c.min()}, {c.max()}]"
            )
        if b.min() < -128 or b.max() > 127:
            raise RuleViolation(f"basis must hold 8-bit integers, found [{b.min()}, {b.max()}]")
        if not 0 <= self.shift <= 15:
            raise RuleViolation(f"shift must be in 0..15, not {self.shift}")


@lru_cache(maxsize=32)
def _decoded(code: Basis) -> np.ndarray:
    c = code.coefficients.array
    basis = np.repeat(code.basis.array, code.group, axis=0)[: len(c)]
    half = (1 << code.shift) >> 1
    weights = np.clip((np.einsum("ors,ost->ort", c, basis) + half) >> code.shift, -128, 127)
    weights = weights.reshape(len(c), -1)[:, : math.prod(code.row)].reshape(code.shape)
    weights.setflags(write=False)
    return weights
