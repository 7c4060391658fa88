"""How a network of spins lies in the memory of emitted C: lanes, rows of neighbours, structs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..ir.types import Int
from ..ops.ising import Ising
from .storage import CType, storage
from .target import Target

__all__ = ["Member", "Neighbours", "Spins", "struct_bytes"]

EIGHT = 8  # lanes of a colour, on the host
WIDE = 32  # lanes of the host, whose loops have whole vectors
ROWS_BYTES = 1 << 18  # of dense rows, beyond which they leave the caches near a core


@dataclass(frozen=True, slots=True)
class Member:
    """Of a struct.

    Attributes
    ----------
    ctype, name
        Its type and its name.
    sizes
        Of an array; none for one number.
    bytes
        Of the type, for a struct in a struct; 0 takes that of ``ctype``.
    align
        Likewise.
    comment
        What it is.
    """

    ctype: CType | str
    name: str
    sizes: tuple[int, ...] = ()
    bytes: int = 0
    align: int = 0
    comment: str = ""

    @property
    def element(self) -> tuple[int, int]:
        """Bytes and alignment of one."""
        return (self.bytes or self.ctype.bytes, self.align or self.ctype.bytes)

    @property
    def text(self) -> str:
        return f"{self.ctype} {self.name}{''.join(f'[{n}]' for n in self.sizes)};"


class Factors(NamedTuple):
    """Spins that products are made of.

    Attributes
    ----------
    lanes
        Which ones.
    starts
        Shape (lanes + 1,): where those of a lane begin among the next two.
    products, others
        Lanes of products, and of the spins beside it that they are made of.
    """

    lanes: np.ndarray
    starts: np.ndarray
    products: np.ndarray
    others: np.ndarray


class Neighbours(NamedTuple):
    """Whose fields a spin is part of.

    Attributes
    ----------
    lanes, weights
        Which ones, and 2 J of each: shape (lanes, neighbours), or in a row those of all lanes.
    starts
        Where those of a lane begin in a row; None with two axes.
    """

    lanes: np.ndarray
    weights: np.ndarray
    starts: np.ndarray | None


def struct_bytes(members: Sequence[Member]) -> tuple[int, int]:
    """Size and alignment of a struct with natural alignment."""
    end, most = 0, 1
    for member in members:
        size, align = member.element
        most = max(most, align)
        end = -(-end // align) * align + size * int(np.prod(member.sizes, dtype=np.int64))
    return -(-end // most) * most, most


@dataclass(frozen=True)
class Spins:
    """Lanes of spins: in the order of the nodes or, with colours, those of a colour in a row; then products.

    Attributes
    ----------
    op, target
        The network, and what the C is for.
    """

    op: Ising
    target: Target

    @cached_property
    def colours(self) -> tuple[np.ndarray, np.ndarray]:
        """By colour, the first lane and how many there are; those of the host come in eights."""
        each = EIGHT if self.target.is_host else 1
        spins = self.op.colours.array[self.op.spins]
        counts = -(-np.bincount(spins, minlength=self.op.colour_count) // each) * each
        return np.cumsum(counts) - counts, counts

    @cached_property
    def lanes(self) -> np.ndarray:
        """By node, the lane."""
        op = self.op
        lanes = op.places.copy()
        if op.colours is not None:
            lanes += self.colours[0][op.colours.array]
        if op.products is not None:
            lanes[op.products.array[:, 0]] = self.first_product + np.arange(len(op.products.array))
        return lanes

    @property
    def first_product(self) -> int:
        """The lane behind those of spins."""
        return len(self.op.spins) if self.op.colours is None else int(self.colours[1].sum())

    @property
    def updated(self) -> int:
        """Lanes that have accumulators."""
        each = WIDE if self.target.is_host else 1
        return -(-len(self.op.spins) // each) * each

    @property
    def size(self) -> int:
        """Lanes, with those that belong to no spin."""
        each = WIDE if self.target.is_host else 1
        return -(-(int(self.lanes.max()) + 1) // each) * each

    @property
    def cores(self) -> int:
        """That share the replicas."""
        return self.target.cores if self.op.replicas > 1 else 1

    @property
    def random_words(self) -> int:
        """States of a replica's generators, with those that are 0 and stay so."""
        if self.op.engine == "accumulator":
            return -(-self.updated // 32)
        each = EIGHT // 2 if self.target.is_host else 1
        return -(-self.op.replica_generators // each) * each

    @property
    def lane(self) -> CType:
        """The type of a field, of an accumulator, and of what comes before it is clipped."""
        op = self.op
        most = max(op.reach, 2 * int(np.abs(self.op.matrix).max()))
        if op.engine == "accumulator":
            noise, limit = op.table.array[:, 0::2], op.table.array[:, 1::2]
            most = max(most, op.reach + int((noise + limit).max()))
        return storage(Int.fit(-most, most))

    @property
    def is_dense(self) -> bool:
        """Whether a spin has a row of all lanes, which takes less time than its neighbours one by one."""
        if not self.target.is_host or self.op.edges is None:
            return False
        row = self.size * self.lane.bytes
        neighbours = 2 * len(self.op.edges.array) / self.op.nodes
        return row * self.op.nodes <= ROWS_BYTES and row / WIDE <= neighbours + 4

    @cached_property
    def rows(self) -> np.ndarray:
        """2 J, how much fields change where a spin turns up: int64 (lanes in use, size)."""
        rows = np.zeros((int(self.lanes.max()) + 1, self.size), np.int64)
        rows[np.ix_(self.lanes, self.lanes)] = 2 * self.op.matrix
        return rows

    @cached_property
    def neighbours(self) -> Neighbours:
        """Of all lanes."""
        i, j = np.nonzero(self.op.matrix)
        order = np.argsort(self.lanes[i], kind="stable")
        i, j = i[order], j[order]
        lanes, weights = self.lanes[j], 2 * self.op.matrix[i, j]
        starts = np.searchsorted(self.lanes[i], np.arange(self.size + 1))
        degrees = np.diff(starts)
        degree = int(degrees.max())
        if degree * self.size * 4 > len(lanes) * 5:
            return Neighbours(lanes, weights, starts)
        # Missing ones are the spin itself, which no weight makes felt.
        full = np.repeat(np.arange(self.size)[:, None], degree, axis=1)
        felt = np.zeros_like(full)
        at = self.lanes[i], np.arange(len(i)) - starts[self.lanes[i]]
        full[at], felt[at] = lanes, weights
        return Neighbours(full, felt, None)

    @cached_property
    def down(self) -> tuple[np.ndarray, int]:
        """Fields of all lanes, and the energy, where all spins are -1."""
        op = self.op
        fields = np.zeros(self.size, np.int64)
        fields[self.lanes] = op.h.array - op.matrix.sum(axis=1)
        return fields, int(op.h.array.sum() - op.matrix.sum() // 2)

    @property
    def most_energy(self) -> int:
        """No energy is larger, or smaller than its negative."""
        return int(np.abs(self.op.h.array).sum() + np.abs(self.op.matrix).sum() // 2)

    @cached_property
    def factors(self) -> Factors:
        """Those of all products."""
        node, a, b = self.lanes[self.op.products.array.T]
        factor = np.concatenate([a, b])
        order = np.argsort(factor, kind="stable")
        starts = np.searchsorted(factor[order], np.arange(self.size + 1))
        products, others = np.concatenate([node, node])[order], np.concatenate([b, a])[order]
        return Factors(np.unique(factor), starts, products, others)

    @property
    def deciding_words(self) -> np.ndarray | None:
        """Bits of the spins that the checker of relations reads, or a product of which it reads.

        By lanes, or shape (colours, words) by lanes from the first one of a colour on. None: all of them.
        """
        op = self.op
        read = np.zeros(op.nodes, bool)
        for rows in (op.relation_nodes, op.derived):
            if rows is not None:
                read[rows.array[rows.array >= 0]] = True
        if op.derived is not None:
            read[op.derived.array[:, 0]] = False
        for node, *factors in [] if op.products is None else op.products.array.tolist():
            read[factors] |= read[node]
        if read[op.spins].all():
            return None
        words = np.zeros((op.colour_count, -(-(int(op.places.max()) + 1) // 32)), np.int64)
        for colour in range(op.colour_count):
            members = op.members(colour)
            members = members[read[members]]
            np.bitwise_or.at(words[colour], op.places[members] // 32, 1 << op.places[members] % 32)
        return words if op.colours is not None else words[0]

    def looked_up(self, nodes: np.ndarray, tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lanes of tables' inputs, as many for all of them, and the tables, words of up to 32 bits.

        Where a table has fewer inputs, it names its first one again, and its bit is whatever that is.
        """
        terms = nodes.shape[1]
        lanes = np.where(nodes < 0, self.lanes[nodes[:, :1]], self.lanes[nodes])
        index = np.arange(1 << terms)
        used = (1 << (nodes >= 0).sum(axis=1)) - 1
        bits = tables[:, None] >> (index & used[:, None]) & 1
        each = min(32, 1 << terms)
        words = (bits.reshape(len(tables), -1, each) << np.arange(each)).sum(axis=-1)
        return lanes, words
