"""Ising and QUBO problems as JSON: what dimod's ``to_serializable`` gives, and two plain forms."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from ..errors import InvalidInput
from .ising_problem import MOST_NODES, IsingProblem, compose, exact, read_text

__all__ = ["read_json"]

_EXPECTED = (
    'JSON of dimod (BinaryQuadraticModel.to_serializable()), {"h": {...}, "J": [[a, b, weight], ...]} or '
    '{"linear": {...}, "quadratic": [[a, b, weight], ...], "vartype": "SPIN" or "BINARY"}'
)
_DIMOD = (
    "variable_labels",
    "variable_type",
    "linear_biases",
    "quadratic_biases",
    "quadratic_head",
    "quadratic_tail",
    "offset",
)
_KINDS = {"SPIN": "ising", "BINARY": "qubo"}


def read_json(path: str | Path) -> IsingProblem:
    """Read a problem whose number sum h_i x_i + sum J_ij x_i x_j + offset is to be small.

    x are spins (``SPIN``, and ``h`` with ``J``) or 0 and 1 (``BINARY``). The sign is dimod's: the
    Hamiltonian's h and J are the negative ones. Decimal fractions are kept exactly.

    Raises
    ------
    InvalidInput
        The file is in none of these forms; the message names the entry.
    """
    where = Path(path)
    document = _parse(where)
    if not isinstance(document, dict):
        _fail(where, f"must hold an object, found {_shown(document)}")
    if document.get("type") == "BinaryQuadraticModel" or "linear_biases" in document:
        return _dimod(where, document)
    if "h" in document or "J" in document:
        return _plain(where, document, "h", "J", "ising")
    if "linear" in document or "quadratic" in document:
        vartype = document.get("vartype")
        if not isinstance(vartype, str) or vartype not in _KINDS:
            _fail(where, f"vartype must be SPIN or BINARY, found {_shown(vartype)}")
        return _plain(where, document, "linear", "quadratic", _KINDS[vartype])
    _fail(where, f"has entries {_shown(list(document))}, of which none is known")


def _parse(where: Path) -> Any:
    text = read_text(where, _EXPECTED)

    def number(digits: str) -> Fraction:
        value = exact(digits)
        if value is None:
            _fail(where, f"the number {digits[:60]} has too many digits")
        return value

    def constant(name: str) -> NoReturn:
        _fail(where, f"weights must be finite, found {name}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                _fail(where, f"the name {key!r} is there twice; give it once")
            found[key] = value
        return found

    try:
        return json.loads(
            text,
            parse_float=number,
            parse_int=number,
            parse_constant=constant,
            object_pairs_hook=unique,
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{where}:{error.lineno}: {error.msg}; expected {_EXPECTED}") from None
    except RecursionError:
        _fail(where, "is nested too deeply")


def _dimod(where: Path, document: dict) -> IsingProblem:
    if document.get("use_bytes"):
        _fail(where, "use_bytes must be false; write it with to_serializable(use_bytes=False)")
    missing = [key for key in _DIMOD if key not in document]
    if missing:
        _fail(where, f"lacks {', '.join(missing)}; files of dimod 0.10 and later have them")
    for key in (k for k in _DIMOD if k not in ("variable_type", "offset")):
        if not isinstance(document[key], list):
            _fail(where, f"{key} must be a list, found {_shown(document[key])}")
    kind = document["variable_type"]
    if not isinstance(kind, str) or kind not in _KINDS:
        _fail(where, f"variable_type must be SPIN or BINARY, found {_shown(kind)}")
    labels = _Labels(where)
    for label in document["variable_labels"]:
        labels.add(label, "variable_labels")
    biases = document["linear_biases"]
    _same_length(where, document, "variable_labels", "linear_biases")
    for key in ("quadratic_head", "quadratic_tail"):
        _same_length(where, document, "quadratic_biases", key)
    linear = {
        node: _number(where, f"linear_biases[{node}]", value) for node, value in enumerate(biases)
    }
    quadratic: dict[tuple[int, int], Fraction] = {}
    ends = zip(
        document["quadratic_head"],
        document["quadratic_tail"],
        document["quadratic_biases"],
        strict=True,
    )
    for position, (head, tail, bias) in enumerate(ends):
        for key, node in (("head", head), ("tail", tail)):
            whole = isinstance(node, Fraction) and node.denominator == 1
            if not whole or not 0 <= node < len(labels.names):
                _fail(
                    where,
                    f"quadratic_{key}[{position}] must be 0 to {len(labels.names) - 1}, found {_shown(node)}",
                )
        place = f"quadratic_biases[{position}]"
        _couple(where, place, quadratic, labels, int(head), int(tail), bias)
    offset = _number(where, "offset", document["offset"])
    return _composed(where, _KINDS[kind], labels, linear, quadratic, offset)


def _plain(where: Path, document: dict, single: str, paired: str, kind: str) -> IsingProblem:
    known = {single, paired, "offset", "vartype", "name"}
    strange = [key for key in document if key not in known]
    if strange:
        _fail(where, f"entries must be {', '.join(sorted(known))}, found {strange[0]!r}")
    if "vartype" in document and _KINDS.get(str(document["vartype"])) != kind:
        _fail(where, f"vartype must be SPIN beside h and J, found {_shown(document['vartype'])}")
    labels = _Labels(where)
    linear = {}
    given = document.get(single, {})
    if isinstance(given, list):
        given = {str(node): value for node, value in enumerate(given)}
    if not isinstance(given, dict):
        _fail(where, f"{single} must be an object or a list, found {_shown(given)}")
    for label, value in given.items():
        linear[labels.add(label, single)] = _number(where, f"{single}[{label!r}]", value)
    quadratic: dict[tuple[int, int], Fraction] = {}
    for place, a, b, bias in _pairs(where, paired, document.get(paired, [])):
        ends = (labels.place(a, place), labels.place(b, place))
        _couple(where, place, quadratic, labels, *ends, bias)
    offset = _number(where, "offset", document.get("offset", Fraction(0)))
    return _composed(where, kind, labels, linear, quadratic, offset)


def _pairs(where: Path, key: str, given: Any):
    """Place, two labels and a bias of each entry: triples, or an object with names like ``"a,b"``."""
    if isinstance(given, dict):
        for name, bias in given.items():
            ends = [part.strip() for part in name.split(",")]
            if len(ends) != 2 or not all(ends):
                _fail(
                    where, f"names in {key} must be like 'a,b', found {name!r}; use [a, b, weight]"
                )
            yield f"{key}[{name!r}]", *ends, bias
        return
    if not isinstance(given, list):
        _fail(where, f"{key} must be a list or an object, found {_shown(given)}")
    for position, entry in enumerate(given):
        if not isinstance(entry, list) or len(entry) != 3:
            _fail(where, f"{key}[{position}] must be [a, b, weight], found {_shown(entry)}")
        yield f"{key}[{position}]", *entry


def _composed(where, kind, labels, linear, quadratic, offset) -> IsingProblem:
    if not labels.names:
        _fail(where, "must have one variable or more, found none")
    return compose(where, kind, labels.names, linear, quadratic, offset)


def _couple(where, place, quadratic, labels, a: int, b: int, bias) -> None:
    if a == b:
        _fail(where, f"{place} must join two variables, found {labels.names[a]!r} twice")
    pair = (min(a, b), max(a, b))
    if pair in quadratic:
        names = f"{labels.names[pair[0]]!r} and {labels.names[pair[1]]!r}"
        _fail(where, f"{place} joins {names}, which are joined already; give the sum once")
    quadratic[pair] = _number(where, place, bias)


class _Labels:
    """Names of the variables, in order; a label is a text, a whole number or a list of these."""

    def __init__(self, where: Path):
        self._where = where
        self._places: dict[str, int] = {}
        self.names: list[str] = []

    def add(self, label: Any, place: str) -> int:
        name = self._name(label, place)
        if name in self._places:
            _fail(self._where, f"{place} has the variable {name!r} twice; labels must differ")
        return self._new(name)

    def place(self, label: Any, place: str) -> int:
        name = self._name(label, place)
        return self._places[name] if name in self._places else self._new(name)

    def _new(self, name: str) -> int:
        if len(self._places) == MOST_NODES:
            _fail(self._where, f"up to {MOST_NODES} variables can be read")
        self.names.append(name)
        return self._places.setdefault(name, len(self._places))

    def _name(self, label: Any, place: str) -> str:
        if isinstance(label, str) and label:
            return label
        if isinstance(label, Fraction) and label.denominator == 1:
            return str(label)
        if isinstance(label, list) and label:
            return "(" + ", ".join(self._name(part, place) for part in label) + ")"
        _fail(
            self._where, f"{place}: a label must be a text or a whole number, found {_shown(label)}"
        )


def _number(where: Path, place: str, value: Any) -> Fraction:
    if not isinstance(value, Fraction):
        _fail(where, f"{place} must be a number, found {_shown(value)}")
    return value


def _same_length(where: Path, document: dict, one: str, other: str) -> None:
    if len(document[one]) != len(document[other]):
        lengths = f"{len(document[one])} and {len(document[other])}"
        _fail(where, f"{one} and {other} must be equally long, found {lengths}")


def _shown(value: Any) -> str:
    """A piece of the document, short, as it stands in the file."""
    return json.dumps(value, default=lambda number: float(number))[:60]


def _fail(where: Path, what: str) -> NoReturn:
    raise InvalidInput(f"{where}: {what}; expected {_EXPECTED}")
