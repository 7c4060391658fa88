"""Gates found by the integer program: against the catalogue, and against their own tables."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

from hwgen.errors import InvalidInput, MissingTool, Unsupported
from hwgen.invertible import CATALOGUE, fit


def rows(gate):
    """The rows of the outer pins that are ground states, as often as they are."""
    outer = len(gate.pins) - len(gate.aux)
    low = np.flatnonzero(gate.energies == gate.ground)
    return sorted(int(k) & ((1 << outer) - 1) for k in low)


@pytest.mark.parametrize(
    "name", ["and", "nor", "xor", "half_adder", "full_adder", "majority", "mux"]
)
def test_no_published_gate_is_better(name):
    gate = CATALOGUE[name]
    outer = [k for k, pin in enumerate(gate.pins) if pin not in gate.aux]
    table = {
        tuple(k >> i & 1 for i in outer) for k in range(1 << len(gate.pins)) if gate.table >> k & 1
    }
    found = fit(table, [gate.pins[k] for k in outer])
    assert len(found.aux) == len(gate.aux)
    assert (found.gap, found.ground) == (gate.gap, gate.ground)
    assert sum(map(abs, found.h + found.J)) == sum(map(abs, gate.h + gate.J))
    assert rows(found) == sorted(sum(bit << i for i, bit in enumerate(row)) for row in table)


def test_no_better_weights_exist():
    # All fields and couplings of three spins of magnitude up to 2, and their energies.
    weights = np.array(list(itertools.product(range(-2, 3), repeat=6)))
    spins = 2 * (np.arange(8)[:, None] >> np.arange(3) & 1) - 1
    products = np.stack([spins[:, i] * spins[:, j] for i, j in ((0, 1), (0, 2), (1, 2))], axis=1)
    energy = -weights @ np.concatenate([spins, products], axis=1).T
    for table in range(3, 255, 4):
        allowed = np.array([table >> k & 1 for k in range(8)], dtype=bool)
        ground = energy.min(axis=1)
        gaps = np.where(
            energy[:, allowed].max(axis=1) == ground,
            energy[:, ~allowed].min(axis=1, initial=99) - ground,
            0,
        )
        if gaps.max() == 0:
            with pytest.raises(Unsupported):
                fit(table, ("a", "b", "c"), bound=2, max_auxiliary=0)
            continue
        gate = fit(table, ("a", "b", "c"), bound=2, max_auxiliary=0)
        found = np.array(gate.h + gate.J)
        # The common factor that was divided out.
        times = gaps.max() // gate.gap
        assert gaps.max() == times * gate.gap and np.abs(times * found).max() <= 2
        assert np.abs(times * found).sum() == np.abs(weights[gaps == gaps.max()]).sum(axis=1).min()


def test_three_ways_to_write_a_table():
    gates = [
        fit(lambda a, b, y: y == (a or b)),
        fit(["000", "011", "101", "111"], ["a", "b", "y"]),
        fit(0b11100001, ("a", "b", "y")),
    ]
    assert gates[0] == gates[1] == gates[2]
    assert gates[0].pins == ("a", "b", "y") and gates[0].h == (-1, -1, 2)


def test_every_function_of_two_inputs():
    for function in range(16):
        gate = fit(lambda a, b, y, f=function: y == f >> (a + 2 * b) & 1, ("a", "b", "y"))
        assert gate.exact()
        assert rows(gate) == sorted(k | (function >> k & 1) << 2 for k in range(4))
        assert len(gate.aux) == (function in (0b0110, 0b1001))


@pytest.mark.parametrize(
    "predicate",
    [
        lambda a, b, c: a + b + c == 1,
        lambda a, b, c, y: y == a ^ b ^ c,
        lambda a, b, c, d: a + b + c + d == 2,
        lambda a: a,
        lambda a, b, c: True,
    ],
)
def test_relations_that_are_no_functions(predicate):
    gate = fit(predicate)
    size = len(gate.pins) - len(gate.aux)
    allowed = [
        sum(bit << i for i, bit in enumerate(row))
        for row in itertools.product((0, 1), repeat=size)
        if predicate(*row)
    ]
    assert rows(gate) == sorted(allowed)
    assert gate.exact()


def test_a_bound_that_is_too_small_takes_more_spins_or_is_refused():
    assert len(fit(lambda a, b, y: y == a ^ b, bound=2).aux) == 1
    assert len(fit(lambda a, b, y: y == a ^ b, bound=1).aux) == 2
    with pytest.raises(Unsupported, match="up to 1 with 1 auxiliary spins"):
        fit(lambda a, b, y: y == a ^ b, bound=1, max_auxiliary=1)


@pytest.mark.parametrize(
    ("table", "pins", "message"),
    [
        (0, ("a",), "must allow at least one row"),
        (16, ("a", "b"), "lie below 2\\^4"),
        (3, None, "needs the names"),
        (["01", "0"], None, "a row must be 2 bits"),
        (["02"], None, "a row must be 2 bits"),
        (1, ("a", "a"), "must be unique"),
    ],
)
def test_bad_tables(table, pins, message):
    with pytest.raises(InvalidInput, match=message):
        fit(table, pins)


def test_too_many_pins():
    with pytest.raises(Unsupported, match="has 7 pins"):
        fit(1, tuple("abcdefg"))


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingTool, match="SciPy, which is not installed"):
        fit(["0110", "1001"], max_auxiliary=0)
