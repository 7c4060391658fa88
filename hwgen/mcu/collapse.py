"""Tables that read tables, as fewer tables that read what decides them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from ..ops.ising import Ising

__all__ = ["Table", "collapsed", "padded"]

MOST = 6  # inputs of a table


class Table(NamedTuple):
    """A bit that others decide.

    Attributes
    ----------
    inputs
        Nodes, up to six.
    bits
        Bit k where their bits are k, those of the first one lowest.
    """

    inputs: tuple[int, ...]
    bits: int


def collapsed(op: Ising) -> tuple[dict[int, Table], list[Table]]:
    """By node, in an order in which it can be done, what a checker must derive; and its relations.

    Relations allow what they allowed. A node is left out that is read by nothing, or only by tables
    that have room for what it is derived from. Ports stay, for they may be clamped.
    """
    derived: dict[int, Table] = {}
    through: dict[int, Table] = {}
    for node, *inputs in op.derived.array.tolist():
        table = int(op.derived_tables.array[len(derived)])
        derived[node] = _substituted(_table(inputs, table), through)
        if node not in op.ports:
            through[node] = derived[node]
    relations = [
        _substituted(_table(inputs, table), through)
        for inputs, table in zip(
            op.relation_nodes.array.tolist(), op.relation_tables.array.tolist(), strict=True
        )
    ]
    needed = {node for table in relations for node in table.inputs}
    for node in reversed(derived):
        if node in needed:
            needed.update(derived[node].inputs)
    return {node: table for node, table in derived.items() if node in needed}, relations


def padded(tables: Collection[Table]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, -1 behind them, and bits of tables (two's complement): what the op has of relations."""
    width = max(len(table.inputs) for table in tables)
    rows = [[*table.inputs, *[-1] * (width - len(table.inputs))] for table in tables]
    return np.array(rows), np.array([table.bits for table in tables], np.uint64).view(np.int64)


def _table(inputs: list[int], table: int) -> Table:
    used = tuple(node for node in inputs if node >= 0)
    return Table(used, table & (1 << (1 << len(used))) - 1)


def _substituted(table: Table, derived: Mapping[int, Table]) -> Table:
    """The same bit, of nodes further back where six of them are enough."""
    through: dict[int, Table] = {}
    # Those first that add the fewest nodes.
    for node in sorted(table.inputs, key=lambda n: len(derived[n].inputs) if n in derived else 0):
        if node in derived:
            tried = through | {node: derived[node]}
            if len(_leaves(table, tried)) <= MOST:
                through = tried
    leaves = _leaves(table, through)
    at = {node: np.arange(1 << len(leaves)) >> k & 1 for k, node in enumerate(leaves)}
    values = [
        _looked_up(through[node], at) if node in through else at[node] for node in table.inputs
    ]
    ones = _looked_up(Table(tuple(range(len(values))), table.bits), dict(enumerate(values)))
    return Table(leaves, sum(1 << k for k in np.flatnonzero(ones).tolist()))


def _leaves(table: Table, through: Mapping[int, Table]) -> tuple[int, ...]:
    """What a table reads behind those that it reads through, in order and once each."""
    found: dict[int, None] = {}
    for node in table.inputs:
        found.update(dict.fromkeys(through[node].inputs if node in through else (node,)))
    return tuple(found)


def _looked_up(table: Table, bits: Mapping[int, np.ndarray]) -> np.ndarray:
    index = sum(bits[node] << k for k, node in enumerate(table.inputs))
    ones = np.array([table.bits >> k & 1 for k in range(1 << len(table.inputs))])
    return ones[index]
