"""What a network of spins has to be compared with: random search under the same checker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..ops.ising import Ising
from ..ops.lib.ising_walk import Walk
from .hamiltonian import Hamiltonian

__all__ = ["RandomSearch", "random_best", "random_search"]

MOST_ENUMERATED = 18  # bits that decide
SAMPLES = 1 << 16
CHUNK = 1 << 14


class RandomSearch(NamedTuple):
    """Uniform random tries until one is valid.

    Attributes
    ----------
    solutions, states
        Valid ones among those that were tried.
    is_exact
        Whether those were all there are.
    """

    solutions: int
    states: int
    is_exact: bool

    @property
    def mean(self) -> float | None:
        """Tries on average; None if nothing valid was seen."""
        return self.states / self.solutions if self.solutions else None


def random_search(op: Ising, decisions: Sequence[int], seed: int = 0) -> RandomSearch:
    """How long a random search takes that draws the ``decisions`` and asks the checker of ``op``.

    All their values are tried, up to 18 bits; of more a sample.
    """
    walk = Walk(op, np.zeros((1, op.nodes), np.int64))
    bits = len(decisions)
    is_exact = bits <= MOST_ENUMERATED
    states = 1 << bits if is_exact else SAMPLES
    rng = np.random.default_rng(seed)
    found = 0
    for first in range(0, states, CHUNK):
        count = min(CHUNK, states - first)
        spins = -np.ones((count, op.nodes), np.int8)
        if is_exact:
            numbers = np.arange(first, first + count)
            drawn = numbers[:, None] >> np.arange(bits) & 1
        else:
            drawn = rng.integers(0, 2, (count, bits))
        spins[:, list(decisions)] = 2 * drawn - 1
        found += int(walk.valid(walk.completed(spins)).sum())
    return RandomSearch(found, states, is_exact)


def random_best(hamiltonian: Hamiltonian, states: int, seed: int = 0) -> int:
    """The least energy of so many random states."""
    rng = np.random.default_rng(seed)
    best = None
    size = max(1, (1 << 22) // (len(hamiltonian) + len(hamiltonian.edges)))
    for first in range(0, states, size):
        count = min(size, states - first)
        spins = 2 * rng.integers(0, 2, (count, len(hamiltonian))) - 1
        lowest = int(hamiltonian.energy(spins).min())
        best = lowest if best is None else min(best, lowest)
    return best
