"""hwgen: every layer in logic, one input a clock."""

from __future__ import annotations

from pathlib import Path

import jinja2  # noqa: F401  imported late by hwgen; here it counts as start-up, as for the others
import numpy as np

from hwgen.ir.graph import Graph
from hwgen.ir.schedule import PIPELINE
from hwgen.passes.pipeline import run_passes
from hwgen.passes.schedule import schedule
from hwgen.rtl.emit import emit as emit_verilog
from hwgen.rtl.lib.component import generator
from hwgen.sim.verilated import VerilatedSimulator

from . import Emitted, Run


def prepare(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int64)


def emit(graph: Graph, form: str, folder: Path) -> Emitted:
    graph = run_passes(graph)
    picks = schedule(graph, cycles=1)
    design = emit_verilog(graph, picks, folder)

    def simulate() -> Run:
        engine = VerilatedSimulator(optimize=3)

        def run(x: np.ndarray) -> np.ndarray:
            return engine.run(design, x).outputs

        run(np.full((1, *graph.input_type.shape), graph.input_type.lo))
        return run

    return Emitted(
        top=design.top,
        sources=design.paths,
        form=f"pipelined, {PIPELINE} adders a stage, AXI4-Stream with stalls",
        latency=design.latency,
        adders=lambda: sum(
            _adders(graph, node, picks) for node in graph.nodes if node.op.name == "dense"
        ),
        simulate=simulate,
    )


def _adders(graph: Graph, node, picks) -> int:
    types = graph.operands(node)
    layer = generator(node.op)(node.op, types, node.type, picks[node.name], node.name)
    return len(layer.graph.adders)


def interpreter(graph: Graph) -> Run:
    return graph.run
