"""Energies, fields and clamps of Ising problems, against the plain sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import InvalidInput, Unsupported
from hwgen.invertible import Contradiction, Hamiltonian, Relation, multiplier


@st.composite
def problems(draw, most=7):
    size = draw(st.integers(1, most))
    weights = st.integers(-5, 5)
    h = draw(st.lists(weights, min_size=size, max_size=size))
    pairs = list(itertools.combinations(range(size), 2))
    J = draw(st.lists(weights, min_size=len(pairs), max_size=len(pairs)))
    names = [f"m{k}" for k in range(size)]
    hamiltonian = Hamiltonian.of(names, h, dict(zip(pairs, J, strict=True)))
    return hamiltonian, h, dict(zip(pairs, J, strict=True))


def all_states(size):
    return np.array(list(itertools.product((-1, 1), repeat=size)))[:, ::-1]


def plain_energy(h, J, state):
    return -sum(w * m for w, m in zip(h, state, strict=True)) - sum(
        w * state[i] * state[j] for (i, j), w in J.items()
    )


@settings(max_examples=60, deadline=None)
@given(problems())
def test_energies_and_fields_are_the_plain_sums(drawn):
    hamiltonian, h, J = drawn
    states = all_states(len(h))
    energy = [plain_energy(h, J, state) for state in states.tolist()]
    assert hamiltonian.energy(states).tolist() == energy
    low, ground = hamiltonian.ground_states()
    assert low == min(energy)
    assert ground.tolist() == [s for s, e in zip(states.tolist(), energy, strict=True) if e == low]
    fields = hamiltonian.fields(states)
    assert (fields == hamiltonian.h + states @ hamiltonian.matrix).all()
    for k in range(len(h)):
        flipped = states.copy()
        flipped[:, k] *= -1
        assert (hamiltonian.energy(flipped) - energy == 2 * states[:, k] * fields[:, k]).all()
    assert (np.abs(fields).max(axis=0) <= hamiltonian.reach).all()
    shape = (2, len(states) // 2, len(h))
    assert (hamiltonian.fields(states.reshape(shape)) == fields.reshape(shape)).all()
    assert hamiltonian.energy(states[0]) == energy[0]


@settings(max_examples=40, deadline=None)
@given(problems(), st.data())
def test_clamped_negated_and_scaled_energies(drawn, data):
    hamiltonian, h, _ = drawn
    nodes = st.integers(0, len(h) - 1)
    states = all_states(len(h))
    flip = data.draw(st.sets(nodes))
    turned = states * np.array([-1 if k in flip else 1 for k in range(len(h))])
    assert (hamiltonian.negated(flip).energy(turned) == hamiltonian.energy(states)).all()
    assert (hamiltonian.scaled(3).energy(states) == 3 * hamiltonian.energy(states)).all()
    bits = data.draw(st.dictionaries(nodes, st.integers(0, 1)))
    clamped = hamiltonian.clamped(bits)
    free = all_states(len(h) - len(bits))
    whole = clamped.restore(free)
    assert all((whole[:, node] == 2 * bit - 1).all() for node, bit in bits.items())
    apart = hamiltonian.energy(whole) - clamped.hamiltonian.energy(free)
    assert (apart == apart[0]).all()


def test_large_batches_are_evaluated_in_parts(monkeypatch):
    hamiltonian = multiplier(3, 3).hamiltonian()
    states = np.random.default_rng(1).choice([-1, 1], (50, len(hamiltonian)))
    energy, fields = hamiltonian.energy(states), hamiltonian.fields(states)
    monkeypatch.setattr("hwgen.invertible.hamiltonian.BATCH", 700)
    assert (hamiltonian.energy(states) == energy).all()
    assert (hamiltonian.fields(states) == fields).all()


def test_couplings_add_up_and_vanish():
    hamiltonian = Hamiltonian.of("abc", [0, 0, 0], [(2, 0, 3), (0, 2, 1), (0, 1, 2), (1, 0, -2)])
    assert hamiltonian.edges.tolist() == [[0, 2]]
    assert hamiltonian.weights.tolist() == [4]
    assert hamiltonian.degrees.tolist() == [1, 0, 1]


def test_ground_of_a_clamped_problem_follows():
    hamiltonian = multiplier(2, 2).hamiltonian().scaled(3)
    assert hamiltonian.ground == -60
    clamped = hamiltonian.clamped(hamiltonian.assignment({"y": 6}))
    energy, states = clamped.hamiltonian.ground_states()
    assert energy == clamped.hamiltonian.ground
    whole = clamped.restore(states)
    assert sorted(zip(*(hamiltonian.value(whole, w) for w in "ab"), strict=True)) == [
        (2, 3),
        (3, 2),
    ]
    assert not clamped.hamiltonian.words
    assert (hamiltonian.energy(whole) == -60).all()


def test_contradictions_are_found():
    hamiltonian = multiplier(3, 3).hamiltonian()
    bits = hamiltonian.assignment({"a": 3, "b": 5})
    with pytest.raises(Contradiction, match=r"contradict each other: relation .* cannot hold with"):
        hamiltonian.clamped({**bits, **hamiltonian.assignment({"y": 14})})
    # 11 is prime and has four bits: no relation alone tells, the search does.
    prime = hamiltonian.assignment({"y": 11})
    hamiltonian.clamped(prime)
    assert hamiltonian.satisfiable(prime) is False
    assert hamiltonian.satisfiable(hamiltonian.assignment({"y": 35})) is True
    assert hamiltonian.satisfiable(prime, decisions=1) is None


@pytest.mark.parametrize("y", range(64))
def test_products_of_three_bits_are_told_from_the_rest(y):
    hamiltonian = multiplier(3, 3).hamiltonian()
    products = {a * b for a in range(8) for b in range(8)}
    assert hamiltonian.satisfiable(hamiltonian.assignment({"y": y})) == (y in products)


def test_violations_are_counted():
    same = Relation((0, 1), 0b1001, "same")
    one = Relation((2, 0), 0b1110, "or")
    hamiltonian = Hamiltonian.of("abc", [0, 0, 0], {(0, 1): 1}, relations=[same, one])
    found = hamiltonian.violations(all_states(3)).tolist()
    assert found == [1, 1, 2, 0, 0, 1, 1, 0]
    assert hamiltonian.is_valid(all_states(3)).tolist() == [count == 0 for count in found]


def test_words_are_read_and_assigned():
    hamiltonian = Hamiltonian.of("abc", [0, 0, 0], {}, words={"w": (2, 0), "v": (0,)})
    assert hamiltonian.assignment({"w": 2}) == {2: 0, 0: 1}
    assert hamiltonian.value(np.array([1, -1, -1]), "w") == 2
    with pytest.raises(InvalidInput, match=r"v\[0\] = 0, but the same node \(a\) is fixed at 1"):
        hamiltonian.assignment({"w": 2, "v": 0})
    with pytest.raises(InvalidInput, match=r"takes 0\.\.3, found 4"):
        hamiltonian.assignment({"w": 4})
    with pytest.raises(InvalidInput, match="no word 'x'; the words are w, v"):
        hamiltonian.assignment({"x": 4})


def test_wide_words_are_read_exactly():
    hamiltonian = multiplier(32, 32).hamiltonian()
    a, b = 4294967291, 4294967279
    solved = hamiltonian.clamped(hamiltonian.assignment({"a": a, "b": b}), implied=True)
    assert hamiltonian.value(solved.fixed, "y") == a * b
    assert hamiltonian.value(solved.restore(np.empty((3, 0))), "y").tolist() == 3 * [a * b]
    assert hamiltonian.energy(solved.fixed) == hamiltonian.ground


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("a", "a", "b")}, "unique, found 'a' twice"),
        ({"h": [1.5, 0, 0]}, "h must be integers"),
        ({"h": [1, 0]}, "one value a node"),
        ({"weights": [1, 2]}, "one value an edge"),
        ({"edges": [[0, 3]]}, r"between nodes 0\.\.2"),
        ({"edges": [[1, 0]]}, "with i < j"),
        ({"weights": [0]}, "a weight other than 0"),
        ({"h": [1 << 61, 1 << 61, 0]}, r"below 2\^62"),
        ({"relations": (Relation((0, 3), 1, "r"),)}, "relation 'r' names nodes"),
        ({"words": {"w": (4,)}}, "word 'w' names nodes"),
    ],
)
def test_bad_problems(change, message):
    good = {"names": ("a", "b", "c"), "h": [0, 0, 0], "edges": [[0, 1]], "weights": [1]}
    Hamiltonian(**good)
    with pytest.raises(InvalidInput, match=message):
        Hamiltonian(**{**good, **change})


def test_bad_states_and_bits():
    hamiltonian = Hamiltonian.of("ab", [0, 0], {(0, 1): 1})
    for spins in ([1, 0], [1, 1, 1], 1):
        with pytest.raises(InvalidInput, match="must be -1 or"):
            hamiltonian.energy(spins)
    for bits in ({2: 1}, {0: 2}):
        with pytest.raises(InvalidInput, match="a fixed node must be"):
            hamiltonian.clamped(bits)
    with pytest.raises(InvalidInput, match="at least 1, found 0"):
        hamiltonian.scaled(0)
    with pytest.raises(Unsupported, match="up to 24 nodes"):
        Hamiltonian.of([f"m{k}" for k in range(25)], [0] * 25, {}).ground_states()
    with pytest.raises(InvalidInput, match="distinct nodes"):
        Relation((0, 0), 1)
    with pytest.raises(InvalidInput, match="must lie in"):
        Relation((0, 1), 16)


@pytest.mark.parametrize("number", range(16))
def test_nodes_that_must_be_equal_are_one(number):
    """What follows from a product leaves fewer nodes, and the same states."""
    whole = multiplier(2, 2).hamiltonian()
    _, states = whole.ground_states()
    wanted = states[whole.value(states, "y") == number].astype(int)
    try:
        clamped = whole.clamped(whole.assignment({"y": number}), implied=True)
    except Contradiction:
        assert not len(wanted)
        return
    left = clamped.hamiltonian
    if len(left):
        energy, found = left.ground_states()
        assert (energy == left.ground) == bool(len(wanted))
        assert left.is_valid(found).all() == bool(len(wanted))
        if not len(wanted):
            return
    else:
        found = np.zeros((1, 0), int)
    restored = clamped.restore(found)
    assert sorted(restored.tolist()) == sorted(wanted.tolist())
    assert np.array_equal(whole.energy(restored), np.full(len(restored), whole.ground))
    plain = whole.clamped(whole.assignment({"y": number}))
    assert len(left) < len(plain.hamiltonian)


def test_a_node_that_would_be_its_own_opposite_is_told():
    relations = (Relation((0, 1), 0b1001, "same"), Relation((0, 1), 0b0110, "not"))
    whole = Hamiltonian.of(("p", "q"), [0, 0], {}, relations=relations)
    with pytest.raises(Contradiction, match="relation 'not' cannot hold"):
        whole.clamped({}, implied=True)
