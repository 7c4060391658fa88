"""Micro-kernels of binary weights and few-bit data: ``hwgen_bits.h``, from ``kernels/bits.h.j2``.

Data are bit planes: 32 inputs a word, a word for every bit of them. A bit of a weight says -1 in the
place of 1. The ones of a word of weights, exclusive or a word of data, are what the products add up
to and the ones of the weights, which are known. Several counts are packed into a word and added up
by one instruction, which multiplies them with the places of their planes. One instruction packs
three, since a count leaves the byte above it zero, and two pack four.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..templates import TEMPLATES, wrap_code
from .micro_assembly import REGISTERS, Assembly, Operand, base, dsp

__all__ = ["BITS", "Bits", "counts", "render_bits"]


def counts(planes: int) -> int:
    """Words of data of a step."""
    return 3 if planes == 1 else 4


@dataclass(frozen=True, slots=True)
class Bits:
    """``channels`` rows of binary weights times data of ``planes`` bits.

    Attributes
    ----------
    planes
        1, 2 or 4 bits of an input.
    channels
        Accumulators, which stay in registers.
    """

    planes: int
    channels: int

    @property
    def name(self) -> str:
        """Of the C function."""
        return f"hwgen_bits_p{self.planes}_{self.channels}x1"

    @property
    def words(self) -> int:
        """Words of a channel's weights in a step."""
        return self.counts // self.planes

    @property
    def counts(self) -> int:
        """Words of data of a step."""
        return counts(self.planes)

    @property
    def places(self) -> int:
        """The places of a step's words of data, in the bytes of a word."""
        return sum(1 << (i % self.planes) << (8 * i) for i in range(4))

    @property
    def assembly(self) -> Assembly:
        """The loop over steps."""
        loads = [dsp("p.lw", f"t{i}", "4", "v") for i in self._loaded]
        body = loads[:] if self.words == 1 else []  # a single word is loaded ahead
        body += [dsp("p.lw", f"x{i}", "4", "x") for i in range(self.counts)]
        for c in range(self.channels):
            if self.words > 1:
                body += loads
            for first in self._loaded:
                group = [i for i in range(self.counts) if self._source(i) == first]
                for i in sorted(group, key=lambda i: i == first):  # its own place last
                    body.append(base(f"xor [t{i}], [t{first}], [x{i}]"))
            body += [dsp("p.cnt", f"t{i}", f"t{i}") for i in range(self.counts)]
            if self.counts == 4:
                body.append(dsp("pv.packlo.b", "t0", "t1", "t0"))
            body.append(dsp("pv.packhi.b", "t0", *(f"t{self.counts - i}" for i in (1, 2))))
            if self.words == 1 and c + 1 < self.channels:
                body += loads
            body.append(dsp("pv.sdotup.b", f"a{c}", "t0", "places"))
        return self._looped(body, "steps", self.counts, self.counts)

    @property
    def rest(self) -> Assembly:
        """The loop over words behind the last step, of data of one bit."""
        body = [dsp("p.lw", "x0", "4", "x"), *(dsp("p.lw", f"t{i}", "4", "v") for i in range(2))]
        for c in range(self.channels):
            t = f"t{c % 2}"
            body += [base(f"xor [{t}], [{t}], [x0]"), dsp("p.cnt", t, t)]
            body.append(base(f"add [a{c}], [a{c}], [{t}]"))
            if c + 2 < self.channels:
                body.append(dsp("p.lw", t, "4", "v"))
        return self._looped(body, "rest", 2, 1)

    @property
    def _loaded(self) -> tuple[int, ...]:
        """Temporaries that words of weights are loaded to."""
        return {1: (0, 1, 2), 2: (0, 2), 4: (3,)}[self.planes]

    def _source(self, i: int) -> int:
        """The one that holds the weights for word i of the data."""
        return self._loaded[i // self.planes]

    def _looped(self, body: list[str], count: str, temporaries: int, data: int) -> Assembly:
        outputs = [Operand(f"a{c}", "+&r", f"a{c}") for c in range(self.channels)]
        names = [f"t{i}" for i in range(temporaries)]
        names += [f"x{i}" for i in range(data)]
        outputs += [Operand(n, "+&r" if n == "t0" else "=&r", n) for n in names]
        outputs += [Operand(name, "+&r", name) for name in ("v", "x")]
        inputs = [Operand("places", "r", f"{self.places:#010x}u")] * (count == "steps")
        starts = {n: f"(uint32_t){count}" if n == "t0" else "" for n in names}
        return Assembly((), tuple(body), "t0", starts, tuple(outputs), tuple(inputs))


def packing() -> Assembly:
    """The loop over words of a plane of inputs that are 0 or 1: twice what was, plus four more."""
    loads = [dsp("p.lw", f"t{i % 3}", "4", "v") for i in range(8)]
    body = loads[:2]
    for i in range(1, 8):
        body += loads[i + 1 : i + 2]
        body.append(dsp("p.mac", f"t{i % 3}", f"t{(i - 1) % 3}", "two"))
    body.append(dsp("p.sw", "t1", "4", "z"))
    starts = {"t0": "(uint32_t)(whole - first)", "t1": "", "t2": ""}
    outputs = [Operand(t, "+&r" if start else "=&r", t) for t, start in starts.items()]
    outputs += [Operand(name, "+&r", name) for name in ("v", "z")]
    return Assembly((), tuple(body), "t0", starts, tuple(outputs), (Operand("two", "r", "2"),))


BITS = (Bits(1, 16), *(Bits(planes, channels) for planes in (1, 2, 4) for channels in (8, 4)))
"""All that there are."""


def render_bits(kernels: Iterable[Bits] = BITS) -> str:
    """The text of ``hwgen_bits.h`` with the given micro-kernels."""
    text = TEMPLATES.get_template("bits.h.j2").render(
        kernels=tuple(kernels), registers=REGISTERS, packing=packing()
    )
    return wrap_code(re.sub(r"\n{3,}", "\n\n", re.sub(r" +\n", "\n", text)))
