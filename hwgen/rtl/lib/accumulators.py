"""Accumulators at the end of an array, and the output register behind them."""

from __future__ import annotations

import numpy as np
from amaranth import Const, Module, Mux, Signal, signed
from amaranth.lib.memory import Memory

from .loops import wrapped

__all__ = ["accumulate"]


def accumulate(m: Module, o, sums: list, bias: np.ndarray, enable, valid, first, last) -> None:
    """Add ``sums`` up, one accumulator a lane, and give the results.

    Parameters
    ----------
    m
        The module of the array.
    o
        Its output stream, as wide as the results; on their way there accumulators may wrap.
    sums
        By lane: what is added.
    bias
        Where the accumulations begin, in their order: shape (accumulations of a frame, lanes).
    enable
        Driven here: 1 unless a finished result waits for the output register. The whole array
        moves on under it.
    valid, first, last
        Is there a sum, and is it the first or the last one of an accumulation?
    """
    width = len(o.payload.as_value()) // len(sums)
    shape = signed(width)
    finished = Signal()
    m.d.comb += [
        finished.eq(valid & last),
        enable.eq(~(finished & o.valid & ~o.ready)),
    ]
    with m.If(enable & finished):
        m.d.sync += o.valid.eq(1)
    with m.Elif(o.ready):
        m.d.sync += o.valid.eq(0)
    offsets = _offsets(m, enable & finished, bias, width)
    for lane, total in enumerate(sums):
        accumulator = Signal(shape, name=f"accumulator{lane}", reset_less=True)
        following = Signal(shape, name=f"following{lane}")
        result = Signal(shape, name=f"result{lane}", reset_less=True)
        m.d.comb += [
            following.eq(Mux(first, offsets[lane], accumulator) + total),
            o.payload[lane].eq(result),
        ]
        with m.If(enable & valid):
            m.d.sync += accumulator.eq(following)
        with m.If(enable & finished):
            m.d.sync += result.eq(following)


def _offsets(m: Module, advance, bias: np.ndarray, width: int) -> list:
    """The bias of every lane for the accumulation that ends now."""
    if len(bias) == 1:
        return [Const(int(value), signed(width)) for value in bias[0]]
    mask = (1 << width) - 1
    contents = [
        sum((int(value) & mask) << (k * width) for k, value in enumerate(row)) for row in bias
    ]
    m.submodules.bias_rom = rom = Memory(
        shape=width * bias.shape[1], depth=len(bias), init=contents
    )
    bias_of_lanes = rom.read_port(domain="comb")
    index = Signal(range(len(bias)), name="bias_index")
    with m.If(advance):
        m.d.sync += index.eq(wrapped(index, len(bias)))
    m.d.comb += bias_of_lanes.addr.eq(index)
    return [bias_of_lanes.data.word_select(k, width).as_signed() for k in range(bias.shape[1])]
