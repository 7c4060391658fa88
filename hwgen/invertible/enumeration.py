"""The energies of all states of a small Ising problem."""

from __future__ import annotations

import numpy as np

from ..errors import Unsupported

__all__ = ["MAX_NODES", "energies", "lowest"]

MAX_NODES = 24


def energies(h: np.ndarray, edges: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The energy of every state: (2^nodes,), indexed by the state's bits, node 0 lowest.

    Half as many states have one node less; the field of that node tells both halves apart.

    Raises
    ------
    Unsupported
        There are more than 24 nodes.
    """
    if len(h) > MAX_NODES:
        raise Unsupported(
            f"up to {MAX_NODES} nodes are enumerated, found {len(h)}; clamp some of them"
        )
    bound = int(np.abs(h).sum() + np.abs(weights).sum())
    dtype = np.int32 if bound < 1 << 30 else np.int64
    energy = np.zeros(1, dtype=dtype)
    for node in range(len(h)):
        field = np.full(1, h[node], dtype=dtype)
        towards = edges[:, 1] == node
        coupling = dict(zip(edges[towards, 0].tolist(), weights[towards].tolist(), strict=True))
        for lower in range(node):
            weight = coupling.get(lower, 0)
            field = np.concatenate([field - weight, field + weight])
        energy = np.concatenate([energy + field, energy - field])
    return energy


def lowest(h: np.ndarray, edges: np.ndarray, weights: np.ndarray) -> tuple[int, np.ndarray]:
    """The lowest energy, and the spins of all states that have it: int8 (states, nodes)."""
    energy = energies(h, edges, weights)
    ground = energy.min()
    states = np.flatnonzero(energy == ground)
    bits = states[:, None] >> np.arange(len(h)) & 1
    return int(ground), (2 * bits - 1).astype(np.int8)
