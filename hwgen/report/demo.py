"""The whole story on a bundled model."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import sim, zoo
from ..build import Build
from ..compiler import compile
from ..errors import MissingTool
from ..ir.classes import classes
from ..undisturbed import undisturbed
from ..verification import compare
from .activity import activity_table
from .progress import Console
from .table import layer_table, print_table, summary

__all__ = ["run_demo"]

# Slow engines show a part of the test split; the compiled harness takes all of it.
SIMULATED_CYCLES = {"icarus": 400, "amaranth": 64}
MIN_SAMPLES = 4


def run_demo(name: str, out: Path) -> None:
    """Compile a model of the zoo, run its test split in every form, and print the closing table."""
    with undisturbed():
        from ..frontend.evaluate import evaluate

    begin = time.monotonic()
    reporter = Console()
    print(f"hwgen demo: {name}, from its PyTorch checkpoint to Verilog and C")
    real, labels = zoo.test_data(name)
    build = compile(name, out, reporter=reporter)
    graph = build.graph
    layer_table(graph, build.schedules, f"{graph.name}, graph {graph.hash[:16]}")
    print("\n".join(summary(build)))

    x = graph.quantize(real)
    golden = graph.run(x)
    rows: list[list[object]] = []

    def add(form: str, run: Callable[[np.ndarray], np.ndarray], count: int) -> None:
        """Run the first ``count`` samples in one form; a row of the closing table."""
        start = time.monotonic()
        with reporter.step(f"{form}: {count} samples"):
            got = run(x[:count])
        compare(graph, form, x[:count], golden[:count], got, _refuse)
        correct = (classes(got.reshape(count, -1)) == labels[:count]).mean()
        accuracy = f"{100 * correct:.2f} %" if count == len(x) else "(a part)"
        seconds = f"{time.monotonic() - start:.1f} s"
        rows.append([form, f"{count} of {len(x)}", f"0 of {count}", accuracy, seconds])

    path = zoo.checkpoint(name)
    add("PyTorch eval", lambda part: evaluate(path, graph, part), len(x))
    add("IR interpreter", graph.run, len(x))
    missing = []
    for engine, label in (
        ("amaranth", "Amaranth simulator"),
        ("icarus", "Verilog in Icarus (cocotb)"),
        ("verilator", "Verilog in Verilator"),
    ):
        lack = build.engine(engine).missing()
        if lack:
            missing.append(f"{label}: {lack}")
            rows.append([label, "-", "not installed", "-", "-"])
            continue
        add(label, lambda part, e=engine: build.simulate(part, e), _count(build, engine, len(x)))
    try:
        add("C on this machine (ASan, UBSan)", lambda part: build.run(part, sanitize=True), len(x))
    except MissingTool as error:
        missing.append(str(error))
        rows.append(["C on this machine", "-", "not installed", "-", "-"])

    print_table(
        f"{name}: every form against the golden model",
        ("form", "samples", "outputs differ", "accuracy", "time"),
        rows,
    )
    activity_table(graph, build.schedules, x, f"the {len(x)} samples")
    for text in missing:
        print(f"left out: {text}")
    print(f"0 outputs differ; {time.monotonic() - begin:.0f} s. The build is in {build.folder}.")


def _count(build: Build, engine: str, available: int) -> int:
    if engine not in SIMULATED_CYCLES:
        return available
    if engine == "amaranth" and build.engine("verilator").missing():
        return available if build.design.interval < 16 else MIN_SAMPLES
    return min(available, max(MIN_SAMPLES, SIMULATED_CYCLES[engine] // build.design.interval))


def _refuse(part, x):
    raise sim.SimulationFailed("compile the model again to see in which layer")
