"""Shift registers that draw masks: several bits a clock by networks of XOR gates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...ops.lib.lfsr import jump
from . import area
from .area import Area

__all__ = ["Lfsr"]


class Lfsr(wiring.Component):
    """``mask[k]`` is 1 where the register will be below ``threshold`` after ``leap * k`` steps.

    The software of it is :mod:`hwgen.ops.lib.lfsr`.

    Parameters
    ----------
    width, taps
        Of the register, in Fibonacci form.
    leap
        Steps a bit of the mask.
    window
        Bits of the mask a clock.
    threshold
        In ``1..2^width``.
    init
        State after reset.

    Attributes
    ----------
    advance
        Go on by ``window`` bits, or to ``seed`` if ``load`` is 1.
    state
        The register.
    mask
        The bits, the first one in bit 0.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(
        self,
        width: int,
        taps: Sequence[int],
        leap: int,
        window: int,
        threshold: int,
        init: int,
    ) -> None:
        self._networks = [jump(width, taps, leap * k) for k in range(window + 1)]
        self._threshold = threshold
        self._init = init
        super().__init__(
            {
                "advance": In(1),
                "load": In(1),
                "seed": In(width),
                "state": Out(width),
                "mask": Out(window),
            }
        )

    def area(self) -> Area:
        """The register with its seed, a network of XOR gates and a comparison a bit of the mask."""
        width = len(self.state)
        networks = sum(
            math.ceil((row.bit_count() - 1) / 5) for rows in self._networks for row in rows
        )
        comparisons = math.ceil((width - 1) / 5) * len(self.mask)
        return Area(lut=networks + comparisons + width) + area.registers(width)

    def elaborate(self, platform):
        m = Module()
        width = len(self.state)
        state = Signal(width, name="register", init=self._init)
        m.d.comb += self.state.eq(state)
        later = []  # the states of all bits of the mask, and that of the next clock
        for k, network in enumerate(self._networks):
            after = Signal(width, name=f"after{k}") if k else state
            if k:
                for bit, row in enumerate(network):
                    inputs = Cat(b for i, b in enumerate(state) if row >> i & 1)
                    m.d.comb += after[bit].eq(inputs.xor())
            later.append(after)
        for k, after in enumerate(later[:-1]):
            below = Const(1) if self._threshold == 1 << width else after < self._threshold
            m.d.comb += self.mask[k].eq(below)
        with m.If(self.advance):
            with m.If(self.load):
                m.d.sync += state.eq(self.seed)
            with m.Else():
                m.d.sync += state.eq(later[-1])
        return m
