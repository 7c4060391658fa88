"""Spin updates a second: hwgen's C and golden model, and other samplers."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from hwgen.frontend.ising import toroidal
from hwgen.invertible.arithmetic import multiplier
from hwgen.invertible.engine import Accumulator, Engine, Gibbs
from hwgen.invertible.hamiltonian import Hamiltonian
from hwgen.invertible.lowering import lower
from hwgen.invertible.solving import run_seeds

from .invertible_peers import PEERS, installed, on_c
from .measure import cpu_seconds
from .report import Table

__all__ = ["speeds"]

RUNS = 16
CYCLES = {"c": 20_000, "model": 200, "peer": 4000}
REPEATS = 3
ENGINES: tuple[Engine, ...] = (
    Accumulator(),
    Accumulator(noise=(2,), limit=(4,)),
    Gibbs(strength=(0.5,)),
)


def speeds(progress: Callable[[str], None]) -> Iterator[Table]:
    table = Table(
        "Spin updates",
        ("network", "spins", "what", "C, M updates/s", "numpy, M updates/s", "ratio"),
        (
            "A CPU second of one thread, the median of three; starts left out. Nothing is clamped, and all "
            "states are checked (relations of the multiplier, energies of the torus). An update is one "
            "decision about one spin, whether it turns over or not: a cycle of the accumulators makes one "
            "of every spin, a cycle of the heat bath one of every spin of a colour, a peer's sweep one of "
            "every spin. C and peers keep fields and change them only where a spin turns over, so that "
            "all are slower where it is hot. numpy's is the golden model, 16 runs side by side.",
        ),
    )
    networks = {
        "multiplier 5x5": multiplier(5, 5).hamiltonian(),
        "torus 100x8": toroidal(100, 8).hamiltonian,
    }
    for name, problem in networks.items():
        for engine in ENGINES:
            progress(f"updates of {name}, {_about(engine)}")
            rates = [_rate(problem, engine, where) for where in ("c", "model")]
            cells = (*(f"{rate / 1e6:.1f}" for rate in rates), f"{rates[0] / rates[1]:.0f}")
            table.add(name, len(problem), f"hwgen, {_about(engine)}", *cells)
            yield table
        for package in PEERS:
            progress(f"updates of {name}, {package}")
            if installed(package) is None:
                table.add(name, len(problem), f"{package}: not installed")
            else:
                rate = _peer_rate(problem, package) / 1e6
                table.add(name, len(problem), f"{package}, its own temperatures", f"{rate:.1f}")
            yield table


def _about(engine: Engine) -> str:
    if isinstance(engine, Gibbs):
        return f"gibbs, strength {engine.strength[0]}"
    return f"accumulator, noise {engine.noise[0]}, limit {engine.limit[0]}"


def _rate(problem: Hamiltonian, engine: Engine, where: str) -> float:
    cycles = CYCLES[where]
    graph = lower(problem, engine, cycles=cycles, stops=False)
    op = graph[graph.output].op
    updates = RUNS * cycles * op.nodes / op.colour_count
    if where == "c":
        with on_c(graph) as solve:
            return updates / statistics.median(solve(RUNS, k)[1] for k in range(REPEATS))
    rates = []
    for k in range(REPEATS):
        frames = op.frame.pack_inputs(run_seeds(k, 0, RUNS))
        begin = cpu_seconds()
        op.solve(frames)
        rates.append(updates / (cpu_seconds() - begin))
    return statistics.median(rates)


def _peer_rate(problem: Hamiltonian, package: str) -> float:
    _, sample = PEERS[package]
    sweeps = CYCLES["peer"]
    seconds = [sample(problem, sweeps, RUNS, k).seconds for k in range(REPEATS)]
    return RUNS * sweeps * len(problem) / statistics.median(seconds)
