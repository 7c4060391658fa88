"""Nodes with many neighbours, split into copies of themselves."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Unsupported
from .gates import CATALOGUE
from .terms import Net, Term, place

__all__ = ["split"]


def split(
    names: Sequence[str], terms: Sequence[Term], max_degree: int
) -> tuple[list[str], list[Term]]:
    """The same problem with no node of more than ``max_degree`` neighbours.

    A node with more becomes the root of a tree of COPY gates, and the terms on it attach to the
    copies, in their order and as evenly as the tree allows. Restricted to the nodes that were there,
    the ground states stay what they were.

    Raises
    ------
    Unsupported
        A gate alone gives a node as many neighbours as ``max_degree``, so that no copy could be
        linked; or ``max_degree`` is below 3.
    """
    names, terms = list(names), list(terms)
    if max_degree < 3:
        raise Unsupported(
            f"a node needs 3 neighbours or more to be split by copies, found max_degree {max_degree}"
        )
    users: list[list[int]] = [[] for _ in names]
    for number, term in enumerate(terms):
        for node in term.nodes:
            users[node].append(number)
    whole = set(range(len(users)))
    # To split one node can give another that shares two terms with it one neighbour more.
    while crowded := [n for n in sorted(whole) if _degree(terms, users[n], n) > max_degree]:
        for node in crowded:
            _split_node(names, terms, users[node], node, max_degree)
        whole.difference_update(crowded)
    return names, terms


def _neighbours(term: Term, node: int) -> set[int]:
    """The nodes that ``term`` couples ``node`` to."""
    pairs = ((term.nodes[i], term.nodes[j]) for i, j, _ in term.couplings)
    return {q if p == node else p for p, q in pairs if node in (p, q)}


def _degree(terms: Sequence[Term], users: Sequence[int], node: int) -> int:
    """How many nodes ``node`` is coupled to once the couplings of its terms are added."""
    total: dict[int, int] = {}
    for number in users:
        term = terms[number]
        for i, j, weight in term.couplings:
            p, q = term.nodes[i], term.nodes[j]
            if node in (p, q):
                other = q if p == node else p
                total[other] = total.get(other, 0) + weight
    return sum(weight != 0 for weight in total.values())


def _split_node(
    names: list[str], terms: list[Term], users: Sequence[int], node: int, max_degree: int
) -> None:
    # What hangs on the node: terms, and later copies; each with how many neighbours it brings.
    hanging: list[tuple[int, int]] = []
    for number in users:
        count = len(_neighbours(terms[number], node))
        if count >= max_degree:
            raise Unsupported(
                f"node {names[node]!r} has {count} neighbours in one gate ({terms[number].name}); a "
                f"limit of {max_degree} leaves none for a copy; allow {count + 1} or more"
            )
        hanging.append((number, count))
    stem, copies = names[node], 0
    while sum(count for _, count in hanging) > max_degree:
        # One copy takes from the front what fits beside its own link.
        room, taken = max_degree - 1, []
        while hanging and hanging[0][1] <= room:
            taken.append(hanging.pop(0))
            room -= taken[-1][1]
        copies += 1
        copy = len(names)
        names.append(_free_name(names, f"{stem}.copy{copies}"))
        for number, _ in taken:
            terms[number] = terms[number].moved({node: copy})
        hanging.append((len(terms), 1))
        terms.append(place(CATALOGUE["copy"], [Net(copy), Net(node)]))


def _free_name(names: Sequence[str], name: str) -> str:
    while name in names:
        name += "'"
    return name
