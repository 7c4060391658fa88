"""The micro-kernels of emitted C: ``hwgen_dot.h``, rendered from ``kernels/dot.h.j2``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..templates import TEMPLATES
from ..weights import BLOCK_BITS, block_step
from .micro_assembly import REGISTERS, Assembly, assembly

__all__ = ["DOTS", "Dot", "render_dot"]


@dataclass(frozen=True, slots=True)
class Dot:
    """A block of dot products: ``channels`` rows of weights times ``pixels`` columns of data.

    Attributes
    ----------
    unsigned
        Whether the data are uint8; else int8.
    bits
        Of a weight: 8, 4 or 2.
    channels, pixels
        Accumulators of the block, which stay in registers.
    """

    unsigned: bool
    bits: int
    channels: int
    pixels: int

    @property
    def name(self) -> str:
        """Of the C function."""
        x = "u8" if self.unsigned else "s8"
        return f"hwgen_dot_{x}_s{self.bits}_{self.channels}x{self.pixels}"

    @property
    def step(self) -> int:
        """Products a step and accumulator: one word of weights a channel."""
        return block_step(self.bits)

    @property
    def assembly(self) -> Assembly:
        """Its inner loop on cores with DSP extensions."""
        return assembly(self.unsigned, self.bits, self.channels, self.pixels)


_SHAPES = {8: ((4, 4), (4, 2), (4, 1), (8, 1), (16, 1)), 4: ((4, 4), (4, 2), (4, 1), (8, 1))}
_SHAPES[2] = _SHAPES[4]

DOTS = tuple(
    Dot(unsigned, bits, *shape)
    for unsigned in (True, False)
    for bits in BLOCK_BITS
    for shape in _SHAPES[bits]
)
"""All that there are."""


def render_dot(dots: Iterable[Dot] = DOTS) -> str:
    """The text of ``hwgen_dot.h`` with the given micro-kernels."""
    text = TEMPLATES.get_template("dot.h.j2").render(dots=tuple(dots), registers=REGISTERS)
    text = re.sub(r" +\n", "\n", text)  # what macros leave at ends of lines and between them
    return re.sub(r"\n{3,}", "\n\n", text)
