"""What must hold of the attributes of a network of spins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import RuleViolation

if TYPE_CHECKING:
    from ..ising import Ising

__all__ = ["MAX_CYCLES", "MAX_NODES", "MAX_REACH", "MAX_REPLICAS", "verify"]

MAX_NODES = 4096
MAX_REPLICAS = 64
MAX_CYCLES = (1 << 31) - 1
MAX_REACH = {"accumulator": (1 << 14) - 1, "gibbs": 1023}
MAX_TERMS = 6


def verify(op: Ising) -> None:
    """Raise RuleViolation unless the attributes of ``op`` are legal together."""
    if op.engine not in MAX_REACH:
        raise RuleViolation(f"engine must be accumulator or gibbs, not {op.engine!r}")
    if not 1 <= op.cycles <= MAX_CYCLES:
        raise RuleViolation(f"cycles must lie in 1..{MAX_CYCLES}, not {op.cycles}")
    _verify_network(op)
    _verify_products(op)
    _verify_colours(op)
    _verify_table(op)
    _verify_checker(op)
    _verify_exchange(op)
    _shape(op.seeds, (op.generators,), "seeds", "one a generator")
    if op.seeds.lo < 1 << 31 or op.seeds.hi >= 1 << 32:
        raise RuleViolation(f"seeds must lie in 2^31..2^32 - 1, found {op.seeds.lo}..{op.seeds.hi}")
    if len(np.unique(op.seeds.array)) < op.generators:
        raise RuleViolation("seeds must differ, so that generators do")


def _shape(constant, shape: tuple[int, ...], name: str, why: str) -> None:
    if constant is None or constant.shape != shape:
        found = "nothing" if constant is None else f"shape {constant.shape}"
        raise RuleViolation(f"{name} must have shape {shape}, {why}; found {found}")


def _verify_network(op: Ising) -> None:
    if len(op.h.shape) != 1 or op.nodes > MAX_NODES:
        raise RuleViolation(f"h must have shape (nodes,), up to {MAX_NODES}, found {op.h.shape}")
    if (op.edges is None) != (op.couplings is None):
        raise RuleViolation("edges and couplings must be given together")
    if op.edges is not None:
        _shape(op.edges, (len(op.couplings.array), 2), "edges", "two nodes a coupling")
        i, j = op.edges.array.T
        if op.edges.lo < 0 or op.edges.hi >= op.nodes or (i >= j).any():
            raise RuleViolation(f"edges must be pairs i < j of nodes 0..{op.nodes - 1}")
        if (np.diff(i * op.nodes + j) <= 0).any():
            raise RuleViolation("edges must differ and be in order")
        if not op.couplings.array.all():
            raise RuleViolation("couplings must not be 0: leave the edge out")
    most = MAX_REACH[op.engine]
    if op.reach > most:
        at = int(op.reaches.argmax())
        raise RuleViolation(
            f"the field of a spin must lie within {most} of 0 for engine {op.engine}; node {at} "
            f"reaches {op.reach}; scale h and J down, or split it (max_degree)"
        )
    if len(set(op.ports)) < len(op.ports) or not all(0 <= p < op.nodes for p in op.ports):
        raise RuleViolation(f"ports must be different nodes 0..{op.nodes - 1}, found {op.ports}")


def _verify_products(op: Ising) -> None:
    if op.products is None:
        return
    rows = op.products.array
    _shape(op.products, (len(rows), 3), "products", "a node and two that it is the product of")
    if rows.min() < 0 or rows.max() >= op.nodes or any(len(set(row)) < 3 for row in rows.tolist()):
        raise RuleViolation(f"products must name three different nodes 0..{op.nodes - 1}")
    made = set(rows[:, 0].tolist())
    if len(made) < len(rows) or made.intersection(rows[:, 1:].ravel().tolist()):
        raise RuleViolation("a product must be one of two spins, and given once")
    if made.intersection(op.ports):
        raise RuleViolation("a product cannot be a port: clamp what it is made of")
    factors = {node: {a, b} for node, a, b in rows.tolist()}
    for i, j in [] if op.edges is None else op.edges.array.tolist():
        if factors.get(i, {i}) & factors.get(j, {j}):
            raise RuleViolation(
                f"nodes {i} and {j} must not be coupled, for they are made of the same spin"
            )


def _verify_colours(op: Ising) -> None:
    if op.classes is not None:
        if op.engine != "accumulator":
            raise RuleViolation(
                "classes are of noise and limits, which only the accumulator engine has"
            )
        _shape(op.classes, (op.nodes,), "classes", "one a node")
        if op.classes.lo < 0:
            raise RuleViolation("classes must be 0 or more")
    if op.engine == "accumulator":
        if op.colours is not None:
            raise RuleViolation(
                "the accumulator engine has no colours: it updates all spins at once"
            )
        return
    _shape(op.colours, (op.nodes,), "colours", "one a node")
    if set(op.colours.array.tolist()) != set(range(op.colours.hi + 1)):
        raise RuleViolation("colours must be 0, 1, ... without a gap")
    colours = op.colours.array
    wrong = np.argwhere(op.influences & (colours[:, None] == colours))
    if len(wrong):
        i, j = wrong[0]
        raise RuleViolation(f"nodes {i} and {j} influence each other and have one colour")


def _verify_table(op: Ising) -> None:
    segments = len(op.starts.array)
    if (
        op.starts.shape != (segments,)
        or op.starts.array[0]
        or (np.diff(op.starts.array) <= 0).any()
    ):
        raise RuleViolation("starts must be cycles that grow from 0")
    if len(op.levels.shape) != 2 or len(op.levels.array) != segments:
        raise RuleViolation(
            f"levels must have shape ({segments}, replicas), found {op.levels.shape}"
        )
    if op.replicas > MAX_REPLICAS:
        raise RuleViolation(f"there may be up to {MAX_REPLICAS} replicas, not {op.replicas}")
    rows = len(op.table.array)
    if op.levels.lo < 0 or op.levels.hi >= rows:
        raise RuleViolation(f"levels must be rows of the table, 0..{rows - 1}")
    if op.engine == "accumulator":
        classes = int(op.node_classes.max()) + 1
        _shape(op.table, (rows, 2 * classes), "table", "a noise and a limit a class in a row")
        noise, limit = op.table.array[:, 0::2], op.table.array[:, 1::2]
        if noise.min() < 0 or noise.max() > MAX_REACH["accumulator"]:
            raise RuleViolation(f"noise must lie in 0..{MAX_REACH['accumulator']}")
        if limit.min() < 1 or limit.max() > 1 << 14:
            raise RuleViolation(
                f"limits must lie in 1..{1 << 14}, found {limit.min()}..{limit.max()}"
            )
        return
    _shape(op.table, (rows, 2 * op.reach + 1), "table", "a threshold a field")
    if op.table.lo < 0 or op.table.hi > 1 << 16:
        raise RuleViolation(f"thresholds must lie in 0..65536, found {op.table.lo}..{op.table.hi}")


def _verify_checker(op: Ising) -> None:
    if (op.relation_nodes is None) != (op.relation_tables is None):
        raise RuleViolation("relation_nodes and relation_tables must be given together")
    if (op.derived is None) != (op.derived_tables is None):
        raise RuleViolation("derived and derived_tables must be given together")
    if op.relation_nodes is None:
        if op.derived is not None:
            raise RuleViolation("only a checker of relations derives nodes")
        return
    if op.target is not None:
        raise RuleViolation("a target goes with no relations: they tell which states are valid")
    count = len(op.relation_tables.array)
    nodes = op.relation_nodes.array
    if nodes.ndim != 2 or len(nodes) != count or not 1 <= nodes.shape[1] <= MAX_TERMS:
        raise RuleViolation(
            f"relation_nodes must have shape ({count}, 1..{MAX_TERMS}), found {nodes.shape}"
        )
    if nodes.min() < -1 or nodes.max() >= op.nodes or (nodes[:, 0] < 0).any():
        raise RuleViolation(f"relations must be of nodes 0..{op.nodes - 1}, -1 behind them")
    for k, row in enumerate(nodes):
        used = row[row >= 0].tolist()
        if len(set(used)) < len(used) or (row[: len(used)] < 0).any():
            raise RuleViolation(f"relation {k} must name different nodes, then -1; found {row}")

    if op.derived is not None:
        _verify_derived(op)


def _verify_derived(op: Ising) -> None:
    rows, count = op.derived.array, len(op.derived_tables.array)
    if rows.ndim != 2 or len(rows) != count or not 2 <= rows.shape[1] <= MAX_TERMS + 1:
        raise RuleViolation(
            f"derived must have shape ({count}, 2..{MAX_TERMS + 1}), found {rows.shape}"
        )
    if rows.min() < -1 or rows.max() >= op.nodes or (rows[:, :2] < 0).any():
        raise RuleViolation(f"derived must name nodes 0..{op.nodes - 1}, -1 behind them")
    later = set(rows[:, 0].tolist())
    if len(later) < count:
        raise RuleViolation("a node must be derived once")
    for node, *inputs in rows.tolist():
        used = [i for i in inputs if i >= 0]
        if len(set(used)) < len(used) or inputs[: len(used)] != used:
            raise RuleViolation(f"node {node} must be derived from different nodes, then -1")
        if later.intersection(used):
            raise RuleViolation(f"node {node} is derived from one that is derived no earlier")
        later.discard(node)


def _verify_exchange(op: Ising) -> None:
    if not op.swap_every:
        if op.swap_table is not None:
            raise RuleViolation("a swap_table needs swap_every")
        return
    if op.swap_every < 0 or op.swap_every % op.colour_count:
        raise RuleViolation(
            f"swap_every must be whole sweeps of {op.colour_count} cycles, not {op.swap_every}"
        )
    if op.replicas < 2:
        raise RuleViolation("an exchange needs two replicas or more")
    if op.swap_table is None or len(op.swap_table.array) != op.replicas - 1:
        raise RuleViolation(f"swap_table must have {op.replicas - 1} rows, one a pair of replicas")
    if op.swap_table.lo < 0 or op.swap_table.hi > 1 << 16:
        raise RuleViolation("swap_table must hold thresholds 0..65536")
