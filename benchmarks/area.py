"""Size of the emitted Verilog through Yosys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hwgen.rtl.device import find_device
from hwgen.rtl.yosys import count_cells
from hwgen.yosys import yosys_version

from . import networks
from .generators import FORMS, NAMES, version
from .measure import ChildFailed, cpu_seconds, run_child
from .report import Table, number

__all__ = ["job", "run"]

DEVICE = find_device("xilinx")
COLUMNS = ("generator", "adders", "of naive", "LUT", "CARRY4", "FF", "latency", "CPU s", "form")
NOTES = (
    f"{yosys_version()}, `{'; '.join(DEVICE.flat_commands)}`. LUT counts LUT1 to LUT6, inverters "
    "and tables that are memories. *Adders* are additions "
    "of two values in the matrices; *of naive* compares them with canonical signed digits and "
    "nothing shared. *Latency* counts the registers on the way from input to output; every "
    "pipelined design takes one input a clock. hwgen's includes the AXI4-Stream handshake with "
    "back-pressure: a load enable for every register, a valid bit for every stage. *CPU s* is Yosys' own time.",
)


def job(generator, case: networks.Case, folder: Path, form: str) -> dict:
    emitted = generator.emit(case.graph, form, folder / "out")
    start = cpu_seconds()
    area = count_cells(DEVICE, emitted.top, emitted.sources, flat=True).within(emitted.top)
    return {
        "adders": emitted.adders(),
        "lut": area.lut,
        "carry4": area.carry // 4,
        "ff": area.ff,
        "latency": emitted.latency,
        "seconds": cpu_seconds() - start,
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
            form = FORMS[name][0]  # a combinational network takes Yosys hours
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
