"""BLIF files: read here, as Yosys takes what is not BLIF without a word, and told as Verilog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ..errors import InvalidInput, Unsupported

__all__ = ["Model", "grouped", "parse_blif"]

_STATE = "circuits with state cannot be solved: take the next state as an output"
_REFUSED = {
    ".latch": _STATE,
    ".mlatch": _STATE,
    ".subckt": "one flat model can be read: flatten it first",
    ".gate": "tables (.names) can be read, not gates of a library: map it back first",
    ".exdc": "external don't cares cannot be read: remove them",
}


@dataclass
class Model:
    """A flat model of tables.

    Attributes
    ----------
    tables
        For each net that is no input: the nets that its table reads, the rows, and their output value.
    lines
        The line that drives each net.
    """

    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tables: dict[str, tuple[list[str], list[str], str]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def verilog(self) -> str:
        """The same as a module: each table is a sum of products."""
        ports = [f"input {_escaped(net)}" for net in self.inputs]
        ports += [f"output {_escaped(net)}" for net in self.outputs]
        body = [f"wire {_escaped(net)};" for net in self.tables if net not in set(self.outputs)]
        for net, (used, rows, value) in self.tables.items():
            products = [
                " & ".join(
                    ("" if bit == "1" else "~") + _escaped(source)
                    for source, bit in zip(used, row, strict=True)
                    if bit != "-"
                )
                or "1'b1"
                for row in rows
            ]
            total = " | ".join(f"({product})" for product in products) or "1'b0"
            body.append(f"assign {_escaped(net)}= {'~' if value == '0' else ''}({total});")
        lines = [f"module {_escaped(self.name)}({', '.join(ports)});", *body, "endmodule"]
        return "\n".join(lines) + "\n"


def _escaped(name: str) -> str:
    return f"\\{name} "


class _Reader:
    """Reads a model line by line."""

    def __init__(self, path: Path):
        self._path = path
        self.model = Model()
        self._line = 0
        self._named: int | None = None  # line of .model
        self._used: dict[str, int] = {}
        self._open: str | None = None  # net whose table is open

    def read(self, text: str) -> Model:
        for self._line, fields in _lines(text):
            word = fields[0]
            if word == ".end":
                break
            if word in _REFUSED:
                self._fail(f"{word} found; {_REFUSED[word]}", Unsupported)
            if self._named is None and word != ".model":
                self._fail(f"must be .model first, found {word!r}")
            if not word.startswith("."):
                self._row(fields)
                continue
            self._open = None
            for net in fields[1:]:
                if not (net.isascii() and net.isprintable()):
                    self._fail(f"names must be of printable ASCII characters, found {net!r}")
            if word not in (".model", ".inputs", ".outputs", ".names"):
                self._fail(f"must be .inputs, .outputs, .names or .end, found {word!r}")
            getattr(self, f"_{word[1:]}")(fields[1:])
        self._check()
        return self.model

    def _fail(self, what: str, kind: type = InvalidInput) -> NoReturn:
        raise kind(f"{self._path}:{self._line}: {what}")

    def _model(self, names: list[str]) -> None:
        if self._named is not None:
            self._fail(f"must be one .model, found another in line {self._named}", Unsupported)
        self._named = self._line
        self.model.name = names[0] if names else "model"

    def _inputs(self, nets: list[str]) -> None:
        for net in nets:
            self._drive(net)
        self.model.inputs += nets

    def _outputs(self, nets: list[str]) -> None:
        for net in nets:
            if net in self.model.outputs:
                self._fail(f"net {net!r} is an output already; name it once")
            self.model.outputs.append(net)
            self._used.setdefault(net, self._line)

    def _names(self, nets: list[str]) -> None:
        if not nets:
            self._fail(".names must name an output, found nothing")
        *used, self._open = nets
        self._drive(self._open)
        for net in used:
            self._used.setdefault(net, self._line)
        self.model.tables[self._open] = (used, [], "1")

    def _row(self, fields: list[str]) -> None:
        if self._open is None:
            self._fail(f"a row must stand under .names, found {' '.join(fields)!r}")
        used, rows, value = self.model.tables[self._open]
        *cube, out = fields
        bits = "".join(cube)
        if len(cube) != (len(used) > 0) or len(bits) != len(used) or set(bits) - set("01-"):
            self._fail(
                f"a row must have {len(used)} of 0, 1 and - and an output, found {' '.join(fields)!r}"
            )
        if out not in ("0", "1"):
            self._fail(f"an output must be 0 or 1, found {out!r}")
        if rows and out != value:
            self._fail(f"all rows of {self._open!r} must end in {value}, found {out}")
        rows.append(bits)
        self.model.tables[self._open] = (used, rows, out)

    def _drive(self, net: str) -> None:
        lines = self.model.lines
        if net in lines:
            self._fail(f"net {net!r} must have one driver, found another in line {lines[net]}")
        lines[net] = self._line

    def _check(self) -> None:
        if self._named is None:
            raise InvalidInput(f"{self._path}: a BLIF file must have a line .model, found none")
        if not self.model.outputs:
            self._line = self._named
            self._fail("a model must have .outputs, found none")
        for net, line in self._used.items():
            self._line = line
            if net not in self.model.lines:
                self._fail(f"net {net!r} has no driver; add its .names, or make it an input")
        for net in self.model.outputs:
            if net not in self.model.tables:
                self._line = self._used[net]
                self._fail(f"net {net!r} is an input and an output; give the output another name")


def parse_blif(path: Path, text: str) -> Model:
    """Read one flat model of tables.

    Raises
    ------
    InvalidInput, Unsupported
        With the line, what was found and what is expected.
    """
    return _Reader(path).read(text)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Words of each line with its number; a backslash at the end joins the next one."""
    held: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.split("#")[0].rstrip()
        start = start or number
        held += line.removesuffix("\\").split()
        if line.endswith("\\"):
            continue
        if held:
            yield start, held
        held, start = [], 0
    if held:
        yield start, held


def grouped(
    inputs: dict[str, tuple], outputs: dict[str, tuple]
) -> tuple[dict[str, tuple], dict[str, tuple]]:
    """Ports of one bit named ``a[0]``, ``a[1]``, ... as words, where they follow one another."""
    sides = [_words(inputs), _words(outputs)]
    if sides[0].keys() & sides[1].keys():
        return inputs, outputs
    return sides[0], sides[1]


def _words(ports: dict[str, tuple]) -> dict[str, tuple]:
    parts: dict[str, dict[int, tuple]] = {}
    for name, bits in ports.items():
        match = re.fullmatch(r"(.+)\[(\d{1,9})\]", name)
        base, place = (match[1], int(match[2])) if match else (name, -1)
        if place in parts.setdefault(base, {}):
            return ports
        parts[base][place] = bits
    words = {}
    for base, bits in parts.items():
        places = sorted(bits)
        if places[-1] - places[0] != len(places) - 1 or (-1 in bits and len(bits) > 1):
            return ports
        words[base] = tuple(bit for place in places for bit in bits[place])
    return words
