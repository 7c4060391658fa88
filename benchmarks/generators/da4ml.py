"""da4ml (https://github.com/calad0i/da4ml, LGPL-3), with the defaults of its command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from da4ml.codegen import VerilogModel
from da4ml.trace import FixedVariableArray, HWConfig, comb_trace
from da4ml.trace.ops import quantize

from hwgen.ir.graph import Graph

from . import Emitted, Run
from .tracing import ADDITIONS, apply, fixed_point, prepare

__all__ = ["emit", "interpreter", "prepare"]

CUTOFF = 5  # delay units a pipeline stage


def trace(graph: Graph):
    kind = graph.input_type
    sign, whole, fraction = (np.full(kind.shape, n) for n in fixed_point(kind.element))
    x = FixedVariableArray.from_kif(
        sign, whole, fraction, HWConfig(1, -1, -1), solver_options={"hard_dc": 2}
    )
    return comb_trace(x, apply(graph, x, quantize))


def emit(graph: Graph, form: str, folder: Path) -> Emitted:
    logic = trace(graph)
    cutoff = CUTOFF if form == "pipelined" else -1
    model = VerilogModel(logic, graph.name, folder, latency_cutoff=cutoff)
    model.write()

    def simulate() -> Run:
        model.compile(o3=True, openmp=False)
        return lambda x: model.predict(x, n_threads=-1)

    source = folder / "src"
    own = [p for p in sorted(source.glob("*.v")) if not p.stem.endswith("_wrapper")]
    return Emitted(
        top=graph.name,
        sources=(*own, *sorted((source / "static").glob("*.v"))),
        form=f"pipelined, cutoff {CUTOFF}, no stalls" if cutoff > 0 else form,
        latency=1 + sum("_stage" in p.stem for p in own) if cutoff > 0 else None,
        adders=lambda: sum(op.opcode in ADDITIONS for op in logic.ops),
        simulate=simulate,
    )


def interpreter(graph: Graph) -> Run:
    logic = trace(graph)
    return lambda x: logic.predict(x, n_threads=1)
