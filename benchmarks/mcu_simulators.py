"""The simulators: how fast they are, and how well the instruction-set simulator tells cycles."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator

import numpy as np

from hwgen.errors import HwgenError

from . import mcu_cluster, mcu_layers, mcu_networks
from .mcu_cases import BIG_CONV, CONV, NETWORKS, load
from .mcu_runs import IDEAL, Figures, Program, execute, measure, missing
from .report import Table, number

__all__ = ["run"]

INSTRUCTIONS = 20e6  # a second of the instruction-set simulator
CYCLES = 0.001  # greatest difference, as a part
SECONDS, REPEATS = 1.0, 3  # of a measurement of speed
SPEED = (
    ("plain C, 1 core", Program(CONV, "rv32imc", code="naive")),
    ("CORE-V, 1 core", Program(CONV, "cv32e40p")),
    ("CORE-V, 8 cores", Program(BIG_CONV, "cv32e40p", 8)),
    ("XpulpV2 and tiles, 8 cores", Program(BIG_CONV, "gap8", 8)),
)


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    if lack := missing():
        yield Table("Simulators", (f"left out: {lack}",))
        return
    yield from _speed(progress)
    yield from _agreement(progress)


def _speed(progress: Callable[[str], None]) -> Iterator[Table]:
    columns = ("program", "engine", "M instructions/s", "thousand cycles/s", "outputs")
    note = (
        "Instructions of all cores and cycles of the machine in a second of processor time of one "
        f"thread, compilation left out; the median of {REPEATS} runs of a second or more of the "
        f"instruction-set simulator, one run of the RTL. {IDEAL}"
    )
    table = Table("Simulators: speed", columns, (note,))
    for name, program in SPEED:
        for engine in ("iss", program.rtl):
            progress(f"speed, {engine}, {program}")
            try:
                runs = _repeat(program) if engine == "iss" else [measure(program)]
            except HwgenError as error:
                table.wrong.append(f"{program}, {engine}: {str(error).splitlines()[0]}")
                continue
            instructions = statistics.median(sum(f.run.instructions) / f.seconds for f in runs)
            cycles = statistics.median(f.run.cycles / f.seconds for f in runs)
            differ, outputs = sum(f.differ for f in runs), sum(f.outputs for f in runs)
            cells = (f"{instructions / 1e6:.3g}", number(cycles / 1e3))
            table.add(name, engine, *cells, table.check(f"{engine}, {name}", differ, outputs))
            if engine == "iss":
                goal = INSTRUCTIONS / 1e6
                table.goal(f"{name}, iss, M instructions/s", instructions / 1e6, goal)
            yield table


def _repeat(program: Program) -> list[Figures]:
    """Runs of the instruction-set simulator, each with enough samples for its time."""
    once = execute(program, "iss", load(program.case).x[:1])
    count = math.ceil(SECONDS / once.seconds)
    x = np.resize(load(program.case).x, (count, *load(program.case).x.shape[1:]))
    return [execute(program, "iss", x) for _ in range(REPEATS)]


def _agreement(progress: Callable[[str], None]) -> Iterator[Table]:
    columns = ("program", "RTL", "cycles, RTL", "cycles, iss", "difference", "instructions")
    note = (
        "Every program of the tables above, one inference from call to return. *Instructions* are "
        f"those of every core in the whole run. {IDEAL}"
    )
    table = Table("Simulators: agreement with the RTL", columns, (note,))
    networks = [Program(case, **how) for case in NETWORKS for _, how in mcu_networks.PROGRAMS]
    programs = dict.fromkeys((*mcu_layers.PROGRAMS, *mcu_cluster.PROGRAMS, *networks))
    worst, other = 0.0, 0
    for program in programs:
        progress(f"agreement, {program}")
        try:
            rtl, iss = measure(program), measure(program, "iss")
        except HwgenError as error:
            table.wrong.append(f"{program}: {str(error).splitlines()[0]}")
            continue
        difference = (iss.cycles - rtl.cycles) / rtl.cycles
        pairs = zip(iss.run.instructions, rtl.run.instructions, strict=True)
        differ = sum(abs(a - b) for a, b in pairs)
        worst, other = max(worst, abs(difference)), other + (differ > 0)
        equal = f"{differ} differ" if differ else "equal"
        row = (str(program), program.rtl, rtl.cycles, iss.cycles, f"{difference:+.4%}", equal)
        table.add(*row)
        table.check(f"iss, {program}", iss.differ, iss.outputs)
        yield table
    table.goal("largest difference in cycles, %", 100 * worst, 100 * CYCLES, lower=True)
    table.goal(f"programs of {len(programs)} that differ in instructions", other, 0, lower=True)
    yield table
