"""How much of an FPGA something takes: counted by a synthesizer, or estimated in closed form."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Area"]


@dataclass(frozen=True, slots=True)
class Area:
    """What a design takes of an FPGA; sums add up the parts.

    Attributes
    ----------
    lut
        Look-up tables, of the device's size; those that are memories or shift registers, and
        inverters that no table has absorbed, included.
    ff
        Flip-flops.
    carry
        Bits of the carry chains that are occupied.
    bram
        Blocks of memory, of the device's smallest size.
    dsp
        Multiplier blocks.
    """

    lut: int = 0
    ff: int = 0
    carry: int = 0
    bram: int = 0
    dsp: int = 0

    def __add__(self, other: Area) -> Area:
        return Area(
            self.lut + other.lut,
            self.ff + other.ff,
            self.carry + other.carry,
            self.bram + other.bram,
            self.dsp + other.dsp,
        )
