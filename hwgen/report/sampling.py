"""What ``hwgen solve --sample`` shows: how often states are visited, and their energies over cycles."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import InvalidInput, MissingTool
from ..files import write_whole
from ..invertible.engine import Engine
from ..invertible.hamiltonian import Hamiltonian
from ..invertible.problems import Problem
from ..invertible.solving import Network, prepare, run_seeds
from ..ops.lib.ising_walk import Walk
from .progress import Console
from .table import print_table

__all__ = ["plot_states", "run_sampling", "size_of"]

TOP = 12  # states in a histogram
PLOTTED = 4096  # cycles


def size_of(network: Network) -> str:
    """A network in one line."""
    whole, free = network.problem.hamiltonian, network.clamped.hamiltonian
    text = f"{network.problem.name}: {len(whole)} spins, {len(whole.edges)} couplings"
    if len(free) < len(whole):
        text += f"; {len(free)} spins are free once clamps are folded in"
    if network.graph is not None:
        op = network.op
        text += f"; engine {op.engine}"
        if op.replicas > 1:
            text += f", {op.replicas} replicas"
    return text


def run_sampling(
    problem: Problem,
    given: Mapping[str, int],
    engine: Engine | None,
    *,
    cycles: int,
    seed: int,
    plot: Path | None,
) -> None:
    """Run all cycles, and print how often each state of the words was visited."""
    console = Console()
    network = prepare(problem, given, engine, cycles=cycles, seed=seed, samples=True)
    if network.graph is None:
        raise InvalidInput("the clamps decide every spin; there is nothing to sample")
    print(size_of(network))
    with console.step(f"running {cycles} cycles") as progress:
        spins, energies = _states(network, seed, cycles, progress)
    if problem.ising is not None:
        _tell_energies(problem, energies)
        if plot is not None:
            plot_states(network, seed, plot, console)
        return
    shares = _histogram(problem.hamiltonian, spins)
    words = list(problem.hamiltonian.words)
    rows = [
        [*map(str, state), f"{share:.1%}", "valid" if valid else ""]
        for state, share, valid in shares[:TOP]
    ]
    print_table(f"states visited in {cycles} cycles", [*words, "of cycles", ""], rows)
    valid = sum(share for _, share, valid in shares if valid)
    print(f"words of valid states: {valid:.1%} of the cycles")
    if plot is not None:
        plot_states(network, seed, plot, console)


def _tell_energies(problem: Problem, energies: np.ndarray) -> None:
    """Of a plain problem, how often each value was visited, the best first."""
    found, counts = np.unique(energies, return_counts=True)
    rows = [
        [problem.ising.of_energy(int(energy)), f"{count / len(energies):.1%}"]
        for energy, count in list(zip(found.tolist(), counts.tolist(), strict=True))[:TOP]
    ]
    print_table(f"best values in {len(energies)} cycles", [problem.ising.kind, "of cycles"], rows)


def _states(network: Network, seed: int, cycles: int, progress=None):
    """Spins of the whole behind every cycle of the first run, and energies: (cycles, nodes), (cycles,)."""
    op = network.op
    clamps = np.zeros((1, op.nodes), np.int64)
    clamps[:, list(op.ports)] = network.clamps
    walk = Walk(op, clamps)
    seeds = run_seeds(seed, 0, 1).astype(np.uint32)
    spins = np.empty((cycles, op.nodes), np.int8)
    for cycle, state in enumerate(walk.states(seeds, cycles)):
        if cycle:
            spins[cycle - 1] = state.spins[0, -1]
        if progress and cycle % 256 == 0:
            progress(cycle, cycles)
    whole = network.clamped.restore(spins)
    return whole, network.problem.hamiltonian.energy(whole)


def _histogram(whole: Hamiltonian, spins: np.ndarray) -> list[tuple[tuple[int, ...], float, bool]]:
    """States of the words: values, share of the cycles, whether they are those of a valid state."""
    values = np.stack([whole.value(spins, name) for name in whole.words], axis=1)
    states, counts = np.unique(values, axis=0, return_counts=True)
    found = []
    for state, count in zip(states.tolist(), counts.tolist(), strict=True):
        bits = whole.assignment(dict(zip(whole.words, state, strict=True)))
        found.append((tuple(state), count / len(spins), whole.satisfiable(bits) is True))
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))


def plot_states(network: Network, seed: int, path: Path, console: Console) -> None:
    """Visited states and energy over cycles, as PNG."""
    try:
        import matplotlib
    except ImportError:
        raise MissingTool("--plot needs matplotlib: pip install 'hwgen[study]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    cycles = min(PLOTTED, network.op.cycles)
    with console.step(f"drawing {cycles} cycles of the first run"):
        spins, energies = _states(network, seed, cycles)
        whole = network.problem.hamiltonian
        columns = 2 if whole.words else 1
        figure, axes = pyplot.subplots(1, columns, figsize=(5.2 * columns, 3.6), squeeze=False)
        axis = axes[0, 0]
        axis.plot(np.arange(1, cycles + 1), energies, linewidth=0.6, color="#2b6cb0")
        if whole.ground is not None:
            axis.axhline(whole.ground, color="#c05621", linewidth=1, label="ground states")
            axis.set_ylim(bottom=whole.ground - 0.05 * (energies.max() - whole.ground))
            axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)
        axis.set_xlabel("cycle")
        axis.set_ylabel("energy")
        if whole.words:
            shares = _histogram(whole, spins)[:TOP]
            axis = axes[0, 1]
            labels = [" ".join(map(str, state)) for state, _, _ in shares]
            colours = ["#2b6cb0" if valid else "#cbd5e0" for *_, valid in shares]
            axis.barh(range(len(shares)), [100 * share for _, share, _ in shares], color=colours)
            axis.set_yticks(range(len(shares)), labels)
            axis.invert_yaxis()
            axis.set_xlabel("of cycles, % (blue: valid)")
            axis.set_ylabel(" ".join(whole.words))
        figure.tight_layout()
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
        write_whole(path, picture.getvalue())
        pyplot.close(figure)
    print(f"plot: {path}")
