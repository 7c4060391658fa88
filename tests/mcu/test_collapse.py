"""Tables that read tables, made fewer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir import Constant
from hwgen.mcu.collapse import Table, collapsed, padded
from hwgen.ops.ising import Ising
from hwgen.ops.lib.ising_walk import Walk
from tests.ops.test_ising import network


def allowed(tables: list[Table], derived: dict[int, Table], bits: np.ndarray) -> np.ndarray:
    """Whether all tables give 1, of every row of bits; derived nodes come first."""
    bits = bits.astype(np.int64)

    def looked_up(table: Table) -> np.ndarray:
        index = sum(bits[:, node] << k for k, node in enumerate(table.inputs))
        return np.array([table.bits >> k & 1 for k in index.tolist()])

    for node, table in derived.items():
        bits[:, node] = looked_up(table)
    return np.all([looked_up(table) for table in tables], axis=0)


@pytest.mark.parametrize("nodes", [2, 5, 9, 13])
def test_relations_allow_what_they_allowed(nodes):
    for seed in range(20):
        op = network(np.random.default_rng(seed), nodes, derived=nodes)
        states = np.arange(1 << nodes)[:, None] >> np.arange(nodes) & 1
        walk = Walk(op, np.zeros((1, nodes), np.int64))
        expected = walk.valid(walk.completed(2 * states - 1))
        derived, relations = collapsed(op)
        assert len(derived) < len(op.derived.array)
        assert max(len(t.inputs) for t in (*relations, *derived.values())) <= 6
        assert np.array_equal(allowed(relations, derived, states), expected), seed


def chain(*rows: list[int], relation: list[int]) -> Ising:
    """Every node 1 where an odd number of those are that it is derived from."""
    width = max(map(len, rows))
    odd = sum((bin(k).count("1") & 1) << k for k in range(64))
    return replace(
        network(np.random.default_rng(0), 14),
        relation_nodes=Constant([relation]),
        relation_tables=Constant([1]),
        derived=Constant([[*row, *[-1] * (width - len(row))] for row in rows]),
        derived_tables=Constant([odd - (odd >> 63 << 64)] * len(rows)),
    )


def test_what_has_room_is_read_through():
    op = chain([0, 1, 2], [3, 0, 4, 5], [6, 3], [7, 1], relation=[6])
    derived, (relation,) = collapsed(op)
    assert not derived
    assert set(relation.inputs) == {1, 2, 4, 5}
    assert padded([relation])[0].shape == (1, 4)
    assert bin(relation.bits).count("1") == 8


def test_what_has_none_is_derived():
    op = chain([0, 1, 2, 3, 4, 5, 6], [7, 8, 9], [10, 0, 7], relation=[10, 11, 12, 13])
    derived, (relation,) = collapsed(op)
    assert list(derived) == [0]
    assert set(relation.inputs) == {0, 8, 9, 11, 12, 13}
