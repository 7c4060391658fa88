"""Ising problems: fields, couplings, and the relations that a valid state satisfies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..errors import InvalidInput
from .clamping import Clamped, clamp, merge
from .enumeration import lowest
from .relations import Relation, propagate, satisfiable

__all__ = ["Hamiltonian"]

# Weighted spins held at once while a batch is evaluated.
BATCH = 1 << 24


@dataclass(frozen=True, eq=False)
class Hamiltonian:
    """``E(m) = -(sum_i h_i m_i + sum_{i<j} J_ij m_i m_j)`` over spins of -1 and +1; bit 0 is spin -1.

    Where it comes from a Boolean circuit, a state is valid when every relation holds, which is so
    exactly when its energy is ``ground``. Camsari et al., "Stochastic p-Bits for Invertible Logic",
    Physical Review X 7, 2017; Smithson et al., "Efficient CMOS Invertible Logic Using Stochastic
    Computing", IEEE TCAS-I 66(6), 2019.

    Attributes
    ----------
    names
        Of the nodes, unique.
    h
        int64 (nodes,).
    edges
        int64 (edges, 2), each row i < j, sorted, without repetition.
    weights
        int64 (edges,): J of each edge, none of them 0.
    relations
        What a valid state satisfies; none for a plain Ising problem.
    ground
        The energy of valid states; None where it is not known.
    words
        Numbers made of nodes: node indices, lowest bit first.
    """

    names: tuple[str, ...]
    h: np.ndarray
    edges: np.ndarray
    weights: np.ndarray
    relations: tuple[Relation, ...] = ()
    ground: int | None = None
    words: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = tuple(self.names)
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInput(f"the names of nodes must be unique, found {twice!r} twice")
        arrays = {}
        for name, shape in (("h", (-1,)), ("edges", (-1, 2)), ("weights", (-1,))):
            given = np.asarray(getattr(self, name))
            if given.size and not np.issubdtype(given.dtype, np.integer):
                raise InvalidInput(f"{name} must be integers, found an array of {given.dtype}")
            array = given.astype(np.int64).reshape(shape)
            array.setflags(write=False)
            arrays[name] = array
        h, edges, weights = arrays["h"], arrays["edges"], arrays["weights"]
        if len(h) != len(names):
            raise InvalidInput(f"h must have one value a node ({len(names)}), found {len(h)}")
        if len(weights) != len(edges):
            raise InvalidInput(
                f"weights must have one value an edge ({len(edges)}), found {len(weights)}"
            )
        if len(edges) and (edges.min() < 0 or edges.max() >= len(names)):
            raise InvalidInput(
                f"edges must be between nodes 0..{len(names) - 1}, found [{edges.min()}, "
                f"{edges.max()}]"
            )
        key = edges[:, 0] * len(names) + edges[:, 1]
        if (edges[:, 0] >= edges[:, 1]).any() or (np.diff(key) <= 0).any() or not weights.all():
            raise InvalidInput(
                "edges must be sorted, each once as (i, j) with i < j and a weight other than 0; "
                "Hamiltonian.of takes couplings in any order"
            )
        if sum(map(abs, h.tolist())) + sum(map(abs, weights.tolist())) >= 1 << 62:
            raise InvalidInput("the sum of all |h| and |J| must lie below 2^62; scale them down")
        nodes = set(range(len(names)))
        for relation in self.relations:
            if not nodes.issuperset(relation.nodes):
                raise InvalidInput(f"relation {relation.name!r} names nodes {relation.nodes}")
        for word, indices in self.words.items():
            if not nodes.issuperset(indices):
                raise InvalidInput(f"word {word!r} names nodes {indices}")
        for name, array in arrays.items():
            object.__setattr__(self, name, array)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "relations", tuple(self.relations))
        object.__setattr__(self, "words", {w: tuple(nodes) for w, nodes in self.words.items()})

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        h: Sequence[int] | np.ndarray,
        couplings: Mapping[tuple[int, int], int] | Iterable[tuple[int, int, int]],
        *,
        relations: Sequence[Relation] = (),
        ground: int | None = None,
        words: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Hamiltonian:
        """From couplings in any order: those of the same two nodes are added, sums of 0 dropped.

        Parameters
        ----------
        couplings
            ``{(i, j): J}`` or triples (i, j, J), i and j different.
        """
        if isinstance(couplings, Mapping):
            couplings = ((i, j, weight) for (i, j), weight in couplings.items())
        total: dict[tuple[int, int], int] = {}
        for i, j, weight in couplings:
            edge = (int(min(i, j)), int(max(i, j)))
            total[edge] = total.get(edge, 0) + int(weight)
        kept = sorted((edge, weight) for edge, weight in total.items() if weight)
        return cls(
            names=tuple(names),
            h=np.asarray(h),
            edges=np.array([edge for edge, _ in kept], dtype=np.int64).reshape(-1, 2),
            weights=np.array([weight for _, weight in kept], dtype=np.int64),
            relations=tuple(relations),
            ground=ground,
            words=words or {},
        )

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        words = ", ".join(f"{name}[{len(nodes)}]" for name, nodes in self.words.items())
        return (
            f"Hamiltonian({len(self)} nodes, {len(self.edges)} edges, {len(self.relations)} "
            f"relations, ground {self.ground}{', words ' + words if words else ''})"
        )

    # ---- structure

    @cached_property
    def adjacency(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of J: node i is coupled to ``neighbour[start[i]:start[i + 1]]`` by ``weight`` there.

        Returns
        -------
        start, neighbour, weight
            int64 (nodes + 1,), (2 edges,), (2 edges,); neighbours in ascending order.
        """
        source = np.concatenate([self.edges[:, 0], self.edges[:, 1]])
        target = np.concatenate([self.edges[:, 1], self.edges[:, 0]])
        order = np.lexsort((target, source))
        start = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=len(self)))])
        return start.astype(np.int64), target[order], np.tile(self.weights, 2)[order]

    @cached_property
    def degrees(self) -> np.ndarray:
        """How many nodes each one is coupled to: int64 (nodes,)."""
        return np.diff(self.adjacency[0])

    @cached_property
    def reach(self) -> np.ndarray:
        """The largest magnitude of each node's field, |h| + sum |J|: int64 (nodes,)."""
        reach = np.abs(self.h)
        np.add.at(reach, self.edges.ravel(), np.repeat(np.abs(self.weights), 2))
        return reach

    @property
    def matrix(self) -> np.ndarray:
        """J, symmetric and dense: int64 (nodes, nodes)."""
        matrix = np.zeros((len(self), len(self)), dtype=np.int64)
        i, j = self.edges.T
        matrix[i, j] = matrix[j, i] = self.weights
        return matrix

    # ---- states

    def _spins(self, spins: np.ndarray) -> np.ndarray:
        spins = np.asarray(spins)
        if spins.ndim == 0 or spins.shape[-1] != len(self) or not (np.abs(spins) == 1).all():
            raise InvalidInput(
                f"spins must be -1 or +1, one a node ({len(self)}) along the last axis, found shape "
                f"{spins.shape}"
            )
        return spins if np.issubdtype(spins.dtype, np.integer) else spins.astype(np.int64)

    def energy(self, spins: np.ndarray) -> np.ndarray:
        """The energy of states: spins (..., nodes) to int64 (...)."""
        spins = self._spins(spins)
        flat = spins.reshape(math.prod(spins.shape[:-1]), len(self))
        out = np.empty(len(flat), dtype=np.int64)
        step = max(1, BATCH // (len(self) + 2 * len(self.edges) + 1))
        i, j = self.edges.T
        for k in range(0, len(flat), step):
            part = flat[k : k + step]
            out[k : k + step] = -(part @ self.h) - (part[:, i] * part[:, j]) @ self.weights
        return out.reshape(spins.shape[:-1])

    def fields(self, spins: np.ndarray) -> np.ndarray:
        """``h_i + sum_j J_ij m_j`` of every node: spins (..., nodes) to int64 (..., nodes)."""
        spins = self._spins(spins)
        flat = spins.reshape(math.prod(spins.shape[:-1]), len(self))
        out = np.repeat(self.h[None], len(flat), axis=0)
        start, neighbour, weight = self.adjacency
        coupled = np.flatnonzero(self.degrees)
        step = max(1, BATCH // (len(neighbour) + 1))
        if len(coupled):
            for k in range(0, len(flat), step):
                pull = flat[k : k + step, neighbour] * weight
                out[k : k + step, coupled] += np.add.reduceat(pull, start[coupled], axis=1)
        return out.reshape(spins.shape)

    def violations(self, spins: np.ndarray) -> np.ndarray:
        """How many relations do not hold: spins (..., nodes) to int64 (...)."""
        bits = self._spins(spins) > 0
        broken = np.zeros(bits.shape[:-1], dtype=np.int64)
        for relation in self.relations:
            size = len(relation.nodes)
            table = np.array([relation.table >> k & 1 for k in range(1 << size)], dtype=bool)
            broken += ~table[bits[..., list(relation.nodes)] @ (1 << np.arange(size))]
        return broken

    def is_valid(self, spins: np.ndarray) -> np.ndarray:
        """Whether all relations hold: spins (..., nodes) to bool (...)."""
        return self.violations(spins) == 0

    def ground_states(self) -> tuple[int, np.ndarray]:
        """The lowest energy and all states that have it, by enumeration of up to 24 nodes.

        Returns
        -------
        energy, states
            The states as spins, int8 (states, nodes), in the order of their bits as a number.
        """
        return lowest(self.h, self.edges, self.weights)

    # ---- numbers

    def nodes_of(self, name: str) -> tuple[int, ...]:
        """The nodes of a word, lowest bit first."""
        if name not in self.words:
            raise InvalidInput(
                f"there is no word {name!r}; the words are {', '.join(self.words) or 'none'}"
            )
        return self.words[name]

    def assignment(self, values: Mapping[str, int]) -> dict[int, int]:
        """The bits of the nodes of words: ``{"y": 55}`` to ``{node: 0 or 1}``."""
        bits: dict[int, int] = {}
        for name, value in values.items():
            nodes = self.nodes_of(name)
            if not 0 <= value < 1 << len(nodes):
                raise InvalidInput(
                    f"word {name!r} has {len(nodes)} bits and takes 0..{(1 << len(nodes)) - 1}, "
                    f"found {value}"
                )
            for k, node in enumerate(nodes):
                bit = value >> k & 1
                if bits.setdefault(node, bit) != bit:
                    raise InvalidInput(
                        f"{name}[{k}] = {bit}, but the same node ({self.names[node]}) is fixed at "
                        f"{1 - bit} by another word"
                    )
        return bits

    def value(self, spins: np.ndarray, name: str) -> np.ndarray:
        """What a word reads: spins (..., nodes) to int64 (...), objects beyond 62 bits."""
        nodes = self.nodes_of(name)
        dtype = np.int64 if len(nodes) <= 62 else object
        bits = self._spins(spins)[..., list(nodes)] > 0
        return bits.astype(dtype) @ np.array([1 << k for k in range(len(nodes))], dtype=dtype)

    # ---- other problems

    def scaled(self, g: int) -> Hamiltonian:
        """The same problem with every energy ``g`` >= 1 times as high."""
        if g < 1:
            raise InvalidInput(f"the scale of h and J must be at least 1, found {g}")
        return Hamiltonian(
            self.names,
            self.h * g,
            self.edges,
            self.weights * g,
            self.relations,
            None if self.ground is None else self.ground * g,
            self.words,
        )

    def negated(self, nodes: Iterable[int]) -> Hamiltonian:
        """The same problem where ``nodes`` have the opposite meaning."""
        nodes = set(nodes)
        sign = np.array([-1 if node in nodes else 1 for node in range(len(self))], dtype=np.int64)
        return Hamiltonian(
            self.names,
            self.h * sign,
            self.edges,
            self.weights * sign[self.edges].prod(axis=1),
            tuple(relation.negated(nodes) for relation in self.relations),
            self.ground,
            self.words,
        )

    def satisfiable(self, bits: Mapping[int, int], *, decisions: int = 20_000) -> bool | None:
        """Whether any valid state has ``bits``; None where ``decisions`` did not suffice to tell."""
        return satisfiable(self.relations, bits, decisions=decisions)

    def clamped(self, bits: Mapping[int, int], *, implied: bool = False) -> Clamped:
        """The problem that is left when some nodes are fixed, their couplings folded into h.

        Parameters
        ----------
        bits
            ``{node: 0 or 1}``.
        implied
            Whether the bits that follow from these, one relation at a time, are fixed as well, and
            nodes that must be equal are made one.

        Raises
        ------
        Contradiction
            A relation is found to have no allowed assignment left.
        """
        for node, bit in bits.items():
            if not 0 <= node < len(self) or bit not in (0, 1):
                raise InvalidInput(
                    f"a fixed node must be one of 0..{len(self) - 1} and 0 or 1, found {node}: {bit}"
                )
        known = propagate(self.relations, bits, self.names)
        return merge(clamp(self, known)) if implied else clamp(self, dict(bits))
