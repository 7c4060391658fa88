"""Graphs run as C on this machine, where a compiler is: faster than their interpreter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import Mismatch, MissingTool
from ..ir.graph import Graph
from ..mcu.emit import emit
from ..mcu.toolchain.compiler import find_host_compiler
from ..mcu.toolchain.host import compile_batch, run_batch

__all__ = ["Prepare", "interpreted", "runner"]

Prepare = Callable[[Graph], Callable[[np.ndarray], np.ndarray]]
CHECKED = 4  # samples of every part that are compared with the interpreter


def interpreted(graph: Graph) -> Callable[[np.ndarray], np.ndarray]:
    """Run a graph in its interpreter."""
    return graph.run


@contextmanager
def runner() -> Iterator[tuple[Prepare, str]]:
    """What makes a function of a graph, and how it runs: "C", or why not."""
    try:
        find_host_compiler()
    except MissingTool as error:
        yield interpreted, str(error)
        return
    with tempfile.TemporaryDirectory(prefix="hwgen-study-") as name:
        yield (lambda graph: _compiled(graph, Path(tempfile.mkdtemp(dir=name)))), "C"


def _compiled(graph: Graph, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    build = emit(graph, folder / "c")
    program = compile_batch(build, folder)

    def run(x: np.ndarray) -> np.ndarray:
        y = run_batch(build, program, x)
        if not np.array_equal(y[:CHECKED], graph.run(x[:CHECKED])):
            raise Mismatch(f"graph {graph.name!r}: C and the interpreter differ")
        return y

    return run
