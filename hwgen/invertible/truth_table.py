"""Gates for any truth table: integer programs that find fields and couplings with the largest gap."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from math import gcd

import numpy as np

from ..errors import InvalidInput, MissingTool, Unsupported
from .gates import Gate
from .relations import MAX_NODES

__all__ = ["fit"]

# Of the branch-and-bound tree: a limit in nodes, for one in seconds would not be reproducible.
MAX_SEARCH = 20_000


def fit(
    table: int | Callable[..., object] | Iterable[Sequence[int] | str],
    pins: Sequence[str] | None = None,
    *,
    name: str = "relation",
    bound: int = 4,
    max_auxiliary: int = 2,
) -> Gate:
    """A gate whose ground states are the rows of a truth table, with as few auxiliary spins as can be.

    Among those, the gap between the rows and all other assignments is the largest that ``bound``
    allows, and the sum of all magnitudes the smallest for that; a common factor is divided out. In
    every row the auxiliary spins have one value each, so that all rows are equally likely. The result
    is checked by enumeration.

    Parameters
    ----------
    table
        The allowed rows: an integer whose bit k is 1 where the assignment with bits k (first pin
        lowest) is allowed, a predicate of the pins' bits, or the rows themselves, as "011" or
        (0, 1, 1), first pin first.
    pins
        Their names; by default the predicate's parameters, else p0, p1, ...
    bound
        The largest magnitude of a field or a coupling.
    max_auxiliary
        How many auxiliary spins may be added. With them there are at most 6 spins.

    Raises
    ------
    InvalidInput
        No row is allowed, or a row does not have one bit a pin.
    Unsupported
        There is no such gate within the bounds.
    MissingTool
        SciPy is not installed.

    Examples
    --------
    >>> gate = fit(lambda a, b, y: y == (a and b), name="and")
    >>> gate.h, gate.J, gate.gap
    ((1, 1, -2), (-1, 2, 2), 4)
    """
    names, mask = _rows(table, pins)
    size = len(names)
    if bound < 1:
        raise InvalidInput(f"the bound of fields and couplings must be at least 1, found {bound}")
    most = min(max_auxiliary, MAX_NODES - size)
    if most < 0:
        raise Unsupported(
            f"relation {name!r} has {size} pins; up to {MAX_NODES} are fitted; divide it into smaller "
            f"ones with nets between them"
        )
    for auxiliary in range(most + 1):
        found = _solve(size, mask, auxiliary, bound)
        if found is not None:
            extra = tuple(_fresh(names, k) for k in range(auxiliary))
            return replace(found, name=name, pins=(*names, *extra), aux=extra)
    raise Unsupported(
        f"relation {name!r} of pins {', '.join(names)} has no fields and couplings of magnitude up to "
        f"{bound} with {most} auxiliary spins or fewer (there may be {MAX_NODES} spins in all); allow "
        f"a larger bound or more auxiliary spins, or divide it into smaller relations"
    )


def _fresh(names: Sequence[str], number: int) -> str:
    name = f"x{number}"
    while name in names:
        name += "_"
    return name


def _rows(
    table: int | Callable[..., object] | Iterable[Sequence[int] | str],
    pins: Sequence[str] | None,
) -> tuple[tuple[str, ...], int]:
    """The names of the pins, and the table as an integer."""
    names = None if pins is None else tuple(pins)
    if callable(table):
        names = names or tuple(inspect.signature(table).parameters)
        mask = sum(
            1 << k
            for k in range(1 << len(names))
            if table(*(k >> i & 1 for i in range(len(names))))
        )
    elif isinstance(table, int):
        if names is None:
            raise InvalidInput("a table that is an integer needs the names of its pins")
        mask = table
    else:
        rows = [tuple(int(bit) for bit in row) for row in table]
        names = names or tuple(f"p{k}" for k in range(len(rows[0]) if rows else 0))
        for row in rows:
            if len(row) != len(names) or not set(row) <= {0, 1}:
                raise InvalidInput(
                    f"a row must be {len(names)} bits, one for each of {', '.join(names)}; found {row}"
                )
        mask = 0
        for row in rows:
            mask |= 1 << sum(bit << i for i, bit in enumerate(row))
    if len(set(names)) != len(names):
        raise InvalidInput(f"the names of pins must be unique, found {', '.join(names)}")
    if not 0 < mask < 1 << (1 << len(names)):
        raise InvalidInput(
            f"a table of {len(names)} pins must allow at least one row and lie below "
            f"2^{1 << len(names)}, found {mask:#x}"
        )
    return names, mask


@cache
def _solve(size: int, mask: int, auxiliary: int, bound: int) -> Gate | None:
    """A gate of ``size`` outer pins and ``auxiliary`` others, unnamed; None where there is none."""
    problem = _Program(size, mask, auxiliary, bound)
    gap = problem.largest_gap()
    if gap is None:
        return None
    weights = problem.smallest(gap)
    common = gcd(*weights) or 1
    weights = [weight // common for weight in weights]
    count = size + auxiliary
    gate = Gate(
        "", tuple(map(str, range(count))), tuple(weights[:count]), tuple(weights[count:]), (), 0
    )
    table = sum(1 << int(k) for k in np.flatnonzero(gate.energies == gate.ground))
    seen = sorted(k & ((1 << size) - 1) for k in range(1 << count) if table >> k & 1)
    if seen != [k for k in range(1 << size) if mask >> k & 1]:
        raise AssertionError(f"the gate found for table {mask:#x} does not have its ground states")
    return replace(gate, table=table)


class _Program:
    """The mixed-integer program of one truth table.

    Variables: fields and couplings w (integer), their magnitudes, the ground energy E0, half the gap
    (energies differ by even numbers), and for each allowed row which auxiliary assignment reaches E0
    (binary). E is linear in w, so that every assignment is one row of constraints.
    """

    def __init__(self, size: int, mask: int, auxiliary: int, bound: int) -> None:
        count = size + auxiliary
        states = np.arange(1 << count)
        spins = 2 * (states[:, None] >> np.arange(count) & 1) - 1
        pairs = np.array(list(combinations(range(count), 2)), dtype=np.int64).reshape(-1, 2)
        self.energy = -np.hstack([spins, spins[:, pairs[:, 0]] * spins[:, pairs[:, 1]]])
        self.weights = self.energy.shape[1]
        outer = states & ((1 << size) - 1)
        self.allowed = (np.array([mask >> int(k) & 1 for k in outer])).astype(bool)
        self.row = outer[self.allowed]
        self.bound = bound
        self.auxiliary = auxiliary
        self.full = bool(self.allowed.all())
        # No energy lies further from the ground than every term turned over.
        self.reach = 2 * bound * self.weights

    def largest_gap(self) -> int | None:
        """Half the largest gap; None where no gap is possible."""
        if self.full:
            return 0
        x = self._run({"gap": -1.0}, 1)
        return None if x is None else round(x[2 * self.weights + 1])

    def smallest(self, gap: int) -> list[int]:
        """The weights of the smallest sum of magnitudes with that gap."""
        if self.full:
            return [0] * self.weights
        x = self._run({"size": 1.0}, gap)
        if x is None:
            raise AssertionError("a gap that was reached must be reached again")
        return [round(value) for value in x[: self.weights]]

    def _run(self, objective: dict[str, float], gap: int) -> np.ndarray | None:
        try:
            from scipy.optimize import Bounds, LinearConstraint, milp
        except ImportError:
            raise MissingTool(
                "a gate for a truth table is found with SciPy, which is not installed; run: pip "
                "install 'scipy>=1.11'"
            ) from None

        w, choices = self.weights, int(self.allowed.sum())
        choose = choices if self.auxiliary else 0
        ground, half = 2 * w, 2 * w + 1
        total = 2 * w + 2 + choose
        blocks, low, high = [], [], []

        def add(block: np.ndarray, lo: np.ndarray | float, hi: np.ndarray | float) -> None:
            blocks.append(block.copy())
            low.append(np.broadcast_to(lo, block.shape[0]))
            high.append(np.broadcast_to(hi, block.shape[0]))

        # E - E0 >= gap where not allowed; without auxiliary spins E = E0 where allowed.
        block = np.zeros((len(self.energy), total))
        block[:, :w] = self.energy
        block[:, ground] = -1
        block[~self.allowed, half] = -2
        if not choose:
            add(block, 0, np.where(self.allowed, 0.0, np.inf))
        else:
            add(block[~self.allowed], 0, np.inf)
            # Where allowed, one state a row is chosen: E = E0 there, E - E0 >= 2 in the others.
            block = block[self.allowed]
            place = np.arange(choices), 2 * w + 2 + np.arange(choices)
            block[place] = self.reach
            add(block, -np.inf, self.reach)
            block[place] = 2
            add(block, 2, np.inf)
            rows = np.unique(self.row)
            block = np.zeros((len(rows), total))
            block[:, 2 * w + 2 :] = rows[:, None] == self.row
            add(block, 1, 1)
        # magnitude >= +-w
        for sign in (1, -1):
            add(np.hstack([-sign * np.eye(w), np.eye(w), np.zeros((w, 2 + choose))]), 0, np.inf)

        cost = np.zeros(total)
        cost[half] = objective.get("gap", 0)
        cost[w : 2 * w] = objective.get("size", 0)
        lower = np.concatenate(
            [np.full(w, -self.bound), np.zeros(w), [-self.reach, gap], np.zeros(choose)]
        )
        upper = np.concatenate(
            [np.full(2 * w, self.bound), [self.reach, self.reach], np.ones(choose)]
        )
        if choose:
            # An auxiliary spin and its complement serve alike: the first row is reached at all 0.
            lower[2 * w + 2] = 1
        integral = np.ones(total)
        integral[w : 2 * w] = 0
        result = milp(
            cost,
            constraints=LinearConstraint(
                np.vstack(blocks), np.concatenate(low), np.concatenate(high)
            ),
            bounds=Bounds(lower, upper),
            integrality=integral,
            options={"node_limit": MAX_SEARCH, "mip_rel_gap": 0},
        )
        if result.x is None and result.status != 2:
            raise Unsupported(
                f"the search for fields and couplings was given up ({result.message}); allow a smaller "
                f"bound, or divide the relation into smaller ones"
            )
        return result.x
