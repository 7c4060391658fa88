"""Inferences a CPU second of the integer interpreters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from . import networks
from .generators import NAMES, version
from .measure import ChildFailed, median_rate, run_child
from .report import Table, number

__all__ = ["job", "run"]

BATCH = 20_000
NOTES = (
    f"Inferences a CPU second on one thread, in batches of {BATCH} that repeat the samples; median "
    "of three. Every interpreter gets its samples in the element type that it takes without "
    "conversion.",
)


def job(generator, case: networks.Case, folder: Path) -> dict:
    interpret = generator.interpreter(case.graph)
    got = np.asarray(interpret(generator.prepare(case.x))).reshape(case.expected.shape)
    batch = generator.prepare(np.resize(case.x, (BATCH, *case.x.shape[1:])))
    return {
        "differ": int(np.sum(got != case.expected)),
        "rate": median_rate(lambda: interpret(batch), BATCH),
    }


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    for network in networks.NETWORKS:
        case = networks.load(network)
        table = Table(
            f"Integer interpreter: {case.about}",
            ("generator", "inferences/CPU s", "outputs"),
            NOTES,
            "Inferences",
        )
        for name in NAMES:
            if version(name) is None:
                table.add(name, "not installed")
                continue
            progress(f"interpreter, {network}, {name}")
            try:
                result = run_child("interpreter", name, network)
            except ChildFailed as error:
                table.add(name, f"failed: {error}")
                continue
            differ = table.check(name, result["differ"], case.expected.size)
            table.add(name, number(result["rate"]), differ)
            table.scores[name] = result["rate"]
        yield table
