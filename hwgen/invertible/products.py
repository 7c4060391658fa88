"""AND gates whose outputs need no spin: the energy of what they feed becomes one of three spins."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from .gates import CATALOGUE
from .hamiltonian import Hamiltonian

__all__ = ["Absorbed", "absorb"]


class Absorbed(NamedTuple):
    """A Hamiltonian in which some nodes are products.

    Attributes
    ----------
    hamiltonian
        Without the energies of their gates.
    products
        Rows (node, a, b): int64 (products, 3).
    """

    hamiltonian: Hamiltonian
    products: np.ndarray


def absorb(hamiltonian: Hamiltonian, ports: Collection[int] = ()) -> Absorbed:
    """Make products of the outputs of AND gates that stand alone.

    Those are left as they are that can be clamped, that are inputs of another such gate, or that
    are coupled to a node made of the same spin.
    """
    gate = CATALOGUE["and"]
    relations = [r for r in hamiltonian.relations if r.name == "and" and r.table == gate.table]
    h = hamiltonian.h.copy()
    couplings = {
        (int(i), int(j)): int(w)
        for (i, j), w in zip(hamiltonian.edges, hamiltonian.weights, strict=True)
    }
    near = [set() for _ in h]
    for i, j in couplings:
        near[i].add(j)
        near[j].add(i)
    factors: dict[int, set[int]] = {}
    kept: set[int] = set(ports)
    rows = []
    for relation in relations:
        a, b, y = relation.nodes
        if y in kept or y in factors or {a, b} & factors.keys():
            continue
        # What y is coupled to must be made of other spins.
        if any(factors.get(k, {k}) & {a, b} for k in near[y] - {a, b}):
            continue
        before = dict(couplings)
        for i, j, weight in gate.couplings():
            pair = tuple(sorted((relation.nodes[i], relation.nodes[j])))
            couplings[pair] = couplings.get(pair, 0) - weight
        if couplings[min(a, y), max(a, y)] or couplings[min(b, y), max(b, y)]:
            couplings = before
            continue
        for node, weight in zip(relation.nodes, gate.h, strict=True):
            h[node] -= weight
        factors[y] = {a, b}
        kept |= {a, b}
        rows.append((y, a, b))
    ground = hamiltonian.ground
    changed = Hamiltonian.of(
        hamiltonian.names,
        h,
        couplings,
        relations=hamiltonian.relations,
        ground=None if ground is None else ground - gate.ground * len(rows),
        words=hamiltonian.words,
    )
    return Absorbed(changed, np.array(rows, np.int64).reshape(-1, 3))
