"""Columns that wait to be added: where each begins in the weight memory, and its element."""

from __future__ import annotations

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import area
from .area import Area
from .loops import wrapped
from .rom import read_write

__all__ = ["EventQueue"]


class EventQueue(wiring.Component):
    """A vector's elements pass, those that are kept become events: first in, first out.

    An event's address is counted up as elements pass, kept or not. It can be read in the cycle
    after it was written. There is room for all that can come: nothing is refused.

    Parameters
    ----------
    width
        Bits of an element.
    first, stride
        Address of the vector's first column, and by how much the next ones lie further on.
    columns
        Elements of the vector; then the next one begins.
    depth
        Most events that wait at once.
    name
        In front of its ports' names.
    parity
        Whether events also tell of vectors in turn which one they are of.
    full
        Whether events without meaning wait after reset, ``depth`` of them.

    Attributes
    ----------
    element, passes, keep
        An element, whether it passes now, and whether it becomes an event.
    last
        1 while the vector's last element is the next one.
    waiting, event
        Whether there is an event, and the oldest one: see ``head``, ``address`` and ``odd``.
    pop
        Take it away.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(
        self,
        width: int,
        first: int,
        stride: int,
        columns: int,
        depth: int,
        *,
        name: str,
        parity: bool = False,
        full: bool = False,
    ) -> None:
        self._first, self._end = first, first + (columns - 1) * stride
        self._stride, self._depth, self._full = stride, depth, full
        self._width, self._parity = width, parity
        self._address_bits = max(1, self._end.bit_length())
        ports = {
            "element": In(width),
            "passes": In(1),
            "keep": In(1),
            "last": Out(1),
            "waiting": Out(1),
            "event": Out(width + self._address_bits + parity),
            "pop": In(1),
        }
        super().__init__({f"{name}_{port}": flow for port, flow in ports.items()})
        for port in ports:
            setattr(self, port, getattr(self, f"{name}_{port}"))

    @property
    def head(self):
        """The oldest event's element."""
        return self.event[: self._width]

    @property
    def address(self):
        """Where its column begins."""
        return self.event[self._width : self._width + self._address_bits]

    @property
    def odd(self):
        """Parity of its vector."""
        return self.event[-1]

    def area(self) -> Area:
        """The address, the indices, the events."""
        width = len(self.event)
        counter = self._address_bits if self._end > self._first else 0
        if self._depth == 1:
            return area.control(counter + 1) + area.registers(width)
        index = (self._depth - 1).bit_length()
        held = area.ram(self._depth, width, registered=False)
        return held + area.control(counter + 2 * index + self._depth.bit_length())

    def elaborate(self, platform):
        m = Module()
        address = Signal(self._address_bits, name="next_address", init=self._first)
        push = Signal()
        m.d.comb += [self.last.eq(address == self._end), push.eq(self.passes & self.keep)]
        if self._end > self._first:
            with m.If(self.passes):
                with m.If(self.last):
                    m.d.sync += address.eq(self._first)
                with m.Else():
                    m.d.sync += address.eq(address + self._stride)
        event = Cat(self.element, address)
        if self._parity:
            odd = Signal()
            with m.If(self.passes & self.last):
                m.d.sync += odd.eq(~odd)
            event = Cat(event, odd)
        if self._depth == 1:
            held = Signal(len(event), reset_less=True)
            there = Signal(init=int(self._full))
            m.d.comb += [self.event.eq(held), self.waiting.eq(there)]
            with m.If(self.pop):
                m.d.sync += there.eq(0)
            with m.If(push):
                m.d.sync += [there.eq(1), held.eq(event)]
            return m
        depth = self._depth
        write, read = read_write(m, "events", len(event), depth, "comb")
        write_index = Signal(range(depth))
        read_index = Signal(range(depth))
        level = Signal(range(depth + 1), init=depth * self._full)
        m.d.comb += [
            write.addr.eq(write_index),
            write.data.eq(event),
            write.en.eq(push),
            read.addr.eq(read_index),
            self.event.eq(read.data),
            self.waiting.eq(level != 0),
        ]
        with m.If(push):
            m.d.sync += write_index.eq(wrapped(write_index, depth))
        with m.If(self.pop):
            m.d.sync += read_index.eq(wrapped(read_index, depth))
        m.d.sync += level.eq(level + push - self.pop)
        return m
