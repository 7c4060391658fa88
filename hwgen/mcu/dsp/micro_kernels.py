"""The micro-kernels of emitted C: ``hwgen_dot.h``, rendered from ``kernels/dot.h.j2``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..templates import TEMPLATES, wrap_code
from ..weights import Packing
from .micro_assembly import REGISTERS, Assembly, assembly

__all__ = ["DOTS", "Dot", "render_dot"]


@dataclass(frozen=True, slots=True)
class Dot:
    """A block of dot products: ``channels`` rows of weights times ``pixels`` columns of data.

    Attributes
    ----------
    unsigned
        Whether the data are uint8; else int8.
    packing
        How the weights lie in words.
    channels, pixels
        Accumulators of the block, which stay in registers.
    """

    unsigned: bool
    packing: Packing
    channels: int
    pixels: int

    @property
    def name(self) -> str:
        """Of the C function."""
        x = "u8" if self.unsigned else "s8"
        return f"hwgen_dot_{x}_{self.packing.kind}_{self.channels}x{self.pixels}"

    @property
    def bits(self) -> int:
        """Of a weight."""
        return self.packing.bits

    @property
    def step(self) -> int:
        """Products a step and accumulator."""
        return self.packing.step

    @property
    def fields(self) -> int:
        """Weights of a byte."""
        return 8 // self.bits

    @property
    def nested(self) -> bool:
        """Whether those are of several channels."""
        return self.packing.is_nested

    @property
    def power(self) -> bool:
        """Whether weights are 0 or powers of two, as which they are stored."""
        return self.packing.is_power

    @property
    def word_bytes(self) -> int:
        """Weights of a step, of all channels."""
        return 4 * self.channels // (self.fields if self.nested else 1)

    @property
    def signed_bytes(self) -> bool:
        """Whether a byte of weights is a number in two's complement."""
        return self.bits == 8 or (self.nested and self.bits > 1)

    @property
    def added(self) -> int:
        """What makes a byte's weights of several channels 0 or more."""
        largest = (1 << (self.bits - 1)) - 1
        return sum(largest << (self.bits * k) for k in range(self.fields)) if self.nested else 0

    @property
    def assembly(self) -> Assembly:
        """Its inner loop on cores with DSP extensions."""
        return assembly(self.unsigned, self.packing, self.channels, self.pixels)


_SHAPES = ((4, 4), (4, 2), (4, 1), (8, 1))
_PACKINGS = {
    Packing(8): (*_SHAPES, (16, 1)),
    Packing(4): _SHAPES,
    Packing(2): _SHAPES,
    Packing(4, is_power=True): _SHAPES,
    Packing(4, is_nested=True): (*_SHAPES, (16, 1)),
    Packing(2, is_nested=True): (*_SHAPES, (16, 1)),
    Packing(1, is_nested=True): ((8, 2), (8, 1), (16, 1)),
}

DOTS = tuple(
    Dot(unsigned, packing, *shape)
    for unsigned in (True, False)
    for packing, shapes in _PACKINGS.items()
    for shape in shapes
)
"""All that there are."""


def render_dot(dots: Iterable[Dot] = DOTS) -> str:
    """The text of ``hwgen_dot.h`` with the given micro-kernels."""
    text = TEMPLATES.get_template("dot.h.j2").render(dots=tuple(dots), registers=REGISTERS)
    text = re.sub(r" +\n", "\n", text)  # what macros leave at ends of lines and between them
    return wrap_code(re.sub(r"\n{3,}", "\n\n", text))
