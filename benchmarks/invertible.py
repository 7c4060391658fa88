"""Networks of spins: cuts, factors and speed beside other samplers, and the size of the hardware."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from hwgen.frontend.ising import IsingProblem, read_problem, toroidal
from hwgen.invertible.engine import Accumulator, Engine, Gibbs, geometric
from hwgen.invertible.lowering import lower
from hwgen.invertible.problems import Problem, factoring, smallest_factor
from hwgen.invertible.search import random_search
from hwgen.invertible.solving import PUBLISHED, Network, default_engine, prepare, run_seeds

from .invertible_peers import PEERS, installed, on_c
from .invertible_size import sizes
from .invertible_speed import speeds
from .report import Table, number

__all__ = ["GRAPHS", "run", "semiprimes"]

GRAPHS = "HWGEN_GRAPHS"
"""The variable that names more graphs: G-set files, with colons between them."""

RUNS = 10  # of every solver and graph
BUDGETS = (0.02, 0.2)  # CPU seconds of a run
TRIAL = 2000  # cycles or sweeps by which a rate is told
BITS = 5  # of a factor
FACTORING_SEEDS = 10  # of every number
READS = 20  # of every number by peers
CYCLES = 8192  # of a run, at most
SWEEPS = (100, 1000)  # of a read
Solve = Callable[[int], tuple[np.ndarray, float]]
"""Cycles or sweeps to the states of all runs and their CPU seconds."""

GOAL, CHIP = 450, 219  # cycles until the first valid state: ours, the published chip's


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    yield from _cuts(progress)
    yield from _factors(progress)
    yield from speeds(progress)
    yield from sizes(progress)


# -- cuts ---------------------------------------------------------------------------------------------


def _cuts(progress: Callable[[str], None]) -> Iterator[Table]:
    table = Table(
        "Max-cut at equal time",
        ("graph", "solver", "a run", "CPU ms a run", "mean cut", "best", "worst", "best known"),
        (
            f"{RUNS} runs each, of a seed each; cycles or sweeps are such that a run takes about "
            f"{' or '.join(f'{1000 * budget:.0f}' for budget in BUDGETS)} CPU ms of one thread of "
            "this machine; what starts, compilation and the building of models take is left out. "
            "hwgen's is the emitted C, compiled as `hwgen solve --on c` does; a cut is the best one of "
            "all cycles, which its checker keeps, and that of the peers' last state. Peers choose their "
            "own temperatures. A cycle of the accumulators updates all spins, one of the heat bath "
            "those of a colour. Tori are made here (`hwgen solve toroidal100x8`), of the size and kind of "
            f"G11 but not of the G-set; `{GRAPHS}` names files of more graphs.",
        ),
    )
    for name, ising in _graphs():
        problem = Problem(name, ising.hamiltonian, ising=ising)
        solvers = {what: _own(problem, engine) for what, engine in _engines(problem).items()}
        for package in PEERS:
            solvers[package] = _peer(problem, package) if installed(package) else None
        paces = {}
        for what, solve in solvers.items():
            progress(f"cuts of {name}, {what}: how long {TRIAL} cycles or sweeps take")
            paces[what] = solve(TRIAL)[1] / RUNS / TRIAL if solve else 0.0
        for budget in BUDGETS:
            for what, solve in solvers.items():
                if solve is None:
                    table.add(name, what, "not installed")
                    continue
                progress(f"cuts of {name}, {what}, {budget} s")
                length = _rounded(budget / paces[what])
                spins, seconds = solve(length)
                unit = "sweeps" if what in PEERS else "cycles"
                _add_cuts(table, problem, what, f"{length} {unit}", spins, seconds)
                yield table


def _graphs() -> list[tuple[str, IsingProblem]]:
    made = [(f"torus 100x8, seed {seed}", toroidal(100, 8, seed)) for seed in range(3)]
    paths = [Path(text) for text in os.environ.get(GRAPHS, "").split(os.pathsep) if text]
    return made + [(path.stem, read_problem(path)) for path in paths]


def _engines(problem: Problem) -> dict[str, Engine]:
    """The default, and what was found good for graphs of few neighbours and weights of -1 and 1."""
    return {
        "hwgen, default": default_engine(problem),
        "hwgen, accumulators": Accumulator(noise=(2,), limit=(1, 1, 2, 3)),
        "hwgen, 8 replicas": Gibbs(replicas=8, ladder=geometric(0.5, 2.0, 8), swap_every=16),
    }


def _own(problem: Problem, engine: Engine) -> Solve:
    def solve(cycles: int) -> tuple[np.ndarray, float]:
        graph = lower(problem.hamiltonian, engine, cycles=cycles, check="energy")
        with on_c(graph) as run:
            answer, seconds = run(RUNS, 0)
        return answer.spins, seconds

    return solve


def _peer(problem: Problem, package: str) -> Solve:
    _, sample = PEERS[package]
    return lambda sweeps: sample(problem.hamiltonian, sweeps, RUNS, 0)


def _rounded(count: float) -> int:
    """Two digits of it, and enough for a ramp."""
    unit = 10 ** max(0, len(str(int(count))) - 2)
    return max(64, int(count) // unit * unit)


def _add_cuts(table: Table, problem: Problem, solver: str, length: str, spins, seconds) -> None:
    cuts = [float(cut) for cut in problem.ising.value(spins)]
    best = problem.ising.best_known
    table.add(
        problem.name,
        solver,
        length,
        f"{1000 * seconds / RUNS:.1f}",
        f"{np.mean(cuts):.1f}",
        f"{max(cuts):g}",
        f"{min(cuts):g}",
        "-" if best is None else best,
    )


# -- factors ------------------------------------------------------------------------------------------


def semiprimes(bits: int) -> list[int]:
    """All products of two primes of up to so many bits."""
    primes = [n for n in range(2, 1 << bits) if smallest_factor(n)[0] == n]
    return sorted({a * b for a, b in combinations_with_replacement(primes, 2)})


def _factors(progress: Callable[[str], None]) -> Iterator[Table]:
    numbers = semiprimes(BITS)
    networks = {n: prepare(factoring(n, (BITS, BITS)), cycles=CYCLES) for n in numbers}
    networks = {n: network for n, network in networks.items() if network.graph is not None}
    table = Table(
        f"Factors of {len(numbers)} semiprimes, {BITS} x {BITS} bits",
        (
            "solver",
            "a run",
            "runs",
            "solved",
            "numbers never solved",
            "mean, solved runs",
            "median",
            "worst",
            "mean a solution",
            "CPU ms a solution",
        ),
        (
            f"The multiplier of {BITS} x {BITS} bits with its product given, what follows from that folded "
            f"in; {FACTORING_SEEDS} seeds a number for hwgen, {READS} reads for peers. hwgen looks at every "
            "state: it derives the product from the factors' bits, stops at the first that is right, and "
            "counts cycles until then. Peers show the last state of a read, which is solved if the product "
            "of its factors' bits is right, whatever the other spins are; that is not the same task. *Mean a "
            "solution* divides the cycles or sweeps of all runs by the number of solved ones. *Random "
            "search* draws the same free factor bits and asks the same checker; *trial division* divides by 2 and odd "
            "numbers. CPU ms are of one thread, starts and compilation left out. The published "
            f"chip (Smithson et al. 2019) states {CHIP} cycles on average and 2048 at worst for these numbers.",
        ),
    )
    engines = {
        "default": None,
        "as published": PUBLISHED,
        "gibbs, strength 0.5": Gibbs(strength=(0.5,)),
    }
    for what, engine in engines.items():
        progress(f"factors, hwgen, {what}")
        _own_factors(table, networks, what, engine)
        yield table
    _baselines(table, networks)
    yield table
    for package in PEERS:
        for sweeps in SWEEPS:
            progress(f"factors, {package}, {sweeps} sweeps")
            _peer_factors(table, networks, package, sweeps)
            yield table


def _own_factors(table: Table, networks, what: str, engine: Engine | None) -> None:
    hits, spent, solved, never, seconds, differ = [], 0, 0, 0, 0.0, 0
    for product, network in networks.items():
        if engine is not None:
            network = prepare(network.problem, engine=engine, cycles=CYCLES)
        op = network.op
        golden = op.solve(op.frame.pack_inputs(run_seeds(0, 0, FACTORING_SEEDS)))
        with on_c(network.graph) as solve:
            answer, took = solve(FACTORING_SEEDS, 0)
        differ += int((answer.spins != golden.spins).any(axis=1).sum())
        right = _is_right(network, golden.spins, product)
        seconds += took
        spent += int(golden.cycle.sum())
        solved += int(right.sum())
        never += not right.any()
        hits += golden.cycle[right].tolist()
    runs = FACTORING_SEEDS * len(networks)
    name = f"hwgen, {what}"
    table.add(
        name,
        f"up to {CYCLES} cycles",
        runs,
        f"{solved / runs:.1%}",
        never,
        f"{np.mean(hits):.0f}",
        f"{np.median(hits):.0f}",
        max(hits),
        number(spent / solved),
        f"{1000 * seconds / solved:.3g}",
    )
    table.check(name, differ, runs)
    if engine is None:
        table.goal("runs that are solved, %", 100 * solved / runs, 99)
        table.goal(
            "mean cycles until the first valid state", float(np.mean(hits)), GOAL, lower=True
        )
        table.goal("the same, beside the published chip", float(np.mean(hits)), CHIP, lower=True)


def _is_right(network: Network, spins: np.ndarray, product: int) -> np.ndarray:
    """Which states have factors of the product: bool (runs,)."""
    whole = network.problem.hamiltonian
    full = network.clamped.restore(spins)
    return whole.value(full, "a") * whole.value(full, "b") == product


def _baselines(table: Table, networks: dict[int, Network]) -> None:
    tries = [random_search(n.op, n.decisions).mean for n in networks.values()]
    divisions = [smallest_factor(n)[1] for n in networks]
    for name, counts, unit in (
        ("random search, same checker", tries, "tries"),
        ("trial division", divisions, "divisions"),
    ):
        cells = (f"{np.median(counts):.0f}", f"{max(counts):.0f}", number(np.mean(counts)))
        table.add(name, unit, len(networks), "all", 0, f"{np.mean(counts):.3g}", *cells)


def _peer_factors(table: Table, networks, package: str, sweeps: int) -> None:
    if installed(package) is None:
        table.add(package, "not installed")
        return
    _, sample = PEERS[package]
    solved, never, seconds = 0, 0, 0.0
    for product, network in networks.items():
        reads = sample(network.clamped.hamiltonian, sweeps, READS, product)
        right = _is_right(network, reads.spins, product)
        solved, never = solved + int(right.sum()), never + (not right.any())
        seconds += reads.seconds
    runs = READS * len(networks)
    each = (number(sweeps * runs / solved), f"{1000 * seconds / solved:.3g}") if solved else ()
    spare = ("-", "-", "-")
    table.add(package, f"{sweeps} sweeps", runs, f"{solved / runs:.1%}", never, *spare, *each)
