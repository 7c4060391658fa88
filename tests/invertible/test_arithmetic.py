"""Adders, multipliers and comparators: their states by enumeration, their sizes as published."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hwgen.errors import InvalidInput
from hwgen.invertible import adder, comparator, multiplier


def read(hamiltonian, states):
    return {name: hamiltonian.value(states, name) for name in hamiltonian.words}


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_adder_has_the_sums_as_ground_states(bits):
    hamiltonian = adder(bits).hamiltonian()
    energy, states = hamiltonian.ground_states()
    assert len(hamiltonian) == 4 * bits
    assert energy == hamiltonian.ground == -4 * bits
    assert len(states) == 4**bits
    found = read(hamiltonian, states)
    assert (found["sum"] + (found["carry"] << bits) == found["a"] + found["b"]).all()
    assert len(set(zip(found["a"].tolist(), found["b"].tolist(), strict=True))) == 4**bits


@pytest.mark.parametrize(("n", "m"), [(2, 2), (1, 1), (1, 3), (3, 1), (3, 2)])
def test_multiplier_has_the_products_as_ground_states(n, m):
    hamiltonian = multiplier(n, m).hamiltonian()
    energy, states = hamiltonian.ground_states()
    assert energy == hamiltonian.ground
    assert len(states) == 1 << n + m
    found = read(hamiltonian, states)
    assert (found["y"] == found["a"] * found["b"]).all()
    assert len(set(zip(found["a"].tolist(), found["b"].tolist(), strict=True))) == 1 << n + m
    if n == m == 2:
        assert energy == -20


@pytest.mark.parametrize(
    ("n", "nodes", "edges", "field", "degree", "reach"),
    [
        (2, 12, 24, 2, 6, 11),
        (4, 48, 152, 4, 8, 16),
        (5, 75, 255, 5, 10, 20),
        (8, 192, 720, 8, 16, 32),
        (16, 768, 3104, 16, 32, 64),
    ],
)
def test_multiplier_sizes(n, nodes, edges, field, degree, reach):
    hamiltonian = multiplier(n, n).hamiltonian()
    assert (len(hamiltonian), len(hamiltonian.edges)) == (nodes, edges)
    assert np.abs(hamiltonian.h).max() == field
    assert hamiltonian.degrees.max() == degree
    assert hamiltonian.reach.max() == reach
    assert hamiltonian.ground == -(3 * n * n + 4 * n * (n - 1))


@pytest.mark.parametrize("n", [3, 5])
def test_multiplier_evaluates_and_its_states_have_the_ground_energy(n):
    circuit = multiplier(n, n)
    for a, b in itertools.product(range(0, 1 << n, 3), range(1 << n)):
        assert circuit.evaluate({"a": a, "b": b})["y"] == a * b
    hamiltonian = circuit.hamiltonian()
    inputs = hamiltonian.assignment({"a": 5, "b": 7})
    solved = hamiltonian.clamped(inputs, implied=True)
    assert len(solved.hamiltonian) == 0
    assert hamiltonian.energy(solved.fixed) == hamiltonian.ground
    assert hamiltonian.value(solved.fixed, "y") == 35


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_comparator_has_the_orders_as_ground_states(bits):
    hamiltonian = comparator(bits).hamiltonian()
    energy, states = hamiltonian.ground_states()
    assert energy == hamiltonian.ground
    assert len(states) == 4**bits
    found = read(hamiltonian, states)
    assert (found["less"] == (found["a"] < found["b"])).all()
    assert (found["equal"] == (found["a"] == found["b"])).all()
    assert (found["greater"] == (found["a"] > found["b"])).all()


@pytest.mark.parametrize("build", [adder, comparator, lambda bits: multiplier(3, bits)])
def test_no_bits_are_refused(build):
    with pytest.raises(InvalidInput, match="at least 1, found 0"):
        build(0)
