"""Micro-kernels of binary weights and few-bit data: ``hwgen_bits.h``, from ``kernels/bits.h.j2``.

Data are bit planes: 32 inputs a word, a word for every bit of them. A word of weights and one of
data make a word of products by a logical and, whose ones are counted. Four counts are packed into
a word and added up by one instruction, which multiplies them with minus twice the places of their
planes: a bit that is set says -1 in the place of 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..templates import TEMPLATES, wrap_code
from .micro_assembly import REGISTERS, Assembly, Operand, base, dsp

__all__ = ["BITS", "COUNTS", "Bits", "render_bits"]

COUNTS = 4
"""Words of data of a step."""


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
        return COUNTS // self.planes

    @property
    def places(self) -> int:
        """Minus twice the places of a step's four words of data, in the bytes of a word."""
        return sum((-2 << (i % self.planes) & 0xFF) << (8 * i) for i in range(COUNTS))

    @property
    def assembly(self) -> Assembly:
        """The loop over steps."""
        loads = [dsp("p.lw", f"t{i}", "4", "v") for i in self._loaded]
        body = loads[:] if self.words == 1 else []  # a single word is loaded ahead
        body += [dsp("p.lw", f"x{i}", "4", "x") for i in range(COUNTS)]
        for c in range(self.channels):
            if self.words > 1:
                body += loads
            for first in self._loaded:
                group = [i for i in range(COUNTS) if self._source(i) == first]
                for i in sorted(group, key=lambda i: i == first):  # its own place last
                    body.append(base(f"and [t{i}], [t{first}], [x{i}]"))
            body += [dsp("p.cnt", f"t{i}", f"t{i}") for i in range(COUNTS)]
            body += [dsp("pv.packlo.b", "t0", "t1", "t0"), dsp("pv.packhi.b", "t0", "t3", "t2")]
            if self.words == 1 and c + 1 < self.channels:
                body += loads
            body.append(dsp("pv.sdotsp.b", f"a{c}", "t0", "places"))
        return self._looped(body, COUNTS)

    @property
    def rest(self) -> Assembly:
        """The loop over words behind the last step, of data of one bit."""
        body = [dsp("p.lw", "x0", "4", "x"), *(dsp("p.lw", f"t{i}", "4", "v") for i in range(2))]
        for c in range(self.channels):
            t = f"t{c % 2}"
            body += [base(f"and [{t}], [{t}], [x0]"), dsp("p.cnt", t, t)]
            body.append(dsp("pv.sdotsp.b", f"a{c}", t, "places"))
            if c + 2 < self.channels:
                body.append(dsp("p.lw", t, "4", "v"))
        return self._looped(body, 2)

    @property
    def _loaded(self) -> tuple[int, ...]:
        """Temporaries that words of weights are loaded to."""
        return {1: (0, 1, 2, 3), 2: (0, 2), 4: (3,)}[self.planes]

    def _source(self, i: int) -> int:
        """The one that holds the weights for word i of the data."""
        return self._loaded[i // self.planes]

    def _looped(self, body: list[str], temporaries: int) -> Assembly:
        outputs = [Operand(f"a{c}", "+&r", f"a{c}") for c in range(self.channels)]
        names = [f"t{i}" for i in range(temporaries)]
        names += [f"x{i}" for i in range(COUNTS if temporaries == COUNTS else 1)]
        outputs += [Operand(n, "+&r" if n == "t0" else "=&r", n) for n in names]
        outputs += [Operand(name, "+&r", name) for name in ("v", "x")]
        inputs = [Operand("places", "r", f"{self.places:#010x}u")]
        count = "steps" if temporaries == COUNTS else "rest"
        starts = {n: f"(uint32_t){count}" if n == "t0" else "" for n in names}
        return Assembly((), tuple(body), "t0", starts, tuple(outputs), tuple(inputs))


BITS = tuple(Bits(planes, channels) for planes in (1, 2, 4) for channels in (8, 4))
"""All that there are."""


def render_bits(kernels: Iterable[Bits] = BITS) -> str:
    """The text of ``hwgen_bits.h`` with the given micro-kernels."""
    text = TEMPLATES.get_template("bits.h.j2").render(kernels=tuple(kernels), registers=REGISTERS)
    return wrap_code(re.sub(r"\n{3,}", "\n\n", re.sub(r" +\n", "\n", text)))
