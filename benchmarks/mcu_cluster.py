"""Single layers on one and on eight cores of the simulated cluster, on the core's RTL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hwgen.mcu.target import find_target

from .mcu_cases import BIG_CONV, CONV, DENSE, DEPTHWISE
from .mcu_runs import IDEAL, Figures, Program, attempt, missing
from .report import Table

__all__ = ["PROGRAMS", "run"]

CORES = 8
CASES = (BIG_CONV, CONV, DENSE, DEPTHWISE)
FLAT, TILED = ("cv32e40p", "cv32e41p"), ("gap8",)
PROGRAMS = tuple(
    Program(case, target, cores)
    for case in CASES
    for target in (*FLAT, *TILED)
    for cores in (1, CORES)
)
RATE, SPEED_UP = 15.5, 7.5  # of the convolution with enough work for all
PULP_NN = "PULP-NN on GAP8 (cited)"
NOTE = (
    "Cycles of a layer from call to return, fork and join included, on eight instances of the "
    "core's RTL in Verilator around one model of the memory: 16 word-interleaved banks, one access "
    f"a bank and cycle, round robin. {IDEAL} *Lost to banks* and *waiting* (for L2, the barrier, "
    "the DMA engine) are parts of all cores' cycles. The layer "
    "32 to 64 is PULP-NN's own; its 15.5 is published for the eight cores of GAP8, not measured "
    "here (arXiv 1908.11263)."
)


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    if lack := missing():
        yield Table("Cluster", (f"left out: {lack}",))
        return
    flat = "All data lie in the banked memory from the start."
    yield from _table("one memory", FLAT, f"{NOTE} {flat}", progress)
    target = find_target(TILED[0])
    dma = target.dma
    tiled = (
        f"Input, output and weights lie in L2; tiles of {target.l1 >> 10} KiB of L1 are filled and "
        f"emptied by a DMA engine, {dma.bytes} bytes a cycle and {dma.setup} cycles a transfer, "
        f"included here. A core's own access to L2 takes {target.l2_wait} cycles longer."
    )
    yield from _table("tiles in L1", TILED, f"As above. {IDEAL} {tiled}", progress)


def _table(
    title: str, targets: tuple[str, ...], note: str, progress: Callable[[str], None]
) -> Iterator[Table]:
    columns = ["layer", "target", "cycles, 1 core", f"cycles, {CORES} cores", "speed-up"]
    columns += ["MACs/cycle", "lost to banks", "waiting", "DMA bytes", "outputs"]
    table = Table(f"Cluster: {title}", tuple(columns), (note,), f"{BIG_CONV}, MACs/cycle")
    for case in CASES:
        for target in targets:
            figures = []
            for cores in (1, CORES):
                progress(f"cluster, {Program(case, target, cores)}")
                figures.append(attempt(table, Program(case, target, cores), (case, target)))
            if None not in figures:
                _row(table, case, target, *figures)
            yield table


def _row(table: Table, case: str, target: str, one: Figures, team: Figures) -> None:
    speed_up = one.cycles / team.cycles
    total = CORES * team.cycles
    # The others sleep at the barrier before and after the layer, while core 0 is at work.
    waits = sum(team.run.waits) - (CORES - 1) * (team.run.cycles - team.cycles)
    table.add(
        case,
        target,
        one.cycles,
        team.cycles,
        f"{speed_up:.2f}",
        f"{team.rate:.2f}",
        f"{sum(team.run.conflicts) / total:.1%}",
        f"{max(waits, 0) / total:.1%}",
        team.run.dma_bytes,
        table.check(target, one.differ + team.differ, one.outputs + team.outputs),
    )
    if case == BIG_CONV:
        table.scores |= {"hwgen": team.rate, PULP_NN: RATE}
        table.goal(f"{case}, {target}, MACs/cycle of {CORES} cores", team.rate, RATE)
        table.goal(f"{case}, {target}, speed-up of {CORES} cores", speed_up, SPEED_UP)
