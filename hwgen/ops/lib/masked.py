"""Weight codes that keep a part of the connections: what they share."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ...errors import RuleViolation
from ...ir.code import WeightCode
from ...ir.types import Int

__all__ = ["Masked"]


class Masked(WeightCode):
    """A matrix of which a mask keeps some weights; the others are zero and stored nowhere.

    Subclasses are frozen dataclasses that give a mask.

    Attributes
    ----------
    kept
        A code of shape (number of kept weights,): output after output, inputs ascending.
    row
        Shape of an output's weights: (inputs,), or (kernel height, kernel width, channels).
    """

    __slots__ = ()

    kept: WeightCode
    row: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """Output channels."""
        raise NotImplementedError

    def mask(self) -> np.ndarray:
        """Which weights are kept: read-only booleans of shape (outputs, weights of a row)."""
        raise NotImplementedError

    def verify_mask(self) -> None:
        """Raise RuleViolation unless the mask is well defined."""
        raise NotImplementedError

    @property
    def inputs(self) -> int:
        """Weights of a row, the kept and the others."""
        return math.prod(self.row)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.outputs, *self.row)

    @property
    def element(self) -> Int:
        return self.kept.element

    @property
    def field_bits(self) -> int:
        return max(2, self.kept.field_bits)  # with a zero

    def decode(self) -> np.ndarray:
        return _decoded(self)

    def counts(self) -> np.ndarray:
        """Kept weights of every output: int64, shape (outputs,)."""
        return self.mask().sum(axis=1)

    def notes(self) -> tuple[str, ...]:
        mask = self.mask()
        an_output, an_input = mask.sum(axis=1), mask.sum(axis=0)
        unused = int((an_input == 0).sum())
        full = mask.size * self.kept.field_bits
        text = f"keeps {mask.sum()} of {mask.size} weights, {_span(an_output)} an output"
        return (
            f"{text} and {_span(an_input)} an input" + f", {unused} inputs unused" * bool(unused),
            f"stores {self.storage_bits} bits against {full} without a mask "
            f"({self.storage_bits / full:.3f})",
        )

    def verify(self) -> None:
        if not self.row or min(self.row) < 1:
            raise RuleViolation(f"row must have sizes of 1 or more, not {self.row}")
        self.verify_mask()
        counts = self.counts()
        if not counts.all():
            empty = int(np.flatnonzero(counts == 0)[0])
            raise RuleViolation(
                f"every output must keep an input, found that output {empty} keeps none of "
                f"{self.inputs}; take a larger density, or another leap"
            )
        if self.kept.shape != (int(counts.sum()),):
            raise RuleViolation(
                f"kept weights must have shape ({int(counts.sum())},), one for every kept "
                f"connection, found {self.kept.shape}"
            )
        self.kept.verify()


def _span(counts: np.ndarray) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}..{high}"


@lru_cache(maxsize=32)
def _decoded(code: Masked) -> np.ndarray:
    mask = code.mask()
    weights = np.zeros(mask.shape, dtype=np.int64)
    weights[mask] = code.kept.decode()
    weights = weights.reshape(code.shape)
    weights.setflags(write=False)
    return weights
