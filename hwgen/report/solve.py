"""What ``hwgen solve`` shows: the answer, what it took, and what random search would have taken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import HwgenError, InvalidInput
from ..files import write_whole
from ..invertible.engine import Engine
from ..invertible.problems import Problem, smallest_factor
from ..invertible.search import RandomSearch, random_best, random_search
from ..invertible.solving import Network, Solution, prepare, solve
from .progress import Console
from .sampling import plot_states, run_sampling, size_of
from .solve_options import chosen_engine, chosen_problem, chosen_values
from .table import counted

__all__ = ["Options", "run_from_options", "run_solve"]

RANDOM_STATES = 100_000
ENUMERATED = 16  # spins of plain problems whose best state is known beforehand


class NotFound(HwgenError):
    """Nothing was found, which proves nothing."""

    exit_code = 1


@dataclass(frozen=True)
class Options:
    """What ``hwgen solve`` can be told beside the problem, its values and the engine.

    Attributes
    ----------
    cycles, runs, seed, where
        See :func:`hwgen.invertible.solving.solve`.
    target
        Of a plain problem, the value that is good enough.
    settled
        Whether every gate must have settled.
    ports
        Words that are clamped at run time.
    plot, out, save
        Files and folders to write.
    """

    cycles: int
    runs: int
    seed: int
    where: str
    target: int | None
    settled: bool
    ports: tuple[str, ...]
    plot: Path | None
    out: Path | None
    save: Path | None


def run_from_options(
    words: Sequence[str],
    given: Sequence[str],
    options: Options,
    *,
    bits: str | None,
    top: str | None,
    max_degree: int | None,
    sample: bool,
    **chosen,
) -> None:
    """What the command line asks for; ``chosen`` are options of engines."""
    problem = chosen_problem(words, bits, top, max_degree)
    values = chosen_values(given, problem)
    engine = chosen_engine(problem, samples=sample, **chosen)
    if not sample:
        run_solve(problem, values, engine, options)
        return
    if options.ports or options.out or options.save:
        raise InvalidInput("--sample goes with none of --port, --out, --save: it runs on the model")
    run_sampling(
        problem, values, engine, cycles=options.cycles, seed=options.seed, plot=options.plot
    )


def run_solve(
    problem: Problem, given: Mapping[str, int], engine: Engine | None, options: Options
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
        more = {
            "cycles": options.cycles,
            "seed": options.seed,
            "target": _energy(problem, options.target),
        }
        folded = network = prepare(problem, given, engine, **more)
        if options.ports or options.settled:
            network = prepare(
                problem, given, engine, ports=options.ports, settled=options.settled, **more
            )
    print(size_of(network))
    search = None
    if folded.graph is not None and folded.op.checks == "relations":
        with console.step("counting what random search would take"):
            search = random_search(folded.op, folded.decisions, options.seed)
        if search.is_exact and not search.solutions:
            raise InvalidInput(
                f"{problem.name}: there is no solution with {_words(network.given)}: all "
                f"{search.states} values of what is free were tried"
            )
    if options.out is not None and network.graph is not None:
        _keep(network, options.out, options.where, console)
    with console.step(f"running on {options.where}") as progress:
        solution = solve(
            network, where=options.where, runs=options.runs, seed=options.seed, progress=progress
        )
    if problem.ising is not None:
        _tell_ising(problem, solution, network, options.seed)
    else:
        _tell_circuit(problem, solution, network, search, options.settled)
    if options.save is not None:
        _save(problem, solution, options.save)
    if options.plot is not None and network.graph is not None:
        plot_states(network, options.seed, options.plot, console)


def _save(problem: Problem, solution: Solution, path: Path) -> None:
    """The answer as JSON: words, and the bit of every node."""
    whole = problem.hamiltonian
    content = {
        "problem": problem.name,
        "found": solution.found,
        "cycles": solution.cycles,
        "energy": solution.energy,
        "words": {name: int(whole.value(solution.spins, name)) for name in whole.words},
        "nodes": dict(zip(whole.names, (solution.spins > 0).astype(int).tolist(), strict=True)),
    }
    if problem.ising is not None:
        content[problem.ising.kind] = float(problem.ising.of_energy(solution.energy))
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
    print(f"answer: {path}")


def _energy(problem: Problem, target: int | None) -> int | None:
    if target is None:
        if problem.ising is None:
            return None
        if len(problem.hamiltonian) <= ENUMERATED:
            return problem.hamiltonian.ground_states()[0]
        best = problem.ising.best_known
        return None if best is None else problem.ising.energy_of(best)
    if problem.ising is None:
        raise InvalidInput(
            "--target goes with a graph or an Ising file: a circuit knows what is valid"
        )
    energy = problem.ising.energy_of(target)
    if energy is None:
        raise InvalidInput(f"--target {target} is no value that a state of {problem.name} can have")
    return energy


def _words(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or "nothing given"


def _tell_circuit(
    problem: Problem,
    solution: Solution,
    network: Network,
    search: RandomSearch | None,
    settled: bool,
) -> None:
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
        print(_compared(search, solution, settled))
    if problem.factors:
        factor, divisions = smallest_factor(problem.factors)
        print(f"trial division: {counted(divisions, 'division')} until {factor}")


def _took(solution: Solution, network: Network) -> str:
    if not solution.runs:
        return "nothing had to be searched for: the clamps decide all that could be wrong"
    rate = ""
    if solution.seconds > 0:
        updates = solution.cycles * network.op.replicas * network.op.nodes
        updates /= network.op.colour_count
        rate = f", {updates / solution.seconds / 1e6:.1f} M spin updates/s"
    return f"{solution.cycles} cycles in {counted(solution.runs, 'run')}, {solution.seconds:.2f} s{rate}"


def _compared(search: RandomSearch, solution: Solution, settled: bool) -> str:
    checker = "of the inputs alone" if settled else "under the same checker"
    if search.mean is None:
        return f"random search {checker}: none of {search.states} random inputs was valid"
    how = "on average" if search.is_exact else "on average, by a sample"
    tries = "try" if search.mean == 1 else "tries"
    text = f"random search {checker}: {search.mean:.3g} {tries} {how}"
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
    if solution.found and len(problem.hamiltonian) <= ENUMERATED:
        print(f"no state is better: all {1 << len(problem.hamiltonian)} were tried")
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
