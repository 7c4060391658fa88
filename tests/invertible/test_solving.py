"""Runs until a state is valid, and what they are compared with."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.errors import InvalidInput, Mismatch
from hwgen.frontend.problems import find_problem
from hwgen.invertible import multiplier, solving
from hwgen.invertible.problems import Problem, factoring
from hwgen.invertible.search import random_best, random_search
from hwgen.invertible.solving import prepare, run_seeds, solve


def test_cycles_of_all_runs_count():
    """One run after the other, with seeds of their own; runs that find nothing count whole."""
    network = prepare(factoring(899), cycles=2)
    op = network.op
    answer = op.solve(op.frame.pack_inputs(run_seeds(6, 0, 40)))
    assert not answer.found[0]
    first = int(answer.found.argmax())
    found = solve(network, runs=40, seed=6)
    assert (found.found, found.runs) == (True, first + 1)
    assert found.cycles == 2 * first + answer.cycle[first]
    values = [int(network.problem.hamiltonian.value(found.spins, word)) for word in "ab"]
    assert sorted(values) == [29, 31]


def test_the_best_of_several_runs_is_kept():
    network = prepare(find_problem("toroidal6x6"), cycles=30, target=-10_000)
    answer = network.op.solve(network.op.frame.pack_inputs(run_seeds(0, 0, 7)))
    energies = network.problem.hamiltonian.energy(answer.spins)
    told = []
    found = solve(network, runs=7, progress=lambda done, total: told.append((done, total)))
    assert not found.found
    assert found.energy == energies.min()
    assert found.cycles == 7 * 30
    assert told[-1] == (7, 7)


@pytest.mark.parametrize("at", [0, 1, 9])
def test_an_answer_that_the_model_does_not_give_is_told(monkeypatch, at):
    network = prepare(factoring(143))
    runner = solving._runner

    def wrong(graph, where, folder):
        run = runner(graph, "model", folder)

        def changed(x):
            outputs = run(x).copy()
            outputs[:, at] ^= 2  # found, the cycle, or a spin
            return outputs

        return changed

    monkeypatch.setattr(solving, "_runner", wrong)
    with pytest.raises(Mismatch, match="the answer of c is not that of the golden model"):
        solve(network, where="c")


def test_seeds_of_runs_differ():
    drawn = np.concatenate([run_seeds(seed, 0, 500) for seed in range(4)])
    assert len(np.unique(drawn)) == 2000
    assert np.array_equal(run_seeds(1, 3, 4), run_seeds(1, 0, 7)[3:])


def test_random_search_counts_what_is_valid():
    network = prepare(Problem.of(multiplier(3, 3)), {"y": 12})
    search = random_search(network.op, network.decisions)
    assert search.is_exact
    assert search.solutions == sum(a * b == 12 for a in range(8) for b in range(8))
    assert search.mean == search.states / search.solutions


def test_random_states_of_a_graph():
    whole = find_problem("toroidal4x4").hamiltonian
    lowest = whole.ground_states()[0]
    assert random_best(whole, 1) > lowest
    assert random_best(whole, 200_000) == lowest


def test_a_place_that_is_none_is_refused():
    with pytest.raises(InvalidInput, match="one of model, verilator, c, not 'fpga'"):
        solve(prepare(factoring(15)), where="fpga")
