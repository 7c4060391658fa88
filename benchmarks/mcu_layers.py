"""Single layers on one core, on the core's RTL: hwgen's C, naive C, and what others have measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .mcu_cases import (
    BINARY,
    CODES,
    CONV,
    CONV_1X1,
    DENSE,
    DENSE_2,
    DENSE_4,
    DEPTHWISE,
    ELEMENTWISE,
    SPARSE_GOAL,
    TERNARY,
)
from .mcu_runs import IDEAL, Program, attempt, build, compiler, measure, missing
from .report import Table

__all__ = ["PROGRAMS", "run"]

NAIVE = "naive C"
# Instructions and MACs, for which the others' own sources were compiled and run earlier.
CITED = {
    CONV: (("CMSIS-NN portable C", 4.93, 0.177), ("PULP-NN, a core at best", None, 1.94)),
    CONV_1X1: (("CMSIS-NN portable C", 6.36, 0.140),),
    DEPTHWISE: (("CMSIS-NN portable C", 16.8, 0.054), ("TFLite-Micro", 33.9, 0.025)),
    DENSE: (("CMSIS-NN portable C", 5.42, 0.163), ("TFLite-Micro", 9.10, 0.090)),
}
# MACs a cycle, by layer and target.
GOALS = {
    CONV: {"cv32e40p": 1.95, "cv32e41p": 1.95, "rv32imc": 0.30},
    DENSE: {"cv32e40p": 1.75, "cv32e41p": 1.75, "rv32imc": 0.30},
    DEPTHWISE: {"cv32e40p": 0.5, "cv32e41p": 0.5},
    DENSE_4: {"cv32e40p": 1.0, "cv32e41p": 1.0},
    TERNARY: {"cv32e40p": 1.75, "cv32e41p": 1.75},
    BINARY: {"cv32e40p": 8.0, "cv32e41p": 8.0},
}
# Speed with int8 weights = 1; published for 1:8 sparsity on the same kind of core: arXiv 2503.06183.
FASTER = {SPARSE_GOAL: 2.1}
TARGETS = ("cv32e40p", "cv32e41p", "rv32imc")
ARMS = {"cv32e40p": "hwgen, CORE-V", "cv32e41p": "hwgen, XpulpV2", "rv32imc": "hwgen, plain C"}
PROGRAMS = tuple(
    Program(case, target, code=code)
    for case in (CONV, CONV_1X1, DEPTHWISE, DENSE, DENSE_4, DENSE_2, *CODES, *ELEMENTWISE)
    for target, code in (("rv32imc", "naive"), *((target, "hwgen") for target in TARGETS))
)
NOTE = (
    f"Cycles of the core's RTL in Verilator, from the call of the model to its return, one memory "
    f"without wait states. {IDEAL} Activations are int8, requantized with a factor a channel; taps "
    f"in the padding count as MACs. Plain C and naive C run on CV32E40P. *Naive C* is plain loops "
    f"with literal sizes and a byte a weight, by the same compiler with the same options "
    "({compiler}). *Cited* figures are not of this run: CMSIS-NN's and TFLite-Micro's own sources, "
    f"measured earlier on the same core (TFLite-Micro on the instruction-set simulator), PULP-NN's "
    f"as published for GAP8 (arXiv 1908.11263)."
)


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    if lack := missing():
        yield Table("One core", (f"left out: {lack}",))
        return
    yield from _table("convolutions", (CONV, CONV_1X1, DEPTHWISE), progress)
    yield from _table("fully connected layers", (DENSE, DENSE_4, DENSE_2), progress)
    yield from _table("fully connected layers of other weight codes", CODES, progress)
    yield from _table("pooling and addition", ELEMENTWISE, progress, "value")


def _table(
    title: str, cases: tuple[str, ...], progress: Callable[[str], None], unit: str = "MAC"
) -> Iterator[Table]:
    columns = ("layer", "code", "cycles", f"instructions/{unit}", f"{unit}s/cycle", "naive C = 1")
    is_first = title == "convolutions"
    note = NOTE.format(compiler=compiler()) if is_first else f"As above. {IDEAL}"
    table = Table(f"One core: {title}", (*columns, "constant bytes", "outputs"), (note,))
    table.measure = f"{cases[0]}, {unit}s/cycle"
    for case in cases:
        naive = _row(table, Program(case, "rv32imc", code="naive"), NAIVE, None, progress)
        for target in TARGETS:
            rate = _row(table, Program(case, target), ARMS[target], naive, progress)
            if rate and target in GOALS.get(case, {}):
                table.goal(f"{case}, {ARMS[target]}, MACs/cycle", rate, GOALS[case][target])
            if rate and case in FASTER and target != "rv32imc":
                dense = measure(Program(DENSE, target)).rate
                title = f"{case}, {ARMS[target]}, times the speed of int8 weights"
                table.goal(title, rate / dense, FASTER[case])
            if rate and case == cases[0] and target == TARGETS[0]:
                table.scores["hwgen"] = rate
        for who, instructions, rate in CITED.get(case, ()):
            factor = f"{rate / naive:.2f}" if naive else ""
            table.add(case, f"{who} (cited)", "", instructions or "", rate, factor)
            if case == cases[0]:
                table.scores[f"{who} (cited)"] = rate
        if case == cases[0] and naive:
            table.scores[NAIVE] = naive
        yield table


def _row(
    table: Table, program: Program, code: str, naive: float | None, progress: Callable[[str], None]
) -> float | None:
    """Adds a row; returns MACs a cycle."""
    progress(f"one core, {program}")
    figures = attempt(table, program, (program.case, code))
    if figures is None:
        return None
    table.add(
        program.case,
        code,
        figures.cycles,
        f"{figures.instructions / figures.work:.3f}",
        f"{figures.rate:.3f}",
        f"{figures.rate / (naive or figures.rate):.2f}",
        build(program).constant_bytes,
        table.check(code, figures.differ, figures.outputs),
    )
    return figures.rate
