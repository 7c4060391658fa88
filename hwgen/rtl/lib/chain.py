"""Components in a row as one component."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import wiring

from .area import Area
from .component import StreamComponent

__all__ = ["Chain"]


class Chain(StreamComponent):
    """``parts`` one behind the other, by name; each has one input."""

    def __init__(self, **parts: StreamComponent) -> None:
        self._parts = parts
        every = list(parts.values())
        super().__init__(every[0].inputs, every[-1].output)

    def timing(self):
        return [model for part in self._parts.values() for model in part.timing()]

    def area(self):
        return sum((part.area() for part in self._parts.values()), Area())

    def elaborate(self, platform):
        m = Module()
        stream = wiring.flipped(self.i)
        for name, part in self._parts.items():
            m.submodules[name] = part
            wiring.connect(m, stream, part.i)
            stream = part.o
        wiring.connect(m, stream, wiring.flipped(self.o))
        return m
