"""Bytes of the emitted C for a 32-bit RISC-V microcontroller."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from . import networks
from .report import Table

__all__ = ["run"]

NOTES = (
    "rv32imc, clang -Os. *Weights* are what the network's weights take at their own width; "
    "constants hold biases and unpacking tables as well. The arena is all of the RAM. The other "
    "generators emit no C for microcontrollers.",
)


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    from hwgen.mcu.cross import measure
    from hwgen.mcu.emit import emit

    columns = ("network", "code bytes", "constant bytes", "weight bytes", "arena bytes")
    table = Table("C for a microcontroller", columns, NOTES)
    for network in networks.NETWORKS:
        if importlib.util.find_spec("ziglang") is None:
            table.add(network, "left out: pip install ziglang")
            continue
        progress(f"C, {network}")
        graph = networks.load(network).graph
        weights = sum(
            node.op.weights.storage_bits for node in graph.nodes if node.op.name == "dense"
        )
        with tempfile.TemporaryDirectory(prefix="hwgen-bench-") as folder:
            build = emit(graph, Path(folder), target="rv32imc")
            sizes = measure(build)
        table.add(network, sizes.text, sizes.rodata, weights // 8, build.arena_bytes)
    yield table
