"""Registers on an AXI4-Lite bus around a design: a host writes a frame, starts, and reads the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jinja2

from ..ir.types import Int
from .lib.registers import WORD, Field, Registers
from .network import Network

__all__ = ["IDENTITY", "Entry", "RegisterMap", "register_map", "render_axi_lite"]

IDENTITY = 0x4857_0001
"""``HW`` in ASCII, and the version of the map."""

_CONTROL, _IDENTITY, _MODEL, _FIELDS = 0, 1, 2, 4  # words; the one that is left out is reserved
_CONTROL_MEANING = "bit 0: write 1 to start; bit 1: busy; bit 2: done, write 1 to clear"


@dataclass(frozen=True, slots=True)
class Entry:
    """Registers in a row that belong together.

    Attributes
    ----------
    name, meaning
        For people; the name is also that of a field.
    address
        Of the first one, in bytes.
    words
        How many.
    writable
        Whether a write is more than an error.
    """

    name: str
    address: int
    words: int
    writable: bool
    meaning: str

    @property
    def addresses(self) -> str:
        """``first`` or ``first..last``, as the map is printed."""
        first, last = f"0x{self.address:02x}", f"0x{self.address + 4 * (self.words - 1):02x}"
        return first if self.words == 1 else f"{first}..{last}"


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """Where every field lies.

    Attributes
    ----------
    fields
        Of the design's frames.
    model
        32 bits that tell this model from others.
    """

    fields: Registers
    model: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All registers, by address; inputs in the order of their frame, then outputs."""
        version = f'0x{IDENTITY:08x}: "HW", and the version of this map'
        model = f"0x{self.model:08x}: how the hash of the graph begins"
        found = [
            Entry("control", 4 * _CONTROL, 1, True, _CONTROL_MEANING),
            Entry("identity", 4 * _IDENTITY, 1, False, version),
            Entry("model", 4 * _MODEL, 1, False, model),
        ]
        word = _FIELDS
        for fields, writable in ((self.fields.inputs, True), (self.fields.outputs, False)):
            for field in fields:
                if field.words:
                    bits = f"{field.bits} bit{'s' if field.bits > 1 else ''}"
                    meaning = f"{bits}: {field.meaning}"
                    found.append(Entry(field.name, 4 * word, field.words, writable, meaning))
                word += field.words
        return tuple(found)

    @property
    def address_bits(self) -> int:
        """Bits of a byte address."""
        last = self.entries[-1]
        return (last.address + 4 * last.words - 1).bit_length()

    def address(self, name: str) -> int:
        """Byte address of the first register called ``name``."""
        return next(entry.address for entry in self.entries if entry.name == name)


def register_map(network: Network, model: int) -> RegisterMap | None:
    """The registers around a network; None if it is none that has any.

    That takes a single layer which says what its bytes mean, with frames of one beat.
    """
    components = list(network.components.values())
    byte = Int(8, signed=False)
    shapes = (network.input, network.output)
    if len(components) != 1 or any(s.beats > 1 or s.element != byte for s in shapes):
        return None
    fields = components[0].registers()
    return None if fields is None else RegisterMap(fields, model)


def render_axi_lite(name: str, stream_top: str, registers: RegisterMap, header: str) -> str:
    """Verilog-2001 of the module ``name`` with the registers around the module ``stream_top``.

    Parameters
    ----------
    stream_top
        With AXI4-Stream ports, frames of a beat each; see :func:`hwgen.rtl.top.render_top`.
    registers
        Their map.
    header
        Comment lines that open the file, each with its ``//``.
    """
    inputs, outputs = registers.fields.inputs, registers.fields.outputs
    top_bit = registers.address_bits - 1
    address = f"[{top_bit}:0]"
    column = max(len(address), len(f"[{WORD - 1}:0]"))
    label = f"{top_bit - 1}'h{{:x}}".format
    return _template().render(
        name=name,
        stream_top=stream_top,
        header=header.rstrip("\n"),
        map_lines=_map_lines(registers.entries),
        address=address.ljust(column),
        buses={bits: f"[{bits - 1}:0]".ljust(column) for bits in (2, 3, WORD // 8, WORD)},
        pad=" " * column,
        word=f"[{top_bit}:2]",
        control=label(_CONTROL),
        identity=label(_IDENTITY),
        identity_value=f"{WORD}'h{IDENTITY:08x}",
        model=label(_MODEL),
        model_value=f"{WORD}'h{registers.model:08x}",
        inputs=[(field.name, field.bits) for field in inputs if field.bits],
        frame=list(_frame(inputs)),
        answer_bits=8 * sum(field.octets for field in outputs),
        outputs=list(_placed(outputs)),
        writes=[
            (label(registers.address(field.name) // 4 + k), *write)
            for field in inputs
            for k, write in enumerate(_writes(field))
        ],
        reads=[
            (label(registers.address(field.name) // 4 + k), read)
            for field in (*inputs, *outputs)
            for k, read in enumerate(_reads(field))
        ],
    )


def _map_lines(entries: tuple[Entry, ...]) -> list[str]:
    """The map in columns."""
    at, name = (
        max(len(text) for text in texts)
        for texts in zip(*((e.addresses, e.name) for e in entries), strict=True)
    )
    return [
        f"{e.addresses:{at}}  {e.name:{name}}  {'rw' if e.writable else 'r '}  {e.meaning}"
        for e in entries
    ]


def _frame(fields: tuple[Field, ...]) -> Iterator[str]:
    """Parts of the input frame, the highest first."""
    for field in reversed(fields):
        rest = 8 * field.octets - field.bits
        if rest:
            yield f"{rest}'d0"
        if field.bits:
            yield field.name


def _placed(fields: tuple[Field, ...]) -> Iterator[tuple[str, int, int]]:
    """Name, bits and lowest bit in the frame of every field that has any."""
    low = 0
    for field in fields:
        if field.bits:
            yield field.name, field.bits, low
        low += 8 * field.octets


def _words(field: Field) -> Iterator[tuple[str, int]]:
    """What of a field is in each of its registers, and how many bits."""
    for low in range(0, field.bits, WORD):
        bits = min(WORD, field.bits - low)
        part = f"[{low + bits - 1}:{low}]" if bits > 1 else f"[{low}]"
        yield field.name + ("" if bits == field.bits else part), bits


def _writes(field: Field) -> Iterator[tuple[str, str]]:
    """What a write to each register of a field sets, and which bits of the bus it takes."""
    for target, bits in _words(field):
        yield target, "" if bits == WORD else f"[{bits - 1}:0]"


def _reads(field: Field) -> Iterator[str]:
    """The 32 bits of each register of a field."""
    for source, bits in _words(field):
        yield source if bits == WORD else f"{{{WORD - bits}'d0, {source}}}"


@cache
def _template() -> jinja2.Template:
    text = files("hwgen.rtl_templates").joinpath("axi_lite_top.v.j2").read_text("utf-8")
    return jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    ).from_string(text)
