"""Runs of a network until a state is valid, on the golden model, in Verilog or in C."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InvalidInput, Mismatch
from ..ir import Graph
from ..ops.ising import Ising
from ..ops.lib.xorshift import SEED_BITS
from .engine import Accumulator, Engine, Gibbs, geometric
from .hamiltonian import Clamped, Hamiltonian
from .lowering import lower
from .problems import Problem

__all__ = [
    "FACTORING",
    "PLACES",
    "PUBLISHED",
    "TUNED",
    "Network",
    "Solution",
    "default_engine",
    "prepare",
    "run_seeds",
    "solve",
]

PLACES = ("model", "verilator", "c")
BATCH = 64  # runs at once, at most
Progress = Callable[[int, int], None]


PUBLISHED = Accumulator(noise=(5,), limit=(4,))
"""A spin for every node of a gate, all alike."""
TUNED = Accumulator(scale=2, noise=(11,), limit=(9,), inputs=(1, 2), products=True)
"""For circuits: found on multipliers whose adders all weigh the same; see docs/invertible.md."""
FACTORING = Accumulator(noise=(8,), limit=(8,), products=True)
"""For multipliers whose columns are weighted."""


def default_engine(problem: Problem, samples: bool = False) -> Engine:
    """What was found best: to find states of circuits, to sample them, to search plain problems."""
    if problem.ising is not None:
        return _tempering(problem.hamiltonian)
    if samples:
        return Gibbs(strength=(0.5,))
    return FACTORING if problem.factors else TUNED


def _tempering(hamiltonian: Hamiltonian) -> Gibbs:
    """Eight replicas between temperatures that fit the size of a spin's field."""
    squares = hamiltonian.h.astype(float) ** 2
    np.add.at(
        squares, hamiltonian.edges.ravel(), np.repeat(hamiltonian.weights.astype(float) ** 2, 2)
    )
    sigma = float(np.sqrt(max(squares.mean(), 1e-9)))
    return Gibbs(replicas=8, ladder=geometric(1 / sigma, 4 / sigma, 8), swap_every=16)


def run_seeds(seed: int, first: int, count: int) -> np.ndarray:
    """Seeds of the runs ``first`` on: int64 (count,), of any one ``seed`` unlike those of others."""
    drawn = [
        np.random.SeedSequence([seed, k]).generate_state(1)[0] for k in range(first, first + count)
    ]
    return np.array(drawn, np.int64) & ((1 << SEED_BITS) - 1)


@dataclass(frozen=True, eq=False)
class Network:
    """A problem with its clamps folded in, ready to run.

    Attributes
    ----------
    problem
        What it is of.
    given
        Values of words.
    clamped
        What is left of its Hamiltonian.
    decisions
        Free nodes that decide the others.
    clamps
        By port of the graph, what its frames clamp it to: 1, -1, or 0 for free ones.
    graph
        One op; None where nothing is left that could be wrong.
    """

    problem: Problem
    given: Mapping[str, int]
    clamped: Clamped
    decisions: tuple[int, ...]
    clamps: tuple[int, ...]
    graph: Graph | None

    @property
    def op(self) -> Ising:
        """Of the graph."""
        return self.graph[self.graph.output].op


def prepare(
    problem: Problem,
    given: Mapping[str, int] | None = None,
    engine: Engine | None = None,
    *,
    cycles: int = 8192,
    seed: int = 0,
    samples: bool = False,
    settled: bool = False,
    target: int | None = None,
    ports: Sequence[str] = (),
) -> Network:
    """Fold clamps and what follows from them, and lower the rest.

    Parameters
    ----------
    given
        Values of words, beside those of the problem.
    samples
        Run all cycles; nothing is looked for.
    settled
        A state is valid only when every gate has settled, whatever the inputs decide.
    target
        Of a plain problem: the energy that is low enough.
    ports
        Words that are clamped by the frames of the graph, so that one network runs in every
        direction; nothing is concluded from their values.

    Raises
    ------
    Contradiction
        No state has the given values.
    """
    given = {**problem.given, **(given or {})}
    whole = problem.hamiltonian
    bits = whole.assignment(given)
    clamped = whole.clamped(bits, implied=not samples)
    port_nodes: list[int] = []
    if ports:
        port_nodes = _port_nodes(whole, given, ports)
        clamped = whole.clamped({n: bit for n, bit in bits.items() if n not in port_nodes})
    inputs = [node for word in problem.inputs for node in whole.words[word]]
    decisions = tuple(sorted({int(k) for k in clamped.place[inputs] if k >= 0}))
    graph = None
    # Relations that allow everything are gone: of a circuit without any, all that is left is valid.
    if len(clamped.hamiltonian.relations if problem.circuit and not samples else clamped.free):
        check = "energy" if problem.ising else "relations"
        graph = lower(
            clamped.hamiltonian,
            engine or default_engine(problem, samples),
            cycles=cycles,
            ports=[int(k) for k in clamped.place[port_nodes]],
            decisions=None if samples or settled or problem.ising else decisions,
            check="none" if samples else check,
            target=target,
            seed=seed,
            name=_identifier(problem.name),
        )
    clamps = tuple(2 * bits[node] - 1 if node in bits else 0 for node in port_nodes)
    return Network(problem, given, clamped, decisions, clamps, graph)


def _port_nodes(whole: Hamiltonian, given: Mapping[str, int], ports: Sequence[str]) -> list[int]:
    """The nodes of the words that are ports, each once."""
    nodes = list(dict.fromkeys(node for word in ports for node in whole.nodes_of(word)))
    fixed = whole.assignment({word: value for word, value in given.items() if word not in ports})
    for node in nodes:
        if node in fixed:
            raise InvalidInput(
                f"{whole.names[node]} cannot be clamped at run time: a word that is folded in has the same "
                f"node; make a port of that word, too"
            )
    return nodes


def _identifier(name: str) -> str:
    kept = "".join(c if c.isalnum() else "_" for c in name)
    return kept if kept[:1].isalpha() else f"ising_{kept}"


@dataclass(frozen=True)
class Solution:
    """What runs came to.

    Attributes
    ----------
    found
        Whether a state is valid.
    spins
        The answer, of all nodes: int64 (nodes,). The best state, where only energies tell.
    energy
        Of the answer, in the whole.
    cycles, runs
        Taken in all until then.
    frame
        The run that gave it.
    seconds
        Of running; compilation is apart.
    """

    found: bool
    spins: np.ndarray
    energy: int
    cycles: int
    runs: int
    frame: np.ndarray | None
    seconds: float


def solve(
    network: Network,
    *,
    where: str = "model",
    runs: int = 16,
    seed: int = 0,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Solution:
    """Run a network with one seed after the other until a state is valid.

    Parameters
    ----------
    where
        ``model`` (numpy), ``c`` (compiled for this machine), ``verilator`` (the Verilog).
    runs
        At most.
    folder
        For what is emitted; a temporary one by default.

    Raises
    ------
    Mismatch
        C or Verilog gave another answer than the golden model.
    """
    if where not in PLACES:
        raise InvalidInput(f"a network runs on one of {', '.join(PLACES)}, not {where!r}")
    whole, clamped = network.problem.hamiltonian, network.clamped
    if network.graph is None:
        spins = clamped.restore(-np.ones(len(clamped.free), np.int64))
        return Solution(True, spins, int(whole.energy(spins)), 0, 0, None, 0.0)
    op = network.op
    with tempfile.TemporaryDirectory(prefix="hwgen-") as scratch:
        run = _runner(network.graph, where, folder or Path(scratch))
        begin = time.perf_counter()
        best: tuple[int, int] | None = None
        taken, done, size = 0, 0, 1
        while done < runs:
            size = min(size, runs - done)
            frames = op.frame.pack_inputs(run_seeds(seed, done, size), network.clamps)
            outputs = run(frames)
            answer = op.frame.unpack_outputs(outputs)
            energies = clamped.hamiltonian.energy(answer.spins)
            for k in range(size):
                done += 1
                taken += int(answer.cycle[k]) if answer.found[k] else op.cycles
                if best is None or answer.found[k] or energies[k] < best[0]:
                    best = (int(energies[k]), int(answer.found[k]))
                    kept, frame, output = answer.spins[k], frames[k], outputs[k]
                if answer.found[k]:
                    break
            if progress:
                progress(done, runs)
            if best and best[1]:
                break
            size = min(2 * size, BATCH)
        seconds = time.perf_counter() - begin
    if where != "model":
        _compare(network.graph, where, frame, output)
    spins = clamped.restore(kept)
    return Solution(bool(best[1]), spins, int(whole.energy(spins)), taken, done, frame, seconds)


def _compare(graph: Graph, where: str, frame: np.ndarray, output: np.ndarray) -> None:
    """The run of the answer, once more on the golden model: every bit of it."""
    if not np.array_equal(graph.run(frame[None])[0], output):
        raise Mismatch(f"the answer of {where} is not that of the golden model for the same seed")


def _runner(graph: Graph, where: str, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    if where == "model":
        return graph.run
    if where == "c":
        from ..mcu.emit import emit
        from ..mcu.toolchain.host import compile_batch, run_batch

        build = emit(graph, folder / "c", is_tested=False)
        program = compile_batch(build, folder)
        return lambda x: run_batch(build, program, x)
    from ..ir.schedule import Schedule
    from ..rtl.emit import emit as emit_verilog
    from ..sim import simulator

    design = emit_verilog(graph, {graph.output: Schedule("stream")}, folder / "verilog")
    engine = simulator("verilator")
    return lambda x: engine.run(design, x).outputs
