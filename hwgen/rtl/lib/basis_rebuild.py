"""Weights rebuilt from a small basis and coefficients that are powers of two, in front of an array.

A word of coefficients goes in and S weights a run come out in every clock, by shifts and additions;
so a ROM holds four bits a coefficient in the place of eight a weight. (The rebuild engine of
SmartExchange, arXiv 2005.03403, section 4.)
"""

from __future__ import annotations

import math

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...ops.codes.basis import Basis
from . import area
from .area import Area
from .loops import LoopNest, wrapped
from .rom import packed, read_only
from .weight_source import WeightSource, bits_of, rom_word

__all__ = ["STAGES", "BasisRebuild", "BasisWeights"]

_TERM = 8 + 7  # bits of an entry of the basis times a coefficient, and times 2
STAGES = 2  # registers: the sums, and what is rounded and cut to eight bits


class BasisRebuild(wiring.Component):
    """``weights[r][t] = sat8((sum_s c[r][s] * basis[s][t] + 2^(shift-1)) >> shift)``.

    Nothing is added where ``shift`` is 0. A coefficient is a sign above three bits: 0 for 0, or
    ``p + 1`` for ``2^p``.

    Parameters
    ----------
    size
        S, coefficients of a run and weights that they make.
    shift
        Of the rounding, 0 to 15.
    bases
        For every run, which of the bases it is made of.

    Attributes
    ----------
    enable
        Registers move on.
    coefficients
        Four bits each, run after run.
    basis
        The bases, eight bits an entry, row after row.
    weights
        Eight bits each, ``STAGES`` clocks after the coefficients and the bases.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(self, size: int, shift: int, bases: list[int]) -> None:
        self._size, self._shift, self._bases = size, shift, bases
        super().__init__(
            {
                "enable": In(1),
                "coefficients": In(4 * size * len(bases)),
                "basis": In(8 * size * size * (max(bases) + 1)),
                "weights": Out(8 * size * len(bases)),
            }
        )

    def area(self) -> Area:
        """A shift by up to six places and a sign a coefficient, sums, and what is cut to a byte."""
        term = area.selection(7, _TERM) + Area(lut=_TERM)
        width = _TERM + (self._size - 1).bit_length()
        total = term * self._size + area.adder_tree(self._size, _TERM) + area.adder(width)
        total += area.registers(width + 8) + Area(lut=8 + width // 4)
        return total * (self._size * len(self._bases))

    def elaborate(self, platform):
        m = Module()
        size, half = self._size, (1 << self._shift) >> 1
        for r, basis in enumerate(self._bases):
            for t in range(size):
                terms = []
                for s in range(size):
                    entry = self.basis.word_select((basis * size + s) * size + t, 8).as_signed()
                    code = self.coefficients.word_select(r * size + s, 4)
                    terms.append(_shifted(m, entry, code, f"term{r}_{s}_{t}"))
                while len(terms) > 1:
                    terms = [sum(terms[k + 1 : k + 2], terms[k]) for k in range(0, len(terms), 2)]
                rounded = terms[0] + half
                total = Signal(rounded.shape(), name=f"sum{r}_{t}", reset_less=True)
                cut = Signal(signed(max(1, len(total) - self._shift)), name=f"cut{r}_{t}")
                weight = Signal(8, name=f"weight{r}_{t}", reset_less=True)
                m.d.comb += [
                    cut.eq(total >> self._shift),
                    self.weights.word_select(r * size + t, 8).eq(weight),
                ]
                with m.If(self.enable):
                    m.d.sync += [
                        total.eq(rounded),
                        weight.eq(Mux(cut > 127, 127, Mux(cut < -128, -128, cut))),
                    ]
        return m


def _shifted(m: Module, entry, code, name: str) -> Signal:
    """An entry of the basis times a coefficient."""
    twice = Signal(signed(_TERM), name=f"{name}_twice")
    term = Signal(signed(_TERM), name=name)
    magnitude = twice >> 1
    m.d.comb += [
        twice.eq(Mux(code[:3] == 0, 0, entry) << code[:3]),
        term.eq(Mux(code[3], -magnitude, magnitude)),
    ]
    return term


class BasisWeights(WeightSource):
    """A ROM of coefficients, the bases, and the weights that are rebuilt from them.

    Parameters
    ----------
    code
        The weights; a run lies within the inputs of a step.
    folding
        How the array is folded.
    """

    delay = STAGES

    def __init__(self, code: Basis, folding) -> None:
        size = code.run
        self._code = code
        self._coefficients = folding.arrange(code.codes().reshape(code.shape))
        # By the turn in which a lane works on an output: which basis that one is made of.
        self._which = folding.arrange_bias(np.arange(code.shape[0]) // code.group)
        self._runs = folding.schedule.simd // size

    def fields(self, m: Module, nest: LoopNest, step, enable):
        code, (_, parallel, pe, simd) = self._code, self._coefficients.shape
        which = self._which.reshape(len(self._which), -1).T
        orders = list(dict.fromkeys(map(tuple, which.tolist())))
        lanes = [orders.index(tuple(row)) for row in which.tolist()]
        rebuild = BasisRebuild(
            code.run, code.shift, [lane for lane in lanes for _ in range(self._runs)]
        )
        m.submodules.rebuild = rebuild
        codes = self._coefficients.reshape(len(self._coefficients), -1)
        advance = step & nest.ends["kernel_row"]
        m.d.comb += [
            rebuild.enable.eq(enable),
            rebuild.coefficients.eq(rom_word(m, nest, enable, "coefficient", codes, 4)),
            rebuild.basis.eq(
                Cat(self._basis(m, k, order, advance, enable) for k, order in enumerate(orders))
            ),
        ]
        fields = iter(rebuild.weights.word_select(k, 8) for k in range(codes.shape[1]))
        return [[[next(fields) for _ in range(simd)] for _ in range(pe)] for _ in range(parallel)]

    def _basis(self, m: Module, k: int, order: tuple[int, ...], advance, enable):
        """The basis of the current step, one cycle late, for lanes that need them in ``order``."""
        turns = len(order)
        changes = [turn for turn in range(1, turns) if order[turn] != order[turn - 1]]
        entries = self._code.basis.array.reshape(len(self._code.basis.array), -1) & 0xFF
        if not changes:
            return Const(packed(entries[order[0]], 8), 8 * entries.shape[1])
        each = math.gcd(turns, *changes)  # turns in which the basis stays
        contents = [packed(entries[basis], 8) for basis in order[::each]]
        basis = read_only(m, f"basis{k}", 8 * entries.shape[1], contents)
        index = Signal(range(len(contents)), name=f"basis{k}_index")
        following = advance
        if each > 1:
            turn = Signal(range(each), name=f"basis{k}_turn")
            with m.If(advance):
                m.d.sync += turn.eq(wrapped(turn, each))
            following = advance & (turn == each - 1)
        with m.If(following):
            m.d.sync += index.eq(wrapped(index, len(contents)))
        m.d.comb += [basis.addr.eq(index), basis.en.eq(enable)]
        return basis.data

    def product(self, pixel, field):
        return pixel * field.as_signed()

    def area(self):
        codes = self._coefficients.reshape(len(self._coefficients), -1)
        total = area.rom(bits_of(codes, 4)) if len(codes) > 1 else Area()
        lanes = self._which.reshape(len(self._which), -1).T
        orders = list(dict.fromkeys(map(tuple, lanes.tolist())))
        rebuild = BasisRebuild(self._code.run, self._code.shift, [0] * (len(lanes) * self._runs))
        entries = self._code.basis.array.reshape(len(self._code.basis.array), -1) & 0xFF
        for order in orders:
            bases = list(dict.fromkeys(order))
            if len(bases) > 1:
                total += area.rom(bits_of(entries[bases], 8))
                total += area.control((len(order) - 1).bit_length())
        return total + rebuild.area()

    def product_area(self, pixel):
        return area.multiplier(pixel.width, 8)

    def product_width(self, pixel):
        return pixel.width + 8
