"""Networks of spins that wander to states of low energy: invertible logic, Ising problems."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import RuleViolation
from ..ir.constant import Constant
from ..ir.op import Cost, Op, RandomSources, register
from ..ir.schedule import Schedule
from ..ir.types import Type
from .lib import xorshift
from .lib.ising_frame import Frame
from .lib.ising_rules import verify
from .lib.ising_walk import Answer, walk

__all__ = ["LEVELS", "Ising"]

LEVELS = 4
"""Tables in a row between two registers of a checker."""


@register
@dataclass(frozen=True)
class Ising(Op):
    """Spins ``m`` in -1, 1 of energy ``E = -(sum h[i] m[i] + sum J[i, j] m[i] m[j])``, for some cycles.

    In every cycle each generator makes a step (:mod:`hwgen.ops.lib.xorshift`), and then, with fields
    ``F[i] = h[i] + sum over j of J[i, j] m[j]`` of the spins as they were:

    * ``accumulator``: all spins at once, with ``r`` = 1 or -1 by spin i's random bit,
      ``c[i] = clip(c[i] + F[i] + noise r, -limit, limit - 1)``, ``m[i] = 1 where c[i] >= 0``.
      Smithson et al., "Efficient CMOS Invertible Logic Using Stochastic Computing", IEEE TCAS-I
      66(6), 2019; the table's rows are (noise, limit) of every class of nodes.
    * ``gibbs``: the spins of one colour, the colours in turn, ``m[i] = 1`` where spin i's 16-bit number
      is below ``table[row, F[i] + reach]``. With ``65536 / (1 + exp(-2 b F))`` in the table that is the
      heat bath of ``exp(-b E)``: Camsari et al., Phys. Rev. X 7, 031014, 2017.

    Clamped spins have their value whatever their circuit says. ``products`` are nodes without a spin of
    their own, 1 where two others are: to the F of each of those, the F of the product is added while
    the other is 1, so that it is half of what turning it over changes the energy by. (Energies of
    more than two spins, as in Sejnowski, AIP Conf. Proc. 151, 1986.) Replicas differ in their random numbers
    and their rows of the table. With ``swap_every`` n, every n cycles are followed by :attr:`settling`
    ones in which no spin is updated; in the last of them replicas p and p + 1 change places, p even
    and odd in turn, if ``d = (E[p] - E[p + 1]) / 2 <= 0`` or if a 16-bit number is below
    ``swap_table[p, d - 1]``, 0 beyond its end. (Hukushima and Nemoto, J. Phys. Soc. Japan 65, 1996.)

    Behind every cycle a checker looks at all replicas. It first completes a state: nodes that are
    ``derived`` get, one after the other, the bit that their table gives for others, so that the
    inputs of a circuit decide what is looked at and not whether every gate has settled; clamped nodes
    keep their value. Then a state is
    valid if every relation allows it, or if its energy is ``target`` or less. The answer is the first
    valid state, completed, of several the one of the first replica; if there is none the last state of
    replica 0, or, where energies are looked at, the first one with the least energy. What goes in and
    comes out is laid out by :class:`hwgen.ops.lib.ising_frame.Frame`.

    Attributes
    ----------
    h
        Shape (nodes,).
    edges, couplings
        Shapes (edges, 2), (edges,): every pair i < j with a J that is not 0, in order. None: no edges.
    engine
        ``accumulator`` or ``gibbs``.
    cycles
        Of a run.
    starts
        Shape (segments,): cycles, counted from 0, from which on rows hold. The first is 0.
    levels
        Shape (segments, replicas): rows of ``table``. Replicas are ordered from hot to cold.
    table
        See above. Thresholds lie in 0..65536.
    seeds
        Shape (generators,): what the generators' states are XORed with, see :attr:`generators`.
    ports
        Nodes that a frame can clamp.
    products
        Shape (products, 3): a node, and the two that it is the product of.
    colours
        Shape (nodes,), of ``gibbs``: nodes differ that influence each other, see :attr:`influences`.
    classes
        Shape (nodes,), of ``accumulator``: which noise and limit a node has. None: all the same.
    relation_nodes, relation_tables
        Shapes (relations, up to 6), (relations,): nodes, then -1; bit k of the table (two's complement)
        tells whether bits k, those of the first node lowest, are allowed.
    derived, derived_tables
        With relations. Shapes (derived, up to 7), (derived,): a node and those it is derived from, then
        -1; bit k of the table is its bit where theirs are k. In an order in which it can be done.
    target
        Without relations: of which energy on a state is valid.
    stops
        Whether the first valid state ends the run.
    swap_every
        Cycles between exchanges, 0 for none; of ``gibbs`` whole sweeps.
    swap_table
        Shape (replicas - 1, steps of d).
    """

    h: Constant
    edges: Constant | None
    couplings: Constant | None
    engine: str
    cycles: int
    starts: Constant
    levels: Constant
    table: Constant
    seeds: Constant
    ports: tuple[int, ...] = ()
    products: Constant | None = None
    colours: Constant | None = None
    classes: Constant | None = None
    relation_nodes: Constant | None = None
    relation_tables: Constant | None = None
    derived: Constant | None = None
    derived_tables: Constant | None = None
    target: int | None = None
    stops: bool = True
    swap_every: int = 0
    swap_table: Constant | None = None

    # -- sizes ------------------------------------------------------------------------------------

    @property
    def nodes(self) -> int:
        return self.h.shape[0]

    @property
    def replicas(self) -> int:
        return self.levels.shape[1]

    @property
    def colour_count(self) -> int:
        """Cycles of a sweep."""
        return self.colours.hi + 1 if self.colours is not None else 1

    @cached_property
    def node_classes(self) -> np.ndarray:
        """By node, its class: int64 (nodes,)."""
        return self.classes.array if self.classes is not None else np.zeros(self.nodes, np.int64)

    @cached_property
    def spins(self) -> np.ndarray:
        """Nodes with a spin of their own: int64, ascending."""
        nodes = np.arange(self.nodes)
        return nodes if self.products is None else np.setdiff1d(nodes, self.products.array[:, 0])

    @cached_property
    def places(self) -> np.ndarray:
        """By node, which number of a replica it draws: its place among the spins of its colour, or -1."""
        places = np.full(self.nodes, -1)
        for colour in range(self.colour_count):
            members = self.members(colour)
            places[members] = np.arange(len(members))
        return places

    def members(self, colour: int) -> np.ndarray:
        """The spins of a colour: int64, ascending."""
        if self.colours is None:
            return self.spins
        return self.spins[self.colours.array[self.spins] == colour]

    @property
    def replica_generators(self) -> int:
        """Of one replica: a bit a spin, or 16 bits a spin of the largest colour."""
        drawn = int(self.places.max()) + 1
        return -(-drawn // (32 if self.engine == "accumulator" else 2))

    @property
    def generators(self) -> int:
        """Those of all replicas, one replica after the other, and of two pairs of replicas one."""
        pairs = self.replicas - 1 if self.swap_every else 0
        return self.replicas * self.replica_generators + -(-pairs // 2)

    @property
    def settling(self) -> int:
        """Cycles of an exchange: so many as a tree of registered sums of four takes, and two."""
        levels = 0
        while 4**levels < self.nodes:
            levels += 1
        return levels + 2

    @cached_property
    def matrix(self) -> np.ndarray:
        """J, symmetric: int64 (nodes, nodes)."""
        matrix = np.zeros((self.nodes, self.nodes), np.int64)
        if self.edges is not None:
            i, j = self.edges.array.T
            matrix[i, j] = matrix[j, i] = self.couplings.array
        return matrix

    @cached_property
    def pair_reaches(self) -> np.ndarray:
        """By node, the largest ``|F|`` without what products add: int64 (nodes,)."""
        return np.abs(self.h.array) + np.abs(self.matrix).sum(axis=1)

    @cached_property
    def reaches(self) -> np.ndarray:
        """By node, the largest ``|F|``: int64 (nodes,)."""
        reaches = self.pair_reaches.copy()
        for node, *factors in () if self.products is None else self.products.array:
            reaches[factors] += self.pair_reaches[node]
        reaches.setflags(write=False)
        return reaches

    @cached_property
    def influences(self) -> np.ndarray:
        """Whether the F of spin i depends on spin j: bool (nodes, nodes), False for products."""
        near = self.matrix != 0
        if self.products is None:
            return near
        factors = np.eye(self.nodes, dtype=bool)  # of which spins a node is made
        for node, *pair in self.products.array:
            factors[node] = False
            factors[node, pair] = True
        near = near @ factors  # by node, spins that its own F depends on
        found = near.copy()
        for node, a, b in self.products.array:
            found[a] |= near[node]
            found[b] |= near[node]
            found[a, b] = found[b, a] = True
        found[self.products.array[:, 0]] = False
        np.fill_diagonal(found, False)
        return found

    @property
    def reach(self) -> int:
        """The largest of all."""
        return int(self.reaches.max())

    @property
    def checks(self) -> str:
        """What tells valid states: ``relations``, ``energy`` or nothing."""
        if self.relation_nodes is not None:
            return "relations"
        return "energy" if self.target is not None else ""

    def rows(self, cycle: int) -> np.ndarray:
        """By replica, the row of the table in a cycle."""
        segment = int(np.searchsorted(self.starts.array, cycle, side="right")) - 1
        return self.levels.array[segment]

    @property
    def frame(self) -> Frame:
        return Frame(self.nodes, len(self.ports))

    # -- the contract -------------------------------------------------------------------------------

    def verify(self, x: Type) -> None:
        verify(self)
        frame = self.frame
        if x.shape != (frame.input_bytes,) or x.lo < 0 or x.hi > 255:
            raise RuleViolation(
                f"input must be {frame.input_bytes} bytes (seed, clamps of {len(self.ports)} ports), "
                f"found shape {x.shape} in [{x.lo}, {x.hi}]"
            )

    def infer(self, x: Type) -> Type:
        return Type.of((self.frame.output_bytes,), 0, 255)

    def solve(self, x: np.ndarray) -> Answer:
        """What :meth:`run` gives, field by field."""
        seeds, clamps = self.frame.unpack_inputs(x)
        full = np.zeros((len(x), self.nodes), np.int64)
        full[:, list(self.ports)] = clamps
        return walk(self, seeds, full)

    def run(self, x: np.ndarray) -> np.ndarray:
        return self.frame.pack_outputs(self.solve(x))

    def cost(self, x: Type, *, schedule: Schedule) -> Cost:
        terms = self.nodes + 2 * (0 if self.edges is None else len(self.edges.array))
        terms += self.nodes * (2 if self.engine == "accumulator" else 0)
        if self.products is not None:
            terms += 2 * len(self.products.array)
        updates = self.cycles * self.replicas
        return Cost(
            additions=updates * terms // self.colour_count,
            bit_operations=self.cycles * self.generators * 96,
            cycles=self.cycles + 2 + self.delay,
        )

    @cached_property
    def derived_levels(self) -> tuple[tuple[int, ...], ...]:
        """Rows of ``derived`` by how many tables lie between spins and their result."""
        if self.derived is None:
            return ()
        level: dict[int, int] = {}
        rows: dict[int, list[int]] = {}
        for k, (node, *inputs) in enumerate(self.derived.array.tolist()):
            level[node] = 1 + max(level.get(i, 0) for i in inputs)
            rows.setdefault(level[node], []).append(k)
        return tuple(tuple(rows[n]) for n in sorted(rows))

    @property
    def delay(self) -> int:
        """Cycles by which the hardware's checker knows a state later than its spins change."""
        if self.checks == "energy":
            return self.settling - 1
        return len(self.derived_levels) // LEVELS

    def lanes(self, x: Type, *, schedule: Schedule) -> tuple[int, int]:
        return self.frame.input_bytes, self.frame.output_bytes

    def steps(self, x: Type) -> int:
        return self.cycles

    def random_sources(self) -> RandomSources:
        return RandomSources(("xorshift", xorshift.SHIFTS), self.seeds)
