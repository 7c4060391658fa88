"""What follows from the inputs of a circuit, relation by relation: the logic of a checker."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from .relations import Relation

__all__ = ["Derivation", "derivations", "to_check"]


class Derivation(NamedTuple):
    """A node as a function of others, and the relation that makes it one.

    Attributes
    ----------
    node
        The node.
    inputs
        Nodes that decide it.
    table
        Bit k is its bit where theirs are k, the first one lowest; 0 where nothing is allowed.
    relation
        Number of the relation.
    is_total
        Whether the relation allows something for all bits of the inputs.
    """

    node: int
    inputs: tuple[int, ...]
    table: int
    relation: int
    is_total: bool


def derivations(relations: Sequence[Relation], known: Iterable[int]) -> list[Derivation]:
    """All nodes that relations make functions of ``known`` ones, in an order of fewest levels."""
    known, found, left = set(known), [], list(enumerate(relations))
    while True:
        row: dict[int, Derivation] = {}
        for number, relation in left:
            for node in relation.nodes:
                if node not in known and node not in row:
                    derivation = _function(relation, number, node, known)
                    if derivation is not None:
                        row[node] = derivation
        if not row:
            return found
        found += row.values()
        known.update(row)
        left = [(k, r) for k, r in left if not known.issuperset(r.nodes)]


def to_check(
    relations: Sequence[Relation], found: Sequence[Derivation], ports: Collection[int] = ()
) -> list[Relation]:
    """The relations that do not hold by the way in which nodes were derived.

    ``ports`` may have another value than what is derived for them.
    """
    holds = set()
    for number, relation in enumerate(relations):
        own = [d for d in found if d.relation == number]
        inputs = {d.inputs for d in own}
        covered = len(inputs) == 1 and len(own) + len(own[0].inputs) == len(relation.nodes)
        if covered and own[0].is_total and not any(d.node in ports for d in own):
            holds.add(number)
    return [relation for number, relation in enumerate(relations) if number not in holds]


def _function(relation: Relation, number: int, node: int, known: set[int]) -> Derivation | None:
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
    if not places:
        return None
    inputs = tuple(relation.nodes[p] for p in places)
    return Derivation(node, inputs, table, number, len(seen) == 1 << len(places))
