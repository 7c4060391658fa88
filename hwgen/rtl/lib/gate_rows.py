"""From the sums of gate rows to their gates: gains, bias, sigmoid or tanh; some rows a clock."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...ir.types import Int
from ...ops.lib.gates import WIDTH
from . import area
from .area import Area
from .component import element_shape
from .gates import GATE_BITS, gate, gate_area, narrowed, sigmoid, tanh
from .rom import read_only

__all__ = ["GATE_STAGES", "GateRows", "RowConstants"]

GATE_STAGES = 4  # registers behind a group's number: sums and constants, products, z, gate


@dataclass(frozen=True)
class RowConstants:
    """What the gate rows are scaled by, in the order of the hardware: shape (rows,).

    Attributes
    ----------
    recurrent_gain, input_gain, bias
        Integers; ``2^(shift-1)`` is not in the bias.
    shift
        Bits by which the sum is shifted down.
    reach
        Largest magnitude of a sum, the rounding included.
    """

    recurrent_gain: np.ndarray
    input_gain: np.ndarray
    bias: np.ndarray
    shift: int
    reach: int

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is stored of every row: gains, and the bias with the half that rounds."""
        return self.recurrent_gain, self.input_gain, self.bias + ((1 << self.shift) >> 1)

    @property
    def types(self) -> list[Int]:
        return [Int.fit(min(int(c.min()), -1), int(c.max())) for c in self.columns]

    @property
    def sum_type(self) -> Int:
        return Int.fit(-self.reach - 1, self.reach)


class GateRows(wiring.Component):
    """``rows`` gate rows a clock, those of whole units, or one.

    Parameters
    ----------
    constants
        Of all rows.
    rows
        That are finished at once: 1, or a multiple of the gates of a unit.
    sums
        Types of the sums of the recurrent and of the input part.
    activation
        ``plan`` or ``table``.
    tanhs
        By gate of a unit: whether it is a tanh.

    Attributes
    ----------
    group, enable
        Which rows come next, and whether all registers move on.
    recurrent_rows, input_rows
        The rows' sums, a cycle later.
    gates
        ``GATE_STAGES`` cycles after its group: the gates of whole units, unit by unit. With one row
        a clock a unit's gates are there with its last one.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(
        self,
        constants: RowConstants,
        rows: int,
        sums: tuple[Int, Int],
        activation: str,
        tanhs: tuple[bool, ...],
    ) -> None:
        self._constants, self._rows, self._sums = constants, rows, sums
        self._activation, self._tanhs = activation, tanhs
        self._groups = len(constants.bias) // rows
        super().__init__(
            {
                "group": In(range(self._groups)),
                "enable": In(1),
                "recurrent_rows": In(rows * sums[0].width),
                "input_rows": In(rows * sums[1].width),
                "gates": Out(data.ArrayLayout(signed(GATE_BITS), max(rows, len(tanhs)))),
            }
        )

    def area(self) -> Area:
        """Constants, products, sums, gates."""
        c, types = self._constants, self._constants.types
        bits = []
        for column, kind in zip(c.columns, types, strict=True):
            fields = column.reshape(self._groups, self._rows, 1) >> np.arange(kind.width)
            bits.append((fields & 1).reshape(self._groups, -1))
        total = _constants_area(np.concatenate(bits, axis=1))
        row = area.registers(WIDTH + GATE_BITS)
        for gain, values, total_type in zip(types, c.columns, self._sums, strict=False):
            if values.any():
                row += area.multiplier(gain.width, total_type.width)
                row += area.registers(gain.width + total_type.width)
        width = c.sum_type.width
        # The bias is added where its product is; then the sum and its saturation.
        row += area.adder(width) + Area(lut=WIDTH + 4, carry=area.carry_chain(width + 1))
        total += row * self._rows
        if self._rows == 1:
            held = area.registers(GATE_BITS * (len(self._tanhs) - 1) + 6)
            return total + held + gate_area(self._activation, "gate")
        for k in range(self._rows):
            kind = "tanh" if self._tanhs[k % len(self._tanhs)] else "sigmoid"
            total += gate_area(self._activation, kind)
        return total

    def elaborate(self, platform):
        m = Module()
        c, types = self._constants, self._constants.types
        stored = self._stored(m)
        recurrent_type, input_type = self._sums
        sum_shape = element_shape(c.sum_type)
        levels = []
        at = 0
        for k in range(self._rows):
            row = []
            for kind in types:
                row.append(stored[at : at + kind.width].as_signed())
                at += kind.width
            gain_a, gain_b, bias = row
            a = self.recurrent_rows.word_select(k, recurrent_type.width).as_signed()
            b = self.input_rows.word_select(k, input_type.width).as_signed()
            scaled_a, scaled_b = a * gain_a, b * gain_b + bias
            first = Signal(scaled_a.shape(), name=f"recurrent_product{k}", reset_less=True)
            second = Signal(scaled_b.shape(), name=f"input_product{k}", reset_less=True)
            total = Signal(sum_shape, name=f"sum{k}")
            shifted = Signal(signed(max(1, sum_shape.width - c.shift)), name=f"shifted{k}")
            z = Signal(signed(WIDTH), name=f"z{k}", reset_less=True)
            m.d.comb += [total.eq(first + second), shifted.eq(total >> c.shift)]
            with m.If(self.enable):
                m.d.sync += [first.eq(scaled_a), second.eq(scaled_b), z.eq(narrowed(shifted))]
            levels.append(z)
        if self._rows == 1:
            self._one_by_one(m, levels[0])
        else:
            self._side_by_side(m, levels)
        return m

    def _stored(self, m: Module):
        """The constants of the group before, all of its rows' side by side."""
        c, types = self._constants, self._constants.types
        fields = [column & ((1 << t.width) - 1) for column, t in zip(c.columns, types, strict=True)]
        widths = [kind.width for kind in types]
        contents = []
        for group in range(self._groups):
            word, at = 0, 0
            for row in range(group * self._rows, (group + 1) * self._rows):
                for field, width in zip(fields, widths, strict=True):
                    word |= int(field[row]) << at
                    at += width
            contents.append(word)
        if len(contents) == 1:
            return Const(contents[0], at)
        port = read_only(m, "constants", at, contents)
        m.d.comb += [port.addr.eq(self.group), port.en.eq(self.enable)]
        return port.data

    def _side_by_side(self, m: Module, levels: list) -> None:
        for k, z in enumerate(levels):
            make = tanh if self._tanhs[k % len(self._tanhs)] else sigmoid
            y = Signal(signed(GATE_BITS), name=f"gate{k}", reset_less=True)
            value = make(m, z, self._activation, f"row{k}")
            with m.If(self.enable):
                m.d.sync += y.eq(value)
            m.d.comb += self.gates[k].eq(y)

    def _one_by_one(self, m: Module, z) -> None:
        """One unit's gates in turn; the last ones are kept until all are there."""
        count = len(self._tanhs)
        kind = [
            Signal(range(count), name=f"kind_q{k}", reset_less=True) for k in range(GATE_STAGES - 1)
        ]
        is_tanh = Signal()
        m.d.comb += is_tanh.eq(Cat(kind[-1] == k for k, t in enumerate(self._tanhs) if t).any())
        held = [Signal(signed(GATE_BITS), name=f"gate{k}", reset_less=True) for k in range(count)]
        value = gate(m, z, self._activation, is_tanh, "row")
        with m.If(self.enable):
            m.d.sync += held[-1].eq(value)
            m.d.sync += [now.eq(after) for now, after in pairwise(held)]
            m.d.sync += [now.eq(before) for before, now in pairwise([self.group, *kind])]
        m.d.comb += [out.eq(y) for out, y in zip(self.gates, held, strict=True)]


def _constants_area(bits: np.ndarray) -> Area:
    """A memory of these words: wide and flat ones take a table a bit."""
    words = len(bits)
    if words == 1:
        return Area()
    memory = area.rom(bits)
    if memory.bram:
        return memory
    return Area(lut=min(memory.lut, memory.ff * -(-words // 64)), ff=memory.ff)
