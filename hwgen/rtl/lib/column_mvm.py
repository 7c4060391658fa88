"""Matrix times vector, column by column: lanes add weight times element to as many sums a clock.

Only the columns that are given take time, so that elements that are zero need not be given at all.
(In place of a batch, one sequence; after Ardakani, Ji and Gross, "Learning to Skip Ineffectual
Recurrent Computations in LSTMs", 2019, section 3.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...ir.types import Int
from ..codes import WeightLane
from . import area
from .area import Area
from .component import element_shape
from .loops import wrapped
from .rom import packed, read_only, read_write
from .row_groups import RowGroups
from .weight_source import bits_of

__all__ = ["ColumnMvm"]

PARTS = ("recurrent", "input")


class _Step(NamedTuple):
    """What a clock adds: whether anything, to which part, over what was there, and which word."""

    issue: Signal
    of_input: Signal
    first: Signal
    word: Signal

    def later(self, m: Module, clocks: int) -> _Step:
        """The step of the clock before; ``clocks`` tells the registers of several ones apart."""
        held = [
            Signal.like(now, name=f"{name}_q{clocks}", reset_less=name != "issue")
            for name, now in self._asdict().items()
        ]
        m.d.sync += [after.eq(now) for after, now in zip(held, self, strict=True)]
        return _Step(*held)


class ColumnMvm(wiring.Component):
    """Two matrices of the same rows, each with sums of its own.

    A column takes ``words`` clocks. When none is under way any more, and one clock has passed, the
    sums can be read, a group of rows a clock.

    Parameters
    ----------
    lane
        How a weight is stored and multiplied.
    fields
        Words of all columns, shape (columns x words, lanes).
    words
        Words of a column.
    element
        Type of all elements.
    sums
        Types of the sums of the recurrent and of the input part.
    groups
        Groups of rows that are read, ascending; they divide the lanes.
    skips
        Whether a part may have no column at all: it is 0 then. Else it has one before it is read.

    Attributes
    ----------
    issue, column, column_element, of_input
        Add a word of a column: where the column begins, its element, and its part.
    last_word
        1 when this is the column's last word.
    clear
        Forget all columns.
    reads, group, enable
        The sums are being read, which group of them, and whether the reader moves on.
    recurrent_rows, input_rows
        The group's sums, a cycle later.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(
        self,
        lane: WeightLane,
        fields: np.ndarray,
        words: int,
        element: Int,
        sums: tuple[Int, Int],
        groups: RowGroups,
        skips: bool,
    ) -> None:
        self._lane, self._fields, self._words, self._sums = lane, fields, words, sums
        self._element, self._groups, self._skips = element, groups, skips
        self._lanes = fields.shape[1]
        rows = self._rows = groups.rows
        self._choices = self._lanes // rows
        self._places = groups.places(self._choices)
        super().__init__(
            {
                "issue": In(1),
                **self._column_ports(),
                "of_input": In(1),
                "last_word": Out(1),
                "clear": In(1),
                "reads": In(1),
                "group": In(range(groups.last + 1)),
                "enable": In(1),
                "recurrent_rows": Out(rows * sums[0].width),
                "input_rows": Out(rows * sums[1].width),
            }
        )

    def area(self) -> Area:
        """Weights, lanes, sums."""
        lanes = self._lanes
        word = (self._words - 1).bit_length()
        total = self._weight_area(word + 8)
        product = area.registers(self._lane.product_width(self._element))
        total += (self._lane.area(self._element) + product) * lanes
        wide = max(s.width for s in self._sums)
        total += (Area(lut=wide, carry=area.carry_chain(wide))) * lanes
        total += area.registers(self._element.width + 2 * word)
        choices = self._choices
        for s in self._sums:
            if self._words > 1:
                total += area.ram(self._words, lanes * s.width)
            else:
                total += area.registers(lanes * s.width)
            total += area.selection(choices, self._rows * s.width)
            total += Area(lut=self._rows * s.width) * (self._skips and choices == 1)
        return total + area.registers((self._places - 1).bit_length())

    def elaborate(self, platform):
        m = Module()
        last = self._words - 1
        word = Signal(range(self._words))
        m.d.comb += self.last_word.eq(word == last)
        with m.If(self.issue):
            m.d.sync += word.eq(wrapped(word, self._words))

        begun = {part: Signal(name=f"{part}_begun") for part in PARTS}
        first = Signal()
        m.d.comb += first.eq(~Mux(self.of_input, begun["input"], begun["recurrent"]))
        with m.If(self.issue & self.last_word):
            with m.If(self.of_input):
                m.d.sync += begun["input"].eq(1)
            with m.Else():
                m.d.sync += begun["recurrent"].eq(1)
        with m.If(self.clear):
            m.d.sync += [flag.eq(0) for flag in begun.values()]

        # A clock for the weights, and one for the product.
        lane, bits = self._lane, self._lane.bits
        weight = self._weight(m, word)
        element = Signal.like(self.column_element, name="element_q", reset_less=True)
        m.d.sync += element.eq(self.column_element)
        multiplied = _Step(self.issue, self.of_input, first, word).later(m, 1)
        added = multiplied.later(m, 2)
        products = []
        for k in range(self._lanes):
            value = lane.product(element, weight.word_select(k, bits))
            product = Signal(value.shape(), name=f"product{k}", reset_less=True)
            m.d.sync += product.eq(value)
            products.append(product)

        self._group(m, self._memories(m, products, multiplied.word, added), begun)
        return m

    def _column_ports(self) -> dict[str, wiring.Member]:
        """Ports that say which column, and its element."""
        column = In(range(len(self._fields)))
        return {"column": column, "column_element": In(element_shape(self._element))}

    def _weight_area(self, control: int) -> Area:
        """Of what gives the weights, and of so many bits of control."""
        stored = area.rom(bits_of(self._fields, self._lane.bits))
        return stored + area.control(control + len(self.column))

    def _weight(self, m: Module, word: Signal):
        """The weights of all lanes for a word of the column, a clock later."""
        bits = self._lane.bits
        weight = read_only(
            m, "weight", self._lanes * bits, [packed(row, bits) for row in self._fields]
        )
        m.d.comb += [weight.addr.eq(self.column + word), weight.en.eq(1)]
        return weight.data

    def _memories(self, m: Module, products: list, next_word, added: _Step) -> dict:
        """The sums, to which the products are added; by part the word that is read."""
        shapes = dict(zip(PARTS, self._sums, strict=True))
        wide = signed(max(s.width for s in self._sums))
        reads, writes = {}, {}
        for part, shape in shapes.items():
            width = self._lanes * shape.width
            if self._words == 1:
                held = Signal(width, name=f"{part}_sums", reset_less=True)
                reads[part] = held
                continue
            write, read = read_write(m, f"{part}_sums", width, self._words)
            # A column has two words or more: a word is read again after it was written.
            m.d.comb += [
                read.addr.eq(Mux(self.reads, self._word_of_group(), next_word)),
                read.en.eq(self.enable),
                write.addr.eq(added.word),
            ]
            reads[part], writes[part] = read.data, write
        new = {part: [] for part in PARTS}
        for k, product in enumerate(products):
            before = Signal(wide, name=f"before{k}")
            after = Signal(wide, name=f"after{k}")
            old = [reads[part].word_select(k, shapes[part].width).as_signed() for part in PARTS]
            m.d.comb += [
                before.eq(Mux(added.first, 0, Mux(added.of_input, old[1], old[0]))),
                after.eq(before + product),
            ]
            for part in PARTS:
                new[part].append(after[: shapes[part].width])
        for part, here in zip(PARTS, (~added.of_input, added.of_input), strict=True):
            value, enable = Cat(new[part]), added.issue & here
            if self._words > 1:
                m.d.comb += [writes[part].data.eq(value), writes[part].en.eq(enable)]
            else:
                with m.If(enable):
                    m.d.sync += reads[part].eq(value)
        return reads

    def _word_of_group(self):
        """In which word of the sums the group lies."""
        if self._choices == 1:
            return self._groups.index(self.group)
        return self.group[(self._places - 1).bit_length() :]

    def _group(self, m: Module, reads: dict, begun: dict) -> None:
        """The rows of a group, out of the word in which they lie; 0 where no column was added."""
        chosen = Const(0, 1)
        if self._choices > 1:
            chosen = Signal(range(self._places), reset_less=True)
            with m.If(self.enable):
                inner = self.group if self._words == 1 else self.group[: len(chosen)]
                m.d.sync += chosen.eq(inner)
        for part, shape in zip(PARTS, self._sums, strict=True):
            bits = self._rows * shape.width
            rows = self._groups.placed(reads[part], self._choices, bits).word_select(chosen, bits)
            out = getattr(self, f"{part}_rows")
            m.d.comb += out.eq(Mux(begun[part], rows, 0) if self._skips else rows)
