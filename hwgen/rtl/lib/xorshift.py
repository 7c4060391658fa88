"""Xorshift generators in hardware; the software of it is :mod:`hwgen.ops.lib.xorshift`."""

from __future__ import annotations

import math

import numpy as np
from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...ops.lib.xorshift import SEED_BITS, SHIFTS, matrix
from . import area
from .area import Area

__all__ = ["Xorshift"]


class Xorshift(wiring.Component):
    """Generators side by side, which make a step in every cycle.

    Parameters
    ----------
    seeds
        What the seed of a run is XORed to, one a generator.

    Attributes
    ----------
    load
        Begin anew: in the next cycle the states are those behind the first step.
    seed
        Of the run.
    first
        The states before that step.
    states
        Of all generators.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(self, seeds: np.ndarray) -> None:
        self._seeds = seeds.tolist()
        words = data.ArrayLayout(32, len(self._seeds))
        super().__init__(
            {"load": In(1), "seed": In(SEED_BITS), "first": Out(words), "states": Out(words)}
        )

    def bits(self, count: int) -> list[Value]:
        """The first bits of all states, from the lowest on."""
        return list(Value.cast(self.states)[:count])

    def halves(self, count: int) -> list[Value]:
        """The first numbers of 16 bits: lower half, upper half."""
        return [Value.cast(self.states).word_select(k, 16) for k in range(count)]

    def area(self) -> Area:
        gates = sum(math.ceil((row.bit_count() + 1) / 5) for row in matrix())
        return (Area(lut=gates) + area.registers(32)) * len(self._seeds)

    def elaborate(self, platform):
        m = Module()
        for k, seed in enumerate(self._seeds):
            state = Signal(32, name=f"state_{k}", init=1)
            before = Signal(32, name=f"before_{k}")
            m.d.comb += [
                self.first[k].eq(Cat(self.seed, Const(0, 1)) ^ seed),
                self.states[k].eq(state),
            ]
            with m.If(self.load):
                m.d.comb += before.eq(self.first[k])
            with m.Else():
                m.d.comb += before.eq(state)
            for step, shift in enumerate(SHIFTS):
                after = Signal(32, name=f"shifted_{k}_{step}")
                moved = before << shift if shift > 0 else before >> -shift
                m.d.comb += after.eq(before ^ moved[:32])
                before = after
            m.d.sync += state.eq(before)
        return m
