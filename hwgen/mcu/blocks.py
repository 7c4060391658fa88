"""Layers with weights as the micro-kernels of ``hwgen_dot.h`` compute them: block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.constant import Constant
from .expressions import Term, plus, times
from .function import Function
from .rebuild import HEADER, Rebuild
from .storage import INT32, CType
from .weights import Packing

__all__ = ["Blocks", "add_blocks", "data_kind"]


@dataclass(frozen=True, slots=True)
class Blocks:
    """A layer as the micro-kernels of ``hwgen_dot.h`` compute it.

    Attributes
    ----------
    function
        Name of the micro-kernel, without its shape.
    channels
        Output channels of a block.
    steps
        Of the inner loop; 0 if the weights say it.
    column_bytes
        What one pixel's data take in whole steps.
    run_bytes
        Of these, what a row of the window takes.
    tail_bytes
        Behind the data of such a row, what is no data but must be zero, since micro-kernels add up all data.
    is_direct
        Whether the data are read where they lie.
    gather
        Function that makes a column of a window; empty where there is none.
    count, whole
        Blocks of the extent, and how many of them have all their channels.
    has_tail
        Whether the last block may be larger than what is left of the channels.
    result
        Type of a stored result.
    finish
        Function that makes a result of an accumulator.
    constants
        Its first argument with a comma behind it, or nothing.
    bias
        Array of the bias.
    symbol, block_bytes
        Where the weights are; bytes of a block where ``symbol`` points at those of a tile, else 0.
    rebuild
        How a block is rebuilt in scratch memory before it is multiplied; or None.
    """

    function: str
    channels: int
    steps: int
    column_bytes: int
    run_bytes: int
    tail_bytes: int
    is_direct: bool
    gather: str
    count: Term
    whole: Term
    has_tail: bool
    result: CType
    finish: str
    constants: str
    bias: str
    symbol: str
    block_bytes: int
    rebuild: Rebuild | None = None

    @classmethod
    def of(
        cls, kernel: str, layer: Function, rows: np.ndarray, bias: np.ndarray, channels: int, **form
    ) -> Blocks:
        """Add weights and bias to a layer's function; ``form`` is what its arguments do not say.

        Parameters
        ----------
        kernel
            Name of the micro-kernel, without its shape.
        rows
            What is stored, shape (blocks, bytes of a block).
        bias
            Integers of shape (outputs,).
        """
        name, e, outputs = layer.stage.name, layer.extent, len(bias)
        symbol = layer.add_weights(
            f"{name}_weights", rows.astype(np.int64), CType(8, rows.dtype == np.int8)
        )
        gather = "" if form["is_direct"] else layer.names.take(f"{layer.name}_gather")
        return cls(
            function=kernel,
            channels=channels,
            gather=gather,
            count=f"({e.channels} + {channels - 1}) / {channels}" if e.is_tile else len(rows),
            whole=f"{e.channels} / {channels}" if e.is_tile else outputs // channels,
            has_tail=outputs % channels > 0,
            result=layer.stage.output.ctype,
            finish=layer.names.take(f"{layer.name}_finish"),
            constants="constants, " if e.is_tile else "",
            bias=layer.constant(f"{name}_bias", np.pad(bias, (0, -outputs % channels)), INT32),
            symbol=symbol,
            block_bytes=rows.shape[1] if e.is_tile else 0,
            **form,
        )

    def at(self, b: str) -> Term:
        """The weights of block ``b`` of the extent."""
        if self.block_bytes:
            return plus(self.symbol, times(b, self.block_bytes))
        return f"{self.symbol}[{b}]"


def data_kind(function: Function) -> str:
    """What names of micro-kernels call the type of a function's input, which holds bytes."""
    (x,) = function.stage.inputs
    return "s8" if x.ctype.signed else "u8"


def add_blocks(
    function: Function,
    runs: np.ndarray,
    bias: Constant,
    packing: Packing,
    channels: int,
    is_direct: bool,
    rebuild: Rebuild | None = None,
) -> Blocks:
    """Add the weights of a layer in blocks of ``channels`` rows.

    Parameters
    ----------
    runs
        Weights of shape (output channels, rows of the window, length of a row).
    packing
        How they are stored.
    tail_bytes
        Of these, what is no data but must be zero, since micro-kernels add up all data.
    is_direct
        Whether the data need not be gathered into columns.
    rebuild
        How int8 weights are stored in fewer bytes, for blocks of that many channels; or None.
    """
    outputs, rows, length = runs.shape
    if rows > 1:  # a row of the window starts at a whole word
        runs = np.pad(runs, ((0, 0), (0, 0), (0, -length % 4)))
    matrix = runs.reshape(outputs, -1)
    blocks = rebuild.blocks if rebuild else packing.blocks(matrix, channels)
    steps = -(-matrix.shape[1] // packing.step)
    bits = packing.bits
    each = "" if bits == 8 else f", {8 // bits}{' channels' * packing.is_nested} a byte"
    kind = "powers of two" if packing.is_power else "weights"
    if rebuild:
        function.header = HEADER
    summary = f"{rebuild.summary}, rebuilt" if rebuild else f"{bits}-bit {kind}{each},"
    function.notes.append(f"{summary} in blocks of {channels} channels")
    function.micro_kernel = f"hwgen_dot_{data_kind(function)}_{packing.kind}"
    return Blocks.of(
        function.micro_kernel,
        function,
        blocks,
        bias.array,
        channels,
        steps=steps,
        column_bytes=steps * packing.step,
        run_bytes=runs.shape[2],
        tail_bytes=(-length % 4) if bits == 1 else 0,
        is_direct=is_direct,
        rebuild=rebuild,
    )
