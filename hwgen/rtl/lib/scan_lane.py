"""One scanning lane: mask bits by the window, a queue of windows, one kept weight a clock."""

from __future__ import annotations

import numpy as np
from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from ...ops.lib.scan import queue_depth
from ..codes import WeightLane
from ..design import StreamShape
from . import area
from .area import Area
from .component import element_shape
from .lfsr import Lfsr
from .loops import wrapped
from .serial_weights import next_weight, weights_area

__all__ = ["STAGES", "ScanLane"]

STAGES = 3  # registers behind a step: position, input and weight, product


class ScanLane(wiring.Component):
    """Finds the kept inputs of an output and multiplies them, one a clock.

    The register draws a window of mask bits a clock. Windows in which a bit is 1 wait in a queue;
    from its head the positions of the ones are taken, lowest first, and become addresses of a copy
    of the input. How many clocks that takes says :func:`hwgen.ops.lib.scan.scan_clocks`.

    Parameters
    ----------
    register
        Shift register with a window of mask bits.
    lane
        How a weight is stored and multiplied.
    weights
        The kept weights of the lane's outputs, one output after the other.
    first
        Weights that the first of them keeps.
    most
        Most weights that an output keeps.
    inputs
        Inputs of the layer.
    source
        The stream of its inputs; the lanes of a beat divide a window.

    Attributes
    ----------
    beat, beat_address, beat_taken
        What is written to the copy of the input, of two frames.
    half
        1 while the second one of them is being read.
    step
        1 in the cycles in which the lane goes on.
    enable
        1 in the cycles in which the registers behind it move.
    seed, count
        State of the register for the next output, and the weights that it keeps.
    turn
        In a step: begin with the next output.
    done
        1 when the step finds the last kept input of the output, or has found it before.
    product
        The product, ``STAGES`` cycles after its step; 0 where the step found no input.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(
        self,
        register: Lfsr,
        lane: WeightLane,
        weights: np.ndarray,
        first: int,
        most: int,
        inputs: int,
        source: StreamShape,
    ) -> None:
        self._register, self._lane, self._weights = register, lane, weights
        self._first, self._inputs, self._source = first, inputs, source
        self._window = len(register.mask)
        self._windows = -(-inputs // self._window)
        self._element = element_shape(source.element)
        self._shape = lane.product(Signal(self._element), Signal(lane.bits)).shape()
        super().__init__(
            {
                "beat": In(source.lanes * source.width),
                "beat_address": In(range(2 * source.beats)),
                "beat_taken": In(1),
                "half": In(1),
                "step": In(1),
                "enable": In(1),
                "seed": In(len(register.state)),
                "count": In(range(most + 1)),
                "turn": In(1),
                "done": Out(1),
                "product": Out(self._shape),
            }
        )

    def area(self) -> Area:
        """The register, the queue, the copy of the input, the weights, the product."""
        size, index = self._window, max(1, (self._windows - 1).bit_length())
        depth = queue_depth(self._windows)
        source, position = self._source, (self._windows * size - 1).bit_length()
        total = self._register.area()
        total += area.ram(depth, size + index, registered=False)
        total += area.control(3 * (depth - 1).bit_length() + index + len(self.count) + 6)
        total += Area(lut=3 * size, ff=size)  # the lowest one, and what is left of the window
        total += area.ram(2 * source.beats, source.lanes * source.width)
        total += area.selection(source.lanes, source.width)
        total += Area(lut=position, ff=position + STAGES * (source.lanes.bit_length() - 1))
        total += weights_area(self._lane.encode(self._weights), self._lane.bits)
        return total + self._lane.area(source.element) + area.registers(len(self.product))

    def elaborate(self, platform):
        m = Module()
        found = Signal()
        position = Signal(range(self._windows * self._window))
        leave = Signal()  # the oldest window's last one is found
        waiting, window, index = self._queue(m, *self._scan(m), leave)
        self._next_one(m, waiting, window, index, found, position, leave)

        # What is left of the output.
        left = Signal.like(self.count, init=self._first)
        after = Signal.like(self.count)
        m.d.comb += [after.eq(left - found), self.done.eq(after == 0)]
        with m.If(self.step):
            m.d.sync += left.eq(Mux(self.turn, self.count, after))

        self._multiply(m, found, position)
        return m

    def _scan(self, m: Module):
        """Windows of mask bits: one that is to be kept, its index, and whether there is room for it."""
        count, size = self._windows, self._window
        m.submodules.lfsr = register = self._register
        index = Signal(range(max(2, count)), name="window_index")
        scanned = Signal()  # all windows of the output
        room = Signal()
        window = Signal(size)
        look = Signal()
        m.d.comb += [
            look.eq(self.step & ~scanned & room),
            register.advance.eq(look | (self.step & self.turn)),
            register.load.eq(self.turn),
            register.seed.eq(self.seed),
            window.eq(register.mask),
        ]
        last = index == count - 1
        rest = self._inputs - (count - 1) * size
        if rest < size:  # no inputs lie behind the last one
            with m.If(last):
                m.d.comb += window.eq(register.mask & ((1 << rest) - 1))
        with m.If(self.step & self.turn):
            m.d.sync += [index.eq(0), scanned.eq(0)]
        with m.Elif(look):
            m.d.sync += [index.eq(Mux(last, 0, index + 1)), scanned.eq(last)]
        return look & window.any(), window, index, room

    def _queue(self, m: Module, push, window, index, room, leave):
        """The windows that wait: whether there is one, and the oldest one with its index."""
        depth = queue_depth(self._windows)
        size = len(window)
        m.submodules.queue = storage = Memory(shape=size + len(index), depth=depth, init=[])
        write = storage.write_port()
        read = storage.read_port(domain="comb")
        write_index = Signal(range(depth))
        read_index = Signal(range(depth))
        level = Signal(range(depth + 1))
        m.d.comb += [
            room.eq(level != depth),
            write.addr.eq(write_index),
            write.data.eq(Cat(window, index)),
            write.en.eq(push),
            read.addr.eq(read_index),
        ]
        with m.If(push):
            m.d.sync += write_index.eq(wrapped(write_index, depth))
        with m.If(leave):
            m.d.sync += read_index.eq(wrapped(read_index, depth))
        m.d.sync += level.eq(level + push - leave)
        return level != 0, read.data[:size], read.data[size:]

    def _next_one(self, m: Module, waiting, window, index, found, position, leave) -> None:
        """The lowest bit of the oldest window that has not been taken yet."""
        taken = Signal(len(window))
        rest = Signal(len(window))
        others = Signal(len(window))
        lowest = Signal(range(len(window)))
        m.d.comb += [
            found.eq(self.step & waiting),
            rest.eq(window & ~taken),
            others.eq(rest & (rest - 1)),
            leave.eq(found & ~others.any()),
            position.eq(Cat(lowest, index)),
        ]
        for k in reversed(range(len(window))):
            with m.If(rest[k]):
                m.d.comb += lowest.eq(k)
        with m.If(found):
            m.d.sync += taken.eq(Mux(others.any(), ~others & window, 0))

    def _multiply(self, m: Module, found, position) -> None:
        """Position, then input and weight, then the product: a register each."""
        lanes, beats = self._source.lanes, self._source.beats
        part = lanes.bit_length() - 1  # bits of a position within a beat
        m.submodules.inputs = inputs = Memory(shape=len(self.beat), depth=2 * beats, init=[])
        # Names of their own, since the queue has ports as well.
        shape = {"addr_width": len(self.beat_address), "shape": len(self.beat)}
        write = WritePort(
            WritePort.Signature(**shape), memory=inputs, domain="sync", path=("beat_write",)
        )
        read = ReadPort(
            ReadPort.Signature(**shape), memory=inputs, domain="sync", path=("beat_read",)
        )
        address = Signal(range(2 * beats), reset_less=True)
        m.d.comb += [
            write.addr.eq(self.beat_address),
            write.data.eq(self.beat),
            write.en.eq(self.beat_taken),
            read.addr.eq(address),
            read.en.eq(self.enable),
        ]
        found_q = [Signal(name=f"found_q{k}") for k in range(STAGES - 1)]
        part_q = [Signal(part, name=f"part_q{k}", reset_less=True) for k in range(STAGES - 1)]
        with m.If(self.enable):
            m.d.sync += [
                address.eq(Mux(self.half, beats, 0) + (position >> part)),
                Cat(found_q).eq(Cat(found, *found_q[:-1])),
                Cat(part_q).eq(Cat(position[:part], *part_q[:-1])),
            ]
        fields = self._lane.encode(self._weights)
        taken = self.enable & found_q[0]
        weight = next_weight(m, "weight", fields, self._lane.bits, taken, self.enable)
        pixel = Signal(self._element)
        m.d.comb += pixel.eq(read.data.word_select(part_q[-1], self._source.width))
        product = Signal(self._shape, name="product_q", reset_less=True)
        with m.If(self.enable):
            m.d.sync += product.eq(self._lane.product(Mux(found_q[-1], pixel, 0), weight))
        m.d.comb += self.product.eq(product)
