"""Matrix times vector, column by column: lanes add weight times element to as many sums a clock.

Only the columns that are given take time, so that elements that are zero need not be given at all.
(In place of a batch, one sequence; after Ardakani, Ji and Gross, "Learning to Skip Ineffectual
Recurrent Computations in LSTMs", 2019, section 3.)
"""

from __future__ import annotations

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
from .weight_source import bits_of

__all__ = ["ColumnMvm"]

PARTS = ("recurrent", "input")


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
    rows
        Rows of a group; they divide the lanes.
    groups
        Groups that are read, ascending.
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
        rows: int,
        groups: int,
        skips: bool,
    ) -> None:
        self._lane, self._fields, self._words, self._sums = lane, fields, words, sums
        self._element, self._rows, self._skips = element, rows, skips
        self._lanes = fields.shape[1]
        super().__init__(
            {
                "issue": In(1),
                "column": In(range(len(fields))),
                "column_element": In(element_shape(element)),
                "of_input": In(1),
                "last_word": Out(1),
                "clear": In(1),
                "reads": In(1),
                "group": In(range(groups)),
                "enable": In(1),
                "recurrent_rows": Out(rows * sums[0].width),
                "input_rows": Out(rows * sums[1].width),
            }
        )

    def area(self) -> Area:
        """Weights, lanes, sums."""
        lanes, bits = self._lanes, self._lane.bits
        total = area.rom(bits_of(self._fields, bits))
        total += (self._lane.area(self._element) + self._registered_product()) * lanes
        wide = max(s.width for s in self._sums)
        total += (Area(lut=wide, carry=area.carry_chain(wide))) * lanes
        word = (self._words - 1).bit_length()
        total += area.control(word + len(self.column) + 8)
        total += area.registers(self._element.width + 2 * word)
        choices = lanes // self._rows
        for s in self._sums:
            if self._words > 1:
                total += area.ram(self._words, lanes * s.width)
            else:
                total += area.registers(lanes * s.width)
            total += area.selection(choices, self._rows * s.width)
            total += Area(lut=self._rows * s.width) * (self._skips and choices == 1)
        return total + area.registers((choices - 1).bit_length())

    def _registered_product(self) -> Area:
        return area.registers(self._lane.product_width(self._element))

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
        weight = read_only(
            m, "weight", self._lanes * bits, [packed(row, bits) for row in self._fields]
        )
        m.d.comb += [weight.addr.eq(self.column + word), weight.en.eq(1)]
        element = Signal.like(self.column_element, name="element_q", reset_less=True)
        m.d.sync += element.eq(self.column_element)
        issue_q = [Signal(name=f"issue_q{k}") for k in range(2)]
        part_q, first_q, word_q = (
            [Signal.like(now, name=f"{name}_q{k}", reset_less=True) for k in range(2)]
            for name, now in (("of_input", self.of_input), ("first", first), ("word", word))
        )
        for row, now in (
            (issue_q, self.issue),
            (part_q, self.of_input),
            (first_q, first),
            (word_q, word),
        ):
            m.d.sync += [row[0].eq(now), row[1].eq(row[0])]
        products = []
        for k in range(self._lanes):
            value = lane.product(element, weight.data.word_select(k, bits))
            product = Signal(value.shape(), name=f"product{k}", reset_less=True)
            m.d.sync += product.eq(value)
            products.append(product)

        parts = self._memories(m, products, issue_q, part_q, first_q, word_q)
        self._group(m, parts, begun)
        return m

    def _memories(self, m: Module, products, issue_q, part_q, first_q, word_q) -> dict:
        """The sums, to which the products are added; their words that are read."""
        shapes = dict(zip(PARTS, self._sums, strict=True))
        wide = signed(max(s.width for s in self._sums))
        reads, writes = {}, {}
        choices = self._lanes // self._rows
        for part, shape in shapes.items():
            width = self._lanes * shape.width
            if self._words == 1:
                held = Signal(width, name=f"{part}_sums", reset_less=True)
                reads[part] = held
                continue
            write, read = read_write(m, f"{part}_sums", width, self._words)
            # Two words or more lie between a write and the next read of the same word.
            m.d.comb += [
                read.addr.eq(Mux(self.reads, self.group[(choices - 1).bit_length() :], word_q[0])),
                read.en.eq(self.enable),
                write.addr.eq(word_q[1]),
            ]
            reads[part], writes[part] = read.data, write
        new = {part: [] for part in PARTS}
        for k, product in enumerate(products):
            before = Signal(wide, name=f"before{k}")
            after = Signal(wide, name=f"after{k}")
            old = [reads[part].word_select(k, shapes[part].width).as_signed() for part in PARTS]
            m.d.comb += [
                before.eq(Mux(first_q[1], 0, Mux(part_q[1], old[1], old[0]))),
                after.eq(before + product),
            ]
            for part in PARTS:
                new[part].append(after[: shapes[part].width])
        for part, here in zip(PARTS, (~part_q[1], part_q[1]), strict=True):
            value, enable = Cat(new[part]), issue_q[1] & here
            if self._words > 1:
                m.d.comb += [writes[part].data.eq(value), writes[part].en.eq(enable)]
            else:
                with m.If(enable):
                    m.d.sync += reads[part].eq(value)
        return reads

    def _group(self, m: Module, reads: dict, begun: dict) -> None:
        """The rows of a group, out of the word in which they lie; 0 where no column was added."""
        choices = self._lanes // self._rows
        chosen = Const(0, 1)
        if choices > 1:
            chosen = Signal(range(choices), reset_less=True)
            with m.If(self.enable):
                inner = self.group if self._words == 1 else self.group[: len(chosen)]
                m.d.sync += chosen.eq(inner)
        for part, shape in zip(PARTS, self._sums, strict=True):
            rows = reads[part].word_select(chosen, self._rows * shape.width)
            out = getattr(self, f"{part}_rows")
            m.d.comb += out.eq(Mux(begun[part], rows, 0) if self._skips else rows)
