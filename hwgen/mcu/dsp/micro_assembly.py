"""Instructions of the dot product micro-kernels on cores with DSP extensions.

One hardware loop; its body is one step. Loads are placed so that no instruction follows a load of
one of its operands at once, which would stall for a cycle. Four weights are multiplied an
instruction, and a block of C x P accumulators needs C + P loads for C * P of them.

Weights of 4 and 2 bits are multiplied in place: field f of all bytes of a word, shifted to the
bytes' top, are four weights times 2^(8 - bits), and so are the accumulators until the end. The
lowest field needs a shift only, the highest a mask only.

Where a byte holds weights of several channels, no field is ever alone: a byte is the sum of its
fields, each times its place, and shifted left it is the sum without the highest. So are the
accumulators, of which differences give the channels' sums at the end: a load or a shift for every
instruction that multiplies, as with weights of 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..weights import Packing
from .isa import INSTRUCTIONS

__all__ = ["REGISTERS", "Assembly", "Operand", "assembly", "base", "dsp"]

# Where accumulators live. Left to clang, all of them are spilled behind the loop.
REGISTERS = (*(f"s{i}" for i in range(1, 12)), "t3", "t4", "t5", "t6", "a7")

_HELD_PIXELS = 2  # up to here the words of a step's weights stay in registers, else they are reread


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand of an ``__asm__`` block.

    Attributes
    ----------
    name
        In assembly.
    constraint
        As C writes it.
    value
        C expression: of an output a variable.
    """

    name: str
    constraint: str
    value: str


@dataclass(frozen=True, slots=True)
class Assembly:
    """The ``__asm__`` block of a micro-kernel.

    Attributes
    ----------
    before, body
        Instructions before the loop and of one step, as C string expressions.
    counter
        Operand that holds the number of steps.
    temporaries
        C variables and their first values, which are empty for most.
    outputs, inputs
        Operands.
    after
        Instructions and labels behind the loop.
    """

    before: tuple[str, ...]
    body: tuple[str, ...]
    counter: str
    temporaries: dict[str, str]
    outputs: tuple[Operand, ...]
    inputs: tuple[Operand, ...]
    after: tuple[str, ...] = ()


def assembly(unsigned: bool, packing: Packing, channels: int, pixels: int) -> Assembly:
    """The block for data of one signedness, a packing of weights, and a shape.

    Its C variables are the accumulators ``a<channel><pixel>``, which begin with the bias if
    weights are of 8 bits and at zero otherwise, the pointers ``v`` to weights and ``x0`` to data,
    and the temporaries; of weights of one bit also the sums ``s<pixel>`` of the data.
    """
    kernel = _Kernel(unsigned, packing, channels, pixels)
    if packing.is_nested:
        return kernel.nested_fields()
    if packing.is_power:
        return kernel.powers() if pixels <= _HELD_PIXELS else kernel.reread_powers()
    if packing.bits == 8:
        return kernel.whole_bytes()
    return kernel.held_fields() if pixels <= _HELD_PIXELS else kernel.reread_fields()


def dsp(mnemonic: str, *operands: str) -> str:
    """An instruction of the DSP extensions."""
    spots = (f'"{o}"' if o.isdigit() else f'"%[{o}]"' for o in operands)
    return f"{INSTRUCTIONS[mnemonic].macro}({', '.join(spots)})"


def base(text: str) -> str:
    """An instruction of the base ISA; names of operands stand in brackets."""
    return '"' + text.replace("[", "%[") + '\\n"'


class _Kernel:
    """The schedules, and what they share."""

    def __init__(self, unsigned: bool, packing: Packing, channels: int, pixels: int) -> None:
        self.bits, self.is_nested = packing.bits, packing.is_nested
        self.is_power = packing.is_power
        self.channels, self.pixels = channels, pixels
        self.fields = 8 // self.bits
        self.dot = "pv.sdotusp.b" if unsigned else "pv.sdotsp.b"
        self.sums = [f"a{c}{p}" for c in range(channels) for p in range(pixels)]
        if self.bits == 1:
            self.sums += [f"s{p}" for p in range(pixels)]

    def whole_bytes(self) -> Assembly:
        """8-bit weights: a word a channel and a word a pixel.

        Of a single pixel two words of weights are in registers at a time, else those of all
        channels and of two pixels.
        """
        count = 2 if self.pixels == 1 else self.channels
        words = [f"w{c}" for c in range(count)]
        data = [f"y{i}" for i in range(min(self.pixels, 2))]
        body = [self.load(p, y) for p, y in enumerate(data)]
        body += [dsp("p.lw", w, "4", "v") for w in words]
        for p in range(self.pixels):
            y = data[p % 2]
            for c in range(self.channels):
                w = words[c % count]
                body.append(self.multiply(c, p, y, w))
                if c + count < self.channels:
                    body.append(dsp("p.lw", w, "4", "v"))
            if p + 2 < self.pixels:
                body.append(self.load(p + 2, y))
        before = [base(f"lw [a{c}0], {4 * c}([w1])") for c in range(self.channels)]
        before += [
            base(f"mv [a{c}{p}], [a{c}0]")
            for c in range(self.channels)
            for p in range(1, self.pixels)
        ]
        starts = {"w0": "(uint32_t)steps", "w1": "(uint32_t)(uintptr_t)bias"}
        return self.block(before, body, [*words, *data], starts)

    def held_fields(self) -> Assembly:
        """Narrow weights: the words of a step stay in registers while their fields are used."""
        words = [f"w{c}" for c in range(self.channels)]
        data = [f"y{p}" for p in range(self.pixels)]
        body = [dsp("p.lw", w, "4", "v") for w in words]
        for field in range(self.fields):
            body += [self.load(p, y) for p, y in enumerate(data)]
            for c, w in enumerate(words):
                weights = "t" if field < self.fields - 1 else w
                body += self.unpack(field, weights, w)
                body += [self.multiply(c, p, y, weights) for p, y in enumerate(data)]
        starts = {"w0": "(uint32_t)steps"}
        return self.block(self.zeros(), body, [*words, "t", *data], starts)

    def reread_fields(self) -> Assembly:
        """The same with too many pixels for that: the words are loaded again for every field."""
        words, data = ("w0", "w1"), [f"y{p}" for p in range(self.pixels)]
        body = []

        def load_weights(field: int, channel: int) -> str:
            word = words[channel % 2]
            if field == self.fields - 1:
                return dsp("p.lw", word, "4", "v")
            return base(f"lw [{word}], {4 * channel}([v])")

        for field in range(self.fields):
            body.append(load_weights(field, 0))
            body += [self.load(p, y) for p, y in enumerate(data)]
            for c in range(self.channels):
                if c + 1 < self.channels:
                    body.append(load_weights(field, c + 1))
                word = words[c % 2]
                body += self.unpack(field, word, word)
                body += [self.multiply(c, p, y, word) for p, y in enumerate(data)]
        starts = {"w0": "(uint32_t)steps"}
        return self.block(self.zeros(), body, [*words, *data], starts)

    def nested_fields(self) -> Assembly:
        """Words of several channels: multiplied, shifted by a field, multiplied, and so on."""
        count = self.channels // self.fields
        words = [f"w{i}" for i in range(min(count, 2))]
        data = [f"y{p}" for p in range(self.pixels)]
        body = [dsp("p.lw", w, "4", "v") for w in words]
        body += [self.load(p, y) for p, y in enumerate(data)]
        for i in range(count):
            word, top = words[i % 2], (i + 1) * self.fields - 1
            body.append(self.shift("t", word))
            if self.bits == 1 and i == 0:
                body += [self.accumulate(f"s{p}", y, "ones") for p, y in enumerate(data)]
            body += [self.multiply(top, p, y, word) for p, y in enumerate(data)]
            if i + 2 < count:
                body.append(dsp("p.lw", word, "4", "v"))
            for c in range(top - 1, top - self.fields, -1):
                body += [self.multiply(c, p, y, "t") for p, y in enumerate(data)]
                if c > top - self.fields + 1:
                    body.append(self.shift("t", "t"))
        return self.block(self.zeros(), body, [*words, "t", *data], {"w0": "(uint32_t)steps"})

    def powers(self) -> Assembly:
        """Powers of two: of every byte 64 or -64 by its sign, then shifted by its other bits."""
        words = ("w0", "w1")
        data = [[f"y{f}{p}" for p in range(self.pixels)] for f in range(2)]
        body = [dsp("p.lw", "w0", "4", "v")]
        body += [self.load(p, y) for row in data for p, y in enumerate(row)]
        for c in range(self.channels):
            w = words[c % 2]
            body += [base(f"slli [t], [{w}], 4"), base(f"srli [u], [{w}], 4")]
            body += self.signed("t", "t")
            body.append(dsp("pv.sra.b", "t", "t", w))
            body += [self.multiply(c, p, y, "t") for p, y in enumerate(data[0])]
            body += self.signed("t", w)
            if c + 1 < self.channels:
                body.append(dsp("p.lw", words[(c + 1) % 2], "4", "v"))
            body.append(dsp("pv.sra.b", "t", "t", "u"))
            body += [self.multiply(c, p, y, "t") for p, y in enumerate(data[1])]
        starts = {"w0": "(uint32_t)steps"}
        return self.block(self.zeros(), body, [*words, "t", "u", *data[0], *data[1]], starts)

    def reread_powers(self) -> Assembly:
        """The same with too many pixels for the data of both fields at a time."""
        data = [f"y{p}" for p in range(self.pixels)]
        body = []
        for field in range(2):
            loads = [base(f"lw [w0], {4 * c}([v])") for c in range(self.channels)]
            if field == 1:
                loads = [dsp("p.lw", "w0", "4", "v")] * self.channels
            body += [loads[0], *(self.load(p, y) for p, y in enumerate(data))]
            for c in range(self.channels):
                if field == 0:
                    body += [base("slli [t], [w0], 4"), *self.signed("t", "t")]
                else:
                    body += [*self.signed("t", "w0"), base("srli [w0], [w0], 4")]
                body.append(dsp("pv.sra.b", "t", "t", "w0"))
                body += loads[c + 1 : c + 2]
                body += [self.multiply(c, p, y, "t") for p, y in enumerate(data)]
        starts = {"w0": "(uint32_t)steps"}
        return self.block(self.zeros(), body, ["w0", "t", *data], starts)

    def signed(self, to: str, word: str) -> list[str]:
        """64 or -64 in every byte, by its highest bit."""
        return [base(f"and [{to}], [{word}], [signs]"), base(f"or [{to}], [{to}], [ones]")]

    def shift(self, to: str, word: str) -> str:
        """All bytes of a word without their highest field."""
        if self.bits == 1:  # the immediate's lowest bit is not in the number
            return dsp("pv.sll.sc.b", to, word, "ones")
        return dsp("pv.sll.sci.b", to, word, str(self.bits // 2))

    def load(self, pixel: int, register: str) -> str:
        """The word of a pixel; the pointer then goes to the next pixel, or on to the next k."""
        if self.pixels == 1:
            return dsp("p.lw", register, "4", "x0")
        return dsp("p.lw.r", register, "x0", "next" if pixel < self.pixels - 1 else "back")

    def multiply(self, channel: int, pixel: int, data: str, weights: str) -> str:
        """Four products."""
        return self.accumulate(f"a{channel}{pixel}", data, weights)

    def accumulate(self, register: str, data: str, weights: str) -> str:
        """Four products with weights that are signed, or bits."""
        if self.bits > 1:
            return dsp(self.dot, register, data, weights)
        if self.dot == "pv.sdotusp.b":
            return dsp("pv.sdotup.b", register, data, weights)
        return dsp("pv.sdotusp.b", register, weights, data)

    def unpack(self, field: int, to: str, word: str) -> list[str]:
        """Four weights of a word, each at the top of a byte."""
        shift = 8 - self.bits * (field + 1)
        steps = [dsp("pv.sll.sci.b", to, word, str(shift // 2))] if shift else []
        if field > 0:  # else the shift has pushed the other fields out
            steps.append(base(f"and [{to}], [{to if shift else word}], [mask]"))
        return steps

    def zeros(self) -> list[str]:
        return [base(f"li [{name}], 0") for name in self.sums]

    def block(
        self, before: list[str], body: list[str], temporaries: list[str], starts: dict[str, str]
    ) -> Assembly:
        """The block. What is needed before the loop only enters in temporaries of the loop."""
        outputs = [Operand(name, "=&r", name) for name in self.sums]
        outputs += [Operand(t, "+&r" if t in starts else "=&r", t) for t in temporaries]
        outputs += [Operand(name, "+&r", name) for name in ("v", "x0")]
        inputs = []
        if self.pixels > 1:
            inputs.append(Operand("next", "r", "stride"))
            inputs.append(Operand("back", "r", f"4 - {self.pixels - 1} * stride"))
        if self.bits == 1:
            inputs.append(Operand("ones", "r", "0x01010101u"))
        elif self.is_power:
            inputs += [Operand("signs", "r", "0x80808080u"), Operand("ones", "r", "0x40404040u")]
        elif self.bits < 8 and not self.is_nested:
            mask = ((1 << self.bits) - 1) << (8 - self.bits)
            inputs.append(Operand("mask", "r", f"{mask * 0x01010101:#010x}u"))
        return Assembly(
            tuple(before),
            tuple(body),
            next(iter(starts)),
            {name: starts.get(name, "") for name in temporaries},
            tuple(outputs),
            tuple(inputs),
        )
