"""Is every form of a model equal to its golden model, and if not, where do they part?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .errors import HwgenError, Mismatch
from .ir.graph import Graph
from .ir.schedule import Schedule
from .passes.remove_dead import remove_dead

__all__ = ["Check", "compare", "golden_inputs", "prefix"]

Runner = Callable[[Graph, np.ndarray], np.ndarray]
"""Runs samples through one form of a (part of a) graph."""


@dataclass(frozen=True, slots=True)
class Check:
    """A comparison that was made: which form, on how many samples, with how many differences."""

    form: str
    samples: int
    differ: int = 0


def golden_inputs(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    """Inputs that reach into corners: both bounds, zero where allowed, then random ones.

    Returns
    -------
    int64 array of shape (count, *input shape); the same for the same graph type, count and seed.
    """
    t = graph.input_type
    rng = np.random.default_rng(seed)
    x = rng.integers(t.lo, t.hi + 1, (count, *t.shape))
    for k, value in enumerate((t.lo, t.hi, min(max(0, t.lo), t.hi))[:count]):
        x[k] = value
    if count > 3:  # both bounds side by side drive accumulators to their own
        x[3] = np.where(rng.random(t.shape) < 0.5, t.lo, t.hi)
    return x


def prefix(graph: Graph, name: str) -> Graph:
    """The graph up to the value ``name``."""
    return remove_dead(replace(graph, output=name))


def compare(graph: Graph, form: str, x: np.ndarray, expected, got, rerun: Runner) -> Check:
    """Raise Mismatch, saying where results part first, unless they are equal.

    Parameters
    ----------
    form
        What produced ``got``: for the message.
    expected, got
        Integers of shape (batch, ...).
    rerun
        Runs a part of the graph in the same form: to find the first layer that differs.
    """
    got = np.asarray(got).reshape(expected.shape)
    wrong = np.argwhere(expected != got)
    if not len(wrong):
        return Check(form, len(x))
    sample, *index = (int(i) for i in wrong[0])
    first = (sample, *index)
    message = (
        f"{form}: {len(np.unique(wrong[:, 0]))} of {len(x)} outputs differ; first at sample "
        f"{sample}, index {tuple(index)}: expected {expected[first]}, got {got[first]}"
    )
    try:
        message += f"; {_first_layer(graph, x[sample : sample + 1], rerun)}"
    except HwgenError as error:
        message += f"; the layer could not be found: {error}"
    raise Mismatch(message)


def _first_layer(graph: Graph, x: np.ndarray, rerun: Runner) -> str:
    """The first node whose value differs, by bisection over the nodes in order."""
    golden = graph.run_all(x)
    names = [n.name for n in graph.nodes if n.op.name not in ("input", "flatten")]
    low, high = 0, len(names) - 1
    while low < high:
        middle = (low + high) // 2
        want = golden[names[middle]]
        got = rerun(prefix(graph, names[middle]), x).reshape(want.shape)
        if np.array_equal(want, got):
            low = middle + 1
        else:
            high = middle
    return f"the first layer that differs is {graph[names[low]].where}"


def verilog_runner(schedules: Mapping[str, Schedule], scratch: Path, engine) -> Runner:
    """Emits and simulates a part of a graph."""
    from .rtl.emit import emit

    def run(part: Graph, x: np.ndarray) -> np.ndarray:
        design = emit(part, schedules, scratch / f"{part.output}_verilog")
        return engine(part).run(design, x).outputs

    return run


def c_runner(scratch: Path, target="host") -> Runner:
    """Emits, compiles and runs the C of a part of a graph, for a target, on this machine."""
    from .mcu.emit import emit
    from .mcu.toolchain.host import run_on_host

    def run(part: Graph, x: np.ndarray) -> np.ndarray:
        return run_on_host(emit(part, scratch / f"{part.output}_c", target), x)

    return run
