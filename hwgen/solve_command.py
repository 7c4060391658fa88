"""``hwgen solve``: parses, calls the report, like every verb of :mod:`hwgen.cli`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["solve"]


@click.command()
@click.argument("problem", nargs=-1, required=True, metavar="PROBLEM")
@click.option("--set", "given", multiple=True, metavar="WORD=N", help="Fix a word. Repeatable.")
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="WORD",
    help="A word that is clamped at run time, not folded in. Repeatable.",
)
@click.option(
    "--bits", metavar="NxM", help="Bits of both factors [default: half of NUMBER's each]."
)
@click.option("--top", help="Module of a Verilog file.")
@click.option(
    "--engine",
    type=click.Choice(["accumulator", "gibbs"]),
    help="[default: accumulator for circuits, gibbs for graphs]",
)
@click.option(
    "--noise", metavar="N[,N…]", help="Accumulator: noise of equally long segments of a run."
)
@click.option("--limit", metavar="N[,N…]", help="Accumulator: half the states of a counter.")
@click.option("--scale", type=click.IntRange(min=1), help="Accumulator: factor of h and J.")
@click.option(
    "--strength",
    metavar="B|FROM:TO",
    help="Gibbs: inverse temperature, or a geometric ramp (with --swap-every a ladder of replicas).",
)
@click.option(
    "--plain",
    is_flag=True,
    help="The published circuit: a spin for every gate, all counters alike.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 64),
    help="Networks side by side [default: 1, of graphs 8].",
)
@click.option(
    "--swap-every",
    type=click.IntRange(min=0),
    help="Exchange neighbouring replicas every so many cycles or sweeps, 0 for never [default: 0, of "
    "graphs 16].",
)
@click.option(
    "--cycles", type=click.IntRange(min=1), default=8192, show_default=True, help="Of a run."
)
@click.option("--runs", type=click.IntRange(min=1), default=16, show_default=True, help="At most.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--target", type=int, help="Of graphs: the value that is good enough.")
@click.option("--max-degree", type=click.IntRange(min=3), help="Split nodes with more neighbours.")
@click.option(
    "--on",
    "where",
    type=click.Choice(["model", "verilator", "c"]),
    default="model",
    show_default=True,
)
@click.option(
    "--settled", is_flag=True, help="Valid is only a state in which every gate has settled."
)
@click.option(
    "--sample", is_flag=True, help="Run all cycles and show the states that were visited."
)
@click.option(
    "--plot", type=Path, metavar="PNG", help="Draw visited states and energy over cycles."
)
@click.option("--save", type=Path, metavar="JSON", help="Write the answer, node by node.")
@click.option("-o", "--out", type=Path, help="Keep Verilog and C as a build folder.")
def solve(
    problem: tuple[str, ...],
    given: tuple[str, ...],
    cycles: int,
    runs: int,
    seed: int,
    where: str,
    target: int | None,
    settled: bool,
    ports: tuple[str, ...],
    plot: Path | None,
    out: Path | None,
    save: Path | None,
    **chosen,
) -> None:
    """Run a circuit backwards, or search a graph for its lowest energy, with a network of spins.

    PROBLEM is 'factor NUMBER'; a netlist (.v, .sv, .blif) or a circuit by name (and, full_adder, adder4,
    multiplier4x4, comparator4, …), of which --set fixes words in any direction; or a graph: G-set, .qubo,
    dimod's .json, toroidal100x8. The answer is checked by computing the circuit from its inputs, and
    random search under the same checker is printed beside it. Not found is no proof.

    \b
    Examples:
      hwgen solve factor 143
      hwgen solve adder4 --set sum=9 --set carry=0 --set a=4         subtracts
      hwgen solve multiplier4x4 --set y=84 --set a=12                divides
      hwgen solve netlist.v --set y=1 --on verilator
      hwgen solve G11.txt --cycles 4000 --on c
      hwgen solve and --sample --cycles 4096 --plot and.png
      hwgen solve multiplier4x4 --set y=84 --port a --port b --port y -o build/m
    """
    from .report.solve import Options, run_from_options

    options = Options(cycles, runs, seed, where, target, settled, ports, plot, out, save)
    run_from_options(problem, given, options, **chosen)
