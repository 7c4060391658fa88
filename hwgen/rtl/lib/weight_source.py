"""Where a folded array takes the weights of every step from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from amaranth import Const, Module

from ...ir.types import Int
from . import area
from .area import Area
from .loops import LoopNest
from .rom import packed, read_only

if TYPE_CHECKING:
    from ..codes import WeightLane

__all__ = ["StoredWeights", "WeightSource", "bits_of", "rom_word"]


class WeightSource:
    """The weights of an array, and how they meet pixels.

    Attributes
    ----------
    delay
        Registers that the weights of a step pass after the one that a pixel's memory has.
    """

    delay = 0

    def fields(self, m: Module, nest: LoopNest, step, enable) -> list[list[list]]:
        """Adds to ``m`` what gives the weights: [parallel][pe][simd], of whatever ``product`` takes.

        Parameters
        ----------
        nest
            The loops of the array.
        step
            1 in the cycles in which the array makes a step.
        enable
            1 in the cycles in which its registers move on. The fields of a step are there after
            ``1 + delay`` of them.
        """
        raise NotImplementedError

    def product(self, pixel, field):
        """An Amaranth value: ``pixel`` times the weight that ``field`` stands for."""
        raise NotImplementedError

    def area(self) -> Area:
        """What gives the fields takes; without the address that the loops make."""
        raise NotImplementedError

    def product_area(self, pixel: Int) -> Area:
        """What a product with a pixel of a type takes."""
        raise NotImplementedError

    def product_width(self, pixel: Int) -> int:
        """Bits of such a product."""
        raise NotImplementedError


class StoredWeights(WeightSource):
    """A ROM with all weights of a step in a word.

    Parameters
    ----------
    lane
        How a weight is stored and multiplied.
    weights
        Decoded, in the order of the ROM: shape (words, parallel, pe, simd).
    """

    def __init__(self, lane: WeightLane, weights: np.ndarray) -> None:
        self._lane = lane
        self._weights = weights

    def fields(self, m, nest, step, enable):
        _, parallel, pe, simd = self._weights.shape
        bits = self._lane.bits
        codes = self._lane.encode(self._weights).reshape(len(self._weights), -1)
        word = rom_word(m, nest, enable, "weight", codes, bits)
        fields = iter(word.word_select(k, bits) for k in range(codes.shape[1]))
        return [[[next(fields) for _ in range(simd)] for _ in range(pe)] for _ in range(parallel)]

    def product(self, pixel, field):
        return self._lane.product(pixel, field)

    def area(self):
        codes = self._lane.encode(self._weights).reshape(len(self._weights), -1)
        return area.rom(bits_of(codes, self._lane.bits)) if len(codes) > 1 else Area()

    def product_area(self, pixel):
        return self._lane.area(pixel)

    def product_width(self, pixel):
        return self._lane.product_width(pixel)


def bits_of(codes: np.ndarray, bits: int) -> np.ndarray:
    """Fields of ``bits`` bits, shape (words, fields), bit by bit: shape (words, fields x bits)."""
    return ((codes[..., None] >> np.arange(bits)) & 1).reshape(len(codes), -1)


def rom_word(m: Module, nest: LoopNest, enable, name: str, codes: np.ndarray, bits: int):
    """The word of the current step, one cycle late, of a ROM with a word for every step.

    Parameters
    ----------
    codes
        Unsigned fields of ``bits`` bits, shape (words, fields), in the order of the loops from the
        group on.
    """
    contents = [packed(row, bits) for row in codes]
    width = codes.shape[1] * bits
    if len(contents) == 1:
        return Const(contents[0], width)
    word = read_only(m, name, width, contents)
    strides, size = {}, 1
    for loop in reversed(nest.loops[2:]):
        strides[loop.name] = size
        size *= loop.turns
    m.d.comb += [word.addr.eq(nest.affine(f"{name}_address", strides)), word.en.eq(enable)]
    return word.data
