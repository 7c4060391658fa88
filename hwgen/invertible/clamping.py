"""Nodes that are fixed, folded into the fields of those that stay free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .relations import Contradiction, Relation

if TYPE_CHECKING:
    from .hamiltonian import Hamiltonian

__all__ = ["Clamped", "clamp", "merge"]

LIKE = {0b1001: 1, 0b0110: -1}
"""Tables of two nodes that make them equal, or opposite."""


@dataclass(frozen=True, eq=False)
class Clamped:
    """What is left of a problem whose nodes are fixed in part.

    Attributes
    ----------
    hamiltonian
        Over the free nodes, without words. Its ground is that of the whole less what the fixed nodes
        contribute, so that a state is valid exactly when its energy is the ground.
    free
        Their indices in the whole: int64 (free,).
    fixed
        The spins of the whole, 0 where free: int64 (nodes,).
    place, signs
        For every node of the whole that is not fixed, which free node it equals, and whether (1) or the
        opposite of which (-1): int64 (nodes,). -1 and 0 for fixed ones.
    """

    hamiltonian: Hamiltonian
    free: np.ndarray
    fixed: np.ndarray
    place: np.ndarray
    signs: np.ndarray

    def restore(self, spins: np.ndarray) -> np.ndarray:
        """Spins of the whole: (..., free) to int64 (..., nodes)."""
        spins = np.asarray(spins)
        whole = np.empty((*spins.shape[:-1], len(self.fixed)), dtype=np.int64)
        whole[:] = self.fixed
        loose = np.flatnonzero(self.signs)
        whole[..., loose] = spins[..., self.place[loose]] * self.signs[loose]
        return whole


def clamp(whole: Hamiltonian, bits: Mapping[int, int]) -> Clamped:
    """The problem that is left of ``whole`` when ``bits`` (node: 0 or 1) are fixed."""
    fixed = np.zeros(len(whole), dtype=np.int64)
    for node, bit in bits.items():
        fixed[node] = 2 * bit - 1
    free = np.flatnonzero(fixed == 0)
    place = np.cumsum(fixed == 0) - 1
    i, j = whole.edges.T
    within = (fixed[i] == 0) & (fixed[j] == 0)
    # Edges with one end fixed pull on the other: a fixed end is +-1, a free one 0.
    pull = whole.h.copy()
    np.add.at(pull, i, whole.weights * fixed[j])
    np.add.at(pull, j, whole.weights * fixed[i])
    constant = -int(whole.h @ fixed) - int(whole.weights @ (fixed[i] * fixed[j]))
    relations = []
    for relation in whole.relations:
        nodes, table = relation.restricted(bits)
        if nodes and table != (1 << (1 << len(nodes))) - 1:
            relations.append(Relation(tuple(int(place[n]) for n in nodes), table, relation.name))
    left = replace(
        whole,
        names=tuple(whole.names[node] for node in free),
        h=pull[free],
        edges=place[whole.edges[within]],
        weights=whole.weights[within],
        relations=tuple(relations),
        ground=None if whole.ground is None else whole.ground - constant,
        words={},
    )
    is_free = (fixed == 0).astype(np.int64)
    return Clamped(left, free, fixed, np.where(is_free, place, -1), is_free)


def merge(clamped: Clamped) -> Clamped:
    """Make one node of those that a relation of two nodes makes equal, or opposite.

    Raises
    ------
    Contradiction
        A node would have to be the opposite of itself.
    """
    while pairs := [
        r for r in clamped.hamiltonian.relations if len(r.nodes) == 2 and r.table in LIKE
    ]:
        clamped = _merged(clamped, pairs)
    return clamped


def _merged(clamped: Clamped, pairs: list[Relation]) -> Clamped:
    left = clamped.hamiltonian
    same, sign = np.arange(len(left)), np.ones(len(left), np.int64)
    for relation in pairs:
        a, b = relation.nodes
        product = LIKE[relation.table] * sign[a] * sign[b]
        keep, drop = sorted((same[a], same[b]))
        if keep != drop:
            moved = same == drop
            same[moved], sign[moved] = keep, sign[moved] * product
    kept = np.unique(same)
    place = np.searchsorted(kept, same)
    i, j = left.edges.T
    within = place[i] == place[j]
    constant = -int((left.weights * sign[i] * sign[j])[within].sum())
    h = np.zeros(len(kept), np.int64)
    np.add.at(h, place, left.h * sign)
    couplings = zip(place[i], place[j], left.weights * sign[i] * sign[j], strict=True)
    hamiltonian = left.of(
        tuple(left.names[k] for k in kept),
        h,
        [(p, q, w) for p, q, w in couplings if p != q],
        relations=[r for r in (_on(r, place, sign) for r in left.relations) if r is not None],
        ground=None if left.ground is None else left.ground - constant,
    )
    loose = clamped.signs != 0
    at = np.where(loose, clamped.place, 0)
    return Clamped(
        hamiltonian,
        clamped.free[kept],
        clamped.fixed,
        np.where(loose, place[at], -1),
        clamped.signs * sign[at],
    )


def _on(relation: Relation, place: np.ndarray, sign: np.ndarray) -> Relation | None:
    """A relation on merged nodes; None if nothing is left to check."""
    nodes = tuple(dict.fromkeys(int(place[n]) for n in relation.nodes))
    table = 0
    for k in range(1 << len(nodes)):
        row = 0
        for at, node in enumerate(relation.nodes):
            bit = k >> nodes.index(int(place[node])) & 1
            row |= (bit if sign[node] > 0 else 1 - bit) << at
        table |= (relation.table >> row & 1) << k
    if not table:
        raise Contradiction(
            f"the fixed bits contradict each other: relation {relation.name!r} cannot hold; free one of "
            f"the fixed bits or change its value"
        )
    return None if table == (1 << (1 << len(nodes))) - 1 else Relation(nodes, table, relation.name)
