"""Other samplers of Ising problems, and hwgen's C, behind one function: spins, and the time they took."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from hwgen.invertible.hamiltonian import Hamiltonian
from hwgen.invertible.solving import run_seeds
from hwgen.ir import Graph
from hwgen.mcu.emit import emit
from hwgen.mcu.toolchain.host import compile_batch, run_batch
from hwgen.ops.lib.ising_frame import Answer

from .measure import cpu_seconds

__all__ = ["PEERS", "Reads", "dwave", "installed", "on_c", "openjij", "versions"]


class Reads(NamedTuple):
    """What a peer found: a state of each read.

    Attributes
    ----------
    spins
        int64 (reads, nodes).
    seconds
        CPU seconds of all reads; what a read of one sweep takes is left out.
    """

    spins: np.ndarray
    seconds: float


Sample = Callable[[Hamiltonian, int, int, int], Reads]
"""(problem, sweeps, reads, seed)."""


def dwave(problem: Hamiltonian, sweeps: int, reads: int, seed: int) -> Reads:
    """Simulated annealing of dwave-samplers, with its own schedule for the problem."""
    import dimod
    from dwave.samplers import SimulatedAnnealingSampler

    model = dimod.BinaryQuadraticModel(*_terms(problem), dimod.SPIN)
    sampler = SimulatedAnnealingSampler()

    def sample(count: int) -> np.ndarray:
        found = sampler.sample(model, num_reads=reads, num_sweeps=count, seed=seed)
        order = np.argsort(found.variables)
        return found.record.sample[:, order].astype(np.int64)

    return _timed(sample, sweeps)


def openjij(problem: Hamiltonian, sweeps: int, reads: int, seed: int) -> Reads:
    """Simulated annealing of OpenJij, with its own schedule; a seed a read, or all would be equal."""
    import openjij as peer

    terms, sampler = _terms(problem), peer.SASampler()

    def sample(count: int) -> np.ndarray:
        rows = []
        for k in range(reads):
            found = sampler.sample_ising(*terms, num_sweeps=count, seed=reads * seed + k)
            state = found.first.sample
            rows.append([state[node] for node in range(len(problem))])
        return np.array(rows, np.int64)

    return _timed(sample, sweeps)


PEERS: dict[str, tuple[str, Sample]] = {
    "dwave-samplers": ("dwave.samplers", dwave),
    "openjij": ("openjij", openjij),
}
"""By the name of their package: what is imported, and how they are asked."""


def installed(package: str) -> str | None:
    """The version of a peer that can be imported, or None."""
    try:
        importlib.import_module(PEERS[package][0])
    except ImportError:
        return None
    return metadata.version(package)


def versions() -> str:
    """Of all peers, for notes."""
    return ", ".join(f"{package} {installed(package) or 'not installed'}" for package in PEERS)


def _terms(problem: Hamiltonian) -> tuple[dict[int, float], dict[tuple[int, int], float]]:
    """Biases and couplings of an energy without our sign: sum b_i m_i + sum q_ij m_i m_j."""
    linear = {node: -float(value) for node, value in enumerate(problem.h)}
    pairs = zip(problem.edges.tolist(), problem.weights.tolist(), strict=True)
    return linear, {(i, j): -float(value) for (i, j), value in pairs}


def _timed(sample: Callable[[int], np.ndarray], sweeps: int) -> Reads:
    sample(1)  # the first call of all loads more
    begin = cpu_seconds()
    sample(1)
    idle, begin = cpu_seconds() - begin, cpu_seconds()
    spins = sample(sweeps)
    return Reads(spins, max(1e-9, cpu_seconds() - begin - idle))


@contextmanager
def on_c(graph: Graph) -> Iterator[Callable[..., tuple[Answer, float]]]:
    """The emitted C of a network, compiled: (runs, seed[, clamps]) to answers and CPU seconds.

    What starting the program takes is left out of the seconds.
    """
    frame = graph[graph.output].op.frame
    with TemporaryDirectory(prefix="hwgen-bench-") as name:
        build = emit(graph, Path(name) / "c", is_tested=False)
        program = compile_batch(build, Path(name))

        def run(runs: int, seed: int, clamps: Sequence[int] = ()) -> tuple[Answer, float]:
            x = frame.pack_inputs(run_seeds(seed, 0, runs), clamps or None)
            begin = cpu_seconds()
            run_batch(build, program, x[:0])
            idle, begin = cpu_seconds() - begin, cpu_seconds()
            y = run_batch(build, program, x)
            seconds = max(1e-9, cpu_seconds() - begin - idle)
            return frame.unpack_outputs(y), seconds

        yield run
