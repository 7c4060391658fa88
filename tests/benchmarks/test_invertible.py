"""What the benchmark of networks of spins rests on: equal problems for all, and right answers told from wrong ones."""

import numpy as np
import pytest

from benchmarks import invertible_cuts, invertible_factors, invertible_peers
from benchmarks.invertible_cuts import cuts
from benchmarks.invertible_factors import is_right, network, semiprimes
from benchmarks.invertible_peers import PEERS, installed, on_c
from benchmarks.invertible_size import parts
from benchmarks.report import Table
from hwgen.frontend.ising import toroidal
from hwgen.frontend.problems import find_problem
from hwgen.invertible.engine import Accumulator
from hwgen.invertible.hamiltonian import Hamiltonian
from hwgen.invertible.lowering import lower
from hwgen.invertible.solving import PUBLISHED, run_seeds

LONE = Hamiltonian(
    names=tuple("abcdefghijkl"),
    h=np.array([1, -3, 2, -1, 4, 0, 3, -2, 1, 5, -4, 2]),
    edges=np.array([(0, 1), (1, 2), (2, 10), (3, 11), (4, 5), (8, 9)]),
    weights=np.array([-5, 3, -6, 4, -1, 2]),
)


def test_there_are_66_semiprimes_of_five_bits():
    numbers = semiprimes(5)
    assert len(numbers) == 66
    assert numbers[:6] == [4, 6, 9, 10, 14, 15]
    assert numbers[-1] == 31 * 31


@pytest.mark.parametrize("folds", [False, True])
def test_right_are_the_states_whose_factors_have_the_product(folds):
    each = network(17 * 23, PUBLISHED, folds)
    bits = len(each.decisions)
    assert bits == 10 if not folds else bits < 10
    drawn = np.arange(1 << bits)[:, None] >> np.arange(bits) & 1
    spins = np.random.default_rng(0).choice([-1, 1], (1 << bits, len(each.clamped.free)))
    spins[:, list(each.decisions)] = 2 * drawn - 1
    right = is_right(each, spins, 17 * 23)
    whole = each.problem.hamiltonian
    a = whole.value(each.clamped.restore(spins[right]), "a")
    assert sorted(a.tolist()) == [17, 23]


@pytest.mark.parametrize("package", PEERS)
@pytest.mark.parametrize("problem", [LONE, toroidal(4, 3).hamiltonian], ids=["lone", "torus"])
def test_peers_get_the_same_problem(package, problem):
    if installed(package) is None:
        pytest.skip(f"{package} is not installed")
    ground, _ = problem.ground_states()
    reads = PEERS[package][1](problem, 200, 6, 1)
    assert reads.spins.shape == (6, len(problem))
    assert problem.energy(reads.spins).min() == ground
    assert reads.seconds > 0


@pytest.mark.parametrize("package", PEERS)
def test_reads_of_peers_differ(package):
    if installed(package) is None:
        pytest.skip(f"{package} is not installed")
    reads = PEERS[package][1](toroidal(10, 10).hamiltonian, 5, 4, 1)
    assert len(np.unique(reads.spins, axis=0)) == 4


def test_the_c_that_is_timed_gives_the_golden_answers():
    engine = Accumulator(noise=(2,), limit=(1, 2))
    graph = lower(toroidal(4, 3).hamiltonian, engine, cycles=20, check="energy")
    op = graph["spins"].op
    golden = op.solve(op.frame.pack_inputs(run_seeds(3, 0, 5)))
    with on_c(graph) as run:
        answer, seconds = run(5, 3)
    assert np.array_equal(answer.spins, golden.spins)
    assert np.array_equal(answer.cycle, golden.cycle)
    assert seconds > 0


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch):
    nobody = {"no-such-sampler": ("no_such_sampler", None)}
    for module in (invertible_cuts, invertible_factors, invertible_peers):
        monkeypatch.setattr(module, "PEERS", nobody)
    monkeypatch.setattr(invertible_cuts, "_graphs", lambda: [("torus 4x3", toroidal(4, 3))])
    monkeypatch.setattr(invertible_cuts, "_engines", lambda problem: {})
    *_, table = cuts(lambda text: None)
    assert [row[:3] for row in table.rows] == 2 * [
        ("torus 4x3", "no-such-sampler", "not installed")
    ]
    other = Table("T", ("solver", "state"))
    invertible_factors._peer_factors(other, [], "no-such-sampler", 100)
    assert other.rows == [("no-such-sampler", "not installed")]


def test_cuts_are_those_of_the_graph(monkeypatch):
    ising = toroidal(4, 3)
    ground, _ = ising.hamiltonian.ground_states()
    monkeypatch.setattr(invertible_cuts, "PEERS", {})
    monkeypatch.setattr(invertible_cuts, "BUDGETS", (1e-6,))
    monkeypatch.setattr(invertible_cuts, "TRIES", 1)
    monkeypatch.setattr(invertible_cuts, "_graphs", lambda: [("torus 4x3", ising)])
    engines = {"hwgen": Accumulator(noise=(2,), limit=(1, 2))}
    monkeypatch.setattr(invertible_cuts, "_engines", lambda problem: engines)
    *_, table = cuts(lambda text: None)
    (row,) = table.rows
    assert float(row[table.columns.index("best")]) == float(ising.of_energy(ground))


def test_graphs_of_files_are_added(monkeypatch, tmp_path):
    path = tmp_path / "triangle.txt"
    path.write_text("3 3\n1 2 1\n2 3 1\n1 3 1\n")
    monkeypatch.setenv(invertible_cuts.GRAPHS, str(path))
    *made, (name, ising) = invertible_cuts._graphs()
    assert len(made) == 3
    assert (name, len(ising.hamiltonian)) == ("triangle", 3)


@pytest.mark.slow
def test_parts_of_the_hardware_make_up_the_whole():
    found = parts(lower(find_problem("and").hamiltonian, check="none", name="spins"))
    whole, *rest = (found[key] for key in ("all", "nodes", "generators", "rest"))
    assert sum(area.lut for area in rest) == whole.lut
    assert sum(area.ff for area in rest) == whole.ff
    assert found["generators"].ff == 32
    # Three counters of three bits at least.
    assert found["nodes"].ff >= 9
