"""What follows from the inputs of a circuit, relation by relation: the logic of a checker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .relations import Relation

__all__ = ["Derivation", "derivations"]


class Derivation(NamedTuple):
    """A node as a function of others.

    Attributes
    ----------
    node
        The node.
    inputs
        Nodes that decide it.
    table
        Bit k is its bit where theirs are k, the first one lowest; 0 where nothing is allowed.
    """

    node: int
    inputs: tuple[int, ...]
    table: int


def derivations(relations: Sequence[Relation], known: Iterable[int]) -> list[Derivation]:
    """All nodes that relations make functions of ``known`` ones, in an order of fewest levels."""
    known, found, left = set(known), [], list(relations)
    while True:
        row: dict[int, Derivation] = {}
        for relation in left:
            for node in relation.nodes:
                if node not in known and node not in row:
                    derivation = _function(relation, node, known)
                    if derivation is not None:
                        row[node] = derivation
        if not row:
            return found
        found += row.values()
        known.update(row)
        left = [r for r in left if not known.issuperset(r.nodes)]


def _function(relation: Relation, node: int, known: set[int]) -> Derivation | None:
    """``node`` as a function of the known nodes of a relation, if it is one."""
    places = [k for k, other in enumerate(relation.nodes) if other in known]
    own = relation.nodes.index(node)
    table, seen = 0, {}
    for k in range(1 << len(relation.nodes)):
        if not relation.table >> k & 1:
            continue
        key = sum((k >> place & 1) << at for at, place in enumerate(places))
        bit = k >> own & 1
        if seen.setdefault(key, bit) != bit:
            return None
        table |= bit << key
    return Derivation(node, tuple(relation.nodes[p] for p in places), table) if places else None
