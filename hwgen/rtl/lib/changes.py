"""By how much the elements of a vector have changed since a change of theirs was last taken."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...ir.types import Int
from . import area
from .area import Area
from .component import element_shape
from .loops import wrapped
from .rom import read_write

__all__ = ["Changes"]


class Changes(wiring.Component):
    """The elements of a vector pass one by one, and again those of the next vector.

    A change of ``least`` or more is kept, and what the element has become is remembered for the
    next vector; a smaller one is not (the delta rule of Neil et al., "Delta Networks for Optimized
    Recurrent Network Computation", 2017). What is kept adds up to what is remembered, exactly.

    Parameters
    ----------
    element
        Type of an element.
    count
        Elements of a vector.
    least
        Least change in magnitude that is kept, 1 or more.
    name
        In front of its ports' names.

    Attributes
    ----------
    value, passes
        An element, and whether it passes now.
    fresh
        1 while nothing is to be remembered: elements were 0.
    change, kept
        By how much it has changed, and whether that is kept; 0 if it is not.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(self, element: Int, count: int, least: int, *, name: str) -> None:
        self._element, self._count, self._least = element, count, least
        self.name = f"{name}_changes"
        self.type = Int.fit(
            min(element.lo, 0) - max(element.hi, 0), max(element.hi, 0) - min(element.lo, 0)
        )
        ports = {
            "value": In(element_shape(element)),
            "passes": In(1),
            "fresh": In(1),
            "change": Out(signed(self.type.width)),
            "kept": Out(1),
        }
        super().__init__({f"{name}_{port}": flow for port, flow in ports.items()})
        for port in ports:
            setattr(self, port, getattr(self, f"{name}_{port}"))

    def area(self) -> Area:
        """What is remembered, the difference, and its comparison."""
        width = self._element.width
        total = area.adder(self.type.width) + Area(lut=2 * width + self.type.width + 2)
        total += area.comparison(self.type.width) * (1 + (self._least > 1))
        if self._count == 1:
            return total + area.registers(width)
        return (
            total
            + area.ram(self._count, width, registered=False)
            + area.control((self._count - 1).bit_length())
        )

    def elaborate(self, platform):
        m = Module()
        shape = element_shape(self._element)
        before = Signal(shape, name="before")
        difference = Signal(signed(self.type.width), name="difference")
        after = Signal(shape, name="after")
        m.d.comb += difference.eq(self.value - before)
        if self._least > 1:
            small = (difference < self._least) & (difference > -self._least)
            m.d.comb += self.kept.eq(~small)
        else:
            m.d.comb += self.kept.eq(difference.any())
        m.d.comb += [
            self.change.eq(Mux(self.kept, difference, 0)),
            after.eq(Mux(self.kept, self.value, before)),
        ]
        if self._count == 1:
            remembered = Signal(shape, name="remembered", reset_less=True)
            with m.If(self.passes):
                m.d.sync += remembered.eq(after)
            m.d.comb += before.eq(Mux(self.fresh, 0, remembered))
            return m
        index = Signal(range(self._count), name="index")
        with m.If(self.passes):
            m.d.sync += index.eq(wrapped(index, self._count))
        write, read = read_write(m, "remembered", self._element.width, self._count, "comb")
        data = Signal(shape, name="read_element")
        m.d.comb += [
            read.addr.eq(index),
            data.eq(read.data),
            before.eq(Mux(self.fresh, 0, data)),
            write.addr.eq(index),
            write.data.eq(after),
            write.en.eq(self.passes),
        ]
        return m
