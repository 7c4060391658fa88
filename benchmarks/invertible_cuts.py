"""Cuts of graphs that hwgen's C and other samplers find in equal time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from hwgen.frontend.ising import IsingProblem, read_problem, toroidal
from hwgen.invertible.engine import Accumulator, Engine, Gibbs, geometric
from hwgen.invertible.lowering import lower
from hwgen.invertible.problems import Problem
from hwgen.invertible.solving import default_engine

from .invertible_peers import PEERS, installed, on_c, versions
from .report import Table

__all__ = ["GRAPHS", "cuts"]

GRAPHS = "HWGEN_GRAPHS"
"""The variable that names more graphs: G-set files, with colons between them."""

RUNS = 10  # of every solver and graph
BUDGETS = (0.02, 0.1)  # CPU seconds of a run
TRIAL = 2000  # cycles or sweeps by which a rate is told
TRIES, TOLERANCE = 4, 0.15  # until a run takes as long as it should
LEAST = 1e-8  # seconds of one, whatever is measured of small graphs
Solve = Callable[[int], tuple[np.ndarray, float]]
"""Cycles or sweeps to the states of all runs and their CPU seconds."""


def cuts(progress: Callable[[str], None]) -> Iterator[Table]:
    table = Table(
        "Max-cut at equal time",
        ("graph", "solver", "a run", "CPU ms a run", "mean cut", "best", "worst", "best known"),
        (
            f"{versions()}. {RUNS} runs each, of a seed each; cycles or sweeps are such that a run takes about "
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
            paces[what] = max(LEAST, solve(TRIAL)[1] / RUNS / TRIAL) if solve else LEAST
        for budget in BUDGETS:
            for what, solve in solvers.items():
                if solve is None:
                    table.add(name, what, "not installed")
                    continue
                progress(f"cuts of {name}, {what}, {budget} s")
                length, spins, seconds = _within(solve, budget, paces[what])
                unit = "sweeps" if what in PEERS else "cycles"
                _add_cuts(table, problem, what, f"{length} {unit}", spins, seconds)
                yield table
        yield table


def _within(solve: Solve, budget: float, pace: float) -> tuple[int, np.ndarray, float]:
    """A length whose runs take about the budget, their states and CPU seconds.

    Paces change from one call to the next where others use the machine: lengths are tried anew, and
    the one that came nearest counts.
    """
    found = []
    for _ in range(TRIES):
        length = _rounded(budget / pace)
        spins, seconds = solve(length)
        pace = max(LEAST, seconds / RUNS / length)
        error = abs(seconds / RUNS / budget - 1)
        found.append((error, length, spins, seconds))
        if error <= TOLERANCE:
            break
    return min(found, key=lambda each: each[0])[1:]


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
    found = [float(cut) for cut in problem.ising.value(spins)]
    best = problem.ising.best_known
    table.add(
        problem.name,
        solver,
        length,
        f"{1000 * seconds / RUNS:.1f}",
        f"{np.mean(found):.1f}",
        f"{max(found):g}",
        f"{min(found):g}",
        "-" if best is None else best,
    )
