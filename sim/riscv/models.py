"""Runs emitted models on a simulated core or cluster, whole batches at a time."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hwgen.errors import InvalidInput, Unsupported
from hwgen.mcu.build import CBuild, Port
from hwgen.mcu.target import Dma, Target, load_target
from hwgen.mcu.toolchain.elf import is_compressed
from hwgen.mcu.toolchain.host import RunFailed, from_bytes, to_bytes
from hwgen.mcu.toolchain.program import (
    BEGIN,
    END,
    MANY_L2,
    STACK_OVERFLOW,
    engine_isa,
    link,
    link_many,
    sample_bytes,
)

from .engine import LIMIT, Progress, run_program
from .machine import CoreRun, Machine

__all__ = [
    "Inference",
    "inferences",
    "layer_times",
    "machine_for",
    "run_many_on_core",
    "run_on_core",
]


@dataclass(frozen=True, slots=True)
class Inference:
    """What one inference took.

    Attributes
    ----------
    cycles
        From the call of the model to its return.
    instructions
        Of core 0.
    """

    cycles: int
    instructions: int


def run_on_core(
    build: CBuild,
    x,
    engine: str = "iss",
    cores: int | None = None,
    profile: bool = False,
    progress: Progress | None = None,
    limit: int = LIMIT,
) -> tuple[np.ndarray, CoreRun]:
    """Compile ``build`` for a core and run a batch through it.

    Parameters
    ----------
    x
        Integers of shape (batch, *input shape), within the input's interval.
    engine
        ``iss``, ``cv32e40p`` or ``cv32e41p``; one of the target's ``simulators``.
    cores
        Of the team: 1 to the target's. All of a cluster's if None, one of a target without L1.
    profile
        Whether the model's own profile points are recorded, beside those around inferences.
    progress, limit
        As of :func:`hwgen.sim.riscv.run_program`.

    Returns
    -------
    int64 array of shape (batch, *output shape), whose comparison is the caller's, and the run.

    Raises
    ------
    Unsupported
        The engine does not run the target's code, or the model does not fit its memory.
    InvalidInput
        The samples or the number of cores are not legal.
    MissingTool
        There is no cross compiler, or the engine's tools are not here.
    CoreTrap, RunFailed
        The program stopped: a core did what it cannot do, or the model returned an error.
    """
    target = load_target(build.target, build.folder)
    isa = engine_isa(target, engine)
    machine = machine_for(target, isa, cores)
    samples = _samples([(build, x)])
    with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
        program = link(build, Path(folder), isa, profile)
        run = _run([(build, x)], samples, program, machine, engine, progress, limit)
    return _outputs([(build, x)], run)[0], run


def run_many_on_core(
    jobs: Sequence[tuple[CBuild, np.ndarray]], engine: str = "iss", cores: int | None = None
) -> list[np.ndarray]:
    """Like :func:`run_on_core` for many small models at once: one program, one start.

    Parameters
    ----------
    jobs
        Builds for one target, each with its samples; they may have the same name.

    Returns
    -------
    The outputs of every job, in order.
    """
    first = jobs[0][0]
    target = load_target(first.target, first.folder)
    isa = engine_isa(target, engine)
    machine = replace(machine_for(target, isa, cores), l2_bytes=MANY_L2)
    samples = _samples(jobs)
    with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
        program = link_many([(build, len(x)) for build, x in jobs], Path(folder), isa)
        run = _run(jobs, samples, program, machine, engine, None, LIMIT)
    return _outputs(jobs, run)


def machine_for(target: Target, isa: str, cores: int | None = None) -> Machine:
    """The simulated machine with a target's memories and speeds.

    Parameters
    ----------
    isa
        Arm of the intrinsics that the code is compiled with.
    cores
        As of :func:`run_on_core`.

    Raises
    ------
    InvalidInput
        The target has fewer cores.
    """
    if cores is None:
        cores = target.cores if target.is_tiled else 1
    if not isinstance(cores, int | np.integer) or not 1 <= cores <= target.cores:
        known = "1 core" if target.cores == 1 else f"1 to {target.cores} cores"
        raise InvalidInput(f"target {target.name} has {known}, not {cores!r}")
    dma = target.dma or Dma()
    return Machine(
        isa="rv32imc" if isa == "plain" else isa,
        cores=int(cores),
        l1_bytes=target.l1,
        l2_bytes=target.l2,
        l3_bytes=target.l3,
        l2_wait=target.l2_wait,
        dma_setup=dma.setup,
        dma_bytes=dma.bytes,
        l3_setup=dma.l3_setup,
        l3_bytes_per_cycle=dma.l3_bytes,
    )


def inferences(run: CoreRun) -> list[Inference]:
    """What every inference of a run took, in order."""
    ends = iter([mark for mark in run.marks if mark.id == END])
    return [
        Inference(end.cycle - begin.cycle, end.instret - begin.instret)
        for begin, end in zip((m for m in run.marks if m.id == BEGIN), ends, strict=True)
    ]


def layer_times(run: CoreRun, layers: int) -> list[Inference]:
    """What every layer took in the last inference of a run with ``profile``.

    Parameters
    ----------
    layers
        Of the model: it passes profile point 0 when it starts, and i after its layer i.
    """
    points = [mark for mark in run.marks if mark.core == 0 and mark.id <= layers][-layers - 1 :]
    if [point.id for point in points] != list(range(layers + 1)):
        raise RunFailed(f"the program must pass profile points 0 to {layers} in order")
    return [
        Inference(after.cycle - before.cycle, after.instret - before.instret)
        for before, after in itertools.pairwise(points)
    ]


Job = tuple[CBuild, np.ndarray]


def _samples(jobs: Sequence[Job]) -> bytes:
    """The samples of all models, each with the size of the largest."""
    width, _ = sample_bytes([build for build, _ in jobs])
    parts = []
    for build, x in jobs:
        rows = np.zeros((len(x), width), dtype=np.uint8)
        values = np.frombuffer(to_bytes(build.input, x), dtype=np.uint8)
        rows[:, : _bytes(build.input)] = values.reshape(len(x), _bytes(build.input))
        parts.append(rows.tobytes())
    return b"".join(parts)


def _run(
    jobs: Sequence[Job],
    samples: bytes,
    program: Path,
    machine: Machine,
    engine: str,
    progress: Progress | None,
    limit: int,
) -> CoreRun:
    """Run a program of models over their samples."""
    if engine == "cv32e41p" and is_compressed(program.read_bytes()):
        raise Unsupported(
            "cv32e41p runs no compressed code, since its c.jal is broken; the compiler of the "
            "target must be told so, as by -march=rv32im"
        )
    count = sum(len(x) for _, x in jobs)
    sizes = sample_bytes([build for build, _ in jobs])
    run = run_program(program, machine, engine, samples, count, *sizes, progress, limit)
    if run.exit_code == STACK_OVERFLOW:
        raise RunFailed("a core's stack overflowed; give the target more with memory.stack")
    if run.exit_code:
        raise RunFailed(f"a model returned {run.exit_code} instead of 0")
    return run


def _outputs(jobs: Sequence[Job], run: CoreRun) -> list[np.ndarray]:
    _, width = sample_bytes([build for build, _ in jobs])
    rows = np.frombuffer(run.outputs, dtype=np.uint8).reshape(-1, width)
    results = []
    for build, x in jobs:
        mine, rows = rows[: len(x), : _bytes(build.output)], rows[len(x) :]
        results.append(from_bytes(build.output, mine.tobytes(), len(x)))
    return results


def _bytes(port: Port) -> int:
    return port.size * port.ctype.bytes
