"""Networks of spins in hardware: tables and registers of nodes, generators and checkers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hwgen.frontend.problems import find_problem
from hwgen.invertible.engine import Engine
from hwgen.invertible.lowering import lower
from hwgen.invertible.problems import Problem
from hwgen.invertible.solving import PUBLISHED, TUNED
from hwgen.ir import Graph, Schedule
from hwgen.rtl.device import find_device
from hwgen.rtl.emit import emit
from hwgen.rtl.lib.area import Area
from hwgen.rtl.yosys import Count, count_cells
from hwgen.yosys import yosys_version

from .report import Table

__all__ = ["parts", "sizes"]

DEVICE = find_device("xilinx")
CIRCUITS: tuple[tuple[str, Engine, str], ...] = (
    ("and", PUBLISHED, "257, 307"),
    ("full_adder", PUBLISHED, "400, 329"),
    ("adder32", PUBLISHED, "10455, 1910"),
    ("multiplier5x5", PUBLISHED, "-"),
    ("multiplier5x5", TUNED, "-"),
)
"""A circuit, how its spins are updated, and the published LUT and FF on a Kintex UltraScale."""


def sizes(progress: Callable[[str], None]) -> Iterator[Table]:
    table = Table(
        "Size in hardware",
        (
            "circuit",
            "spins, updated every clock",
            "random bits from",
            "LUT, FF: all",
            "nodes",
            "a node",
            "generators",
            "frames and control",
            "checker",
            "published: LUT, FF",
        ),
        (
            f"{yosys_version()}, `{'; '.join(DEVICE.commands)}`. LUT counts LUT1 to LUT6; carry chains "
            "are beside that, as in any count of LUTs. *As published*: a spin a node of a gate, accumulators with noise 5 and limit 4; *default*: what "
            "`hwgen solve` takes for circuits, in which AND gates are products of spins. Every bit of "
            "every word can be clamped in operation, so that one circuit runs in all directions. "
            "*All* is without a checker, which the published circuits do not have: it looks at every state, derives all bits "
            "from the circuit's inputs, keeps the first state in which that contradicts nothing and counts those that follow; its size is the "
            "difference to the network without it. *Generators* are xorshift ones of 32 bits, one for 32 "
            "nodes. Published: Smithson et al. 2019, Kintex UltraScale XCKU040, vendor tools, 64-bit "
            "xorshift; the vendor's synthesis is not Yosys', and weights and counters need not have equal widths.",
        ),
    )
    for name, engine, published in CIRCUITS:
        progress(f"size of {name}: Yosys takes up to minutes")
        problem = find_problem(name)
        graphs = [_graph(problem, engine, check) for check in ("none", "relations")]
        plain, checked = (parts(graph) for graph in graphs)
        whole, nodes = plain["all"], plain["nodes"]
        op = graphs[0][graphs[0].output].op
        spins = op.nodes - (0 if op.products is None else len(op.products.array))
        checker = Area(
            lut=checked["all"].lut - whole.lut,
            ff=checked["all"].ff - whole.ff,
        )
        table.add(
            f"{name}, {'as published' if engine is PUBLISHED else 'default'}",
            spins,
            f"{op.generators} x 32",
            _cell(whole),
            _cell(nodes),
            f"{nodes.lut / spins:.1f}, {nodes.ff / spins:.1f}",
            *(_cell(area) for area in (plain["generators"], plain["rest"], checker)),
            published,
        )
        yield table


def _cell(area: Area) -> str:
    return f"{area.lut}, {area.ff}"


def _graph(problem: Problem, engine: Engine, check: str) -> Graph:
    whole = problem.hamiltonian
    ports = sorted({node for word in whole.words for node in whole.nodes_of(word)})
    inputs = [node for word in problem.inputs for node in whole.words[word]]
    return lower(whole, engine, ports=ports, decisions=inputs, check=check, name="spins")


def parts(graph: Graph) -> dict[str, Area]:
    """What a network takes: ``all``, its ``nodes``, its ``generators``, and the ``rest``."""
    with tempfile.TemporaryDirectory(prefix="hwgen-bench-") as folder:
        design = emit(graph, {graph.output: Schedule("stream")}, Path(folder))
        count = count_cells(DEVICE, design.top, design.paths)
    nodes = _sum(count, lambda name: "_replica_" in name and not name.endswith("_random"))
    generators = _sum(count, lambda name: name.endswith("_random"))
    whole = count.within(design.top)
    rest = Area(lut=whole.lut - nodes.lut - generators.lut, ff=whole.ff - nodes.ff - generators.ff)
    return {"all": whole, "nodes": nodes, "generators": generators, "rest": rest}


def _sum(count: Count, wanted: Callable[[str], bool]) -> Area:
    total = Area()
    for name in count.modules:
        if wanted(name):
            total += count.own(name)
    return total
