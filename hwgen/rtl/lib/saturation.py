"""Counters that stop at both ends, the state of stochastic neurons and of spins."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed

from ...ir.types import Int
from . import area
from .area import Area

__all__ = ["saturated_sum", "saturated_sum_area"]


def saturated_sum(m: Module, state, x, highest, source: Int, name: str, lowest=0):
    """``clip(state + x, lowest, highest)`` of a counter.

    Parameters
    ----------
    state
        In 0..highest, no wider than that needs.
    lowest, highest
        Integers, or where they differ from one turn to the next values as wide as ``state``.
    source
        The type of x.
    name
        Of the sum before it is bounded.
    """
    bits = len(state)
    total = Signal(signed(max(bits, source.width) + 2), name=name)
    m.d.comb += total.eq(state + x)
    is_natural = isinstance(lowest, int) and lowest == 0
    below = total[-1] if is_natural else total < lowest
    above = total > highest
    if isinstance(highest, int) and highest + 1 == 1 << bits:
        above = total[bits:-1].any()
    return Mux(below, lowest, Mux(above, highest, total[:bits]))


def saturated_sum_area(highest: int, source: Int) -> Area:
    """What it takes of a device: a sum, and whether it is beyond an end."""
    bits = highest.bit_length()
    width = max(bits, source.width) + 1
    beyond = 1 if highest + 1 == 1 << bits else round(0.7 * width)
    return area.adder(width) + Area(lut=beyond + bits)
