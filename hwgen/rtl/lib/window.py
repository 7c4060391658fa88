"""Windows of a streaming image, one a clock: delay lines with a tap for every kernel position."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.memory import Memory

from ...ir.types import Int
from ...ops.lib.window import Window
from ..design import StreamShape
from . import area
from .component import StreamComponent, element_shape
from .loops import wrapped
from .timing import GAVE, TOOK, Timing

__all__ = ["WindowGenerator", "WindowTiming"]

_REGISTERS = 4  # delays of up to so many beats are registers, longer ones memories


class WindowGenerator(StreamComponent):
    """Gives one beat a window: all its positions, row by row, ``lanes`` elements each.

    The image steps through a line of delays. A step takes one input beat; at positions to the right
    of the image (only where a row has more windows than pixels) and after its last pixel steps
    go on without input until the last window is complete. The next image enters after that.

    Parameters
    ----------
    window
        The geometry.
    source
        The image; ``lanes`` divides the channels, and the folds of a pixel follow each other.
    folds
        Beats of one pixel.
    fill
        Value of the padding.
    """

    def __init__(self, window: Window, source: StreamShape, folds: int, fill: int) -> None:
        self._window, self._folds, self._fill = window, folds, fill
        kh, kw = window.kernel
        target = StreamShape(
            source.lanes * kh * kw, source.width, source.signed, window.positions * folds
        )
        super().__init__((source,), target)

    def timing(self):
        return [WindowTiming(self._window, self._folds)]

    def area(self):
        w, folds = self._window, self._folds
        width = self.inputs[0].lanes * self.inputs[0].width
        total, at = area.Area(), -1
        for offset in sorted(_offsets(w, folds)):
            beats, at = offset - at, offset
            if beats > _REGISTERS:
                total += area.ram(beats - 1, width, ports=1)
                total += area.control((beats - 2).bit_length())
            elif beats > 2:  # a shift register in tables
                total += area.Area(lut=width)
            else:
                total += area.registers(beats * width)
        if any(w.padding):
            total += area.Area(lut=self.output.lanes * self.output.width)
        first_top, first_left = _first_corner(w)
        corner = sum(
            Int.fit(min(first, -1), size).width
            for first, size in ((first_top, w.height), (first_left, w.row))
        )
        bits = 1 + (folds - 1).bit_length() + (w.steps - 1).bit_length() + corner
        if any(w.padding):
            bits += corner
        if w.row > w.width:
            bits += (w.row - 1).bit_length()
        return total + area.control(bits)

    def elaborate(self, platform):
        m = Module()
        w, folds = self._window, self._folds
        (kh, kw), (sh, sw), (ph, pw) = w.kernel, w.stride, w.padding
        step = Signal()
        moves = Signal()
        takes = Signal()
        emits = Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            step.eq(moves & (self.i.valid | ~takes)),
            self.i.ready.eq(moves & takes),
        ]
        with m.If(moves):
            m.d.sync += self.o.valid.eq(step & emits)

        # Where the pixel of this step lies, and the top left corner of the window it completes.
        last_step = Signal()
        fold_end = Signal()
        self._count(m, step, folds, "fold", fold_end)
        steps = Signal(range(max(2, w.steps)))
        column = Signal(range(max(2, w.row)))
        m.d.comb += last_step.eq(fold_end & (steps == w.steps - 1))
        last_pixel = (w.height - 1) * w.row + w.width - 1
        has_pixel = Const(1, 1)
        if w.steps - 1 > last_pixel:
            has_pixel = has_pixel & (steps <= last_pixel)
        if w.row > w.width:
            has_pixel = has_pixel & (column < w.width)
        m.d.comb += takes.eq(has_pixel)
        with m.If(step & fold_end):
            m.d.sync += steps.eq(Mux(last_step, 0, steps + 1))
            m.d.sync += column.eq(Mux(last_step | (column == w.row - 1), 0, column + 1))
        first_top, first_left = _first_corner(w)
        top = Signal(range(min(first_top, -1), w.height + 1), init=first_top)
        left = Signal(range(min(first_left, -1), w.row + 1), init=first_left)
        wraps = left == w.row - 1 - pw
        with m.If(step & fold_end):
            m.d.sync += [
                left.eq(Mux(wraps, -pw, left + 1)),
                top.eq(Mux(wraps, top + 1, top)),
            ]
            with m.If(last_step):
                m.d.sync += [left.eq(first_left), top.eq(first_top)]
        m.d.comb += emits.eq(
            self._on_grid(m, top, -ph, sh, w.out_height, "row")
            & self._on_grid(m, left, -pw, sw, w.out_width, "column")
        )
        top_q = Signal.like(top, name="top_q")
        left_q = Signal.like(left, name="left_q")
        with m.If(step):
            m.d.sync += [top_q.eq(top), left_q.eq(left)]

        # The taps, newest first, and what the padding hides of them.
        fill = Const(self._fill, element_shape(self.inputs[0].element))
        lanes = self.inputs[0].lanes
        rows = [self._hit(m, top_q, k, w.height, ph, f"row{k}") for k in range(kh)]
        columns = [self._hit(m, left_q, k, w.width, pw, f"column{k}") for k in range(kw)]
        width = len(self.i.payload.as_value())
        data = self.i.payload.as_value()
        at = -1
        for offset, positions in sorted(_offsets(w, folds).items()):
            data = self._delay(m, data, offset - at, step, width, "{}_{}".format(*positions[-1]))
            at = offset
            for r, c in positions:
                tap = Signal.like(self.i.payload, name=f"tap_{r}_{c}")
                m.d.comb += tap.as_value().eq(data)
                for lane in range(lanes):
                    index = (r * kw + c) * lanes + lane
                    hidden = ~(rows[r] & columns[c])
                    m.d.comb += self.o.payload[index].eq(Mux(hidden, fill, tap[lane]))
        return m

    @staticmethod
    def _count(m: Module, step, turns: int, name: str, end: Signal) -> None:
        if turns == 1:
            m.d.comb += end.eq(1)
            return
        counter = Signal(range(turns), name=name)
        m.d.comb += end.eq(counter == turns - 1)
        with m.If(step):
            m.d.sync += counter.eq(wrapped(counter, turns))

    @staticmethod
    def _on_grid(m: Module, at: Signal, first: int, stride: int, count: int, name: str):
        """1 where ``at`` is one of ``first + k stride`` for 0 <= k < count."""
        hit = Signal(name=f"{name}_on_grid")
        if stride == 1:
            m.d.comb += hit.eq((at >= first) & (at <= first + count - 1))
        else:
            m.d.comb += hit.eq(Cat(at == first + k * stride for k in range(count)).any())
        return hit

    @staticmethod
    def _hit(m: Module, origin: Signal, tap: int, size: int, padding: int, name: str):
        """1 where a tap lies in the image along one axis."""
        if not padding:
            return Const(1, 1)
        hit = Signal(name=f"{name}_in_image")
        at = Signal(signed(len(origin) + 2), name=f"{name}_at")
        m.d.comb += [at.eq(origin + tap), hit.eq((at >= 0) & (at < size))]
        return hit

    @staticmethod
    def _delay(m: Module, data, beats: int, step, width: int, name: str):
        """``data`` as it was ``beats`` steps ago."""
        if beats <= _REGISTERS:
            for k in range(beats):
                register = Signal(width, name=f"delay_{name}_{k}", reset_less=True)
                with m.If(step):
                    m.d.sync += register.eq(data)
                data = register
            return data
        # The word is read out just before it is overwritten; the read adds one step.
        depth = beats - 1
        m.submodules[f"line_{name}"] = memory = Memory(shape=width, depth=depth, init=[])
        write = memory.write_port()
        read = memory.read_port()
        address = Signal(range(depth), name=f"line_{name}_address")
        with m.If(step):
            m.d.sync += address.eq(wrapped(address, depth))
        m.d.comb += [
            write.addr.eq(address),
            write.data.eq(data),
            write.en.eq(step),
            read.addr.eq(address),
            read.en.eq(step),
        ]
        return read.data


def _offsets(w: Window, folds: int) -> dict[int, list[tuple[int, int]]]:
    """How many steps back the pixels of a window's positions are.

    Where a row is shorter than the kernel, several positions are equally many steps back.
    """
    (kh, kw), offsets = w.kernel, {}
    for r in range(kh):
        for c in range(kw):
            back = ((kh - 1 - r) * w.row + (kw - 1 - c)) * folds
            offsets.setdefault(back, []).append((r, c))
    return offsets


def _first_corner(w: Window) -> tuple[int, int]:
    """Top left corner of the window that the image's first pixel completes, as if it were one."""
    top, left = -(w.kernel[0] - 1), -(w.kernel[1] - 1)
    if left < -w.padding[1]:
        return top - 1, left + w.row
    return top, left


class WindowTiming(Timing):
    """The handshakes of a :class:`WindowGenerator`.

    Attributes
    ----------
    takes, emits
        For every step of a frame, whether it takes a beat and whether it completes a window.
    """

    def __init__(self, window: Window, folds: int) -> None:
        w = window
        top, left = _first_corner(w)
        self.takes: list[bool] = []
        self.emits: list[bool] = []
        for n in range(w.steps):
            row, column = divmod(n, w.row)
            self.takes += [row < w.height and column < w.width] * folds
            (r, r_left), (c, c_left) = (
                divmod(top + w.padding[0], w.stride[0]),
                divmod(left + w.padding[1], w.stride[1]),
            )
            hit = not r_left and not c_left and 0 <= r < w.out_height and 0 <= c < w.out_width
            self.emits += [hit] * folds
            left += 1
            if left == w.row - w.padding[1]:
                left, top = -w.padding[1], top + 1
        self._at = 0
        self._cycle = -1  # of the last step
        self._shown = False  # a window was shown, and it is not known yet when it was taken

    def run(self):
        (source,), (sink,) = self.sources, self.sinks
        offers, freed = source.offers, sink.takes
        at, cycle, shown, moved = self._at, self._cycle, self._shown, 0
        while not shown or freed:
            following = cycle + 1
            if self.takes[at]:
                if not offers:
                    break
                following = max(following, offers.popleft(), source.last + 1)
                if shown:
                    following = max(following, freed.popleft())
                source.last = following
                source.takes.append(following)
                moved |= TOOK
            elif shown:
                following = max(following, freed.popleft())
            cycle, shown = following, self.emits[at]
            if shown:
                sink.offers.append(cycle + 1)
                moved |= GAVE
            at += 1
            if at == len(self.takes):
                at = 0
        self._at, self._cycle, self._shown = at, cycle, shown
        return moved
