"""Relations between bits: what a valid state satisfies, and what follows from known bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ..errors import InvalidInput

__all__ = ["Contradiction", "Relation", "propagate", "satisfiable"]

MAX_NODES = 6


class Contradiction(InvalidInput):
    """Known bits that no valid state has."""


@dataclass(frozen=True)
class Relation:
    """The assignments of a few nodes that are allowed.

    Attributes
    ----------
    nodes
        1..6 distinct node numbers.
    table
        Bit k is 1 where the assignment whose bits are k (``nodes[0]`` lowest) is allowed.
    name
        What a report calls it: "and", "full_adder".
    """

    nodes: tuple[int, ...]
    table: int
    name: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.nodes) <= MAX_NODES or len(set(self.nodes)) != len(self.nodes):
            raise InvalidInput(
                f"relation {self.name!r} must be between 1..{MAX_NODES} distinct nodes, found "
                f"{self.nodes}"
            )
        if not 0 <= self.table < 1 << (1 << len(self.nodes)):
            raise InvalidInput(
                f"relation {self.name!r}: the table of {len(self.nodes)} nodes must lie in "
                f"0..2^{1 << len(self.nodes)} - 1, found {self.table:#x}"
            )

    def negated(self, nodes: Iterable[int]) -> Relation:
        """The same relation where ``nodes`` have the opposite meaning."""
        nodes = set(nodes)
        flip = sum(1 << k for k, node in enumerate(self.nodes) if node in nodes)
        table = sum((self.table >> k & 1) << (k ^ flip) for k in range(1 << len(self.nodes)))
        return Relation(self.nodes, table, self.name)

    def restricted(self, bits: Mapping[int, int]) -> tuple[tuple[int, ...], int]:
        """The nodes that ``bits`` leaves free, and the table between them (0 or 1 if there is none)."""
        free = tuple(node for node in self.nodes if node not in bits)
        fixed = sum(bits[node] << k for k, node in enumerate(self.nodes) if node in bits)
        places = [k for k, node in enumerate(self.nodes) if node not in bits]
        table = 0
        for state in range(1 << len(free)):
            whole = fixed | sum((state >> i & 1) << k for i, k in enumerate(places))
            table |= (self.table >> whole & 1) << state
        return free, table


@cache
def _ones(count: int) -> tuple[int, ...]:
    """For every one of ``count`` nodes, the table of the assignments in which it is 1."""
    return tuple(
        sum(1 << state for state in range(1 << count) if state >> k & 1) for k in range(count)
    )


def _users(relations: Sequence[Relation]) -> dict[int, list[int]]:
    users: dict[int, list[int]] = {}
    for number, relation in enumerate(relations):
        for node in relation.nodes:
            users.setdefault(node, []).append(number)
    return users


def _close(
    relations: Sequence[Relation],
    users: Mapping[int, list[int]],
    known: dict[int, int],
    waiting: Iterable[int],
) -> Relation | None:
    """Adds to ``known`` what follows, from the relations ``waiting``; returns one that cannot hold."""
    queue = dict.fromkeys(waiting)
    while queue:
        number = next(iter(queue))
        del queue[number]
        relation = relations[number]
        ones = _ones(len(relation.nodes))
        table = relation.table
        for node, one in zip(relation.nodes, ones, strict=True):
            if node in known:
                table &= one if known[node] else ~one
        if not table:
            return relation
        for node, one in zip(relation.nodes, ones, strict=True):
            if node in known:
                continue
            if not table & one:
                known[node] = 0
            elif not table & ~one:
                known[node] = 1
            else:
                continue
            queue.update(dict.fromkeys(users[node]))
    return None


def propagate(
    relations: Sequence[Relation], bits: Mapping[int, int], names: Sequence[str] | None = None
) -> dict[int, int]:
    """All bits that follow from ``bits``, one relation at a time.

    Parameters
    ----------
    names
        Of the nodes, for the message.

    Raises
    ------
    Contradiction
        A relation has no allowed assignment left.
    """
    known = dict(bits)
    failed = _close(relations, _users(relations), known, range(len(relations)))
    if failed is not None:
        found = ", ".join(
            f"{names[node] if names else node} = {known[node]}"
            for node in failed.nodes
            if node in known
        )
        raise Contradiction(
            f"the fixed bits contradict each other: relation {failed.name!r} cannot hold with "
            f"{found}; free one of the fixed bits or change its value"
        )
    return known


def satisfiable(
    relations: Sequence[Relation], bits: Mapping[int, int], *, decisions: int = 20_000
) -> bool | None:
    """Whether any state with ``bits`` is valid: depth-first over the nodes, the lowest number first.

    In a circuit the inputs have the lowest numbers and decide the rest, so that no more than
    2^(inputs) decisions are ever needed.

    Returns
    -------
    bool or None
        None where ``decisions`` did not suffice to tell.
    """
    users = _users(relations)
    known = dict(bits)
    if _close(relations, users, known, range(len(relations))) is not None:
        return False
    order = sorted(users)
    pending: list[tuple[int, dict[int, int]]] = []
    while True:
        node = next((node for node in order if node not in known), None)
        if node is None:
            return True
        pending.append((node, dict(known)))
        value = 0
        while True:
            if not decisions:
                return None
            decisions -= 1
            known[node] = value
            if _close(relations, users, known, users[node]) is None:
                break
            # The other value of the deepest decision that has not had it.
            if not pending:
                return False
            node, known = pending.pop()
            value = 1
