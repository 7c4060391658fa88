"""Bytes of the emitted C for 32-bit RISC-V microcontrollers, compiled for size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hwgen.errors import HwgenError
from hwgen.mcu.emit import emit
from hwgen.mcu.toolchain.program import code_bytes

from . import networks
from .naive import naive_build
from .report import Table

__all__ = ["run"]

NOTES = (
    "Compiled with -Os. *Weights* are what the network's weights take at their own width; constants hold "
    "biases and factors as well, and naive C a byte a weight. The arena is all of the RAM beside "
    "input and output, and L1 where the target has it. The other generators emit no C for "
    "microcontrollers.",
)
TARGETS = {
    "rv32imc": "hwgen, plain C",
    "cv32e40p": "hwgen, CORE-V",
    "gap8": "hwgen, XpulpV2 and tiles",
}
NAIVE = "naive C"


def run(progress: Callable[[str], None]) -> Iterator[Table]:
    columns = ("network", "code", "code bytes", "constant bytes", "weight bytes", "arena bytes")
    for network in networks.NETWORKS:
        case = networks.load(network)
        title = f"C for a microcontroller: {case.about}"
        table = Table(title, (*columns, "L1 bytes"), NOTES, "Code and constants", lower=True)
        dense = [node.op for node in case.graph.nodes if node.op.name == "dense"]
        weights = sum(op.weights.storage_bits for op in dense) // 8
        for target, code in TARGETS.items():
            progress(f"C, {network}, {target}")
            with tempfile.TemporaryDirectory(prefix="hwgen-bench-") as folder:
                try:
                    c = emit(case.graph, Path(folder), target)
                    builds = {code: c}
                    if target == "rv32imc":
                        builds = {
                            NAIVE: naive_build(case.graph, c, Path(folder) / "naive"),
                            **builds,
                        }
                    for name, build in builds.items():
                        size = sum(code_bytes(build, "iss", ("-Os",)).values())
                        row = (network, name, size, build.constant_bytes, weights)
                        table.add(*row, build.arena_bytes, build.l1_bytes)
                        if target == "rv32imc":
                            total = size + build.constant_bytes
                            table.scores["hwgen" if name == code else name] = total
                except HwgenError as error:
                    table.add(network, code, f"left out: {str(error).splitlines()[0][:200]}")
        yield table
