"""The gates of invertible logic: fields and couplings whose ground states are a truth table.

Smithson et al., "Efficient CMOS Invertible Logic Using Stochastic Computing", IEEE TCAS-I 66(6),
2019, whose table prints one coupling of HA2 (B with S) with both signs: only -1 is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from .enumeration import energies

__all__ = ["CATALOGUE", "Gate"]


@dataclass(frozen=True)
class Gate:
    """A few spins, and the couplings that make exactly the rows of a table their ground states.

    Attributes
    ----------
    pins
        Their names.
    h
        The field of each pin.
    J
        The upper triangle of the couplings, row by row.
    aux
        The pins that help but mean nothing outside.
    table
        Bit k is 1 where the assignment whose bits are k (first pin lowest) is a ground state.
    """

    name: str
    pins: tuple[str, ...]
    h: tuple[int, ...]
    J: tuple[int, ...]
    aux: tuple[str, ...]
    table: int

    def couplings(self) -> Iterator[tuple[int, int, int]]:
        """Triples (i, j, J) of pin numbers, i < j."""
        for (i, j), weight in zip(combinations(range(len(self.pins)), 2), self.J, strict=True):
            yield i, j, weight

    @cached_property
    def energies(self) -> np.ndarray:
        """Of every assignment of the pins: (2^pins,)."""
        edges = np.array(list(combinations(range(len(self.pins)), 2)), dtype=np.int64)
        return energies(np.array(self.h), edges.reshape(-1, 2), np.array(self.J, dtype=np.int64))

    @property
    def ground(self) -> int:
        """The energy of the rows of the table."""
        return int(self.energies.min())

    @cached_property
    def gap(self) -> int:
        """How far the lowest other assignment of the outer pins lies above the ground."""
        outer = [k for k, pin in enumerate(self.pins) if pin not in self.aux]
        state = np.arange(1 << len(self.pins))
        seen = sum((state >> k & 1) << i for i, k in enumerate(outer))
        best = np.full(1 << len(outer), np.iinfo(np.int64).max)
        np.minimum.at(best, seen, self.energies)
        above = best[best > self.ground]
        return int(above.min()) - self.ground if len(above) else 0

    def exact(self) -> bool:
        """Whether the ground states are the table."""
        return self.table == sum(1 << int(k) for k in np.flatnonzero(self.energies == self.ground))


def _gate(
    name: str,
    pins: str,
    h: tuple[int, ...],
    J: tuple[int, ...],
    holds: Callable[..., bool],
    aux: str = "",
) -> Gate:
    names = tuple(pins.split())
    table = sum(
        1 << k for k in range(1 << len(names)) if holds(*((k >> i & 1) for i in range(len(names))))
    )
    return Gate(name, names, h, J, tuple(aux.split()), table)


_GATES = (
    _gate("copy", "a y", (0, 0), (1,), lambda a, y: y == a),
    _gate("not", "a y", (0, 0), (-1,), lambda a, y: y != a),
    _gate("and", "a b y", (1, 1, -2), (-1, 2, 2), lambda a, b, y: y == (a & b)),
    _gate("nand", "a b y", (1, 1, 2), (-1, -2, -2), lambda a, b, y: y != (a & b)),
    _gate("or", "a b y", (-1, -1, 2), (-1, 2, 2), lambda a, b, y: y == (a | b)),
    _gate("nor", "a b y", (-1, -1, -2), (-1, -2, -2), lambda a, b, y: y != (a | b)),
    _gate(
        "xor",
        "a b y x",
        (-1, -1, -1, 2),
        (-1, -1, 2, -1, 2, 2),
        lambda a, b, y, x: y == a ^ b and x == a | b,
        aux="x",
    ),
    _gate(
        "xor_nor",
        "a b y x",
        (-1, -1, -1, -2),
        (-1, -1, -2, -1, -2, -2),
        lambda a, b, y, x: y == a ^ b and x != a | b,
        aux="x",
    ),
    _gate(
        "xnor",
        "a b y x",
        (-1, -1, 1, 2),
        (-1, 1, 2, 1, 2, -2),
        lambda a, b, y, x: y != a ^ b and x == a | b,
        aux="x",
    ),
    _gate(
        "half_adder",
        "a b sum carry",
        (1, 1, -1, -2),
        (-1, 1, 2, 1, 2, -2),
        lambda a, b, s, c: 2 * c + s == a + b,
    ),
    _gate(
        "full_adder",
        "a b c sum carry",
        (0, 0, 0, 0, 0),
        (-1, -1, 1, 2, -1, 1, 2, 1, 2, -2),
        lambda a, b, ci, s, c: 2 * c + s == a + b + ci,
    ),
    # An AND merged with an XOR: the half adder with a wider reach, kept for comparison.
    _gate(
        "half_adder_2",
        "a b carry sum x",
        (0, 0, -2, -1, -2),
        (-2, 2, -1, -2, 2, -1, -2, 0, 0, -2),
        lambda a, b, c, s, x: 2 * c + s == a + b and x != a | b,
        aux="x",
    ),
    _gate(
        "majority",
        "a b c y",
        (0, 0, 0, 0),
        (-1, -1, 2, -1, 2, 2),
        lambda a, b, c, y: y == (a + b + c >= 2),
    ),
    _gate(
        "mux",
        "a b select y x",
        (1, -1, -2, 2, -4),
        (0, 1, 0, 2, -1, 2, -2, 2, -4, 4),
        lambda a, b, s, y, x: y == (b if s else a) and x == (a & (not s)),
        aux="x",
    ),
)

CATALOGUE: dict[str, Gate] = {gate.name: gate for gate in _GATES}
