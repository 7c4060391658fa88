"""Circuits: their ground states are what plain Boolean arithmetic says, whatever is built."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import InvalidInput, Unsupported
from hwgen.invertible import Circuit, Hamiltonian, adder, multiplier

BINARY = {
    "and_": lambda a, b: a & b,
    "or_": lambda a, b: a | b,
    "nand": lambda a, b: 1 - (a & b),
    "nor": lambda a, b: 1 - (a | b),
    "xor": lambda a, b: a ^ b,
    "xnor": lambda a, b: 1 - (a ^ b),
}
TERNARY = {
    "majority": lambda a, b, c: int(a + b + c >= 2),
    "mux": lambda a, b, s: b if s else a,
}
ADDERS = {"half_adder": 2, "full_adder": 3}


@st.composite
def circuits(draw, nodes=12):
    """A random circuit of few nodes, and its words as functions of the inputs, kept in parallel."""
    circuit = Circuit("random")
    width = draw(st.integers(1, 4))
    nets = [circuit.constant(0), *circuit.word("i", width)]
    values = [np.zeros(1 << width, dtype=int)]
    values += [np.arange(1 << width) >> k & 1 for k in range(width)]
    for _ in range(draw(st.integers(1, 7))):
        if len(circuit.hamiltonian()) > nodes - 2:
            break
        kind = draw(st.sampled_from([*BINARY, *TERNARY, *ADDERS, "copy"]))
        count = 2 if kind in BINARY else 3 if kind in TERNARY else ADDERS.get(kind, 1)
        picked = [draw(st.integers(0, len(nets) - 1)) for _ in range(count)]
        signs = [draw(st.booleans()) for _ in range(count)]
        a = [~nets[k] if s else nets[k] for k, s in zip(picked, signs, strict=True)]
        v = [values[k] ^ s for k, s in zip(picked, signs, strict=True)]
        if kind == "copy" and a[0].constant is not None:
            continue
        made = getattr(circuit, kind)(*a)
        if kind in ADDERS:
            total = sum(v)
            nets += made
            values += [total & 1, total >> 1]
        else:
            nets.append(made)
            rule = {**BINARY, **TERNARY}.get(kind)
            values.append(
                v[0] if rule is None else np.array([rule(*row) for row in zip(*v, strict=True)])
            )
    ends = draw(st.lists(st.integers(0, len(nets) - 1), min_size=1, max_size=3))
    signs = draw(st.lists(st.booleans(), min_size=len(ends), max_size=len(ends)))
    circuit.output("o", [~nets[k] if s else nets[k] for k, s in zip(ends, signs, strict=True)])
    expected = sum((values[k] ^ s) << i for i, (k, s) in enumerate(zip(ends, signs, strict=True)))
    return circuit, expected


@settings(max_examples=60, deadline=None)
@given(circuits())
def test_ground_states_are_the_truth_table(drawn):
    circuit, expected = drawn
    hamiltonian = circuit.hamiltonian()
    energy, states = hamiltonian.ground_states()
    assert energy == hamiltonian.ground
    assert sorted(hamiltonian.value(states, "i").tolist()) == list(range(len(expected)))
    assert (hamiltonian.value(states, "o") == expected[hamiltonian.value(states, "i")]).all()
    for value, result in enumerate(expected.tolist()):
        assert circuit.evaluate({"i": value})["o"] == result


def bits_of(circuit):
    """Nets over two inputs a and b: every constant, inverted or not, with the values of each."""
    a, b = circuit.word("i", 2)
    zero, a_, b_ = np.zeros(4, dtype=int), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    nets = [circuit.constant(0), circuit.constant(1), a, ~a, b, ~b]
    return list(zip(nets, [zero, 1 - zero, a_, 1 - a_, b_, 1 - b_], strict=True))


def check(circuit, nets, values):
    circuit.output("o", nets)
    hamiltonian = circuit.hamiltonian()
    energy, states = hamiltonian.ground_states()
    assert energy == hamiltonian.ground and len(states) == 4
    found = hamiltonian.value(states, "o")
    wanted = sum(value << k for k, value in enumerate(values))
    assert (found == wanted[hamiltonian.value(states, "i")]).all()


@pytest.mark.parametrize("kind", [*BINARY, *TERNARY, *ADDERS])
def test_gates_on_constants_and_repeated_nets(kind):
    count = 2 if kind in BINARY else 3 if kind in TERNARY else ADDERS[kind]
    for picked in itertools.product(range(6), repeat=count):
        circuit = Circuit("folded")
        bits = bits_of(circuit)
        nets, values = zip(*(bits[k] for k in picked), strict=True)
        made = getattr(circuit, kind)(*nets)
        if kind in ADDERS:
            check(circuit, made, [sum(values) & 1, sum(values) >> 1])
        else:
            rule = {**BINARY, **TERNARY}[kind]
            check(circuit, [made], [np.array([rule(*row) for row in zip(*values, strict=True)])])


@pytest.mark.parametrize("table", [0b10010110, 0b11101000, 0b00000010])
def test_lookups_on_constants_and_repeated_nets(table):
    for picked in itertools.product(range(6), repeat=3):
        circuit = Circuit("folded")
        bits = bits_of(circuit)
        nets, values = zip(*(bits[k] for k in picked), strict=True)
        index = sum(value << k for k, value in enumerate(values))
        check(circuit, [circuit.lookup(nets, table)], [table >> index & 1])


@settings(max_examples=40, deadline=None)
@given(circuits(), st.randoms(use_true_random=False))
def test_valid_is_ground_energy_and_every_relation(drawn, random):
    hamiltonian = drawn[0].hamiltonian()
    size = len(hamiltonian)
    states = np.array([[random.choice((-1, 1)) for _ in range(size)] for _ in range(64)])
    states = np.concatenate([states, hamiltonian.ground_states()[1]])
    assert (
        (hamiltonian.energy(states) == hamiltonian.ground) == hamiltonian.is_valid(states)
    ).all()


@settings(max_examples=40, deadline=None)
@given(circuits(), st.data())
def test_clamped_ground_states_are_the_consistent_ones(drawn, data):
    hamiltonian = drawn[0].hamiltonian()
    size = len(hamiltonian)
    bits = data.draw(st.dictionaries(st.integers(0, size - 1), st.integers(0, 1), max_size=4))
    states = hamiltonian.ground_states()[1]
    fits = [all(state[n] == 2 * bit - 1 for n, bit in bits.items()) for state in states]
    wanted = sorted(map(tuple, states[fits].tolist()))
    assert hamiltonian.satisfiable(bits) == bool(wanted)
    for implied in (False, True):
        try:
            clamped = hamiltonian.clamped(bits, implied=implied)
        except InvalidInput:
            assert not wanted
            continue
        left = clamped.hamiltonian
        energy, found = left.ground_states()
        assert (energy == left.ground) == bool(wanted)
        if wanted:
            assert sorted(map(tuple, clamped.restore(found).tolist())) == wanted
            assert left.is_valid(found).all()


@settings(max_examples=30, deadline=None)
@given(circuits(nodes=8), st.integers(5, 6))
def test_copies_leave_the_ground_states_as_they_were(drawn, limit):
    circuit, _ = drawn
    whole, split = circuit.hamiltonian(), circuit.hamiltonian(max_degree=limit)
    assert split.degrees.max(initial=0) <= limit
    if len(split) <= 20:
        wanted, found = whole.ground_states()[1], split.ground_states()[1]
        place = [split.names.index(name) for name in whole.names]
        assert split.ground_states()[0] == split.ground
        assert sorted(map(tuple, found[:, place].tolist())) == sorted(map(tuple, wanted.tolist()))


@pytest.mark.parametrize("limit", [5, 6, 8])
def test_copies_of_the_inputs_of_a_multiplier(limit):
    circuit = multiplier(6, 6)
    hamiltonian = circuit.hamiltonian(max_degree=limit)
    assert circuit.hamiltonian().degrees.max() > limit >= hamiltonian.degrees.max()
    solved = hamiltonian.clamped(hamiltonian.assignment({"a": 41, "b": 59}), implied=True)
    assert hamiltonian.value(solved.fixed, "y") == 41 * 59
    assert hamiltonian.energy(solved.fixed) == hamiltonian.ground
    copies = [node for node, name in enumerate(hamiltonian.names) if name.startswith("a[0].copy")]
    assert copies and (solved.fixed[copies] == 1).all()


def test_small_multiplier_with_copies_by_enumeration():
    whole = multiplier(2, 2).hamiltonian()
    split = multiplier(2, 2).hamiltonian(max_degree=5)
    assert len(whole) < len(split) <= 24
    energy, states = split.ground_states()
    assert energy == split.ground and len(states) == 16
    assert (split.value(states, "y") == split.value(states, "a") * split.value(states, "b")).all()


def test_a_neighbour_of_a_split_node_is_split_in_turn():
    circuit = Circuit("shared")
    a, b, *rest = circuit.word("i", 5)
    circuit.and_(a, b)
    for net in rest:
        circuit.and_(a, net)
    circuit.or_(a, b)
    circuit.and_(b, rest[0])
    # b has five neighbours, and six once its two gates with a are on different copies of a.
    assert circuit.hamiltonian().degrees[:2].tolist() == [9, 5]
    hamiltonian = circuit.hamiltonian(max_degree=5)
    assert hamiltonian.degrees.max() == 5
    assert any(name.startswith("i[1].copy") for name in hamiltonian.names)


def test_a_limit_that_leaves_no_room_for_a_copy():
    circuit = Circuit("two")
    a, b, c = circuit.word("i", 3)
    total, carry = circuit.full_adder(a, b, c)
    circuit.full_adder(a, total, carry)
    with pytest.raises(Unsupported, match=r"full_adder.*allow 5 or more"):
        circuit.hamiltonian(max_degree=4)


def test_any_coupling_of_the_other_sign_is_seen():
    whole = adder(2).hamiltonian()
    wanted = whole.ground_states()[1].tolist()
    for k in range(len(whole.edges)):
        weights = whole.weights.copy()
        weights[k] = -weights[k]
        wrong = Hamiltonian(whole.names, whole.h, whole.edges, weights)
        assert wrong.ground_states()[1].tolist() != wanted


def test_an_adder_subtracts_and_a_multiplier_divides():
    hamiltonian = adder(3).hamiltonian()
    clamped = hamiltonian.clamped(hamiltonian.assignment({"sum": 3, "carry": 1, "b": 5}))
    states = clamped.restore(clamped.hamiltonian.ground_states()[1])
    assert hamiltonian.value(states, "a").tolist() == [11 - 5]
    hamiltonian = multiplier(3, 3).hamiltonian()
    clamped = hamiltonian.clamped(hamiltonian.assignment({"y": 42, "b": 6}), implied=True)
    states = clamped.restore(clamped.hamiltonian.ground_states()[1])
    assert hamiltonian.value(states, "a").tolist() == [7]


def test_relations_and_lookups_join_the_circuit():
    circuit = Circuit("puzzle")
    nets = circuit.word("i", 3)
    circuit.relation(nets, lambda a, b, c: a + b + c == 2, "two_of_three")
    circuit.output("y", circuit.lookup(nets, lambda a, b, c: a ^ b ^ c, "parity"))
    circuit.output("z", circuit.lookup([nets[0], ~nets[1]], 0b0111, "nand"))
    hamiltonian = circuit.hamiltonian()
    energy, states = hamiltonian.ground_states()
    assert energy == hamiltonian.ground
    assert sorted(hamiltonian.value(states, "i").tolist()) == [3, 5, 6]
    assert not hamiltonian.value(states, "y").any()
    i = hamiltonian.value(states, "i")
    assert (hamiltonian.value(states, "z") == 1 - (i & 1 & ~(i >> 1))).all()
    with pytest.raises(InvalidInput, match="two_of_three"):
        circuit.evaluate({"i": 7})


def test_inverted_and_constant_bits_of_words():
    circuit = Circuit("ends")
    a, b = circuit.word("a", 2)
    circuit.output("y", [circuit.and_(~a, b), ~a, circuit.constant(1), circuit.constant(0)])
    circuit.output("z", [~circuit.and_(a, b)])
    circuit.output("w", [~a, circuit.constant(1)])
    hamiltonian = circuit.hamiltonian()
    assert set(hamiltonian.names) == {"a[0]", "a[1]", "y[0]", "y[1]", "y[2]", "y[3]", "z"}
    energy, states = hamiltonian.ground_states()
    assert energy == hamiltonian.ground
    rows = zip(*(hamiltonian.value(states, name).tolist() for name in "ayz"), strict=True)
    assert sorted(rows) == [(0, 0b0110, 1), (1, 0b0100, 1), (2, 0b0111, 1), (3, 0b0100, 0)]
    assert hamiltonian.words["w"] == hamiltonian.words["y"][1:3]
    assert circuit.evaluate({"a": 2}) == {"a": 2, "y": 0b0111, "z": 1, "w": 0b11}


def test_what_cannot_be_built_or_evaluated():
    circuit = Circuit("bad")
    a = circuit.bit("a")
    with pytest.raises(InvalidInput, match="already has a net 'a'"):
        circuit.copy(a, "a")
    with pytest.raises(InvalidInput, match="already has a word 'a'"):
        circuit.output("a", [a])
    with pytest.raises(InvalidInput, match="at least one bit"):
        circuit.output("none", [])
    with pytest.raises(InvalidInput, match="0 or 1, found 2"):
        circuit.constant(2)
    with pytest.raises(InvalidInput, match="is not a net"):
        circuit.and_(a, multiplier(2, 2).words["b"][1])
    with pytest.raises(InvalidInput, match="cannot hold"):
        circuit.relation([a, ~a], ["00", "11"], "same")
    with pytest.raises(InvalidInput, match="between 2 bits, found 1 nets"):
        circuit.relation([a], lambda p, q: p == q)
    with pytest.raises(InvalidInput, match=r"0\.\.2\^2 - 1, found 9"):
        circuit.lookup([a], 9)
    circuit.bit("b")
    with pytest.raises(InvalidInput, match="do not decide b of word 'b'"):
        circuit.evaluate({"a": 1})
    with pytest.raises(InvalidInput, match="has no word 'c'"):
        circuit.evaluate({"c": 1})
    with pytest.raises(InvalidInput, match=r"takes 0\.\.1, found 2"):
        circuit.evaluate({"a": 2})
