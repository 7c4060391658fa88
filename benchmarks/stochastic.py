"""Stochastic networks in software: neuron-cycles a second of the interpreter and of emitted C."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from hwgen.errors import HwgenError
from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.toolchain.host import compile_batch, run_batch
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib import lfsr
from hwgen.ops.saturating_counter import SaturatingCounter
from hwgen.ops.stochastic_dense import StochasticDense
from hwgen.ops.stream_argmax import StreamArgmax
from hwgen.ops.to_stream import ToStream
from hwgen.sim.riscv.models import inferences, run_on_core

from .measure import cpu_seconds, median_rate
from .report import Table, number

__all__ = ["CASES", "Case", "job", "network", "run"]

CORE = "cv32e40p"
GOAL = 20  # times the interpreter's rate
BITS, WIDTH = 8, 13  # of weights and pixels, of registers
CODINGS = ("bipolar", "sign_magnitude")
NOTES = (
    "Random weights of 8 bits (seed 0), bits from registers of 13 bits. A *neuron-cycle* is one step "
    "of one neuron, hidden or of the last layer: inputs x components products. A CPU second of one "
    "thread; median of three. The interpreter computes batches, for which it draws the streams of "
    "weights once; C computes samples one by one, compiled as `hwgen run` does (`-O2`), its start and "
    "the passing of samples left out. "
    f"*Cycles* and *bytes* on one core of a simulated {CORE}: for a neuron-cycle, and of constants and "
    "of memory for values.",
)


@dataclass(frozen=True)
class Case:
    """A network: its layers, components of a stream, steps; and samples of a batch."""

    sizes: tuple[int, ...]
    components: int
    steps: int
    batch: int
    on_core: bool

    @property
    def neuron_cycles(self) -> int:
        """Of a sample."""
        return sum(self.sizes[1:]) * self.steps


CASES = {
    "64-32-10, m=1": Case((64, 32, 10), 1, 256, 2048, True),
    "64-32-10, m=4": Case((64, 32, 10), 4, 256, 2048, True),
    "784-100-200-10, m=1": Case((784, 100, 200, 10), 1, 1024, 48, False),
    "784-100-200-10, m=4": Case((784, 100, 200, 10), 4, 256, 96, False),
}


def network(sizes, components: int, steps: int, coding: str, seed: int = 0) -> Graph:
    """A classifier of streams with random weights and counters."""
    rng = np.random.default_rng(seed)
    taps, leap = lfsr.TAPS[WIDTH], lfsr.default_leap(WIDTH)
    count = sizes[0] + components * sum(n + 1 for n in sizes[:-1])
    left = lfsr.golden_seeds(count, WIDTH, taps)

    def sources(operands: int, each: int) -> Constant:
        nonlocal left
        taken, left = np.split(left, [operands * each])
        return Constant(taken.reshape(operands, each))

    builder = GraphBuilder("stochastic")
    value = builder.input(Type.of((sizes[0],), 0, (1 << BITS) - 1))
    entry = sources(sizes[0], 1)
    value = builder.add(ToStream(steps, 1, BITS, False, WIDTH, taps, leap, entry), value)
    most = (1 << (BITS - 1)) - 1
    for inputs, outputs in itertools.pairwise(sizes):
        weights = np.clip(np.rint(rng.normal(0, most / 5, (outputs, inputs))), -most, most)
        bias = Constant(np.rint(rng.normal(0, most / 5, outputs)))
        drawn = (WIDTH, taps, leap, sources(inputs + 1, components))
        code = Uniform(Constant(weights), BITS)
        op = StochasticDense(code, bias, BITS, components, coding, *drawn)
        value = builder.add(op, value)
        if outputs != sizes[-1]:
            states = 2 * rng.integers(4, 30, outputs)
            value = builder.add(SaturatingCounter(Constant(states), Constant(states // 2)), value)
    return builder.build(builder.add(StreamArgmax(), value))


def samples(case: Case, count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 1 << BITS, (count, case.sizes[0]))


def job(name: str, coding: str) -> dict:
    """Samples a CPU second of both, and how many of C's outputs differ."""
    case = CASES[name]
    graph = network(case.sizes, case.components, case.steps, coding)
    x = samples(case, case.batch)
    expected = graph.run(x)
    many = np.resize(x, (8 * case.batch, case.sizes[0]))
    with tempfile.TemporaryDirectory(prefix="hwgen-bench-") as folder:
        build = emit(graph, Path(folder))
        program = compile_batch(build, Path(folder))
        rates = []
        for _ in range(3):
            start = cpu_seconds()
            run_batch(build, program, x[:0])
            idle, start = cpu_seconds() - start, cpu_seconds()
            got = run_batch(build, program, many)
            rates.append(len(many) / (cpu_seconds() - start - idle))
    return {
        "differ": int(np.sum(got != np.resize(expected, (len(many), 1)))),
        "outputs": len(many),
        "numpy": median_rate(lambda: graph.run(x), case.batch),
        "c": sorted(rates)[1],
    }


def on_core(case: Case, coding: str, folder: Path) -> tuple[float, int, int, int]:
    """Cycles of a neuron-cycle, bytes of constants and of values, and outputs that differ."""
    graph = network(case.sizes, case.components, case.steps, coding)
    build, x = emit(graph, folder, CORE), samples(case, 1)
    got, run = run_on_core(build, x, CORE, 1)
    differ = int(np.sum(got != graph.run(x)))
    cycles = inferences(run)[-1].cycles / case.neuron_cycles
    return cycles, build.constant_bytes, build.arena_bytes, differ


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    table = Table(
        "Stochastic networks",
        (
            "network",
            "coding",
            "interpreter, neuron-cycles/s",
            "C, neuron-cycles/s",
            "ratio",
            "samples/s",
            "outputs",
            f"{CORE}, cycles",
            "bytes: constants, values",
        ),
        NOTES,
    )
    for name, case in CASES.items():
        for coding in CODINGS:
            progress(f"stochastic, {name}, {coding}")
            try:
                result = _alone(job, name, coding)
            except HwgenError as error:
                table.add(name, coding, "failed")
                table.wrong.append(f"{name}, {coding}: {str(error).splitlines()[0][:200]}")
                yield table
                continue
            rates = [result[key] * case.neuron_cycles for key in ("numpy", "c")]
            ratio = rates[1] / rates[0]
            cells = [
                *(f"{rate / 1e6:.1f} M" for rate in rates),
                f"{ratio:.1f}",
                number(result["c"]),
                table.check(f"{name}, {coding}", result["differ"], result["outputs"]),
            ]
            if case.on_core:
                cells += _cells_of_core(table, name, coding)
            table.add(name, coding, *cells)
            table.goal(f"{name}, {coding}: C over the interpreter", ratio, GOAL)
            yield table


def _alone(work: Callable[..., dict], *arguments: str) -> dict:
    """What ``work`` returns in a new process, whose numpy has one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with (
        mock.patch.dict(os.environ, threads),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        return pool.submit(work, *arguments).result()


def _cells_of_core(table: Table, name: str, coding: str) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="hwgen-bench-") as folder:
        try:
            cycles, constants, values, differ = on_core(CASES[name], coding, Path(folder))
        except HwgenError as error:
            table.wrong.append(f"{name}, {coding}: {str(error).splitlines()[0][:200]}")
            return ["failed"]
    if differ:
        table.wrong.append(f"{name}, {coding}: {differ} outputs differ on {CORE}")
    return [f"{cycles:.1f}", f"{constants}, {values}"]
