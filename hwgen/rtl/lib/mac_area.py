"""How much a folded array of multipliers takes, in closed form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...ir.types import Int
from . import area
from .area import Area
from .loops import affine_bounds

if TYPE_CHECKING:
    from .mac_array import Folding

__all__ = ["mac_area"]


def mac_area(
    folding: Folding,
    weights: Area,
    bias: np.ndarray,
    lane: Area,
    product: int,
    source: Int,
    target: Int,
    levels: int,
) -> Area:
    """The line buffer, the loops, the multipliers with their adder trees, ROMs and accumulators.

    Parameters
    ----------
    weights
        Where they come from.
    bias
        Integers of shape (words, parallel x pe).
    lane
        One multiplier.
    product
        Bits of a product.
    source, target
        Types of the elements.
    levels
        Of the adder tree, between two registers.
    """
    f, s = folding, folding.schedule
    lanes = s.parallel * s.pe
    depth = f.rows * f.row_beats
    pixels = f.in_lanes * source.width
    total = area.ram(depth, pixels)
    if any(f.window.padding):
        total += Area(lut=pixels)  # zeros outside the image
    total += area.control(_control_bits(f, depth))
    total += weights + lane * (lanes * s.simd) + area.registers(lanes * s.simd * product)
    total += _tree(s.simd, product, levels) * lanes
    total += Area(lut=target.width, carry=area.carry_chain(target.width)) * lanes  # accumulators
    total += area.registers(2 * target.width * lanes)
    if len(bias) > 64:  # else it is one with the accumulators' tables
        total += area.table(len(bias), target.width * lanes)
    return total


def _tree(terms: int, width: int, levels: int) -> Area:
    """Sums and registers of an adder tree."""
    total = Area()
    while terms > 1:
        step = min(levels, math.ceil(math.log2(terms)))
        after = -(-terms // 2**step)
        sizes = [min(2**step, terms - k * 2**step) for k in range(after)]
        total += sum((area.adder_tree(size, width) for size in sizes), Area())
        terms, width = after, width + step
        total += area.registers(terms * width)
    return total


def _control_bits(f: Folding, depth: int) -> int:
    """Flip-flops of counters, indices and flags."""
    loops, window = f.loops, f.window
    address = (depth - 1).bit_length()
    reach = depth + (window.height + window.kernel[0]) * f.row_beats
    ahead = reach.bit_length() + 1
    bits = 2 * address + ahead  # where to write and to read, and how far the writer is ahead
    bits += affine_bounds(loops, f.beat_strides, f.first_beat).width
    if window.out_height > 1:
        zeros = (f.row_beats & -f.row_beats).bit_length() - 1  # whole rows only
        bits += ahead - zeros
        bits += affine_bounds(loops, {"row": window.stride[0]}, -window.padding[0]).width
    for axis, name in enumerate(("row", "column")):
        if window.padding[axis]:
            strides = {name: window.stride[axis], f"kernel_{name}": 1}
            bits += affine_bounds(loops, strides, -window.padding[axis]).width
    bits += sum((loop.turns - 1).bit_length() for loop in loops)
    words = f.weight_words
    bits += (words - 1).bit_length()
    bits += (words // f.sums - 1).bit_length()  # the bias
    return bits + 3 * f.stages + 3
