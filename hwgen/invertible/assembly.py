"""The terms of a circuit's gates, added up to one Hamiltonian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .fanout import split
from .gates import CATALOGUE
from .hamiltonian import Hamiltonian
from .relations import Relation
from .terms import Net, Term, place

__all__ = ["assemble"]


def assemble(
    names: Sequence[str],
    terms: Sequence[Term],
    words: Mapping[str, tuple[Net, ...]],
    max_degree: int | None = None,
) -> Hamiltonian:
    """The sum of ``terms``; a node of more than ``max_degree`` neighbours is split into copies."""
    names, terms = list(names), list(terms)
    indices, flipped = _resolve(names, terms, words)
    terms = [term.negated(flipped) if flipped & set(term.nodes) else term for term in terms]
    if max_degree is not None:
        names, terms = split(names, terms, max_degree)
    h = [0] * len(names)
    for term in terms:
        for node, weight in zip(term.nodes, term.h, strict=True):
            h[node] += weight
    return Hamiltonian.of(
        names,
        h,
        [(t.nodes[i], t.nodes[j], weight) for t in terms for i, j, weight in t.couplings],
        relations=[
            Relation(t.nodes, t.table, t.name)
            for t in terms
            if t.table != (1 << (1 << len(t.nodes))) - 1
        ],
        ground=sum(term.ground for term in terms),
        words=indices,
    )


def _resolve(
    names: list[str], terms: list[Term], words: Mapping[str, tuple[Net, ...]]
) -> tuple[dict[str, tuple[int, ...]], set[int]]:
    """The nodes of every word, and those nodes whose meaning is to be the opposite for that.

    A bit that is constant, or the complement of a node that another word has as it is, becomes a node
    of its own, by a COPY gate.
    """
    taken = set(names)
    straight = {net.node for nets in words.values() for net in nets if not net.inverted}
    flipped: set[int] = set()
    made: dict[Net, int] = {}
    indices = {}
    for word, nets in words.items():
        for k, net in enumerate(nets):
            if net.node is not None and net.inverted and net.node not in straight:
                flipped.add(net.node)
            elif (net.node is None or net.inverted) and net not in made:
                label = word if len(nets) == 1 else f"{word}[{k}]"
                while label in taken:
                    label += "'"
                taken.add(label)
                made[net] = len(names)
                names.append(label)
                terms.append(place(CATALOGUE["copy"], [net, Net(made[net])]))
        indices[word] = tuple(made.get(net, net.node) for net in nets)
    return indices, flipped
