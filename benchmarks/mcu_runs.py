"""Runs of cases on simulated cores; each is made once in a process, whoever asks."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from hwgen.errors import HwgenError
from hwgen.mcu.build import CBuild
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target, load_target
from hwgen.mcu.toolchain.cross import find_cross_compiler
from hwgen.mcu.toolchain.host import from_bytes, to_bytes
from hwgen.mcu.toolchain.program import LEVEL, engine_isa, link, sample_bytes
from hwgen.sim.riscv import CoreRun, run_program
from hwgen.sim.riscv.models import inferences, machine_for

from .mcu_cases import load
from .measure import cpu_seconds
from .naive import naive_build
from .report import Table

__all__ = [
    "IDEAL",
    "Figures",
    "Program",
    "attempt",
    "build",
    "compiler",
    "execute",
    "measure",
    "missing",
    "warm_up",
]

IDEAL = "Instruction fetch is ideal: no misses, no contention."


@dataclass(frozen=True)
class Program:
    """A case, compiled for a target, on a number of its cores.

    Attributes
    ----------
    code
        ``hwgen`` or ``naive``.
    """

    case: str
    target: str
    cores: int = 1
    code: str = "hwgen"

    @property
    def rtl(self) -> str:
        """The RTL that runs it; CV32E40P's where the code is plain C."""
        target = load_target(self.target, Path())
        return next(engine for engine in ("cv32e40p", "cv32e41p") if engine in target.simulators)

    def __str__(self) -> str:
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{self.case}, {self.code}, {self.target}, {cores}"


@dataclass(frozen=True)
class Figures:
    """What a run took.

    Attributes
    ----------
    cycles, instructions
        Of one inference; instructions those of core 0.
    work
        As of the case.
    differ, outputs
        Elements that are not the golden model's, of all.
    run
        All of it.
    seconds
        Processor time of the simulation.
    """

    cycles: int
    instructions: int
    work: int
    differ: int
    outputs: int
    run: CoreRun
    seconds: float

    @property
    def rate(self) -> float:
        """MACs a cycle."""
        return self.work / self.cycles


_FIGURES: dict[tuple[Program, str], Figures] = {}


def missing() -> str | None:
    """What is not here of the compiler, the simulators and the cores' RTL; None if all is."""
    from hwgen.sim.riscv.rtl import CORES

    try:
        find_cross_compiler(find_target("rv32imc"))
    except HwgenError as error:
        return str(error)
    return "; ".join(lack for core in CORES.values() if (lack := core.missing())) or None


def compiler() -> str:
    """The cross compiler's name, version and level, for notes."""
    found = find_cross_compiler(find_target("rv32imc"))
    if not found.is_zig:
        return f"{found.command[0]} {LEVEL}"
    return f"zig cc {metadata.version('ziglang')} {LEVEL}"


def measure(program: Program, engine: str | None = None) -> Figures:
    """One inference of a program on an engine; on its RTL if None.

    Raises
    ------
    HwgenError
        The case cannot be emitted, compiled or run.
    """
    engine = program.rtl if engine is None else engine
    if (program, engine) not in _FIGURES:
        case = load(program.case)
        _FIGURES[program, engine] = execute(program, engine, case.x[:1])
    return _FIGURES[program, engine]


def execute(
    program: Program, engine: str, x: np.ndarray, profile: bool = False, level: str = LEVEL
) -> Figures:
    """Compile a program and run samples through it; raises as :func:`measure`."""
    case, c = load(program.case), build(program)
    target = load_target(c.target, c.folder)
    isa = engine_isa(target, engine)
    size, room = sample_bytes([c])
    data = np.frombuffer(to_bytes(c.input, x), np.uint8).reshape(len(x), -1)
    samples = np.pad(data, ((0, 0), (0, size - data.shape[1]))).tobytes()
    with tempfile.TemporaryDirectory(prefix="hwgen-bench-") as folder:
        elf = link(c, Path(folder), isa, profile, (level,))
        machine = machine_for(target, isa, program.cores)
        warm_up(engine)
        start = cpu_seconds()
        run = run_program(elf, machine, engine, samples, len(x), size, room)
        seconds = cpu_seconds() - start
    if run.exit_code:
        raise HwgenError(f"{program}: the model returned {run.exit_code} instead of 0")
    rows = np.frombuffer(run.outputs, np.uint8).reshape(len(x), room)
    y = from_bytes(c.output, rows[:, : c.output.size * c.output.ctype.bytes].tobytes(), len(x))
    expected = case.graph.run(x)
    last = inferences(run)[-1]
    return Figures(
        last.cycles,
        last.instructions,
        case.work,
        int(np.sum(y != expected)),
        expected.size,
        run,
        seconds,
    )


def attempt(table: Table, program: Program, cells: tuple[str, ...]) -> Figures | None:
    """:func:`measure` on the RTL; a failure becomes a row that begins with ``cells``."""
    try:
        return measure(program)
    except HwgenError as error:
        reason = str(error).splitlines()[0][:200]
        table.add(*cells, "failed")
        table.wrong.append(f"{program}: {reason}")
        return None


@cache
def warm_up(engine: str) -> None:
    """Compile an engine, if that was not yet done, so that no run is measured with it."""
    from hwgen.sim.riscv import iss, rtl

    if engine == "iss":
        iss.iss_library()
    else:
        rtl.program(engine)


def build(program: Program) -> CBuild:
    """The C of a program, whatever the number of cores."""
    return _build(program.case, program.target, program.code)


@cache
def _build(case: str, target: str, code: str) -> CBuild:
    folder = _folder() / f"{case}-{target}-{code}".replace(" ", "_").replace(",", "")
    if code == "naive":
        return naive_build(load(case).graph, _build(case, target, "hwgen"), folder)
    return emit(load(case).graph, folder, target)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hwgen-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
