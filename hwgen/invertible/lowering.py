"""A Hamiltonian with an engine, as a graph of one op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import InvalidInput, Unsupported
from ..ir import Constant, Graph, GraphBuilder, Type
from ..ops.ising import Ising
from ..ops.lib.ising_rules import MAX_NODES, MAX_REACH
from .derivation import derivations, to_check
from .engine import Accumulator, Engine, swap_table
from .hamiltonian import Hamiltonian
from .products import absorb
from .relations import Relation

__all__ = ["lower"]

CHECKS = ("relations", "energy", "none")


def lower(
    hamiltonian: Hamiltonian,
    engine: Engine | None = None,
    *,
    cycles: int = 8192,
    ports: Sequence[int] = (),
    decisions: Sequence[int] | None = None,
    check: str | None = None,
    target: int | None = None,
    stops: bool = True,
    seed: int = 0,
    name: str = "ising",
) -> Graph:
    """A graph whose frames are runs of the network: see :class:`hwgen.ops.ising.Ising`.

    Parameters
    ----------
    engine
        By default the accumulator.
    cycles
        Of a run, at most.
    ports
        Nodes that a frame can clamp; fold clamps that never change instead (``clamped``).
    decisions
        Nodes from which the checker derives the others, before it looks at relations: the inputs of a
        circuit. By default it derives nothing, and a state is valid when every gate has settled.
    check
        What tells valid states: ``relations``, ``energy`` or ``none``. By default relations, where there
        are any, else energies.
    target
        With energies: of which energy on a state is valid; by default the ground energy, or, where
        that is not known, a bound that no state reaches, so that the best state is searched for.
    stops
        Whether the first valid state ends a run.
    seed
        Of the generators' constants.

    Raises
    ------
    Unsupported, InvalidInput
        The problem is too large for the engine, or options contradict each other.
    """
    engine = engine or Accumulator()
    if not len(hamiltonian):
        raise InvalidInput("there is no free node: every one is fixed by the clamps")
    if len(hamiltonian) > MAX_NODES:
        raise Unsupported(
            f"{name}: {len(hamiltonian)} spins are free; a network may have up to {MAX_NODES}; fix more "
            f"of them, or split the problem"
        )
    if check is None:
        check = "relations" if hamiltonian.relations else "energy"
    if check not in CHECKS:
        raise InvalidInput(f"check must be one of {', '.join(CHECKS)}, not {check!r}")
    if check == "relations" and not hamiltonian.relations:
        raise InvalidInput("a plain Ising problem has no relations to check; check energies")
    if engine.scale < 1:
        raise InvalidInput(f"the scale of an engine must be 1 or more, not {engine.scale}")
    inputs = () if decisions is None else tuple(int(node) for node in decisions)
    absorbed, products = (hamiltonian, None)
    if engine.products:
        absorbed, products = absorb(hamiltonian, {*ports, *inputs})
    scaled = absorbed.scaled(engine.scale)
    edges = len(scaled.edges) > 0
    bare = Ising(
        h=Constant(scaled.h),
        edges=Constant(scaled.edges) if edges else None,
        couplings=Constant(scaled.weights) if edges else None,
        engine=engine.name,
        cycles=int(cycles),
        starts=Constant([0]),
        levels=Constant([[0]]),
        table=Constant([0]),
        seeds=Constant([1 << 31]),
        ports=tuple(int(p) for p in ports),
        products=Constant(products) if products is not None and len(products) else None,
        stops=stops,
    )
    _check_reach(bare, hamiltonian.names)
    plan = engine.plan(bare, inputs)
    segments, replicas = plan.levels.shape
    if cycles < segments:
        raise InvalidInput(f"a schedule of {segments} segments needs as many cycles, not {cycles}")
    options: dict[str, object] = {}
    if check == "relations":
        options |= _checker(hamiltonian.relations, inputs, ports)
    elif check == "energy":
        options["target"] = _target(scaled, target, engine.scale)
    if engine.swap_every:
        if replicas < 2:
            raise InvalidInput("swap_every needs two replicas or more")
        sweep = 1 if plan.colours is None else int(plan.colours.max()) + 1
        options |= {
            "swap_every": engine.swap_every * sweep,
            "swap_table": Constant(swap_table(plan.strengths)),
        }
    op = replace(
        bare,
        starts=Constant([cycles * k // segments for k in range(segments)]),
        levels=Constant(plan.levels),
        table=Constant(plan.rows),
        colours=None if plan.colours is None else Constant(plan.colours),
        classes=None if plan.classes is None else Constant(plan.classes),
        **options,
    )
    return _graph(op, seed, name)


def _graph(op: Ising, seed: int, name: str) -> Graph:
    drawn = np.random.default_rng(seed).choice(1 << 31, op.generators, replace=False)
    op = replace(op, seeds=Constant((1 << 31) + drawn))
    builder = GraphBuilder(name)
    x = builder.input(Type.of((op.frame.input_bytes,), 0, 255))
    return builder.build(builder.add(op, x, name="spins", layer="spins"))


def _check_reach(network: Ising, names: Sequence[str]) -> None:
    most = MAX_REACH[network.engine]
    at = int(network.reaches.argmax())
    if network.reach > most:
        raise Unsupported(
            f"node {names[at]}: its field reaches {network.reach}, engine {network.engine} takes up "
            f"to {most}; scale h and J down, or split the node (max_degree)"
        )


def _checker(
    relations: Sequence[Relation], inputs: Sequence[int], ports: Sequence[int]
) -> dict[str, object]:
    """Nodes that are derived, and the relations that are left to be checked."""
    found = derivations(relations, inputs) if inputs else []
    # A checker needs one relation: where all hold by derivation, any will do.
    left = to_check(relations, found, ports) or relations[:1]
    rows = _padded([relation.nodes for relation in left])
    tables = Constant([_signed(relation.table) for relation in left])
    options: dict[str, object] = {"relation_nodes": rows, "relation_tables": tables}
    if found:
        options["derived"] = _padded([(each.node, *each.inputs) for each in found])
        options["derived_tables"] = Constant([_signed(each.table) for each in found])
    return options


def _padded(rows: Sequence[Sequence[int]]) -> Constant:
    width = max(map(len, rows))
    return Constant([[*row, *[-1] * (width - len(row))] for row in rows])


def _signed(table: int) -> int:
    return table - (1 << 64) * (table >= 1 << 63)


def _target(scaled: Hamiltonian, target: int | None, scale: int) -> int:
    if target is not None:
        return int(target) * scale
    if scaled.ground is not None:
        return int(scaled.ground)
    return -int(np.abs(scaled.h).sum() + np.abs(scaled.weights).sum()) - 1
