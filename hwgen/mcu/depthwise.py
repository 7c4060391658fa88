"""Depthwise convolutions as ``hwgen_depthwise.h`` computes them: columns of taps in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.constant import Constant
from ..ops.lib.window import Window
from .expressions import Term, plus, times
from .function import Function
from .storage import INT32, CType
from .weights import tap_words

__all__ = ["Depthwise", "add_depthwise"]


@dataclass(frozen=True, slots=True)
class Depthwise:
    """A depthwise convolution as ``hwgen_depthwise.h`` computes it.

    Attributes
    ----------
    outputs
        Rows of outputs that the same words give.
    words
        Words that hold the taps of a column of the window.
    row_bytes
        Of a channel's weights.
    stack_bytes
        Memory for the words of a row, four channels of it.
    blocks
        Blocks of four channels in the extent.
    result, finish, constants, bias
        As of :class:`Blocks`.
    symbol
        Where the weights are.
    is_tile
        Whether ``symbol`` points at those of a tile, else it is the array.
    """

    outputs: int
    words: int
    row_bytes: int
    stack_bytes: int
    blocks: Term
    result: CType
    finish: str
    constants: str
    bias: str
    symbol: str
    is_tile: bool
    gather: str = ""

    def row(self, o: str) -> Term:
        """The weights of channel ``o`` of the extent."""
        if self.is_tile:
            return plus(self.symbol, times(o, self.row_bytes))
        return f"{self.symbol}[{o}]"


def add_depthwise(
    function: Function, taps: np.ndarray, bias: Constant, window: Window
) -> Depthwise:
    """Add the weights of a depthwise convolution in words of vertical taps.

    Parameters
    ----------
    taps
        Weights of shape (channels, rows of the window, columns of the window).
    """
    name, e = function.stage.name, function.extent
    rows = tap_words(taps)
    words = -(-window.kernel[0] // 4)
    room = 4 - window.kernel[0]
    columns = (window.out_width - 1) * window.stride[1] + window.kernel[1]
    function.header = "hwgen_depthwise.h"
    function.scratch_bytes_a_core = stack_bytes = 16 * words * columns
    symbol = function.add_weights(f"{name}_weights", rows, CType(8, True))
    function.notes.append("8-bit weights, a column of the window a word")
    return Depthwise(
        outputs=max(room // window.stride[0] + 1, 1) if room >= 0 else 1,
        words=words,
        row_bytes=rows.shape[1],
        stack_bytes=stack_bytes,
        blocks=f"({e.channels} + 3) / 4" if e.is_tile else -(-len(rows) // 4),
        result=function.stage.output.ctype,
        finish=function.names.take(f"{function.name}_finish"),
        constants="constants, " if e.is_tile else "",
        bias=function.constant(f"{name}_bias", bias.array, INT32),
        symbol=symbol,
        is_tile=e.is_tile,
    )
