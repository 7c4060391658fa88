"""What ``hwgen solve`` shows: the answer, what it took, and what random search would have taken."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import HwgenError, InvalidInput
from ..files import write_whole
from ..invertible.engine import Accumulator, Engine, Gibbs, geometric
from ..invertible.hamiltonian import Hamiltonian
from ..invertible.problems import Problem, factoring, find_problem, smallest_factor
from ..invertible.search import random_best, random_search
from ..invertible.solving import (
    PUBLISHED,
    Network,
    Solution,
    default_engine,
    prepare,
    run_seeds,
    solve,
)
from ..ops.lib.ising_walk import Walk
from .progress import Console
from .table import counted, print_table

__all__ = ["run_from_options", "run_sampling", "run_solve"]

TOP = 12  # states in a histogram
RANDOM_STATES = 100_000
PLOTTED = 4096  # cycles
RAMP = 64  # segments


class NotFound(HwgenError):
    """Nothing was found, which proves nothing."""

    exit_code = 1


def run_from_options(
    words: Sequence[str],
    given: Sequence[str],
    *,
    bits: str | None,
    top: str | None,
    max_degree: int | None,
    sample: bool,
    cycles: int,
    runs: int,
    seed: int,
    where: str,
    target: int | None,
    plot: Path | None,
    out: Path | None,
    ports: Sequence[str],
    **chosen,
) -> None:
    """What the command line asks for; ``chosen`` are options of engines."""
    problem = _problem(words, bits, top, max_degree)
    values = _values(given, problem)
    engine = _engine(problem, samples=sample, **chosen)
    if sample:
        if ports or out is not None:
            raise InvalidInput("--sample goes with neither --port nor --out: it runs on the model")
        run_sampling(problem, values, engine, cycles=cycles, seed=seed, plot=plot)
        return
    run_solve(
        problem,
        values,
        engine,
        cycles=cycles,
        runs=runs,
        seed=seed,
        where=where,
        target=target,
        plot=plot,
        out=out,
        ports=ports,
    )


def _problem(
    words: Sequence[str], bits: str | None, top: str | None, max_degree: int | None
) -> Problem:
    if words[0] != "factor":
        if len(words) > 1:
            raise InvalidInput(f"one problem at a time, found {' '.join(words)!r}")
        if bits:
            raise InvalidInput("--bits goes with 'factor NUMBER'")
        return find_problem(words[0], top, max_degree)
    if len(words) != 2 or not words[1].isdecimal():
        raise InvalidInput("factor takes one number, as in: hwgen solve factor 143")
    sizes = None
    if bits:
        match = re.fullmatch(r"(\d{1,3})(?:x(\d{1,3}))?", bits)
        if not match or not all(1 <= int(w or 1) <= 32 for w in match.groups()):
            raise InvalidInput(f"--bits must be like 5 or 5x4, of 1..32 each, not {bits!r}")
        sizes = (int(match[1]), int(match[2] or match[1]))
    return factoring(int(words[1]), sizes, max_degree)


def _values(given: Sequence[str], problem: Problem) -> dict[str, int]:
    values = {}
    for text in given:
        word, _, number = text.partition("=")
        try:
            values[word] = int(number, 0)
        except ValueError:
            raise InvalidInput(
                f"--set must be WORD=NUMBER, such as y=15 or y=0xf, not {text!r}"
            ) from None
    if problem.ising is not None and values:
        raise InvalidInput("--set goes with circuits: a graph has no words")
    return values


def _engine(
    problem: Problem,
    *,
    engine: str | None,
    noise: str | None,
    limit: str | None,
    scale: int | None,
    strength: str | None,
    replicas: int,
    swap_every: int,
    plain: bool,
    samples: bool,
) -> Engine:
    base = PUBLISHED if plain else default_engine(problem, samples)
    name = engine or base.name
    given = {
        "accumulator": {"--noise": noise, "--limit": limit, "--scale": scale},
        "gibbs": {"--strength": strength},
    }
    for other, options in given.items():
        for option, value in options.items():
            if other != name and value is not None:
                raise InvalidInput(f"{option} goes with --engine {other}")
    more = {"replicas": replicas, "swap_every": swap_every}
    if name == "accumulator":
        own = base if isinstance(base, Accumulator) else PUBLISHED
        changed = {
            "noise": _numbers(noise, "--noise") if noise else own.noise,
            "limit": _numbers(limit, "--limit") if limit else own.limit,
            "scale": scale or own.scale,
        }
        ladder = changed["noise"] if swap_every and len(changed["noise"]) == replicas > 1 else ()
        return replace(own, **changed, ladder=ladder, **more)
    own = base if isinstance(base, Gibbs) else Gibbs()
    if strength is None:
        return replace(own, **more) if not swap_every else _ladder((0.3, 1.2), replicas, swap_every)
    ends = _reals(strength)
    if len(ends) == 1:
        return Gibbs(strength=ends, **more)
    if swap_every:
        return _ladder(ends, replicas, swap_every)
    return Gibbs(strength=geometric(*ends, RAMP), **more)


def _ladder(ends: tuple[float, ...], replicas: int, swap_every: int) -> Gibbs:
    ladder = geometric(*ends, replicas)
    return Gibbs(replicas=replicas, ladder=ladder, swap_every=swap_every)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise InvalidInput(f"{option} must be whole numbers with commas between them, not {text!r}")
    return tuple(map(int, words))


def _reals(text: str) -> tuple[float, ...]:
    try:
        ends = tuple(float(word) for word in text.split(":"))
    except ValueError:
        ends = ()
    if len(ends) not in (1, 2) or not all(0 < end < 100 for end in ends):
        raise InvalidInput(f"--strength must be like 0.4 or 0.1:3, of 0..100, not {text!r}")
    return ends


def run_solve(
    problem: Problem,
    given: Mapping[str, int],
    engine: Engine | None,
    *,
    cycles: int,
    runs: int,
    seed: int,
    where: str,
    target: int | None,
    plot: Path | None,
    out: Path | None,
    ports: Sequence[str] = (),
) -> None:
    """Solve a problem and print all of it.

    Raises
    ------
    InvalidInput
        It is proven that there is no solution.
    NotFound
        There was none within the runs.
    """
    console = Console()
    with console.step("folding clamps"):
        options = {"cycles": cycles, "seed": seed, "target": _energy(problem, target)}
        folded = network = prepare(problem, given, engine, **options)
        if ports:
            network = prepare(problem, given, engine, ports=ports, **options)
    print(_size(network))
    search = None
    if folded.graph is not None and folded.op.checks == "relations":
        with console.step("counting what random search would take"):
            search = random_search(folded.op, folded.decisions, seed)
        if search.is_exact and not search.solutions:
            raise InvalidInput(
                f"{problem.name}: there is no solution with {_words(network.given)}: all "
                f"{search.states} values of what is free were tried"
            )
    if out is not None and network.graph is not None:
        _keep(network, out, where, console)
    with console.step(f"running on {where}") as progress:
        solution = solve(network, where=where, runs=runs, seed=seed, progress=progress)
    if problem.ising is not None:
        _tell_ising(problem, solution, network, seed)
    else:
        _tell_circuit(problem, solution, network, search)
    if plot is not None and network.graph is not None:
        _plot(network, seed, plot, console)


def _energy(problem: Problem, target: int | None) -> int | None:
    if target is None:
        best = problem.ising.best_known if problem.ising else None
        return None if best is None else problem.ising.energy_of(best)
    if problem.ising is None:
        raise InvalidInput(
            "--target goes with a graph or an Ising file: a circuit knows what is valid"
        )
    energy = problem.ising.energy_of(target)
    if energy is None:
        raise InvalidInput(f"--target {target} is no value that a state of {problem.name} can have")
    return energy


def _size(network: Network) -> str:
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


def _words(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or "nothing given"


def _tell_circuit(problem: Problem, solution: Solution, network: Network, search) -> None:
    if not solution.found:
        raise NotFound(
            f"not found within {counted(solution.runs, 'run')} of {network.op.cycles} cycles; this is no "
            f"proof that there is no solution; try more --runs, another --seed or --replicas"
        )
    whole = problem.hamiltonian
    values = {name: int(whole.value(solution.spins, name)) for name in whole.words}
    # Checked once more, and by nothing of the network: the circuit computes it from its inputs.
    computed = problem.circuit.evaluate({name: values[name] for name in problem.inputs})
    if computed != {name: values[name] for name in computed}:
        raise HwgenError(
            f"the answer {_words(values)} is wrong: the circuit gives {_words(computed)}"
        )
    if problem.factors:
        print(f"{problem.factors} = {values['a']} x {values['b']}")
    else:
        print(_words(values))
    print(_took(solution, network))
    if search is not None:
        print(_compared(search, solution))
    if problem.factors:
        factor, divisions = smallest_factor(problem.factors)
        print(f"trial division: {counted(divisions, 'division')} until {factor}")


def _took(solution: Solution, network: Network) -> str:
    if not solution.runs:
        return "the clamps decide everything; nothing had to be searched for"
    rate = ""
    if solution.seconds > 0:
        updates = solution.cycles * network.op.replicas * network.op.nodes
        updates /= network.op.colour_count
        rate = f", {updates / solution.seconds / 1e6:.1f} M spin updates/s"
    return f"{solution.cycles} cycles in {counted(solution.runs, 'run')}, {solution.seconds:.2f} s{rate}"


def _compared(search, solution: Solution) -> str:
    if search.mean is None:
        return (
            f"random search under the same checker: none of {search.states} random inputs was valid"
        )
    how = "on average" if search.is_exact else "on average, by a sample"
    text = f"random search under the same checker: {search.mean:.3g} tries {how}"
    if search.is_exact:
        text += f" ({counted(search.solutions, 'solution')} in {search.states} inputs)"
    if solution.cycles:
        text += f"; this run took {solution.cycles / search.mean:.2f} times as many cycles"
    return text


def _tell_ising(problem: Problem, solution: Solution, network: Network, seed: int) -> None:
    ising = problem.ising
    value = ising.of_energy(solution.energy)
    what = {"max-cut": "cut", "qubo": "value", "ising": "energy"}[ising.kind]
    best = f" (best known {ising.best_known})" if ising.best_known is not None else ""
    print(f"{what} {value}{best}")
    if ising.note:
        print(ising.note)
    print(_took(solution, network))
    states = min(RANDOM_STATES, max(1, solution.cycles * network.op.replicas))
    lowest = random_best(problem.hamiltonian, states, seed)
    print(f"random search: {what} {ising.of_energy(lowest)} is the best of {states} random states")
    ups = np.flatnonzero(solution.spins > 0)
    names = problem.hamiltonian.names
    shown = " ".join(names[k] for k in ups[:20])
    print(f"nodes on one side: {shown}{f' and {len(ups) - 20} more' if len(ups) > 20 else ''}")


def _keep(network: Network, out: Path, where: str, console: Console) -> None:
    """A build folder of the network, verified like any other."""
    from ..compiler import compile as compile_graph

    target = {"model": "all", "c": "c", "verilator": "verilog"}[where]
    compile_graph(network.graph, out, target=target, reporter=console)
    print(f"build folder: {out}")


# -- sampling ---------------------------------------------------------------------------------------


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
    print(_size(network))
    with console.step(f"running {cycles} cycles") as progress:
        spins, _ = _states(network, seed, cycles, progress)
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
        _plot(network, seed, plot, console)


def _states(network: Network, seed: int, cycles: int, progress=None):
    """Spins of the whole behind every cycle of the first run, and energies: (cycles, nodes), (cycles,)."""
    op = network.op
    walk = Walk(op, np.zeros((1, op.nodes), np.int64))
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


def _plot(network: Network, seed: int, path: Path, console: Console) -> None:
    """Visited states and energy over cycles, as PNG."""
    try:
        import matplotlib
    except ImportError:
        from ..errors import MissingTool

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
