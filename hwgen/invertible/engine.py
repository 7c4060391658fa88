"""How spins are updated: the engines that a Hamiltonian can be lowered to, and their schedules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import InvalidInput
from ..ops.ising import Ising

__all__ = ["Accumulator", "Engine", "Gibbs", "Plan", "colours", "geometric"]

ONE = 1 << 16  # of a probability
MOST_STEPS = 4096  # of a table of exchanges


class Plan(NamedTuple):
    """What the op is given of an engine.

    Attributes
    ----------
    rows
        The table: int64, see :class:`hwgen.ops.ising.Ising`.
    levels
        Rows by segment and replica: int64 (segments, replicas).
    strengths
        Inverse temperatures by replica, in the last segment: what exchanges go by.
    colours, classes
        int64 (nodes,), or None.
    """

    rows: np.ndarray
    levels: np.ndarray
    strengths: np.ndarray
    colours: np.ndarray | None = None
    classes: np.ndarray | None = None


@dataclass(frozen=True)
class Accumulator:
    """Saturating counters with noise, all spins at once: the published circuit.

    It behaves like a temperature of about ``noise^2 / (limit scale)``, but samples no exact law.

    Attributes
    ----------
    scale
        What h and J are multiplied by.
    noise
        Of equally long segments of a run, one after the other.
    limit
        Half the states of a counter: one for all segments, or one each.
    replicas
        Networks side by side.
    ladder
        Instead of ``noise``: one noise a replica, from hot to cold.
    swap_every
        Cycles between exchanges of neighbouring replicas; 0 for none.
    inputs
        Noise and limit of the spins that decide the others, where these differ.
    products
        Whether outputs of AND gates are products instead of spins.
    """

    scale: int = 1
    noise: tuple[int, ...] = (5,)
    limit: tuple[int, ...] = (4,)
    replicas: int = 1
    ladder: tuple[int, ...] = ()
    swap_every: int = 0
    inputs: tuple[int, int] | None = None
    products: bool = False

    name = "accumulator"

    def plan(self, network: Ising, inputs: Sequence[int]) -> Plan:
        pairs, levels = _levels(self.noise, self.limit, self.ladder, self.replicas)
        rows = np.array(pairs, np.int64)
        noise, limit = rows[levels[-1]].T
        strengths = limit / np.maximum(1, noise) ** 2
        classes = None
        if self.inputs is not None and len(inputs):
            rows = np.concatenate([rows, np.tile(self.inputs, (len(rows), 1))], axis=1)
            classes = np.isin(np.arange(network.nodes), inputs).astype(np.int64)
        return Plan(rows, levels, strengths, classes=classes)


@dataclass(frozen=True)
class Gibbs:
    """Heat bath, colour by colour: samples exactly ``exp(-strength E)``.

    Attributes
    ----------
    strength
        Inverse temperatures of equally long segments of a run (the I0 of a p-bit).
    replicas
        Networks side by side.
    ladder
        Instead of ``strength``: one a replica, from hot (small) to cold.
    swap_every
        Sweeps between exchanges of neighbouring replicas; 0 for none. With a ladder that is
        parallel tempering.
    products
        Whether outputs of AND gates are products instead of spins.
    """

    strength: tuple[float, ...] = (0.5,)
    replicas: int = 1
    ladder: tuple[float, ...] = ()
    swap_every: int = 0
    products: bool = False

    name = "gibbs"
    scale = 1

    def plan(self, network: Ising, inputs: Sequence[int]) -> Plan:
        rows, levels = _levels(self.strength, (0,), self.ladder, self.replicas)
        strengths = np.array([strength for strength, _ in rows])
        if not (np.isfinite(strengths).all() and (strengths >= 0).all()):
            raise InvalidInput(f"strengths must be 0 or more, found {strengths.tolist()}")
        fields = np.arange(-network.reach, network.reach + 1)
        with np.errstate(over="ignore"):
            table = np.rint(ONE / (1 + np.exp(-2 * strengths[:, None] * fields))).astype(np.int64)
        return Plan(table, levels, strengths[levels[-1]], colours(network))


Engine = Accumulator | Gibbs


def geometric(first: float, last: float, count: int) -> tuple[float, ...]:
    """``count`` numbers from ``first`` to ``last`` that grow by one factor: a ramp, or a ladder."""
    if count < 1 or min(first, last) <= 0:
        raise InvalidInput("a geometric ramp takes one number or more, between positive ends")
    return tuple(float(x) for x in np.geomspace(first, last, count))


def colours(network: Ising) -> np.ndarray:
    """Colours of the nodes so that spins that influence each other differ: int64 (nodes,), by DSATUR.

    Brelaz, "New Methods to Color the Vertices of a Graph", Comm. ACM 22(4), 1979.
    """
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(network.nodes))
    graph.add_edges_from(np.argwhere(np.triu(network.influences)).tolist())
    found = networkx.greedy_color(graph, "DSATUR")
    return np.array([found[node] for node in range(network.nodes)], np.int64)


def swap_table(strengths: Sequence[float]) -> np.ndarray:
    """Thresholds of exchanges: Metropolis' ``exp(-(s[p + 1] - s[p]) 2 d)`` for d = 1, 2, ...

    Energies of states of one network differ by multiples of 2.

    Parameters
    ----------
    strengths
        Inverse temperatures by replica.

    Returns
    -------
    int64 array of shape (replicas - 1, steps), as far as a threshold is above 0.
    """
    gaps = np.diff(np.asarray(strengths, float))
    if (gaps < 0).any():
        raise InvalidInput("a ladder must go from hot to cold (strengths must not fall)")
    least = max(1e-3, float(gaps[gaps > 0].min(initial=1e9)))
    d = np.arange(1, 1 + min(MOST_STEPS, math.ceil(math.log(2 * ONE) / (2 * least))))
    table = np.rint(ONE * np.exp(-2.0 * gaps[:, None] * d)).astype(np.int64)
    # Beyond the end of the table there is no exchange: replicas that are alike have one anyway.
    used = np.flatnonzero((table * (gaps[:, None] > 0)).any(axis=0))
    return table[:, : int(used.max(initial=0)) + 1]


def _levels(first, second, ladder, replicas: int) -> tuple[list[tuple], np.ndarray]:
    """Different rows (first, second), and which holds in which segment for which replica."""
    if not first or not second:
        raise InvalidInput("an engine needs one level of noise or temperature, and a limit")
    if replicas < 1:
        raise InvalidInput(f"replicas must be 1 or more, not {replicas}")
    if ladder:
        if len(ladder) != replicas:
            raise InvalidInput(
                f"a ladder has one level a replica ({replicas}), found {len(ladder)}"
            )
        if len(second) != 1:
            raise InvalidInput("a ladder goes with one limit")
        wanted = [[(level, second[0]) for level in ladder]]
    else:
        count = max(len(first), len(second))
        if len(first) not in (1, count) or len(second) not in (1, count):
            raise InvalidInput(
                f"noise and limit must have equally many segments, or one, found {len(first)} and "
                f"{len(second)}"
            )
        first, second = (x * (count // len(x)) for x in (tuple(first), tuple(second)))
        wanted = [[pair] * replicas for pair in zip(first, second, strict=True)]
    rows = list(dict.fromkeys(pair for segment in wanted for pair in segment))
    return rows, np.array([[rows.index(pair) for pair in segment] for segment in wanted])
