"""Files of Ising problems: the number of every state is the user's, exactly; what is refused, and how."""

from __future__ import annotations

import itertools
import json
import random
from fractions import Fraction

import numpy as np
import pytest

from hwgen.errors import HwgenError, InvalidInput, Unsupported
from hwgen.frontend.ising import read_gset, read_json, read_problem, read_qubo, toroidal


@pytest.fixture
def written(tmp_path):
    def write(text, name: str):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


def all_spins(nodes: int) -> np.ndarray:
    return np.array(list(itertools.product((-1, 1), repeat=nodes)))


def check_values(problem, number) -> None:
    """Every state's value is ``number(state)``, and the ground states are the best of them."""
    states = all_spins(len(problem.hamiltonian))
    expected = [number([int(spin) for spin in state]) for state in states]
    assert list(problem.value(states)) == expected
    assert problem.value(states[3]) == expected[3]
    best = max(expected) if problem.maximise else min(expected)
    energy, ground = problem.hamiltonian.ground_states()
    assert len(ground) == expected.count(best)
    assert all(value == best for value in problem.value(ground))
    assert problem.of_energy(energy) == best
    assert problem.energy_of(best) == energy


@pytest.mark.parametrize(("seed", "factor"), [(0, 1), (1, 1), (2, 6)])
def test_cuts_of_a_gset_file(seed, factor, written):
    draw = random.Random(seed)
    pairs = [pair for pair in itertools.combinations(range(1, 8), 2) if draw.random() < 0.6]
    weights = {pair: factor * draw.choice([-3, -1, 0, 1, 2]) for pair in pairs}
    lines = [f"7 {len(weights)}"]
    lines += [
        f"{j} {i}  {w}" if draw.random() < 0.5 else f"{i} {j} {w}" for (i, j), w in weights.items()
    ]
    problem = read_gset(written("\n".join(lines) + "\n\n", "graph.txt"))

    def cut(spins):
        return sum(w for (i, j), w in weights.items() if spins[i - 1] != spins[j - 1])

    assert (problem.kind, problem.maximise, problem.best_known) == ("max-cut", True, None)
    assert problem.hamiltonian.names == tuple("1234567")
    assert not problem.hamiltonian.h.any()
    kept = {
        tuple(edge): w
        for edge, w in zip(
            problem.hamiltonian.edges.tolist(), problem.hamiltonian.weights, strict=True
        )
    }
    assert kept == {(i - 1, j - 1): -w // factor for (i, j), w in weights.items() if w}
    check_values(problem, cut)


def test_a_graph_of_a_known_name_has_its_best_cut(written):
    torus = toroidal(100, 8)
    edges = torus.hamiltonian.edges
    lines = ["800 1600", *(f"{i + 1} {j + 1} 1" for i, j in edges)]
    assert read_gset(written("\n".join(lines), "G11.txt")).best_known == 564
    assert read_gset(written("\n".join(lines), "g11")).best_known == 564
    assert read_gset(written("\n".join(lines), "G1")).best_known is None
    assert read_gset(written("\n".join(lines), "torus")).best_known is None


def test_toroidal_grids():
    problem = toroidal(100, 8, seed=3)
    hamiltonian = problem.hamiltonian
    assert (len(hamiltonian), len(hamiltonian.edges)) == (800, 1600)
    assert set(hamiltonian.weights.tolist()) == {-1, 1}
    assert abs(int(hamiltonian.weights.sum())) < 160
    assert (np.bincount(hamiltonian.edges.ravel()) == 4).all()
    assert problem.maximise and "not an instance of the G-set" in problem.note
    # Neighbours are one step apart in a row or a column that closes.
    rows, columns = np.divmod(hamiltonian.edges, 8)
    down = (rows[:, 1] - rows[:, 0]) % 100
    right = (columns[:, 1] - columns[:, 0]) % 8
    assert (np.minimum(down, 100 - down) + np.minimum(right, 8 - right) == 1).all()
    again = toroidal(100, 8, seed=3).hamiltonian
    assert np.array_equal(again.weights, hamiltonian.weights)
    assert not np.array_equal(toroidal(100, 8, seed=4).hamiltonian.weights, hamiltonian.weights)
    small = toroidal(3, 3, seed=1)
    edges = list(zip(small.hamiltonian.edges, small.hamiltonian.weights, strict=True))
    check_values(small, lambda m: sum(-int(w) for (i, j), w in edges if m[i] != m[j]))
    with pytest.raises(InvalidInput, match=r"3 rows and 3 columns or more .* found 2 x 8"):
        toroidal(2, 8)


DIMOD = {
    # As dimod 0.12.23 writes it: BinaryQuadraticModel({"a": 1, "b": -0.5, 3: 0, (0, "c"): 0.1},
    # {("a", "b"): 0.25, (3, "a"): -1, ((0, "c"), "b"): 2}, 1.5, "SPIN").to_serializable()
    "type": "BinaryQuadraticModel",
    "version": {"bqm_schema": "3.0.0"},
    "use_bytes": False,
    "index_type": "int32",
    "bias_type": "float64",
    "num_variables": 4,
    "num_interactions": 3,
    "variable_labels": ["a", "b", 3, [0, "c"]],
    "variable_type": "SPIN",
    "offset": 1.5,
    "info": {},
    "linear_biases": [1.0, -0.5, 0.0, 0.1],
    "quadratic_biases": [0.25, -1.0, 2.0],
    "quadratic_head": [0, 0, 1],
    "quadratic_tail": [1, 2, 3],
}


@pytest.mark.parametrize("kind", ["SPIN", "BINARY"])
def test_json_of_dimod(kind, written):
    problem = read_json(written({**DIMOD, "variable_type": kind}, "model.json"))
    assert problem.hamiltonian.names == ("a", "b", "3", "(0, c)")
    assert problem.kind == {"SPIN": "ising", "BINARY": "qubo"}[kind]
    assert not problem.maximise

    def energy(spins):
        x = spins if kind == "SPIN" else [(1 + spin) // 2 for spin in spins]
        h = [Fraction(1), Fraction(-1, 2), Fraction(0), Fraction(1, 10)]
        J = {(0, 1): Fraction(1, 4), (0, 2): Fraction(-1), (1, 3): Fraction(2)}
        return (
            Fraction(3, 2)
            + sum(h[i] * x[i] for i in range(4))
            + sum(w * x[i] * x[j] for (i, j), w in J.items())
        )

    check_values(problem, energy)


def test_integers_are_the_smallest_that_are_in_proportion(written):
    problem = read_json(written({**DIMOD}, "model.json"))
    # In steps of 0.05: 1, -0.5, 0, 0.1 and 0.25, -1, 2, with the sign of E = -(sum h m + sum J m m).
    assert problem.hamiltonian.h.tolist() == [-20, 10, 0, -2]
    assert problem.hamiltonian.weights.tolist() == [-5, 20, -40]
    assert problem.slope == Fraction(1, 20)
    assert problem.energy_of(Fraction(1, 3)) is None
    # 2 x y = (1 + m)(1 + n) / 2.
    qubo = {"linear": {}, "quadratic": [["x", "y", 2]], "vartype": "BINARY"}
    problem = read_json(written(qubo, "model.json"))
    assert (problem.hamiltonian.h.tolist(), problem.hamiltonian.weights.tolist()) == (
        [-1, -1],
        [-1],
    )
    assert (problem.slope, problem.offset) == (Fraction(1, 2), Fraction(1, 2))


PLAIN = {
    "lists": {"h": [1, 0, -2], "J": [[0, 1, 1], [2, 1, -3]], "offset": 7},
    "objects": {"h": {"0": 1, "2": -2}, "J": {"0,1": 1, "1, 2": -3}, "offset": 7},
    "linear": {
        "linear": {"0": 1, "1": 0, "2": -2},
        "quadratic": [["0", "1", 1], ["1", "2", -3]],
        "vartype": "SPIN",
        "offset": 7.0,
        "name": "mine",
    },
}


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_json(kind, written):
    problem = read_problem(written(PLAIN[kind], "model.json"))
    order = [problem.hamiltonian.names.index(name) for name in "012"]

    def energy(spins):
        m = [spins[place] for place in order]
        return 7 + m[0] - 2 * m[2] + m[0] * m[1] - 3 * m[1] * m[2]

    check_values(problem, energy)


def test_no_coupling_at_all(written):
    problem = read_json(written({"h": {"a": 0, "b": 0}, "J": []}, "model.json"))
    assert [problem.value(state) for state in all_spins(2)] == [0, 0, 0, 0]


def test_quadratic_forms_of_qbsolv(written):
    text = "c a form\np  qubo  0  9  3  3\n4 4 -1.5\n0 0  3\nc within\n7 7 1e0\n0 4 2\n4 7 -.25\n0 7 0\n"
    problem = read_problem(written(text, "form.QUBO"))
    assert problem.hamiltonian.names == ("0", "4", "7")
    assert (problem.kind, problem.maximise) == ("qubo", False)

    def form(spins):
        a, b, c = ((1 + spin) // 2 for spin in spins)
        return 3 * a - Fraction(3, 2) * b + c + 2 * a * b - Fraction(1, 4) * b * c

    check_values(problem, form)


# What dimod 0.12.23 gives for the 16 states, with -1 before +1 (0 before 1), the last label first to change.
DIMOD_ENERGIES = {
    "SPIN": "2.15 -1.65 4.15 0.35 -3.35 0.85 -1.35 2.85 5.65 1.85 3.65 -0.15 1.15 5.35 -0.85 3.35",
    "BINARY": "1.5 1.6 1.5 1.6 1.0 3.1 1.0 3.1 2.5 2.6 1.5 1.6 2.25 4.35 1.25 3.35",
}


@pytest.mark.parametrize("kind", DIMOD_ENERGIES)
def test_energies_are_those_of_dimod(kind, written):
    problem = read_json(written({**DIMOD, "variable_type": kind}, "model.json"))
    expected = [Fraction(number) for number in DIMOD_ENERGIES[kind].split()]
    assert problem.value(all_spins(4)).tolist() == expected


GSET = {
    "empty": ("", r"graph: is empty; expected a G-set file"),
    "blank": ("\n \n", r"graph: is empty"),
    "binary": ("3 1\0", r"graph: is a binary file"),
    "head": ("3\n1 2 1\n", r"graph:1: must have 2 whole numbers, found '3'"),
    "no nodes": ("0 0\n", r"graph:1: needs one node or more"),
    "far too many nodes": (
        "2000000 0\n",
        r"graph:1: up to 1000000 nodes can be read, found 2000000",
    ),
    "no weight": ("3 1\n1 2\n", r"graph:2: must have 3 whole numbers, found '1 2'"),
    "fraction": ("3 1\n\n1 2 0.5\n", r"graph:3: must have 3 whole numbers, found '0\.5'"),
    "word": ("3 1\n1 two 1\n", r"graph:2: must have 3 whole numbers, found 'two'"),
    "endless": (
        "3 1\n1 2 " + "9" * 5000 + "\n",
        r"graph:2: must have 3 whole numbers, found '9{80}'",
    ),
    "large": (
        "3 2\n1 2 1\n1 3 9999999999\n",
        r"graph: biases must be multiples .* up to 2147483647",
    ),
    "zero": ("3 1\n0 2 1\n", r"graph:2: nodes must be 1 to 3, found 0"),
    "beyond": ("3 1\n1 4 1\n", r"graph:2: nodes must be 1 to 3, found 4"),
    "loop": ("3 1\n2 2 1\n", r"graph:2: an edge must join two nodes, found node 2 twice"),
    "twice": ("3 2\n1 2 1\n2 1 1\n", r"graph:3: the edge 2 1 is there already, in line 2"),
    "few": ("3 2\n1 2 1\n", r"graph:1: promises 2 edges, found 1"),
    "many": ("3 1\n1 2 1\n1 3 1\n", r"graph:1: promises 1 edges, found 2"),
}


@pytest.mark.parametrize("kind", GSET)
def test_refused_gset(kind, written):
    text, message = GSET[kind]
    with pytest.raises(InvalidInput, match=message):
        read_problem(written(text, "graph"))


QUBO = {
    "only comments": ("c nothing\n", r"form\.qubo: has no line but comments"),
    "no head": ("0 0 1\n", r"form\.qubo:1: must be 'p qubo 0 maxNodes nNodes nCouplers'"),
    "topology": ("p qubo chimera 4 1 0\n0 0 1\n", r":1: the topology must be 0 or unconstrained"),
    "head": ("p qubo 0 4 x 0\n", r":1: must have 3 whole numbers, found 'x'"),
    "fields": ("p qubo 0 4 1 0\n0 0\n", r":2: must have three numbers, found '0 0'"),
    "node": ("p qubo 0 4 1 0\nc\n4 4 1\n", r":3: nodes must be 0 to 3, found 4"),
    "order": ("p qubo 0 4 0 1\n2 1 1\n", r":2: must have i < j, found 2 1; exchange"),
    "twice": ("p qubo 0 4 0 2\n1 2 1\n1 2 1\n", r":3: the pair 1 2 is there twice"),
    "weight": ("p qubo 0 4 1 0\n0 0 nan\n", r":2: the weight must be a number, found 'nan'"),
    "diagonals": ("p qubo 0 4 2 0\n0 0 1\n", r":1: promises 2 diagonal entries, found 1"),
    "couplers": ("p qubo 0 4 1 2\n0 0 1\n0 1 1\n", r":1: promises 2 couplers, found 1"),
    "nothing": ("p qubo 0 4 0 0\n", r":1: needs one entry or more, found none"),
}


@pytest.mark.parametrize("kind", QUBO)
def test_refused_qubo(kind, written):
    text, message = QUBO[kind]
    with pytest.raises(InvalidInput, match=message):
        read_qubo(written(text, "form.qubo"))


JSON = {
    "syntax": ('{"h": [1],\n"J": [}', r":2: Expecting value"),
    "list": ([1], r"must hold an object, found \[1"),
    "strange": ({"nodes": []}, r'has entries \["nodes"\], of which none is known'),
    "extra": ({"h": {}, "K": []}, r"entries must be J, h, name, offset, vartype, found 'K'"),
    "vartype": (
        {"linear": {"a": 1}, "vartype": "TERNARY"},
        r'vartype must be SPIN or BINARY, found "TERNARY"',
    ),
    "binary h": ({"h": {"a": 1}, "vartype": "BINARY"}, r"vartype must be SPIN beside h and J"),
    "no variable": ({"h": {}, "J": []}, r"must have one variable or more, found none"),
    "no number": ({"h": {"a": "1"}}, r"""h\['a'\] must be a number, found "1" """.strip()),
    "no truth": ({"h": {"a": True}}, r"h\['a'\] must be a number, found true"),
    "infinite": ('{"h": {"a": Infinity}}', r"weights must be finite, found Infinity"),
    "long": ('{"h": {"a": 1e5000}}', r"the number 1e5000 has too many digits"),
    "name twice": ('{"h": {"a": 1, "a": 2}}', r"the name 'a' is there twice"),
    "self": ({"J": [["a", "a", 1]]}, r"J\[0\] must join two variables, found 'a' twice"),
    "pair twice": (
        {"J": [["a", "b", 1], ["b", "a", 1]]},
        r"J\[1\] joins 'a' and 'b', which are joined already",
    ),
    "pair": ({"J": [["a", 1]]}, r"J\[0\] must be \[a, b, weight\], found"),
    "pair name": ({"J": {"ab": 1}}, r"names in J must be like 'a,b', found 'ab'"),
    "J": ({"J": 5}, r"J must be a list or an object, found 5"),
    "h": ({"h": 5}, r"h must be an object or a list, found 5"),
    "label": (
        {"J": [["a", None, 1]]},
        r"J\[0\]: a label must be a text or a whole number, found null",
    ),
    "fine steps": ({"h": {"a": 0.1, "b": 3.0000000001}}, r"multiples of one step .* round them"),
    "bytes": (
        {**DIMOD, "use_bytes": True},
        r"use_bytes must be false; write it with to_serializable\(use",
    ),
    "old": (
        {"type": "BinaryQuadraticModel", "linear_terms": []},
        r"lacks variable_labels, variable_type",
    ),
    "no list": ({**DIMOD, "quadratic_head": 3}, r"quadratic_head must be a list, found 3"),
    "dimod vartype": (
        {**DIMOD, "variable_type": "X"},
        r'variable_type must be SPIN or BINARY, found "X"',
    ),
    "labels twice": (
        {**DIMOD, "variable_labels": ["a", "3", 3, "b"]},
        r"has the variable '3' twice",
    ),
    "few labels": (
        {**DIMOD, "variable_labels": ["a"]},
        r"variable_labels and linear_biases must be equally long",
    ),
    "few heads": (
        {**DIMOD, "quadratic_head": [0]},
        r"quadratic_biases and quadratic_head must be equally",
    ),
    "head": (
        {**DIMOD, "quadratic_head": [0, 4, 1]},
        r"quadratic_head\[1\] must be 0 to 3, found 4",
    ),
    "tail": (
        {**DIMOD, "quadratic_tail": [1, 2, 0.5]},
        r"quadratic_tail\[2\] must be 0 to 3, found 0\.5",
    ),
    "bias": (
        {**DIMOD, "linear_biases": [1, 2, None, 3]},
        r"linear_biases\[2\] must be a number, found null",
    ),
    "offset": ({**DIMOD, "offset": "0"}, r'offset must be a number, found "0"'),
}


@pytest.mark.parametrize("kind", JSON)
def test_refused_json(kind, written):
    content, message = JSON[kind]
    with pytest.raises(InvalidInput, match=r"model\.json.*" + message):
        read_json(written(content, "model.json"))


def test_files_that_cannot_be_read(tmp_path, written):
    with pytest.raises(
        InvalidInput, match=r"none\.json: cannot be read: No such file .*; expected JSON"
    ):
        read_problem(tmp_path / "none.json")
    with pytest.raises(Unsupported, match=r"\.v: an Ising problem is a \.json file, .* not '\.v'"):
        read_problem(tmp_path / "design.v")
    path = tmp_path / "graph"
    path.write_bytes(b"3 1\n1 2 \xff\n")
    with pytest.raises(HwgenError, match=r"graph:2: is not UTF-8 text"):
        read_problem(path)
    with pytest.raises(InvalidInput, match="is nested too deeply"):
        read_json(written("[" * 100000, "deep.json"))
