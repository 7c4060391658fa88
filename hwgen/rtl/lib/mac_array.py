"""The folded form of dense layers and convolutions: an array of multipliers, weights in ROM.

``parallel`` groups x ``pe`` outputs x ``simd`` inputs are multiplied in every cycle. Inputs wait in
a line buffer, a circular memory of whole image rows (two frames for a dense layer) from which a
nest of loops reads every window as soon as its pixels have arrived, while the next rows or the
next frame come in. So the multipliers never wait for a layer that is fed fast enough: the interval is
exactly the number of products divided by the number of multipliers. (A matrix-vector unit
with a sliding window in front of it, after FINN: Umuroglu et al., 2017, section 4; the windows are
read in place here instead of being streamed.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.memory import Memory

from ...ir.code import WeightCode
from ...ir.schedule import Schedule
from ...ops.lib.window import Window
from ..codes import weight_lane
from ..design import StreamShape
from .accumulators import accumulate
from .component import StreamComponent
from .intake import intake
from .loops import Loop, LoopNest
from .mac_area import mac_area
from .mac_timing import MacTiming

__all__ = ["Folding", "MacArray"]

_LEVELS_PER_STAGE = 3  # levels of the adder tree between registers


@dataclass(frozen=True)
class Folding:
    """How the loops of a layer are spread over an array of multipliers.

    Attributes
    ----------
    window
        Image and kernel geometry; a dense layer is a 1x1 image under a 1x1 kernel.
    inputs, outputs, groups
        Channels.
    schedule
        A folded schedule.
    """

    window: Window
    inputs: int
    outputs: int
    groups: int
    schedule: Schedule

    @property
    def in_lanes(self) -> int:
        return self.schedule.simd * self.schedule.parallel

    @property
    def out_lanes(self) -> int:
        return self.schedule.pe * self.schedule.parallel

    @property
    def position_beats(self) -> int:
        """Input beats of one pixel."""
        return self.inputs // self.in_lanes

    @property
    def row_beats(self) -> int:
        return self.window.width * self.position_beats

    @property
    def frame_beats(self) -> int:
        return self.window.height * self.row_beats

    @property
    def rows(self) -> int:
        """Rows of the line buffer.

        Enough for the windows of two rows of outputs, and for the last row of one frame
        together with the first row of the next.
        """
        (kh, _), (sh, _), (ph, _) = self.window.kernel, self.window.stride, self.window.padding
        return min(2 * self.window.height, max(kh + sh, 2 * (kh - ph)))

    @property
    def loops(self) -> list[Loop]:
        kh, kw = self.window.kernel
        group_folds = self.groups // self.schedule.parallel
        return [
            Loop("row", self.window.out_height),
            Loop("column", self.window.out_width),
            Loop("group", group_folds),
            Loop("neuron", self.outputs // self.groups // self.schedule.pe),
            Loop("kernel_row", kh),
            Loop("kernel_column", kw),
            Loop("channel", self.position_beats // group_folds),
        ]

    @property
    def beat_strides(self) -> dict[str, int]:
        """By how many input beats a step of each loop moves."""
        channel_turns = self.loops[-1].turns
        sh, sw = self.window.stride
        return {
            "row": sh * self.row_beats,
            "column": sw * self.position_beats,
            "group": channel_turns,
            "kernel_row": self.row_beats,
            "kernel_column": self.position_beats,
            "channel": 1,
        }

    @property
    def first_beat(self) -> int:
        """Index, within the frame, of the beat at the first step; negative in the padding."""
        ph, pw = self.window.padding
        return -ph * self.row_beats - pw * self.position_beats

    @property
    def sums(self) -> int:
        """Steps of one accumulation."""
        return math.prod(loop.turns for loop in self.loops[-3:])

    @property
    def weight_words(self) -> int:
        """Depth of the weight ROM."""
        return math.prod(loop.turns for loop in self.loops[2:])

    def arrange(self, weights: np.ndarray) -> np.ndarray:
        """Weights (C_out, kh, kw, C_in / groups) as (words, parallel, pe, simd), ROM order."""
        s = self.schedule
        kh, kw = self.window.kernel
        depth = self.inputs // self.groups
        each = self.outputs // self.groups
        shaped = weights.reshape(
            self.groups // s.parallel,
            s.parallel,
            each // s.pe,
            s.pe,
            kh,
            kw,
            depth // s.simd,
            s.simd,
        )
        # group fold, neuron fold, kernel row, kernel column, channel fold | parallel, pe, simd
        return shaped.transpose(0, 2, 4, 5, 6, 1, 3, 7).reshape(-1, s.parallel, s.pe, s.simd)

    def arrange_bias(self, bias: np.ndarray) -> np.ndarray:
        """Bias (C_out,) as (group folds x neuron folds, parallel, pe)."""
        s = self.schedule
        each = self.outputs // self.groups
        shaped = bias.reshape(self.groups // s.parallel, s.parallel, each // s.pe, s.pe)
        return shaped.transpose(0, 2, 1, 3).reshape(-1, s.parallel, s.pe)

    @property
    def tree_stages(self) -> int:
        """Registers in the adder tree."""
        levels = math.ceil(math.log2(self.schedule.simd))
        return -(-levels // _LEVELS_PER_STAGE)

    @property
    def stages(self) -> int:
        """Registers between the read of a beat and the accumulator: memory, product, tree."""
        return 2 + self.tree_stages


class MacArray(StreamComponent):
    """A dense layer or a convolution on a folded array of multipliers.

    Parameters
    ----------
    folding
        Loops and lanes.
    weights, bias
        A code that decodes to the layer's weights, and (C_out,) integers.
    source, target
        The streams; ``target``'s element holds every result, so the accumulator may wrap on its
        way there.
    """

    def __init__(
        self,
        folding: Folding,
        weights: WeightCode,
        bias: np.ndarray,
        source: StreamShape,
        target: StreamShape,
    ) -> None:
        self._folding = folding
        self._source = weight_lane(weights).source(folding)
        self._bias = folding.arrange_bias(bias)
        super().__init__((source,), target)

    def timing(self):
        return [MacTiming(self._folding, self._source.delay)]

    def area(self):
        source = self.inputs[0].element
        return mac_area(
            self._folding,
            self._source.area(),
            self._bias.reshape(len(self._bias), -1),
            self._source.product_area(source),
            self._source.product_width(source),
            source,
            self.output.element,
            _LEVELS_PER_STAGE,
        )

    def elaborate(self, platform):
        m = Module()
        f, s = self._folding, self._folding.schedule
        depth = f.rows * f.row_beats

        # The line buffer. ``ahead`` counts the beats written since the first one of the frame that
        # is being read; ``limit`` is how far it may go before it overwrites what is still needed.
        m.submodules.line_buffer = memory = Memory(
            shape=len(self.i.payload.as_value()), depth=depth, init=[]
        )
        write = memory.write_port()
        read = memory.read_port()
        reach = depth + (f.window.height + f.window.kernel[0]) * f.row_beats
        ahead = Signal(signed(reach.bit_length() + 1))
        limit = Signal(signed(reach.bit_length() + 1), init=depth)
        taken, write_address = intake(m, self.i, ahead < limit, depth)
        m.d.comb += [
            write.addr.eq(write_address),
            write.data.eq(self.i.payload.as_value()),
            write.en.eq(taken),
        ]

        # The loops: one step a cycle, unless its beat has not come yet or the output is blocked.
        enable = Signal()
        step = Signal()
        nest = LoopNest(m, f.loops, step)
        beat = nest.affine("beat", f.beat_strides, start=f.first_beat)
        address = nest.affine(
            "read_address",
            f.beat_strides,
            start=f.first_beat,
            restart=f.frame_beats,
            modulo=depth,
        )
        inside = self._inside(m, nest)
        m.d.comb += [
            step.eq(enable & (~inside | (beat < ahead))),
            read.addr.eq(address),
            read.en.eq(enable),
        ]
        read_frame = Signal(range(f.frame_beats + 1))
        m.d.comb += read_frame.eq(Mux(step & nest.done, f.frame_beats, 0))
        m.d.sync += ahead.eq(ahead + taken - read_frame)
        self._move_limit(m, nest, step, limit, depth)

        # Flags that travel along with the data.
        stages = f.stages + self._source.delay
        first = Signal(init=1)
        with m.If(step):
            m.d.sync += first.eq(nest.ends["kernel_row"])
        valid_q = [Signal(name=f"valid_q{k}") for k in range(stages)]
        first_q = [Signal(name=f"first_q{k}") for k in range(stages)]
        last_q = [Signal(name=f"last_q{k}") for k in range(stages)]
        inside_q = Signal(name="in_image_q")
        with m.If(enable):
            m.d.sync += [
                Cat(valid_q).eq(Cat(step, *valid_q[:-1])),
                Cat(first_q).eq(Cat(first, *first_q[:-1])),
                Cat(last_q).eq(Cat(nest.ends["kernel_row"], *last_q[:-1])),
                inside_q.eq(inside),
            ]

        pixels = Signal.like(self.i.payload, name="pixels")
        m.d.comb += pixels.as_value().eq(Mux(inside_q, read.data, 0))
        for k in range(self._source.delay):
            held = Signal.like(pixels, name=f"pixels_q{k}", reset_less=True)
            with m.If(enable):
                m.d.sync += held.eq(pixels)
            pixels = held
        words = self._source.fields(m, nest, step, enable)
        sums = [
            self._multiply(
                m, enable, [pixels[p * s.simd + k] for k in range(s.simd)], words[p][o], f"{p}_{o}"
            )
            for p in range(s.parallel)
            for o in range(s.pe)
        ]

        bias = self._bias.reshape(len(self._bias), -1)
        accumulate(m, self.o, sums, bias, enable, valid_q[-1], first_q[-1], last_q[-1])
        return m

    def _inside(self, m: Module, nest: LoopNest):
        """1 where the window's position lies in the image, not in the padding."""
        w = self._folding.window
        inside = Const(1, 1)
        for axis, (size, name) in enumerate(((w.height, "row"), (w.width, "column"))):
            if not w.padding[axis]:
                continue
            at = nest.affine(
                f"image_{name}",
                {name: w.stride[axis], f"kernel_{name}": 1},
                start=-w.padding[axis],
            )
            inside = inside & (at >= 0) & (at < size)
        result = Signal(name="in_image")
        m.d.comb += result.eq(inside)
        return result

    def _move_limit(self, m: Module, nest: LoopNest, step, limit: Signal, depth: int) -> None:
        """Free the rows above the next row of windows."""
        f = self._folding
        stride, pad = f.window.stride[0], f.window.padding[0]
        if f.window.out_height == 1:
            return
        top = nest.affine("top", {"row": stride}, start=-pad)
        # The first window that starts below the image's first row frees only a part of a stride.
        partial = -pad % stride or stride
        with m.If(step & nest.done):
            m.d.sync += limit.eq(depth)
        with m.Elif(step & nest.ends["column"]):
            with m.If(top > 0):
                m.d.sync += limit.eq(limit + stride * f.row_beats)
            with m.Elif(top + stride > 0):
                m.d.sync += limit.eq(limit + partial * f.row_beats)

    def _multiply(self, m: Module, enable, pixels: list, weights: list, name: str):
        """Products and their sum, registered; the last stage's wire."""
        terms = []
        for k, (pixel, weight) in enumerate(zip(pixels, weights, strict=True)):
            value = self._source.product(pixel, weight)
            product = Signal(value.shape(), name=f"product_{name}_{k}", reset_less=True)
            with m.If(enable):
                m.d.sync += product.eq(value)
            terms.append(product)
        level = 0
        while len(terms) > 1:
            level += 1
            pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
            # Registers after every third level and after the last one.
            registered = level % _LEVELS_PER_STAGE == 0 or len(pairs) == 1
            following = []
            for k, pair in enumerate(pairs):
                value = pair[0] + pair[1] if len(pair) == 2 else pair[0]
                total = Signal(value.shape(), name=f"sum_{name}_{level}_{k}", reset_less=True)
                if registered:
                    with m.If(enable):
                        m.d.sync += total.eq(value)
                else:
                    m.d.comb += total.eq(value)
                following.append(total)
            terms = following
        return terms[0]
