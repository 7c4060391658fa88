"""Nodes that are fixed, folded into the fields of those that stay free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .relations import Relation

if TYPE_CHECKING:
    from .hamiltonian import Hamiltonian

__all__ = ["Clamped", "clamp"]


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
    """

    hamiltonian: Hamiltonian
    free: np.ndarray
    fixed: np.ndarray

    def restore(self, spins: np.ndarray) -> np.ndarray:
        """Spins of the whole: (..., free) to int64 (..., nodes)."""
        spins = np.asarray(spins)
        whole = np.empty((*spins.shape[:-1], len(self.fixed)), dtype=np.int64)
        whole[:] = self.fixed
        whole[..., self.free] = spins
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
    free.setflags(write=False)
    fixed.setflags(write=False)
    return Clamped(left, free, fixed)
