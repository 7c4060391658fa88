"""What the templates of layers name: constants, weights, numbers on their way to memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.types import Type
from .expressions import Term, plus, times
from .storage import CType

__all__ = ["ConstantArray", "Parameter", "Scalar", "StateArray", "Weights", "operand_names"]


def operand_names(inputs: int) -> tuple[str, ...]:
    """What a layer's C calls its inputs."""
    return ("x",) if inputs == 1 else ("a", "b", "c", "d")[:inputs]


@dataclass(frozen=True, slots=True)
class ConstantArray:
    """A constant of the program.

    Attributes
    ----------
    symbol, ctype
        Its name and the type of an element.
    values
        int64, one axis or two.
    is_weights
        Whether it is cut into tiles with the layer.
    is_words
        Whether it is read by words.
    stays
        Whether it stays where it is when the layer works on tiles in fast memory.
    """

    symbol: str
    ctype: CType
    values: np.ndarray
    is_weights: bool = False
    is_words: bool = False
    stays: bool = False

    @property
    def bytes(self) -> int:
        return self.values.size * self.ctype.bytes

    @property
    def align(self) -> str:
        """Blocks of weights are read by words."""
        by_words = self.is_weights or self.is_words
        return " _Alignas(4)" if by_words and self.ctype.bytes < 4 else ""

    @property
    def alignment(self) -> int:
        """Bytes, of a multiple of which it must be."""
        return max(self.ctype.bytes, 4 if self.is_words else 1)

    @property
    def sizes(self) -> str:
        return "".join(f"[{n}]" for n in self.values.shape)


@dataclass(frozen=True, slots=True)
class StateArray:
    """What a layer keeps from one run to the next, in memory that the caller owns.

    Attributes
    ----------
    name, ctype, size
        Of the member, the type of an element, and how many there are.
    parameter
        What the layer's function calls it.
    """

    name: str
    ctype: CType
    size: int
    parameter: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """An integer that is one number, or one a channel in an array.

    Attributes
    ----------
    text
        The number or the array's name.
    is_array
        Which of them.
    """

    text: str
    is_array: bool


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight matrix as templates see it: one row an output channel.

    Attributes
    ----------
    symbol, ctype
        The array and the type of its elements.
    each, kind
        Weights an element and how to read them, see :class:`.weights.StoredWeights`.
    length
        Elements of a row where ``symbol`` points at the rows of a tile; 0 where it is the array.
    """

    symbol: str
    ctype: CType
    each: int
    kind: str
    length: int

    def row(self, o: str) -> Term:
        """The row of output channel ``o`` of the extent."""
        return plus(self.symbol, times(o, self.length)) if self.length else f"{self.symbol}[{o}]"


@dataclass(frozen=True, slots=True)
class Scalar:
    """An integer on its way from a kernel through the epilogue to memory.

    Attributes
    ----------
    ctype
        Of the variable that holds it.
    type
        Its interval is that of one element.
    """

    ctype: CType
    type: Type
