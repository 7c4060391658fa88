"""Files of Ising, max-cut and QUBO problems: G-set and qbsolv text, JSON as dimod writes it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from ..errors import InvalidInput, Unsupported
from .ising_json import read_json
from .ising_problem import MOST_NODES, IsingProblem, compose, exact, read_text

__all__ = ["IsingProblem", "read_gset", "read_json", "read_problem", "read_qubo", "toroidal"]

_GSET = "a G-set file: a line 'nodes edges', then a line 'i j weight' for each edge, nodes from 1"
_QUBO = (
    "a qbsolv file: a line 'p qubo 0 maxNodes nNodes nCouplers', then lines 'i i weight' and "
    "'i j weight' with i < j, nodes from 0"
)
_ENDINGS = {"": "gset", ".txt": "gset", ".gset": "gset", ".rud": "gset", ".mc": "gset"}
_ENDINGS |= {".json": "json", ".qubo": "qubo"}

# Nodes, edges and the largest cut found, by file name. U. Benlic, J.-K. Hao, "Breakout local search
# for the max-cut problem", Engineering Applications of Artificial Intelligence 26(3), 2013.
_BEST = {
    "G1": (800, 19176, 11624),
    "G11": (800, 1600, 564),
    "G12": (800, 1600, 556),
    "G13": (800, 1600, 582),
    "G14": (800, 4694, 3064),
    "G22": (2000, 19990, 13359),
}


def read_problem(path: str | Path) -> IsingProblem:
    """Read a problem; the ending of its file's name says which kind it is.

    ``.json``: :func:`read_json`; ``.qubo``: :func:`read_qubo`; ``.txt``, ``.gset``, ``.rud``, ``.mc`` or none:
    :func:`read_gset`.

    Raises
    ------
    Unsupported
        Another ending.
    InvalidInput
        The file is not of the kind that its ending says.
    """
    kind = _ENDINGS.get(Path(path).suffix.lower())
    if kind is None:
        raise Unsupported(
            f"{path}: an Ising problem is a .json file, a .qubo file or a G-set file (.txt, .gset, .rud, "
            f".mc or no ending), not {Path(path).suffix!r}; rename it if it is one of these"
        )
    return {"gset": read_gset, "json": read_json, "qubo": read_qubo}[kind](path)


def read_gset(path: str | Path) -> IsingProblem:
    """Read a weighted graph whose cut is to be large.

    The cut is (sum w_ij - sum w_ij m_i m_j) / 2, hence J_ij = -w_ij, over the common divisor of the weights.

    Raises
    ------
    InvalidInput
        The file is not a graph in this form; the message names the line.
    """
    lines = _Lines(path, _GSET)
    number, fields = lines.next()
    nodes, edges = lines.integers(number, fields, 2)
    header = number
    if nodes < 1 or edges < 0:
        lines.fail(
            number, f"needs one node or more and no negative number of edges, found {fields}"
        )
    lines.bound(number, nodes)
    weights: dict[tuple[int, int], int] = {}
    places: dict[tuple[int, int], int] = {}
    for number, fields in lines:
        i, j, weight = lines.integers(number, fields, 3)
        for node in (i, j):
            if not 1 <= node <= nodes:
                lines.fail(number, f"nodes must be 1 to {nodes}, found {node}")
        if i == j:
            lines.fail(
                number, f"an edge must join two nodes, found node {i} twice; remove the line"
            )
        pair = (min(i, j) - 1, max(i, j) - 1)
        if pair in places:
            lines.fail(
                number,
                f"the edge {i} {j} is there already, in line {places[pair]}; give it once, with the sum "
                f"of its weights",
            )
        weights[pair], places[pair] = weight, number
    if len(weights) != edges:
        lines.fail(header, f"promises {edges} edges, found {len(weights)}")
    return _max_cut(path, nodes, weights, **_best(path, nodes, edges))


def _best(path: str | Path, nodes: int, edges: int) -> dict:
    found = _BEST.get(Path(path).stem.upper())
    return {"best_known": found[2]} if found and found[:2] == (nodes, edges) else {}


def _max_cut(where, nodes: int, weights: dict[tuple[int, int], int], **more) -> IsingProblem:
    names = [str(node + 1) for node in range(nodes)]
    half = Fraction(1, 2)
    total = half * sum(weights.values())
    return compose(where, "max-cut", names, {}, weights, offset=total, factor=-half, **more)


def read_qubo(path: str | Path) -> IsingProblem:
    """Read a quadratic form of bits that is to be small, in the text form of qbsolv.

    Nodes that no line names take no part. Weights may be decimal fractions; they are kept exactly.

    Raises
    ------
    InvalidInput
        The file is not in this form; the message names the line.
    """
    lines = _Lines(path, _QUBO, comment="c")
    number, fields = lines.next()
    if fields[:2] != ["p", "qubo"] or len(fields) != 6:
        lines.fail(
            number, f"must be 'p qubo 0 maxNodes nNodes nCouplers', found {' '.join(fields)!r}"
        )
    if fields[2] not in ("0", "unconstrained"):
        lines.fail(number, f"the topology must be 0 or unconstrained, found {fields[2]!r}")
    most, diagonals, couplers = lines.integers(number, fields[3:], 3)
    lines.bound(number, most)
    header = number
    values: dict[tuple[int, int], Fraction] = {}
    for number, fields in lines:
        if len(fields) != 3:
            lines.fail(number, f"must have three numbers, found {' '.join(fields)!r}")
        i, j = lines.integers(number, fields[:2], 2)
        for node in (i, j):
            if not 0 <= node < most:
                lines.fail(number, f"nodes must be 0 to {most - 1}, found {node}")
        if i > j:
            lines.fail(number, f"must have i < j, found {i} {j}; exchange the two")
        if (i, j) in values:
            lines.fail(number, f"the pair {i} {j} is there twice; give it once, with the sum")
        values[i, j] = lines.number(number, fields[2])
    single = {i: value for (i, j), value in values.items() if i == j}
    paired = {pair: value for pair, value in values.items() if pair[0] != pair[1]}
    for what, promised, found in (
        ("diagonal entries", diagonals, len(single)),
        ("couplers", couplers, len(paired)),
    ):
        if promised != found:
            lines.fail(header, f"promises {promised} {what}, found {found}")
    used = sorted({node for pair in values for node in pair})
    if not used:
        lines.fail(header, "needs one entry or more, found none")
    place = {node: position for position, node in enumerate(used)}
    return compose(
        path,
        "qubo",
        [str(node) for node in used],
        {place[node]: value for node, value in single.items()},
        {(place[i], place[j]): value for (i, j), value in paired.items()},
    )


def toroidal(rows: int, columns: int, seed: int = 0) -> IsingProblem:
    """A grid that is closed at its edges, with random weights -1 and +1: a max-cut problem.

    100 rows and 8 columns are of the family and the size of G11 to G13 of the G-set, which came from
    another generator: this is not one of them, and its largest cut is another.

    Raises
    ------
    InvalidInput
        Fewer than three rows or columns: an edge would be there twice.
    """
    if rows < 3 or columns < 3 or rows * columns > MOST_NODES:
        raise InvalidInput(
            f"a toroidal grid needs 3 rows and 3 columns or more and up to {MOST_NODES} nodes, found "
            f"{rows} x {columns}"
        )
    source = random.Random(seed)
    weights = {}
    for row in range(rows):
        for column in range(columns):
            here = row * columns + column
            right = row * columns + (column + 1) % columns
            below = (row + 1) % rows * columns + column
            for other in (right, below):
                weights[min(here, other), max(here, other)] = 1 if source.random() < 0.5 else -1
    note = f"toroidal grid {rows} x {columns}, seed {seed}; made here, not an instance of the G-set"
    return _max_cut("toroidal grid", rows * columns, weights, note=note)


class _Lines:
    """Lines of numbers, each with its place in the file."""

    def __init__(self, path: str | Path, expected: str, comment: str | None = None):
        self._path, self._expected = path, expected
        text = read_text(path, expected)
        split = ((n, line.split()) for n, line in enumerate(text.splitlines(), start=1))
        self._lines = ((n, fields) for n, fields in split if fields and fields[0] != comment)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self._lines

    def next(self) -> tuple[int, list[str]]:
        for line in self._lines:
            return line
        raise InvalidInput(f"{self._path}: has no line but comments; expected {self._expected}")

    def fail(self, number: int, what: str) -> None:
        raise InvalidInput(f"{self._path}:{number}: {what}; expected {self._expected}")

    def bound(self, number: int, nodes: int) -> None:
        if nodes > MOST_NODES:
            self.fail(number, f"up to {MOST_NODES} nodes can be read, found {nodes}")

    def integers(self, number: int, fields: list[str], count: int) -> list[int]:
        if len(fields) != count:
            self.fail(number, f"must have {count} whole numbers, found {' '.join(fields)[:80]!r}")
        for field in fields:
            if len(field) > 20 or not field.removeprefix("-").removeprefix("+").isdecimal():
                self.fail(number, f"must have {count} whole numbers, found {field[:80]!r}")
        return [int(field) for field in fields]

    def number(self, number: int, field: str) -> Fraction:
        value = exact(field)
        if value is None:
            self.fail(number, f"the weight must be a number, found {field[:80]!r}")
        return value
