"""CPU seconds from the integer network in memory to Verilog files."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from . import networks
from .generators import FORMS, NAMES, version
from .measure import REPEATS, ChildFailed, cpu_seconds, run_child
from .report import Table, number

__all__ = ["job", "run"]

NOTES = (
    f"CPU seconds, user and system, child processes included (hwgen's Yosys); median of {REPEATS} "
    "processes. *Start* is Python's own start and all imports; *network to Verilog* begins with "
    "the integers in memory and ends with all files written: for hwgen passes, schedules and "
    "emission; for the others tracing, optimization, pipelining and emission.",
)


def job(generator, case: networks.Case, folder: Path, form: str) -> dict:
    start = cpu_seconds()
    emitted = generator.emit(case.graph, form, folder / "out")
    seconds = cpu_seconds() - start
    got = generator.interpreter(case.graph)(generator.prepare(case.x))
    return {
        "seconds": seconds,
        "differ": int(np.sum(np.asarray(got).reshape(case.expected.shape) != case.expected)),
        "bytes": sum(path.stat().st_size for path in emitted.sources),
        "form": emitted.form,
    }


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    for network in networks.NETWORKS:
        case = networks.load(network)
        columns = ("generator", "start", "network to Verilog", "kB of Verilog", "outputs", "form")
        table = Table(
            f"Model to Verilog: {case.about}", columns, NOTES, "Network to Verilog", lower=True
        )
        for name in NAMES:
            if version(name) is None:
                table.add(name, "not installed")
                continue
            try:
                results = []
                for k in range(REPEATS):
                    progress(f"model to Verilog, {network}, {name}, {k + 1} of {REPEATS}")
                    results.append(
                        run_child("model_to_verilog", name, network, form=FORMS[name][0])
                    )
            except ChildFailed as error:
                table.add(name, f"failed: {error}")
                continue
            start, seconds = (
                statistics.median(result[key] for result in results) for key in ("start", "seconds")
            )
            table.add(
                name,
                number(start),
                number(seconds),
                number(results[0]["bytes"] / 1000),
                table.check(name, results[0]["differ"], case.expected.size),
                results[0]["form"],
            )
            table.scores[name] = seconds
        yield table
