"""What the bytes of a component's frames mean: fields that a host writes and reads one by one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WORD", "Field", "Registers"]

WORD = 32
"""Bits of a register."""


@dataclass(frozen=True, slots=True)
class Field:
    """A number or a row of bits in a frame, from a byte of its own on, its lowest byte and bit first.

    Attributes
    ----------
    name
        In Verilog.
    bits
        Those that count; what is left of the last byte is 0. May be 0.
    meaning
        For people.
    """

    name: str
    bits: int
    meaning: str

    @property
    def octets(self) -> int:
        """Bytes in the frame."""
        return -(-self.bits // 8)

    @property
    def words(self) -> int:
        """Registers that hold it."""
        return -(-self.bits // WORD)


@dataclass(frozen=True, slots=True)
class Registers:
    """The fields of both frames, in the order of their bytes, without gaps.

    Attributes
    ----------
    inputs, outputs
        Of the frame that goes in, and of the one that comes out.
    """

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
