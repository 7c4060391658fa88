"""Sigmoid and tanh in hardware: of a Q4.8 pre-activation, as :mod:`hwgen.ops.lib.gates` defines them."""

from __future__ import annotations

import numpy as np
from amaranth import Module, Mux, Signal, signed

from ...ops.lib.gates import LIMIT, ONE, SEGMENTS, TABLE_BITS, WIDTH, sigmoid_table
from . import area
from .area import Area
from .elementwise import clip, table

__all__ = ["GATE_BITS", "gate", "gate_area", "narrowed", "sigmoid", "tanh"]

GATE_BITS = 10  # of a gate's result, -256..256


def narrowed(value, bits: int = WIDTH):
    """``value`` saturated to two's complement of ``bits`` bits."""
    return clip(value, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def sigmoid(m: Module, z, activation: str, name: str) -> Signal:
    """0..256, in the cycle of ``z``; ``name`` is in front of its nets' names."""
    y = Signal(range(ONE + 1), name=f"{name}_sigmoid")
    if activation == "table":
        entries = np.roll(sigmoid_table(), 1 << (TABLE_BITS - 1)).tolist()  # by the bits of z
        m.d.comb += y.eq(table(m, entries, z[WIDTH - TABLE_BITS :], f"{name}_table"))
        return y
    magnitude = Signal(WIDTH, name=f"{name}_magnitude")
    rising = Signal.like(y, name=f"{name}_rising")  # of the magnitude: 128..256
    value = ONE
    ends = [start for start, _, _ in SEGMENTS[1:]] + [LIMIT]
    for (_, shift, offset), end in reversed(list(zip(SEGMENTS, ends, strict=True))):
        value = Mux(magnitude < end, (magnitude >> shift) + offset, value)
    m.d.comb += [
        magnitude.eq(Mux(z[-1], -z, z)),
        rising.eq(value),
        y.eq(Mux(z[-1], ONE - rising, rising)),
    ]
    return y


def _doubled(m: Module, z, name: str) -> Signal:
    twice = Signal(signed(WIDTH), name=f"{name}_twice")
    m.d.comb += twice.eq(narrowed((z << 1).as_signed()))
    return twice


def _stretched(m: Module, y, name: str) -> Signal:
    """From a sigmoid to -256..256."""
    value = Signal(signed(GATE_BITS), name=f"{name}_tanh")
    m.d.comb += value.eq((y << 1) - ONE)
    return value


def tanh(m: Module, z, activation: str, name: str) -> Signal:
    """-256..256, in the cycle of ``z``."""
    return _stretched(m, sigmoid(m, _doubled(m, z, name), activation, name), name)


def gate(m: Module, z, activation: str, is_tanh, name: str):
    """The one or the other, as ``is_tanh`` says: they share the sigmoid."""
    value = Signal(signed(WIDTH), name=f"{name}_argument")
    m.d.comb += value.eq(Mux(is_tanh, _doubled(m, z, name), z))
    y = sigmoid(m, value, activation, name)
    return Mux(is_tanh, _stretched(m, y, name), y)


def gate_area(activation: str, kind: str) -> Area:
    """What a ``sigmoid``, a ``tanh`` or a ``gate`` takes, without a register."""
    extra = {"sigmoid": 0, "tanh": 10, "gate": 30}[kind]
    if activation == "table":
        return Area(lut=95 + extra)  # neighbouring entries are nearly equal
    plan = Area(lut=62, carry=area.carry_chain(WIDTH) + area.carry_chain(GATE_BITS))
    return plan + Area(lut=extra)
