"""Weights of a recurrent cell that come from a memory beside the design, column by column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...ir.types import Int
from ...ops.lib.recurrent import MEMORY_LATENCY, STREAM_LATENCY
from ..design import ColumnMemory
from . import area
from .area import Area
from .column_mvm import ColumnMvm
from .component import StreamComponent, element_shape
from .loops import wrapped
from .rom import read_write
from .weight_source import bits_of

__all__ = ["ColumnStream", "StreamedColumns", "StreamedMvm", "image_of"]

AHEAD = 16  # columns that may be asked for and not yet added


def image_of(fields: np.ndarray, bits: int) -> np.ndarray:
    """Words as a memory beside the design holds them.

    Parameters
    ----------
    fields
        Unsigned, of ``bits`` bits: shape (words, lanes).

    Returns
    -------
    uint8 array of shape (words, bytes of a word): lane k in bits ``[k * bits +: bits]``, little-endian.
    """
    some = 1 << 12  # words at a time: bit by bit, all of a large network need too much memory
    parts = [
        np.packbits(bits_of(fields[k : k + some], bits).astype(np.uint8), axis=1, bitorder="little")
        for k in range(0, len(fields), some)
    ]
    return np.concatenate(parts)


class StreamedMvm(ColumnMvm):
    """A :class:`ColumnMvm` that is given the weights of a word together with ``issue``.

    Attributes
    ----------
    weights, element
        A field for every lane, and the column's element.
    """

    def _column_ports(self):
        weights = In(self._lanes * self._lane.bits)
        return {"weights": weights, "element": In(element_shape(self._element))}

    @property
    def column_element(self):
        return self.element

    def _weight_area(self, control):
        return area.registers(len(self.weights)) + area.control(control)

    def _weight(self, m, word):
        weight = Signal.like(self.weights, name="weight", reset_less=True)
        m.d.sync += weight.eq(self.weights)
        return weight


class ColumnStream(wiring.Component):
    """Takes columns as a :class:`ColumnMvm` does, asks for their weights, and adds what comes.

    Up to ``AHEAD`` columns are under way, so that the time a memory takes to answer is not waited for
    while there are others. Requests may be refused for any time, and words come with any gaps.

    Parameters
    ----------
    address_bits, word_bits
        Of the memory.
    element
        Type of all elements.

    Attributes
    ----------
    issue, column, column_element, of_input
        A column to add: where it begins, its element, and its part.
    last_word
        1 when it is taken.
    idle
        1 when all columns that were taken have been added.
    requests
        Where a column begins whose words are wanted.
    weights
        The words of the columns, in the order of the requests.
    add, element, to_input
        Add the word that is in ``weights`` now, times the element, to a part.
    added
        1 where that is the column's last word.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(self, address_bits: int, word_bits: int, element: Int) -> None:
        self._element = element
        super().__init__(
            {
                "issue": In(1),
                "column": In(address_bits),
                "column_element": In(element_shape(element)),
                "of_input": In(1),
                "last_word": Out(1),
                "idle": Out(1),
                "requests": Out(stream.Signature(address_bits)),
                "weights": In(stream.Signature(word_bits)),
                "add": Out(1),
                "element": Out(element_shape(element)),
                "to_input": Out(1),
                "added": In(1),
            }
        )

    def area(self) -> Area:
        """The register of a request, the elements that wait, and their indices."""
        waiting = area.ram(AHEAD, self._element.width + 1, registered=False)
        index = (AHEAD - 1).bit_length()
        return area.registers(len(self.column)) + waiting + area.control(3 * index + 4)

    def elaborate(self, platform):
        m = Module()
        level = Signal(range(AHEAD + 1))
        write_index = Signal(range(AHEAD))
        read_index = Signal(range(AHEAD))
        taken = Signal()
        done = Signal()
        waits = Signal()
        m.d.comb += [
            waits.eq(level != 0),
            self.idle.eq(~waits),
            self.last_word.eq((level != AHEAD) & (~self.requests.valid | self.requests.ready)),
            taken.eq(self.issue & self.last_word),
        ]
        # The request goes out of a register: neither the queues nor the lanes are on a path to the port.
        address = Signal.like(self.column, name="request", reset_less=True)
        m.d.comb += self.requests.payload.eq(address)
        with m.If(taken):
            m.d.sync += [self.requests.valid.eq(1), address.eq(self.column)]
        with m.Elif(self.requests.ready):
            m.d.sync += self.requests.valid.eq(0)

        event = Cat(self.column_element, self.of_input)
        write, read = read_write(m, "waiting", len(event), AHEAD, "comb")
        m.d.comb += [
            write.addr.eq(write_index),
            write.data.eq(event),
            write.en.eq(taken),
            read.addr.eq(read_index),
            self.element.eq(read.data[:-1].as_signed()),
            self.to_input.eq(waits & read.data[-1]),
            self.weights.ready.eq(waits),
            self.add.eq(waits & self.weights.valid),
            done.eq(self.add & self.added),
        ]
        with m.If(taken):
            m.d.sync += write_index.eq(wrapped(write_index, AHEAD))
        with m.If(done):
            m.d.sync += read_index.eq(wrapped(read_index, AHEAD))
        m.d.sync += level.eq(level + taken - done)
        return m


@dataclass(frozen=True, slots=True)
class StreamedColumns:
    """How a layer has the weights of its columns streamed.

    Attributes
    ----------
    columns, words
        Columns, and words of each.
    word_bits
        Bits of a word.
    element
        Type of what columns are multiplied with.
    """

    columns: int
    words: int
    word_bits: int
    element: Int

    clocks = STREAM_LATENCY
    notes = ("They come from a memory beside the design, a column when it is added.",)

    @property
    def address_bits(self) -> int:
        return (self.columns * self.words - 1).bit_length()

    @property
    def ports(self) -> dict[str, wiring.Member]:
        """What a layer needs beside its streams."""
        return {
            "columns": Out(stream.Signature(self.address_bits)),
            "weights": In(stream.Signature(self.word_bits)),
        }

    def memory(self, name: str) -> ColumnMemory:
        """The memory of the layer called ``name``."""
        return ColumnMemory(
            name,
            self.columns,
            self.words,
            self.word_bits,
            f"{name}_weights.bin",
            AHEAD,
            MEMORY_LATENCY,
        )

    def area(self) -> Area:
        return self._stream().area()

    def between(self, m: Module, layer: StreamComponent, lanes: StreamedMvm) -> ColumnStream:
        """Put what takes columns in place of ``lanes`` between these and the ports of ``layer``."""
        m.submodules.column_stream = columns = self._stream()
        wiring.connect(m, columns.requests, wiring.flipped(layer.columns))
        wiring.connect(m, wiring.flipped(layer.weights), columns.weights)
        m.d.comb += [
            lanes.issue.eq(columns.add),
            lanes.weights.eq(layer.weights.payload),
            lanes.element.eq(columns.element),
            lanes.of_input.eq(columns.to_input),
            columns.added.eq(lanes.last_word),
        ]
        return columns

    def _stream(self) -> ColumnStream:
        return ColumnStream(self.address_bits, self.word_bits, self.element)
