"""What every layer in hardware is: a component with streams of lanes, and declared timing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

import numpy as np
from amaranth import signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ...errors import Unsupported
from ...ir.op import Op
from ...ir.schedule import Schedule
from ...ir.types import Int, Type
from ..design import ColumnMemory, StreamShape
from .area import Area
from .registers import Registers
from .timing import Timing

__all__ = ["StreamComponent", "element_shape", "generates", "generator", "lanes_layout"]


def element_shape(element: Int):
    """An integer type as an Amaranth shape."""
    return signed(element.width) if element.signed else unsigned(element.width)


def lanes_layout(shape: StreamShape) -> data.ArrayLayout:
    """The payload of one beat: an array of lanes."""
    return data.ArrayLayout(element_shape(shape.element), shape.lanes)


class StreamComponent(wiring.Component):
    """A layer: input stream ``i`` (a second one is ``j``), output stream ``o``, full back-pressure.

    Parameters
    ----------
    inputs, output
        Shapes of the streams.
    more
        Ports beside them.

    Attributes
    ----------
    timing
        The handshake behaviour, cycle by cycle: interval and latency follow from it.
    area
        An estimate of what it takes of an FPGA.
    timing_is_bound
        Whether it is sometimes faster than its timing, depending on the data.
    notes
        Sentences that the head of its Verilog says beside what the op says.
    """

    timing_is_bound = False
    notes: tuple[str, ...] = ()

    # Networks are also made for their timing alone; Amaranth need not warn of those.
    _MustUse__silence = True

    def __init__(
        self,
        inputs: tuple[StreamShape, ...],
        output: StreamShape,
        more: Mapping[str, wiring.Member] | None = None,
    ) -> None:
        self.inputs = inputs
        self.output = output
        ports = {
            name: In(stream.Signature(lanes_layout(shape)))
            for name, shape in zip("ij", inputs, strict=False)
        }
        ports["o"] = Out(stream.Signature(lanes_layout(output)))
        super().__init__(ports | dict(more or {}))

    def timing(self) -> list[Timing]:
        """Fresh timing models, to be chained: what the component does to its handshakes."""
        raise NotImplementedError(f"{type(self).__name__} must declare its timing")

    def area(self) -> Area:
        """What the component takes of a device with tables of six inputs, in closed form."""
        raise NotImplementedError(f"{type(self).__name__} must declare its area")

    def memory(self, name: str) -> ColumnMemory | None:
        """What it asks for weights, called ``name``, through ports ``columns`` and ``weights``."""
        return None

    def image(self) -> np.ndarray:
        """The content of that memory: uint8, shape (words, bytes of a word)."""
        raise NotImplementedError(f"{type(self).__name__} has no memory beside it")

    def registers(self) -> Registers | None:
        """What the bytes of its frames mean, where a host shall write and read them in registers."""
        return None


Factory = Callable[[Op, tuple[Type, ...], Type, Schedule, str], StreamComponent]

_GENERATORS: dict[type[Op], Factory] = {}


def generates(op: type[Op]) -> Callable[[Factory], Factory]:
    """Decorator: ``factory(op, input types, result type, schedule, name)`` makes the hardware of an op.

    ``name`` is the module's full name, for what the component emits beside itself.
    """

    def decorate(factory: Factory) -> Factory:
        _GENERATORS[op] = factory
        return factory

    return decorate


def generator(op: Op) -> Factory:
    """The hardware generator of ``op``; its file ``hwgen/rtl/<op name>.py`` is imported if need be."""
    if type(op) not in _GENERATORS:
        package = f"{__package__.rpartition('.')[0]}"
        try:
            importlib.import_module(f"{package}.{op.name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{op.name}":
                raise
    if type(op) not in _GENERATORS:
        raise Unsupported(
            f"op {op.name!r} has no Verilog generator; it can run on the C target only"
        )
    return _GENERATORS[type(op)]
