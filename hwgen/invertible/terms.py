"""A gate put on nodes: inverted, constant and repeated pins folded into its fields and couplings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from ..errors import InvalidInput
from .gates import Gate
from .relations import Relation

__all__ = ["Net", "Term", "place"]


@dataclass(frozen=True)
class Net:
    """A bit of a circuit: a node or its complement, or a constant where ``node`` is None.

    ``~net`` is the complement and costs nothing.
    """

    node: int | None
    inverted: bool = False

    def __invert__(self) -> Net:
        return Net(self.node, not self.inverted)

    @property
    def constant(self) -> int | None:
        """0 or 1, or None for a bit that is not constant."""
        return int(self.inverted) if self.node is None else None


@dataclass(frozen=True)
class Term:
    """The part of an energy that one gate contributes.

    Attributes
    ----------
    nodes
        Distinct.
    h
        The field of each node.
    couplings
        Triples (i, j, J) of places in ``nodes``, i < j.
    table
        Bit k is 1 where the assignment whose bits are k (``nodes[0]`` lowest) is allowed.
    ground
        The energy of allowed assignments.
    """

    name: str
    nodes: tuple[int, ...]
    h: tuple[int, ...]
    couplings: tuple[tuple[int, int, int], ...]
    table: int
    ground: int

    def weighted(self, weight: int) -> Term:
        """The same with all its energies ``weight`` times as high: what is allowed stays lowest."""
        return replace(
            self,
            h=tuple(weight * value for value in self.h),
            couplings=tuple((i, j, weight * value) for i, j, value in self.couplings),
            ground=weight * self.ground,
        )

    def moved(self, nodes: Mapping[int, int]) -> Term:
        """The same term on other nodes; those that ``nodes`` does not name stay."""
        moved = tuple(nodes.get(node, node) for node in self.nodes)
        return Term(self.name, moved, self.h, self.couplings, self.table, self.ground)

    def negated(self, nodes: Set[int]) -> Term:
        """The same term where ``nodes`` have the opposite meaning."""
        sign = [-1 if node in nodes else 1 for node in self.nodes]
        return Term(
            self.name,
            self.nodes,
            tuple(weight * s for weight, s in zip(self.h, sign, strict=True)),
            tuple((i, j, weight * sign[i] * sign[j]) for i, j, weight in self.couplings),
            Relation(self.nodes, self.table).negated(nodes).table,
            self.ground,
        )


def place(gate: Gate, nets: Sequence[Net]) -> Term:
    """The term of ``gate`` whose pins are ``nets``.

    Raises
    ------
    InvalidInput
        No row of the gate's table is possible on these nets.
    """
    nodes = list(dict.fromkeys(net.node for net in nets if net.node is not None))
    slot = [None if net.node is None else nodes.index(net.node) for net in nets]
    sign = [-1 if net.inverted else 1 for net in nets]
    # The spin of a constant is its sign negated: the constant that is not inverted is 0, spin -1.
    h = [0] * len(nodes)
    couplings: dict[tuple[int, int], int] = {}
    apart = 0
    for pin, weight in enumerate(gate.h):
        if slot[pin] is None:
            apart -= weight * -sign[pin]
        else:
            h[slot[pin]] += weight * sign[pin]
    for i, j, weight in gate.couplings():
        p, q = slot[i], slot[j]
        if p is None and q is None:
            apart -= weight * sign[i] * sign[j]
        elif p is None:
            h[q] += weight * -sign[i] * sign[j]
        elif q is None:
            h[p] += weight * -sign[j] * sign[i]
        elif p == q:
            apart -= weight * sign[i] * sign[j]
        else:
            edge = (min(p, q), max(p, q))
            couplings[edge] = couplings.get(edge, 0) + weight * sign[i] * sign[j]
    table = 0
    for state in range(1 << len(nodes)):
        row = sum(
            ((0 if s is None else state >> s & 1) ^ net.inverted) << pin
            for pin, (s, net) in enumerate(zip(slot, nets, strict=True))
        )
        table |= (gate.table >> row & 1) << state
    if not table:
        raise InvalidInput(
            f"relation {gate.name!r} cannot hold: its pins {', '.join(gate.pins)} are constants or "
            f"repeat one another in a way that its table does not allow"
        )
    return Term(
        gate.name,
        tuple(nodes),
        tuple(h),
        tuple((i, j, weight) for (i, j), weight in sorted(couplings.items()) if weight),
        table,
        gate.ground - apart,
    )
