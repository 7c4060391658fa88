"""Random numbers of stochastic streams in hardware, all sources of an op side by side.

The software of it is :mod:`hwgen.ops.lib.random_numbers`.
"""

from __future__ import annotations

import math

import numpy as np
from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...ops.lib.lfsr import jump
from . import area
from .area import Area

__all__ = ["RandomSources"]


class RandomSources(wiring.Component):
    """A shift register a source, which makes ``leap`` steps a number; or one counter for all.

    Parameters
    ----------
    width, taps, leap
        Of the registers; without taps, of the counter.
    seeds
        Integers of shape (operands, components).
    bits
        Of a number: the highest ones of a register, or of the reversed counter XOR the seed.

    Attributes
    ----------
    advance
        Go on to the next numbers.
    restart
        Back to the seeds, whatever ``advance`` says.
    numbers
        Of all registers, operand by operand; or what the counter shows. See :meth:`number`.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(
        self, width: int, taps: tuple[int, ...], leap: int, seeds: np.ndarray, bits: int
    ) -> None:
        self._width, self._seeds, self._bits = width, seeds, bits
        self._network = jump(width, taps, leap) if taps else ()
        super().__init__(
            {
                "advance": In(1),
                "restart": In(1),
                "numbers": Out(data.ArrayLayout(bits, seeds.size if taps else 1)),
            }
        )

    def number(self, operand: int, component: int) -> Value:
        """The number of one source."""
        if self._network:
            return self.numbers[operand * self._seeds.shape[1] + component]
        seed = int(self._seeds[operand, component]) >> (self._width - self._bits)
        return Value.cast(self.numbers[0]) ^ Const(seed, self._bits)

    def area(self) -> Area:
        """Registers with their networks; the seeds are what the flip-flops are set to."""
        if not self._network:
            return area.control(self._bits)
        gates = sum(math.ceil((row.bit_count() - 1) / 5) for row in self._network)
        each = Area(lut=gates) + area.registers(self._width)
        return Area(lut=2) + each * self._seeds.size

    def elaborate(self, platform):
        m = Module()
        if self._network:
            self._registers(m)
        else:
            self._counter(m)
        return m

    def _registers(self, m: Module) -> None:
        components = self._seeds.shape[1]
        for at, seed in enumerate(self._seeds.reshape(-1).tolist()):
            name = "source_{}_{}".format(*divmod(at, components))
            state = Signal(self._width, name=name, init=seed)
            following = []
            for row in self._network:
                bits = [state[i] for i in range(self._width) if row >> i & 1]
                following.append(bits[0] if len(bits) == 1 else Cat(*bits).xor())
            with m.If(self.restart):
                m.d.sync += state.eq(seed)
            with m.Elif(self.advance):
                m.d.sync += state.eq(Cat(*following))
            m.d.comb += self.numbers[at].eq(state[self._width - self._bits :])

    def _counter(self, m: Module) -> None:
        count = Signal(self._bits)  # the others would never be shown
        with m.If(self.restart):
            m.d.sync += count.eq(0)
        with m.Elif(self.advance):
            m.d.sync += count.eq(count + 1)
        m.d.comb += self.numbers[0].eq(Cat(*reversed(list(count))))
