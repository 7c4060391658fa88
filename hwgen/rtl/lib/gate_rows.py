"""From the sums of gate rows to their gates: gains, bias, sigmoid or tanh; some rows a clock."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...ir.types import Int
from ...ops.lib.gates import WIDTH
from . import area
from .area import Area
from .component import element_shape
from .gates import GATE_BITS, gate, gate_area, narrowed, sigmoid, tanh
from .rom import read_only
from .row_groups import RowGroups

__all__ = ["GATE_STAGES", "GateKind", "GateRows", "RowConstants", "gates_of_units"]

GATE_STAGES = 4  # registers behind a group's number: sums and constants, products, z, gate

GateKind = Literal["sigmoid", "tanh", "apart"]
"""What becomes of a row; ``apart``: both of its parts are pre-activations of their own."""


def gates_of_units(kinds: tuple[GateKind, ...], units: int) -> dict[str, data.ArrayLayout]:
    """Ports of what gate rows make of the rows of some units, unit by unit.

    ``gates`` are sigmoids and tanhs; ``recurrent_z`` and ``input_z`` the parts of rows that are apart.
    """
    apart = kinds.count("apart") * units
    found = {"gates": data.ArrayLayout(signed(GATE_BITS), len(kinds) * units - apart)}
    if apart:
        z = data.ArrayLayout(signed(WIDTH), apart)
        found |= {"recurrent_z": z, "input_z": z}
    return found


@dataclass(frozen=True)
class RowConstants:
    """What the gate rows are scaled by, in the order of the hardware: shape (sets, rows).

    There is a set a step where steps differ, else one.

    Attributes
    ----------
    kinds
        By gate of a unit.
    recurrent_gain, input_gain, bias
        Integers; ``2^(shift-1)`` is not in the bias.
    shift
        Bits by which the sum is shifted down.
    reach
        Largest magnitude of a sum, the rounding included.
    recurrent_bias
        Of the recurrent part, shape (sets, units), where one gate of a unit is ``apart``.
    """

    kinds: tuple[GateKind, ...]
    recurrent_gain: np.ndarray
    input_gain: np.ndarray
    bias: np.ndarray
    shift: int
    reach: int
    recurrent_bias: np.ndarray | None = None

    @property
    def columns(self) -> tuple[np.ndarray, ...]:
        """What is stored of every row: gains, and the bias with the half that rounds.

        If rows are apart, then also the bias of the recurrent part with its own half; 0 in others.
        """
        half = (1 << self.shift) >> 1
        found = self.recurrent_gain, self.input_gain, self.bias + half
        if self.recurrent_bias is None:
            return found
        return *found, np.kron(self.recurrent_bias + half, [kind == "apart" for kind in self.kinds])

    @property
    def sets(self) -> int:
        return len(self.bias)

    @property
    def types(self) -> list[Int]:
        return [Int.fit(min(int(c.min()), -1), int(c.max())) for c in self.columns]

    @property
    def sum_type(self) -> Int:
        return Int.fit(-self.reach - 1, self.reach)


class GateRows(wiring.Component):
    """The gate rows of a group a clock: those of whole units, or one.

    Parameters
    ----------
    constants
        Of all rows.
    groups
        Rows that are finished at once.
    sums
        Types of the sums of the recurrent and of the input part.
    activation
        ``plan`` or ``table``.

    Attributes
    ----------
    group, enable
        Which rows come next, and whether all registers move on.
    step
        Of which set their constants are, if there are several.
    recurrent_rows, input_rows
        The rows' sums, a cycle later.
    gates, recurrent_z, input_z
        ``GATE_STAGES`` cycles after its group, see :func:`gates_of_units`. With one row a clock a
        unit's gates are there with its last one.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(
        self,
        constants: RowConstants,
        groups: RowGroups,
        sums: tuple[Int, Int],
        activation: str,
    ) -> None:
        self._constants, self._groups, self._sums = constants, groups, sums
        self._rows, self._kinds, self._activation = groups.rows, constants.kinds, activation
        self.made = gates_of_units(self._kinds, max(1, self._rows // groups.gates))
        super().__init__(
            {
                "group": In(range(groups.last + 1)),
                **({"step": In(range(constants.sets))} if constants.sets > 1 else {}),
                "enable": In(1),
                "recurrent_rows": In(self._rows * sums[0].width),
                "input_rows": In(self._rows * sums[1].width),
                **{name: Out(layout) for name, layout in self.made.items()},
            }
        )

    def _kind(self, k: int) -> GateKind | None:
        """Of row ``k`` of a group; None if it is one of each gate in turn."""
        return None if self._rows == 1 else self._kinds[k % len(self._kinds)]

    def _stored_of(self, k: int) -> int:
        """Constants of row ``k`` of a group: the last one may be without use."""
        return len(self._constants.columns[: None if self._kind(k) in (None, "apart") else 3])

    def area(self) -> Area:
        """Constants, products, sums, gates."""
        c, types = self._constants, self._constants.types
        bits = []
        for k in range(self._rows):
            rows = self._groups.first_rows + k
            for column, kind in list(zip(c.columns, types, strict=True))[: self._stored_of(k)]:
                values = column[:, rows].reshape(-1, 1)
                bits.append(values >> np.arange(kind.width) & 1)
        total = _constants_area(np.concatenate(bits, axis=1))
        width = c.sum_type.width
        # The sum and its saturation.
        narrowing = Area(lut=WIDTH + 4, carry=area.carry_chain(width + 1))
        for k in range(self._rows):
            kind = self._kind(k)
            total += area.registers(WIDTH + GATE_BITS)
            for gain, values, total_type in zip(types, c.columns, self._sums, strict=False):
                if values.any():
                    total += area.multiplier(gain.width, total_type.width)
                    total += area.registers(gain.width + total_type.width)
            # A bias is added where its product is.
            total += narrowing + (Area() if kind == "apart" else area.adder(width))
            if kind == "apart":
                total += narrowing + area.registers(3 * WIDTH - GATE_BITS)
            elif kind:
                total += gate_area(self._activation, kind)
        if self._rows == 1:
            gates = set(self._kinds) - {"apart"}
            total += gate_area(self._activation, gates.pop() if len(gates) == 1 else "gate")
            total += area.registers(GATE_BITS * (len(self.gates) - 1) + 6)
            if "apart" in self._kinds:
                total += narrowing + area.registers(3 * WIDTH)
        return total

    def elaborate(self, platform):
        m = Module()
        types = self._constants.types
        stored = self._stored(m)
        recurrent_type, input_type = self._sums
        turns = self._turns() if self._rows == 1 else []
        made = []
        at = 0
        for k in range(self._rows):
            row = []
            for kind in types[: self._stored_of(k)]:
                row.append(stored[at : at + kind.width].as_signed())
                at += kind.width
            gain_a, gain_b, bias, *recurrent_bias = row
            a = self.recurrent_rows.word_select(k, recurrent_type.width).as_signed()
            b = self.input_rows.word_select(k, input_type.width).as_signed()
            scaled_a, scaled_b = sum(recurrent_bias, a * gain_a), b * gain_b + bias
            first = Signal(scaled_a.shape(), name=f"recurrent_product{k}", reset_less=True)
            second = Signal(scaled_b.shape(), name=f"input_product{k}", reset_less=True)
            levels = self._pre_activations(m, k, first, second, turns)
            with m.If(self.enable):
                m.d.sync += [first.eq(scaled_a), second.eq(scaled_b)]
                m.d.sync += [z.eq(narrowed(shifted)) for z, shifted in levels]
            made.append([z for z, _ in levels])
        if self._rows == 1:
            self._one_by_one(m, made[0], turns)
        else:
            self._side_by_side(m, made)
        return m

    def _stored(self, m: Module):
        """The constants of the group before, all of its rows' side by side."""
        c, types = self._constants, self._constants.types
        fields = [column & ((1 << t.width) - 1) for column, t in zip(c.columns, types, strict=True)]
        widths = [kind.width for kind in types]
        contents = []
        places = 1 << self._groups.last.bit_length()  # of a set
        for chosen in range(c.sets):
            for first in self._groups.first_rows.tolist():
                word, at = 0, 0
                for k in range(self._rows):
                    row = list(zip(fields, widths, strict=True))[: self._stored_of(k)]
                    for field, width in row:
                        word |= int(field[chosen, first + k]) << at
                        at += width
                contents.append(word)
            if chosen < c.sets - 1:
                contents += [0] * (-len(contents) % places)
        if len(contents) == 1:
            return Const(contents[0], at)
        port = read_only(m, "constants", at, contents)
        group = self.group[: self._groups.last.bit_length()]
        address = Cat(group, self.step) if c.sets > 1 else self.group
        m.d.comb += [port.addr.eq(address), port.en.eq(self.enable)]
        return port.data

    def _turns(self) -> list[Signal]:
        """Where rows come one by one: which gate a row is, in the clocks up to its pre-activation."""
        shape = range(self._groups.gates)
        return [Signal(shape, name=f"kind_q{k}", reset_less=True) for k in range(GATE_STAGES - 1)]

    def _is(self, m: Module, kind: GateKind, turn: Signal, name: str) -> Signal:
        """1 where the gate of this number is of that kind."""
        found = Signal(name=name)
        m.d.comb += found.eq(
            Cat(turn == k for k, each in enumerate(self._kinds) if each == kind).any()
        )
        return found

    def _pre_activations(self, m: Module, k: int, first, second, turns: list) -> list:
        """z of row ``k``; where it can be apart, that of its recurrent and that of its input part."""
        kind = self._kind(k)
        if kind == "apart":
            parts = ("recurrent_", first), ("input_", second)
            return [self._level(m, value, name, k) for name, value in parts]
        total = Signal(element_shape(self._constants.sum_type), name=f"sum{k}")
        if kind or "apart" not in self._kinds:
            m.d.comb += total.eq(first + second)
            return [self._level(m, total, "", k)]
        alone = self._is(m, "apart", turns[1], "product_is_apart")
        m.d.comb += total.eq(first + Mux(alone, 0, second))
        return [self._level(m, total, "", k), self._level(m, second, "input_", k)]

    def _level(self, m: Module, total, name: str, k: int) -> tuple[Signal, Signal]:
        """A pre-activation, and of what sum shifted down it is the next clock's saturation."""
        shift = self._constants.shift
        shifted = Signal(signed(max(1, len(total) - shift)), name=f"{name}shifted{k}")
        z = Signal(signed(WIDTH), name=f"{name}z{k}", reset_less=True)
        m.d.comb += shifted.eq(total >> shift)
        return z, shifted

    def _side_by_side(self, m: Module, levels: list) -> None:
        gates, parts = [], []
        for k, z in enumerate(levels):
            kind = self._kind(k)
            if kind == "apart":
                parts.append(z)
                continue
            make = tanh if kind == "tanh" else sigmoid
            y = Signal(signed(GATE_BITS), name=f"gate{k}", reset_less=True)
            value = make(m, *z, self._activation, f"row{k}")
            with m.If(self.enable):
                m.d.sync += y.eq(value)
            m.d.comb += self.gates[len(gates)].eq(y)
            gates.append(y)
        self._give_parts(m, parts)

    def _give_parts(self, m: Module, parts: list) -> None:
        """Rows that are apart wait as long as others take for their gates."""
        for k, row in enumerate(parts):
            for name, z in zip(("recurrent_z", "input_z"), row, strict=True):
                held = Signal.like(z, name=f"{name}_q{k}")
                with m.If(self.enable):
                    m.d.sync += held.eq(z)
                m.d.comb += getattr(self, name)[k].eq(held)

    def _one_by_one(self, m: Module, levels: list, turns: list) -> None:
        """One unit's gates in turn; the last ones are kept until all are there."""
        count, z = len(self.gates), levels[0]
        held = [Signal(signed(GATE_BITS), name=f"gate{k}", reset_less=True) for k in range(count)]
        moves = self.enable
        if "apart" in self._kinds:
            moves = moves & ~self._is(m, "apart", turns[-1], "is_apart")
            self._give_parts(m, [levels])
        if "tanh" in self._kinds:
            is_tanh = self._is(m, "tanh", turns[-1], "is_tanh")
            value = gate(m, z, self._activation, is_tanh, "row")
        else:
            value = sigmoid(m, z, self._activation, "row")
        with m.If(moves):
            m.d.sync += held[-1].eq(value)
            m.d.sync += [now.eq(after) for now, after in pairwise(held)]
        with m.If(self.enable):
            m.d.sync += [now.eq(before) for before, now in pairwise([self.group, *turns])]
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
