"""Factors of semiprimes by invertible multipliers, and by everything else that finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement

import numpy as np

from hwgen.invertible.engine import Engine, Gibbs
from hwgen.invertible.problems import factoring, smallest_factor
from hwgen.invertible.search import random_search
from hwgen.invertible.solving import PUBLISHED, TUNED, Network, prepare, run_seeds

from .invertible_peers import PEERS, installed, on_c
from .report import Table, number

__all__ = ["factors", "is_right", "network", "semiprimes"]

BITS = 5  # of a factor
FACTORING_SEEDS = 10  # of every number
READS = 20  # of every number by peers
CYCLES = 8192  # of a run, at most
SWEEPS = (100, 1000)  # of a read
TIMED, TIMED_RUNS = 11, 500  # every how many numbers are timed, and by how many runs
GOAL, CHIP = 450, 219  # cycles until the first valid state: ours, the published chip's
Networks = list[tuple[int, Network]]
"""By what they factor."""


def semiprimes(bits: int) -> list[int]:
    """All products of two primes of up to so many bits."""
    primes = [n for n in range(2, 1 << bits) if smallest_factor(n)[0] == n]
    return sorted({a * b for a, b in combinations_with_replacement(primes, 2)})


def network(product: int, engine: Engine, folds: bool) -> Network:
    """A multiplier whose product is given.

    Parameters
    ----------
    folds
        Whether the product and what follows from it are folded in, as ``hwgen solve`` does. Else one
        network serves all products, which its frames give.
    """
    problem = factoring(product, (BITS, BITS))
    return prepare(problem, engine=engine, cycles=CYCLES, ports=() if folds else ("y",))


def factors(progress: Callable[[str], None]) -> Iterator[Table]:
    numbers = semiprimes(BITS)
    table = Table(
        f"Factors of {len(numbers)} semiprimes, {BITS} x {BITS} bits",
        (
            "solver",
            "folded in",
            "a run",
            "runs",
            "solved",
            "never solved",
            "cycles: mean",
            "median",
            "worst",
            "cycles, sweeps, tries a solution",
            "CPU ms a solution",
            "outputs",
        ),
        (
            f"The multiplier of {BITS} x {BITS} bits with its product given: in operation, as in the published "
            "chip, so that one network serves all numbers; or *folded in* with all that follows from it, such "
            "as the lowest bits of odd factors, as `hwgen solve` does, and what is then decided at once left "
            f"out. {FACTORING_SEEDS} seeds a number for hwgen, {READS} reads for "
            "peers. hwgen looks at every state: it derives the product from the factors' bits, stops at the "
            "first that is right, and counts cycles until then. Peers show the last state of a read, which is "
            "solved if the product of its factors' bits is right, whatever the other spins are: not quite the "
            "same task. *A solution* takes the cycles or sweeps of all runs over the solved ones; a cycle or "
            "a sweep updates all spins once, a cycle of the heat bath those of a colour. *Random search* "
            "draws the free bits of the factors and asks the same checker; *trial division* divides by 2 "
            "and by odd numbers. CPU ms are of one thread, starts and compilation left out: for hwgen those of a cycle in "
            f"C, measured for every {TIMED}th number, whose outputs are compared with the golden model's. The published chip (Smithson et al. 2019) states "
            f"{CHIP} cycles on average and 2048 at worst for these numbers.",
        ),
    )
    for what, engine, folds in (
        ("default", TUNED, False),
        ("as published", PUBLISHED, False),
        ("gibbs, strength 0.5", Gibbs(strength=(0.5,)), False),
        ("default", TUNED, True),
    ):
        progress(f"factors, hwgen, {what}")
        means = _own_factors(table, _networks(numbers, engine, folds), what, folds)
        if (what, folds) == ("default", False):
            table.goal("runs that are solved, %", means[0], 99)
            table.goal("cycles until the first valid state", means[1], GOAL, lower=True)
            table.goal("the same, beside the published chip", means[1], CHIP, lower=True)
        yield table
    folded = _networks(numbers, TUNED, True)
    _baselines(table, numbers, folded)
    yield table
    for package in PEERS:
        for sweeps in SWEEPS:
            progress(f"factors, {package}, {sweeps} sweeps")
            _peer_factors(table, folded, package, sweeps)
            yield table


def _networks(numbers: list[int], engine: Engine, folds: bool) -> Networks:
    """Without those that are decided by folding alone."""
    made = [(product, network(product, engine, folds)) for product in numbers]
    return [(product, each) for product, each in made if each.graph is not None]


def _own_factors(table: Table, networks: Networks, what: str, folds: bool) -> tuple[float, float]:
    """A row; returns the share of solved runs, %, and the mean of the cycles they took."""
    hits, spent, never, runs = [], 0, 0, 0
    for product, each in networks:
        answer = each.op.solve(_frames(each))
        right = is_right(each, answer.spins, product)
        runs += FACTORING_SEEDS
        spent += int(answer.cycle.sum())
        never += not right.any()
        hits += answer.cycle[right].tolist()
    solved = len(hits)
    seconds, differ, compared = _in_c([each for _, each in networks[::TIMED]])
    table.add(
        f"hwgen, {what}",
        "all" if folds else "nothing",
        f"up to {CYCLES} cycles",
        runs,
        f"{solved / runs:.1%}",
        never,
        f"{np.mean(hits):.0f}",
        f"{np.median(hits):.0f}",
        max(hits),
        number(spent / solved),
        f"{1000 * seconds * spent / solved:.3g}",
        table.check(f"hwgen, {what}", differ, compared),
    )
    return 100 * solved / runs, float(np.mean(hits))


def _frames(each: Network) -> np.ndarray:
    return each.op.frame.pack_inputs(run_seeds(0, 0, FACTORING_SEEDS), each.clamps or None)


def _in_c(networks: list[Network]) -> tuple[float, int, int]:
    """CPU seconds of a cycle in C, runs whose answer is not the golden model's, and of how many."""
    seconds, cycles, differ = 0.0, 0, 0
    for each in networks:
        golden = each.op.solve(_frames(each))
        with on_c(each.graph) as solve:
            answer, took = solve(TIMED_RUNS, 0, each.clamps)
        seconds, cycles = seconds + took, cycles + int(answer.cycle.sum())
        same = (answer.spins[:FACTORING_SEEDS] == golden.spins).all(axis=1)
        same &= answer.cycle[:FACTORING_SEEDS] == golden.cycle
        differ += int((~same).sum())
    return seconds / cycles, differ, FACTORING_SEEDS * len(networks)


def is_right(each: Network, spins: np.ndarray, product: int) -> np.ndarray:
    """Which states of the free spins have factors of the product: bool (runs,)."""
    whole = each.problem.hamiltonian
    full = each.clamped.restore(spins)
    return whole.value(full, "a") * whole.value(full, "b") == product


def _baselines(table: Table, numbers: list[int], folded: Networks) -> None:
    pairs = np.multiply.outer(np.arange(1 << BITS), np.arange(1 << BITS))
    for name, folds, counts, unit in (
        ("random search", "nothing", [pairs.size / (pairs == n).sum() for n in numbers], "tries"),
        (
            "random search",
            "all",
            [random_search(each.op, each.decisions).mean for _, each in folded],
            "tries",
        ),
        ("trial division", "-", [smallest_factor(n)[1] for n in numbers], "divisions"),
    ):
        cells = ("-", "-", "-", number(np.mean(counts)))
        table.add(name, folds, unit, len(counts), "all", 0, *cells)


def _peer_factors(table: Table, networks: Networks, package: str, sweeps: int) -> None:
    if installed(package) is None:
        table.add(package, "not installed")
        return
    _, sample = PEERS[package]
    solved, never, seconds, runs = 0, 0, 0.0, 0
    for product, each in networks:
        reads = sample(each.clamped.hamiltonian, sweeps, READS, product)
        right = is_right(each, reads.spins, product)
        solved, never = solved + int(right.sum()), never + (not right.any())
        runs, seconds = runs + READS, seconds + reads.seconds
    spent = (number(sweeps * runs / solved), f"{1000 * seconds / solved:.3g}") if solved else ()
    shown = (package, "all", f"{sweeps} sweeps", runs, f"{solved / runs:.1%}", never)
    table.add(*shown, "-", "-", "-", *spent)
