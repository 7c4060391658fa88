"""Size of the emitted Verilog through Yosys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from . import networks
from .generators import FORMS, NAMES, version
from .measure import ChildFailed, run_child
from .report import Table, number
from .synthesis import COMMAND, count, yosys_version

__all__ = ["job", "run"]

COLUMNS = ("generator", "adders", "of naive", "LUT", "CARRY4", "FF", "latency", "CPU s", "form")
NOTES = (
    f"{yosys_version()}, `{COMMAND}`. LUT counts LUT1 to LUT6 and inverters. *Adders* are additions "
    "of two values in the matrices; *of naive* compares them with canonical signed digits and "
    "nothing shared. *Latency* counts the registers on the way from input to output; every "
    "pipelined design takes one input a clock. hwgen's includes the AXI4-Stream handshake with "
    "back-pressure: a load enable for every register, a valid bit for every stage. *CPU s* is Yosys' own time.",
)


def job(generator, case: networks.Case, folder: Path, form: str) -> dict:
    emitted = generator.emit(case.graph, form, folder / "out")
    cells, seconds = count(emitted.top, emitted.sources)
    return {
        "adders": emitted.adders(),
        "lut": sum(n for cell, n in cells.items() if cell.startswith("LUT") or cell == "INV"),
        "carry4": cells.get("CARRY4", 0),
        "ff": sum(n for cell, n in cells.items() if cell.startswith("FD")),
        "latency": emitted.latency,
        "seconds": seconds,
        "form": emitted.form,
    }


def naive_adders(case: networks.Case) -> int:
    """Additions of the matrices in canonical signed digits, every row by itself."""
    total = 0
    for node in case.graph.nodes:
        if node.op.name == "dense":
            for row in node.op.weights.decode().tolist():
                # The non-zero digits of v are the bits in which v and 3 v differ.
                digits = sum((abs(v) ^ 3 * abs(v)).bit_count() for v in row)
                total += max(0, digits - 1)
    return total


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    for network in networks.NETWORKS:
        case = networks.load(network)
        naive = naive_adders(case)
        table = Table(f"Size: {case.about}", COLUMNS, NOTES, "LUT, pipelined", lower=True)
        for name in NAMES:
            if version(name) is None:
                table.add(name, "not installed")
                continue
            for form in FORMS[name] if network == networks.NETWORKS[0] else FORMS[name][:1]:
                progress(f"size, {network}, {name}, {form}: Yosys takes minutes")
                try:
                    result = run_child("area", name, network, form=form)
                except ChildFailed as error:
                    table.add(name, f"failed: {error}")
                    continue
                table.add(
                    name,
                    result["adders"],
                    f"{result['adders'] / naive:.2f}",
                    *(result[key] for key in ("lut", "carry4", "ff")),
                    result["latency"] or "-",
                    number(result["seconds"]),
                    result["form"],
                )
                table.scores.setdefault(name, result["lut"])
                yield table
        yield table
