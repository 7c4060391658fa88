"""Whole networks of the zoo on simulated cores: time, memory, and the compiler's levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hwgen.errors import HwgenError
from hwgen.mcu.toolchain.program import LEVEL, code_bytes
from hwgen.sim.riscv.models import layer_times

from .mcu_cases import NETWORKS, load
from .mcu_runs import IDEAL, Program, attempt, build, compiler, execute, missing
from .report import Table

__all__ = ["run"]

PROGRAMS = (
    ("naive C", {"target": "rv32imc", "code": "naive"}),
    ("hwgen, plain C", {"target": "rv32imc"}),
    ("hwgen, CORE-V", {"target": "cv32e40p"}),
    ("hwgen, CORE-V", {"target": "cv32e40p", "cores": 8}),
    ("hwgen, XpulpV2 and tiles", {"target": "gap8"}),
    ("hwgen, XpulpV2 and tiles", {"target": "gap8", "cores": 8}),
)
LEVELS = ("-Os", "-O2", "-O3")
SAMPLES = 32  # of the instruction-set simulator; the RTL runs one


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    if lack := missing():
        yield Table("Networks", (f"left out: {lack}",))
        return
    for network in NETWORKS:
        yield from _network(network, progress)
    yield from _layers(progress)
    yield from _levels(progress)


def _network(network: str, progress: Callable[[str], None]) -> Iterator[Table]:
    columns = ("code", "target", "cores", "cycles", "MACs/cycle", "naive C = 1", "code bytes")
    columns += ("constant bytes", "arena bytes", "L1 bytes", "outputs")
    note = (
        f"{load(network).work} MACs an inference. Cycles of one inference on the core's RTL in "
        f"Verilator. {IDEAL} Outputs are those of this inference and of {SAMPLES} more on the "
        f"instruction-set simulator. Code is the model's own ({compiler()}). The arena is all of the RAM "
        f"beside input and output; naive C's has a place for every layer's result."
    )
    table = Table(f"Network {network}", columns, (note,), "Cycles, one core", lower=True)
    naive = None
    for code, how in PROGRAMS:
        program = Program(network, **how)
        progress(f"network, {program}")
        figures = attempt(table, program, (code, program.target, str(program.cores)))
        if figures:
            naive = naive or figures.cycles
            many = execute(program, "iss", load(network).draw(SAMPLES))
            c = build(program)
            table.add(
                code,
                program.target,
                program.cores,
                figures.cycles,
                f"{figures.rate:.3f}",
                f"{naive / figures.cycles:.2f}",
                sum(code_bytes(c, program.rtl).values()),
                c.constant_bytes,
                c.arena_bytes,
                c.l1_bytes,
                table.check(code, figures.differ + many.differ, figures.outputs + many.outputs),
            )
            if program.code == "naive":
                table.scores[code] = figures.cycles
            elif program == Program(network, "cv32e40p"):
                table.scores["hwgen"] = figures.cycles
        yield table


def _layers(progress: Callable[[str], None]) -> Iterator[Table]:
    """Where the cycles go."""
    columns = ["network", "layer", "MACs"]
    programs = [{"target": t, "cores": n} for t in ("cv32e40p", "gap8") for n in (1, 8)]
    columns += [f"{how['target']}, {how['cores']}" for how in programs]
    note = (
        f"Cycles by target and number of cores, on the instruction-set simulator, with the barrier "
        f"at the end of every layer. {IDEAL}"
    )
    table = Table("Networks: cycles by layer", (*columns, "MACs/cycle, cv32e40p"), (note,))
    for network in NETWORKS:
        progress(f"cycles by layer, {network}")
        cycles = []
        for how in programs:
            program = Program(network, **how)
            layers = build(program).layers
            figures = execute(program, "iss", load(network).x[:1], profile=True)
            table.check(str(program), figures.differ, figures.outputs)
            cycles.append([time.cycles for time in layer_times(figures.run, len(layers))])
        for layer, *row in zip(layers, *cycles, strict=True):
            name = layer.function.removeprefix(f"{build(program).model}_")
            rate = f"{layer.macs / row[0]:.3f}" if layer.macs else ""
            table.add(network, name, layer.macs or "", *row, rate)
        yield table


def _levels(progress: Callable[[str], None]) -> Iterator[Table]:
    columns = ["network", "target"]
    columns += [f"{level}, {what}" for level in LEVELS for what in ("code bytes", "cycles")]
    note = (
        f"One core, cycles of the instruction-set simulator. {IDEAL} hwgen compiles with {LEVEL}."
    )
    table = Table("Networks: levels of optimisation", tuple(columns), (note,))
    for network in NETWORKS:
        for target in ("rv32imc", "cv32e40p"):
            program = Program(network, target)
            progress(f"levels, {program}")
            cells: list[object] = []
            for level in LEVELS:
                try:
                    figures = execute(program, "iss", load(network).x[:1], level=level)
                except HwgenError as error:
                    table.wrong.append(f"{program}, {level}: {str(error).splitlines()[0]}")
                    cells += ["failed", ""]
                    continue
                table.check(f"{program}, {level}", figures.differ, figures.outputs)
                size = sum(code_bytes(build(program), "iss", (level,)).values())
                cells += [size, figures.cycles]
            table.add(network, target, *cells)
            yield table
