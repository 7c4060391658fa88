"""alkaid (https://github.com/calad0i/alkaid, LGPL-3), with the defaults of its command line.

Only its fusion of adders into three-input ones is off: they suit the synthesis of its own target,
and come out a quarter larger in Yosys.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from alkaid.codegen import RTLModel
from alkaid.trace import FVArray, HWConfig, trace
from alkaid.trace.ops import quantize

from hwgen.ir.graph import Graph

from . import Emitted, Run
from .tracing import ADDITIONS, apply, fixed_point, prepare

__all__ = ["emit", "interpreter", "prepare"]

CUTOFF = 5  # delay units a pipeline stage


def traced(graph: Graph):
    kind = graph.input_type
    sign, whole, fraction = (np.full(kind.shape, n) for n in fixed_point(kind.element))
    x = FVArray.from_kif(sign, whole, fraction, HWConfig(1, 1, -1), solver_options={"hard_dc": 5})
    return trace(x, apply(graph, x, quantize))


def emit(graph: Graph, form: str, folder: Path) -> Emitted:
    logic = traced(graph)
    cutoff = CUTOFF if form == "pipelined" else -1
    model = RTLModel(logic, folder, graph.name, latency_cutoff=cutoff, ternary_fuse=False)
    model.write()

    def simulate() -> Run:
        model.compile(o3=True, openmp=False)
        return lambda x: model.predict(x, n_threads=1)

    source = folder / "src"
    own = [p for p in sorted(source.glob("*.v")) if not p.stem.endswith("_wrapper")]
    return Emitted(
        top=graph.name,
        sources=(*own, *sorted((source / "static").glob("*.v"))),
        form=f"pipelined, cutoff {CUTOFF}, no stalls" if cutoff > 0 else form,
        latency=1 + int(model.latency) if cutoff > 0 else None,  # it leaves out the input register
        adders=lambda: sum(op.opcode in ADDITIONS for op in logic.ops),
        simulate=simulate,
    )


def interpreter(graph: Graph) -> Run:
    logic = traced(graph)
    return lambda x: logic.predict(x, n_threads=1)
