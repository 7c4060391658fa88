"""The cycles of a network of spins, for many runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import xorshift
from .exact import product
from .ising_frame import Answer

if TYPE_CHECKING:
    from ..ising import Ising

__all__ = ["Answer", "State", "Walk", "walk"]

FIRST_CHUNK = 16  # states that are looked at together: first, and then twice as many each time
CHUNK_SPINS = 1 << 21  # of them, at most
SPARSE = 40  # nodes a neighbour, from which on products of matrices are slower than gathering


class State(NamedTuple):
    """The registers of runs behind a cycle, which begins with 0 before the first.

    Attributes
    ----------
    spins
        int64 (runs, replicas, nodes), clamped ones included.
    counters
        Of the accumulator engine: int64, alike. Else empty.
    generators
        uint32 (runs, generators).
    """

    spins: np.ndarray
    counters: np.ndarray
    generators: np.ndarray


class Walk:
    """The engine of an op: how states follow each other.

    Parameters
    ----------
    op
        The network.
    clamps
        int64 (runs, nodes): 1, -1, or 0 for free spins.
    """

    def __init__(self, op: Ising, clamps: np.ndarray) -> None:
        self.op = op
        self._product = _gathered(op.matrix) or product(op.matrix, 1)
        self._members = [op.members(colour) for colour in range(op.colour_count)]
        self._products = None if op.products is None else op.products.array.T
        if self._products is not None:
            node, *factors = self._products
            shares = np.zeros((2 * len(node), op.nodes), np.int64)
            shares[np.arange(2 * len(node)), np.concatenate(factors)] = 1
            self._through = product(shares, int(op.pair_reaches.max()))
        self._period = op.swap_every + op.settling if op.swap_every else 0
        self._clamps = clamps

    def keep(self, runs: np.ndarray) -> None:
        """Go on with some of the runs only."""
        self._clamps = self._clamps[runs]

    def start(self, seeds: np.ndarray) -> State:
        """The state that seeds, uint32 (runs,), give: spins by the generators' bits in turn."""
        op = self.op
        generators = op.seeds.array.astype(np.uint32)[None] ^ seeds[:, None]
        own = generators[:, : op.replicas * op.replica_generators]
        own = own.reshape(len(seeds), op.replicas, op.replica_generators)
        bits = xorshift.bits(own, 32 * op.replica_generators)
        ups = bits[..., np.arange(op.nodes) % bits.shape[-1]].astype(np.int64)
        counters = ups - 1 if op.engine == "accumulator" else ups[..., :0]
        return State(self._clamped(2 * ups - 1), counters, generators)

    def fields(self, spins: np.ndarray) -> np.ndarray:
        """F of all nodes, without what products add: int64 (runs, replicas, nodes)."""
        flat = spins.reshape(-1, self.op.nodes)
        return self._product(flat).reshape(spins.shape) + self.op.h.array

    def pulls(self, spins: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """F with what products add, by which spins turn: int64 (runs, replicas, nodes)."""
        if self._products is None:
            return fields
        node, a, b = self._products
        own = fields[..., node]
        added = np.concatenate([own * (spins[..., b] > 0), own * (spins[..., a] > 0)], axis=-1)
        flat = added.reshape(-1, added.shape[-1])
        return fields + self._through(flat).reshape(fields.shape)

    def energies(self, spins: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """E: int64 (runs, replicas)."""
        return -((fields + self.op.h.array) * spins).sum(axis=-1) // 2

    def completed(self, spins: np.ndarray) -> np.ndarray:
        """What a checker looks at: bits, bool of the shape of ``spins``."""
        op, bits = self.op, spins > 0
        for level in op.derived_levels:
            rows = op.derived.array[list(level)]
            tables = op.derived_tables.array[list(level)]
            found = _looked_up(bits, rows[:, 1:], tables)
            fixed = self._clamps[:, None, rows[:, 0]]
            bits[..., rows[:, 0]] = np.where(fixed != 0, fixed > 0, found)
        return bits

    def valid(self, bits: np.ndarray) -> np.ndarray:
        """Which completed states all relations allow: bool (..., nodes) to bool (...)."""
        op = self.op
        return _looked_up(bits, op.relation_nodes.array, op.relation_tables.array).all(axis=-1)

    def step(self, cycle: int, state: State, fields: np.ndarray) -> State:
        """The state behind cycle ``cycle``, counted from 0; ``fields`` are those of ``state``."""
        op = self.op
        state = state._replace(generators=xorshift.advance(state.generators))
        turn, phase = divmod(cycle, self._period) if self._period else (0, cycle)
        if self._period and phase >= op.swap_every:
            return self._exchange(turn, state, fields) if phase == self._period - 1 else state
        own = state.generators[:, : op.replicas * op.replica_generators]
        own = own.reshape(len(own), op.replicas, op.replica_generators)
        table, pulls = op.table.array[op.rows(cycle)], self.pulls(state.spins, fields)
        if op.engine == "accumulator":
            noise, limit = table[:, 2 * op.node_classes], table[:, 2 * op.node_classes + 1]
            r = 2 * xorshift.bits(own, len(op.spins)).astype(np.int64) - 1
            noises = noise * r[..., op.places]
            counters = np.clip(state.counters + pulls + noises, -limit, limit - 1)
            spins = self._clamped(np.where(counters >= 0, 1, -1))
            return state._replace(spins=spins, counters=counters)
        members = self._members[phase % op.colour_count]
        numbers = xorshift.halves(own, len(members)).astype(np.int64)
        replicas = np.arange(op.replicas)[:, None]
        below = numbers < table[replicas, pulls[..., members] + op.reach]
        spins = state.spins.copy()
        spins[..., members] = np.where(below, 1, -1)
        return state._replace(spins=self._clamped(spins))

    def _exchange(self, turn: int, state: State, fields: np.ndarray) -> State:
        op = self.op
        pairs = np.arange(op.replicas - 1)
        energies = self.energies(state.spins, fields)
        d = (energies[:, :-1] - energies[:, 1:]) // 2
        depth = op.swap_table.shape[1]
        thresholds = np.concatenate([op.swap_table.array, np.zeros((len(pairs), 1), int)], axis=1)
        allowed = thresholds[pairs, np.clip(d - 1, 0, depth)]
        own = state.generators[:, op.replicas * op.replica_generators :]
        accepted = (d <= 0) | (xorshift.halves(own, len(pairs)).astype(np.int64) < allowed)
        accepted &= pairs % 2 == turn % 2
        order = np.repeat(np.arange(op.replicas)[None], len(d), axis=0)
        order[:, :-1] += accepted
        order[:, 1:] -= accepted
        runs = np.arange(len(d))[:, None]
        return state._replace(spins=state.spins[runs, order], counters=state.counters[runs, order])

    def _clamped(self, spins: np.ndarray) -> np.ndarray:
        """Spins with the clamped ones and products in their places."""
        clamps = self._clamps[:, None]
        spins = np.where(clamps != 0, clamps, spins)
        if self._products is not None:
            node, a, b = self._products
            spins[..., node] = np.minimum(spins[..., a], spins[..., b])
        return spins

    def states(self, seeds: np.ndarray, cycles: int) -> Iterator[State]:
        """The first one and those behind so many cycles; nothing is checked."""
        state = self.start(seeds)
        yield state
        for cycle in range(cycles):
            state = self.step(cycle, state, self.fields(state.spins))
            yield state


def _gathered(matrix: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
    """``lambda spins: spins @ matrix`` by neighbours, where nodes have few of them; else None."""
    nodes, most = len(matrix), int((matrix != 0).sum(axis=1).max())
    if most * SPARSE > nodes:
        return None
    # Rows of the r-th neighbour of every node; where it has fewer, itself with a coupling of 0.
    neighbours = np.tile(np.arange(nodes), (most, 1))
    couplings = np.zeros((most, nodes), np.int64)
    for node in range(nodes):
        found = np.flatnonzero(matrix[node])
        neighbours[: len(found), node] = found
        couplings[: len(found), node] = matrix[node, found]

    def pull(spins: np.ndarray) -> np.ndarray:
        total = np.zeros(spins.shape, np.int64)
        for others, weights in zip(neighbours, couplings, strict=True):
            total += spins[:, others] * weights
        return total

    return pull


def _looked_up(bits: np.ndarray, nodes: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """The bits of tables at what ``nodes`` (rows, -1 behind them) have: bool (..., rows)."""
    index = np.zeros((*bits.shape[:-1], len(tables)), np.int64)
    for place, column in enumerate(nodes.T):
        index |= (bits[..., column] & (column >= 0)).astype(np.int64) << place
    return (tables >> index & 1).astype(bool)


def walk(op: Ising, seeds: np.ndarray, clamps: np.ndarray) -> Answer:
    """Run a network.

    Parameters
    ----------
    seeds
        uint32 (runs,), below 2^31.
    clamps
        int64 (runs, nodes): 1, -1, or 0 for free spins.
    """
    runs, by_energy = len(seeds), op.checks == "energy"
    engine = Walk(op, clamps)
    found, cycles = np.zeros(runs, bool), np.full(runs, op.cycles)
    hits, best = np.zeros(runs, np.int64), np.full(runs, np.iinfo(np.int64).max)
    answer = np.zeros((runs, op.nodes), bool)
    active, begin, length = np.arange(runs), 0, FIRST_CHUNK
    state = engine.start(seeds)
    fields = engine.fields(state.spins)
    while begin < op.cycles and len(active):
        # States are looked at many at once: that takes as long as a look at one.
        end = min(op.cycles, begin + length)
        seen = np.empty((end - begin, *state.spins.shape), np.int8)
        energies = np.empty(seen.shape[:-1], np.int64)
        for k in range(end - begin):
            state = engine.step(begin + k, state, fields)
            fields = engine.fields(state.spins)
            seen[k] = state.spins
            if by_energy:
                energies[k] = engine.energies(state.spins, fields)
        if by_energy:
            bits, valid = seen > 0, energies <= op.target
        else:
            bits = engine.completed(seen)
            valid = engine.valid(bits) if op.checks else np.zeros(bits.shape[:-1], bool)
        hit = valid.any(axis=2)  # (states, runs)
        first = hit.argmax(axis=0)
        for at, run in enumerate(active.tolist()):
            if found[run]:
                continue
            k = int(first[at])
            if hit[k, at]:
                found[run], cycles[run] = True, begin + k + 1
                answer[run] = bits[k, at, valid[k, at].argmax()]
            elif by_energy:
                k, r = np.unravel_index(energies[:, at].argmin(), energies[:, at].shape)
                if energies[k, at, r] < best[run]:
                    best[run], cycles[run] = energies[k, at, r], begin + k + 1
                    answer[run] = bits[k, at, r]
            elif end == op.cycles:
                answer[run] = bits[-1, at, 0]
        hits[active] += hit.any(axis=0) if op.stops else hit.sum(axis=0)
        if op.stops and found[active].any():
            left = ~found[active]
            active, fields = active[left], fields[left]
            state = State(*(part[left] for part in state))
            engine.keep(left)
        begin, length = end, min(2 * length, max(1, CHUNK_SPINS // max(1, state.spins.size)))
    return Answer(found, cycles, hits, 2 * answer.astype(np.int64) - 1)
