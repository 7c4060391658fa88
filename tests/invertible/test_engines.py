"""What networks of spins visit, and how soon they find what is asked of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import InvalidInput, Unsupported
from hwgen.frontend.problems import find_problem
from hwgen.invertible import Circuit, Hamiltonian, multiplier
from hwgen.invertible.arithmetic import column_weights
from hwgen.invertible.engine import Accumulator, Gibbs, colours, geometric, swap_table
from hwgen.invertible.lowering import lower
from hwgen.invertible.problems import Problem
from hwgen.invertible.products import absorb
from hwgen.invertible.search import random_search
from hwgen.invertible.solving import FACTORING, PUBLISHED, TUNED, prepare, run_seeds
from hwgen.ops.lib.ising_walk import Walk

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
SEMIPRIMES = sorted({p * q for p in PRIMES for q in PRIMES})


def visits(op, runs: int, cycles: int, burn: int, every: int = 1, clamps=None, phase: int = 0):
    """States behind every so many cycles: spins (visits, runs, replicas, nodes)."""
    clamps = np.zeros((runs, op.nodes), np.int64) if clamps is None else clamps
    seeds = run_seeds(1, 0, runs).astype(np.uint32)
    found = [
        state.spins.astype(np.int8)
        for cycle, state in enumerate(Walk(op, clamps).states(seeds, cycles))
        if cycle > burn and cycle % every == phase
    ]
    return np.array(found)


def shares(hamiltonian: Hamiltonian, engine, fixed: dict[str, int]) -> np.ndarray:
    """By number (a, b, y), a lowest: how often a gate was there."""
    clamped = hamiltonian.clamped(hamiltonian.assignment(fixed))
    graph = lower(clamped.hamiltonian, engine, cycles=2000, check="none")
    spins = clamped.restore(visits(graph["spins"].op, 50, 2000, 20)[:, :, 0])
    number = sum(hamiltonian.value(spins, word) << k for k, word in enumerate("aby"))
    return np.bincount(number.ravel(), minlength=8) / number.size


@pytest.mark.parametrize("engine", [Accumulator(noise=(3,), limit=(6,)), Gibbs((0.5,))])
def test_an_and_gate_runs_in_every_direction(engine):
    gate = find_problem("and").hamiltonian
    valid = [0b000, 0b001, 0b010, 0b111]
    free = shares(gate, engine, {})
    assert free[valid].min() > 3 * np.delete(free, valid).max()
    zero = shares(gate, engine, {"y": 0})
    assert np.abs(zero[[0b000, 0b001, 0b010]] - 1 / 3).max() < 0.05
    one = shares(gate, engine, {"y": 1})
    assert one.argmax() == 0b111
    assert one[0b111] > 0.75


class TestGibbs:
    @pytest.mark.parametrize("strength", [0.3, 0.7])
    def test_a_full_adder_has_the_exact_law(self, strength):
        """10^6 samples, one a sweep; total variation below 0.01."""
        adder = find_problem("full_adder").hamiltonian
        op = lower(adder, Gibbs((strength,)), cycles=1, check="none")["spins"].op
        sweep = op.colour_count
        spins = visits(op, 1000, 1050 * sweep, 50 * sweep, sweep)[:1000, :, 0]
        numbers = (spins > 0) @ (1 << np.arange(5))
        found = np.bincount(numbers.ravel(), minlength=32) / numbers.size
        assert numbers.size == 1_000_000
        states = 2 * (np.arange(32)[:, None] >> np.arange(5) & 1) - 1
        law = np.exp(-strength * adder.energy(states))
        law /= law.sum()
        assert np.abs(found - law).sum() / 2 < 0.01
        # The same samples are far from a law that is a little warmer.
        other = np.exp(-0.9 * strength * adder.energy(states))
        assert np.abs(found - other / other.sum()).sum() / 2 > 0.01

    def test_exchanges_keep_the_law_of_every_replica(self):
        adder = find_problem("full_adder").hamiltonian
        ladder = (0.1, 0.3, 0.6, 1.0)
        engine = Gibbs(replicas=4, ladder=ladder, swap_every=1)
        op = lower(adder, engine, cycles=1, check="none")["spins"].op
        period = op.swap_every + op.settling
        spins = visits(op, 500, 440 * period, 40 * period, period)
        numbers = (spins > 0) @ (1 << np.arange(5))
        states = 2 * (np.arange(32)[:, None] >> np.arange(5) & 1) - 1
        for r, strength in enumerate(ladder):
            law = np.exp(-strength * adder.energy(states))
            law /= law.sum()
            found = np.bincount(numbers[..., r].ravel(), minlength=32) / numbers[..., r].size
            assert np.abs(found - law).sum() / 2 < 0.02, r

    def test_neighbours_never_share_a_colour(self):
        for products in (False, True):
            whole = multiplier(5, 5).hamiltonian()
            op = lower(whole, Gibbs(products=products), cycles=9)["spins"].op
            found = colours(op)
            i, j = np.nonzero(op.influences)
            assert (found[i] != found[j]).all()
            assert found.max() < 10


def reverse(number: int, bits: int, engine, seeds: int, cycles: int = 8192):
    """Cycles until the product of the factors' spins is the number: int64 (seeds,), and whether it was.

    The product is folded in, and nothing that follows from it.
    """
    weights = column_weights(bits, bits) if engine is FACTORING or engine.replicas > 1 else ()
    whole = multiplier(bits, bits, weights).hamiltonian()
    clamped = whole.clamped(whole.assignment({"y": number}))
    factors = clamped.place[[*whole.words["a"], *whole.words["b"]]]
    op = lower(clamped.hamiltonian, engine, cycles=cycles, decisions=factors)["spins"].op
    answer = op.solve(op.frame.pack_inputs(run_seeds(number, 0, seeds)))
    spins = clamped.restore(answer.spins)
    product = whole.value(spins, "a") * whole.value(spins, "b")
    # The checker is right: nothing is found that is not a factor, and its state is a ground state.
    assert np.array_equal(product == number, answer.found)
    assert np.array_equal(whole.energy(spins) == whole.ground, answer.found)
    return answer.cycle, answer.found


class TestReverse:
    """All products of two primes of five bits. Uniform random search needs 539 tries on average."""

    def check(self, engine, seeds: int, most: int) -> None:
        runs = [reverse(number, 5, engine, seeds) for number in SEMIPRIMES]
        assert len(runs) == 66
        assert np.concatenate([found for _, found in runs]).mean() >= 0.99
        assert np.concatenate([cycles for cycles, _ in runs]).mean() <= most

    def test_factors_are_found(self):
        self.check(FACTORING, 2, 150)

    @pytest.mark.slow
    @pytest.mark.parametrize(("engine", "most"), [(PUBLISHED, 450), (TUNED, 219), (FACTORING, 150)])
    def test_factors_are_found_with_ten_seeds(self, engine, most):
        self.check(engine, 10, most)

    @pytest.mark.slow
    def test_replicas_find_factors_of_eight_bits(self):
        """Uniform random search needs 32768 tries, eight at once 4096."""
        numbers = [a * b for a, b in ((251, 193), (239, 181), (223, 149), (199, 173), (211, 157))]
        numbers += [a * b for a, b in ((241, 233), (227, 163), (197, 191), (229, 151), (167, 179))]
        engine = replace(FACTORING, replicas=8)
        runs = [reverse(number, 8, engine, 3, 65536) for number in numbers]
        assert all(found.all() for _, found in runs)
        assert np.concatenate([cycles for cycles, _ in runs]).mean() <= 800

    def test_random_search_is_what_it_is_said_to_be(self):
        means = []
        for number in SEMIPRIMES[:12]:
            network = prepare(Problem.of(multiplier(5, 5)), {"y": number})
            whole = network.problem.hamiltonian
            search = random_search(network.op, network.decisions)
            pairs = sum(a * b == number for a in range(32) for b in range(32))
            fixed = 10 - len(network.decisions)
            assert search == (pairs, 1024 >> fixed, True)
            assert len(whole) == 75
            means.append(1024 / pairs)
        assert np.mean(means) > 300


def forward(cycles: int, pairs: np.ndarray):
    """Shares of the cycles in which y was a b, and how often the most frequent y was: 4 x 4 bits."""
    whole = multiplier(4, 4).hamiltonian()
    ports = (*whole.words["a"], *whole.words["b"])
    engine = Accumulator(scale=3, noise=(5,), limit=(6,))
    op = lower(whole, engine, cycles=cycles, check="none", ports=ports)["spins"].op
    clamps = np.zeros((len(pairs), len(whole)), np.int64)
    clamps[:, list(ports)] = 2 * (pairs[:, None] >> np.arange(8) & 1) - 1
    y = whole.value(visits(op, len(pairs), cycles, 0, clamps=clamps)[:, :, 0], "y")
    want = (pairs & 15) * (pairs >> 4)
    modes = np.array([np.bincount(column, minlength=256).argmax() for column in y.T])
    return (y == want).mean(axis=0), modes == want


class TestForward:
    def test_products_are_what_is_seen_most(self):
        pairs = np.arange(3, 256, 23)
        occupancy, is_mode = forward(20000, pairs)
        assert is_mode.all()
        assert occupancy.mean() >= 0.2

    @pytest.mark.slow
    def test_all_products_are_what_is_seen_most(self):
        occupancy, is_mode = forward(32768, np.arange(256))
        assert is_mode.all()
        assert occupancy.mean() >= 0.2


class TestProducts:
    def test_energies_are_those_of_the_gates(self):
        """Wherever the products are what they should be."""
        whole = multiplier(3, 3).hamiltonian()
        absorbed, products = absorb(whole)
        assert len(products) == 9
        spins = np.random.default_rng(0).choice([-1, 1], (200, len(whole)))
        node, a, b = products.T
        spins[:, node] = np.minimum(spins[:, a], spins[:, b])
        assert np.array_equal(
            absorbed.energy(spins) - absorbed.ground, whole.energy(spins) - whole.ground
        )

    def test_what_may_be_clamped_stays_a_spin(self):
        whole = multiplier(2, 2).hamiltonian()
        lowest = whole.words["y"][0]
        assert lowest in absorb(whole).products[:, 0]
        assert lowest not in absorb(whole, {lowest}).products[:, 0]

    def test_a_product_of_products_stays_a_spin(self):
        circuit = Circuit("three")
        a, b, c = (circuit.bit(name) for name in "abc")
        circuit.output("y", circuit.and_(circuit.and_(a, b), c))
        whole = circuit.hamiltonian()
        op = lower(whole, TUNED, cycles=10)["spins"].op
        assert op.products.array.tolist() == [[3, 0, 1]]


class TestPlans:
    def test_segments_share_rows(self):
        network = find_problem("and").hamiltonian
        graph = lower(network, Accumulator(noise=(11, 5, 11), limit=(8,)), cycles=30)
        op = graph["spins"].op
        assert op.starts.array.tolist() == [0, 10, 20]
        assert op.table.array.tolist() == [[11, 8], [5, 8]]
        assert op.levels.array.tolist() == [[0], [1], [0]]

    def test_thresholds_are_the_heat_bath(self):
        op = lower(find_problem("and").hamiltonian, Gibbs((0.5,)), cycles=8)["spins"].op
        fields = np.arange(-op.reach, op.reach + 1)
        expected = 65536 * (1 + np.tanh(0.5 * fields)) / 2
        assert np.abs(op.table.array[0] - expected).max() <= 0.5

    def test_swaps_follow_metropolis(self):
        table = swap_table((0.2, 0.5, 0.5))
        assert table[0, :3].tolist() == [round(65536 * np.exp(-0.3 * 2 * d)) for d in (1, 2, 3)]
        assert (table[1] == 65536).all()

    @pytest.mark.parametrize(
        ("engine", "told"),
        [
            (Accumulator(noise=()), "one level of noise"),
            (Accumulator(noise=(1, 2), limit=(1, 2, 3)), "equally many segments"),
            (Accumulator(replicas=2, ladder=(5,)), r"one level a replica \(2\), found 1"),
            (Accumulator(swap_every=3), "swap_every needs two replicas or more"),
            (Accumulator(scale=0), "scale of an engine must be 1 or more"),
            (Gibbs(strength=(-1.0,)), "strengths must be 0 or more"),
            (Gibbs(replicas=2, ladder=(1.0, 0.5), swap_every=1), "from hot to cold"),
        ],
    )
    def test_what_is_wrong_is_told(self, engine, told):
        with pytest.raises(InvalidInput, match=told):
            lower(find_problem("and").hamiltonian, engine, cycles=100)

    def test_a_field_that_is_too_large_names_the_node(self):
        heavy = Hamiltonian.of(("p", "q"), [5000, 0], {(0, 1): 1})
        with pytest.raises(
            Unsupported, match="node p: its field reaches 5001, engine gibbs takes up"
        ):
            lower(heavy, Gibbs())
        with pytest.raises(Unsupported, match="node p: its field reaches 20004"):
            lower(heavy, Accumulator(scale=4))

    def test_too_many_spins_are_refused(self):
        names = [str(k) for k in range(5000)]
        with pytest.raises(Unsupported, match="5000 spins are free; a network may have up to 4096"):
            lower(Hamiltonian.of(names, [1] * 5000, {}))

    def test_a_geometric_ramp(self):
        assert np.allclose(geometric(1, 8, 4), [1, 2, 4, 8])
        with pytest.raises(InvalidInput):
            geometric(0, 1, 3)


def test_high_fan_out_is_split_and_still_factors():
    circuit: Circuit = multiplier(4, 4)
    whole = circuit.hamiltonian(max_degree=5)
    assert whole.degrees.max() <= 5
    problem = Problem.of(circuit, 5)
    network = prepare(problem, {"y": 143}, cycles=20000)
    answer = network.op.solve(network.op.frame.pack_inputs(run_seeds(0, 0, 4)))
    assert answer.found.any()
