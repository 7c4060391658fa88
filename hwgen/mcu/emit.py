"""A graph to a folder of C: the model, its golden vectors, a batch runner and a Makefile."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np

from ..errors import Unsupported
from ..ir.graph import Graph, identifier
from .build import CBuild, Layer, Port
from .describe import describe_port, describe_stage
from .function import Function
from .names import KEYWORDS, Names
from .plan import Plan, plan
from .stages import Program, Stage, group
from .target import find_target
from .templates import TEMPLATES, read_kernel

__all__ = ["FOLDER", "emit"]

FOLDER = "c"
RUNTIME = "hwgen_runtime.h"
_HEADERS = frozenset({"hwgen_runtime", "stddef", "stdint", "stdio", "string"})


def emit(graph: Graph, folder: str | Path, target: str = "host", samples=None) -> CBuild:
    """Write ``folder/c/``: C11 that computes ``graph`` bit for bit.

    ``<model>.h`` and ``<model>.c`` with ``hwgen_runtime.h`` are the model; ``<model>_test.c``
    checks golden vectors, ``<model>_batch.c`` runs a file of samples, ``Makefile`` builds both,
    ``build.json`` describes all of it. Equal input gives equal bytes.

    Parameters
    ----------
    folder
        The build folder; made if it does not exist.
    target
        Name of a target, see :mod:`hwgen.mcu.target`.
    samples
        Integers of shape (n, *input shape) for the golden vectors; a few drawn from the input's
        interval, its extremes among them, if None.

    Raises
    ------
    Unsupported
        The target is not known, or the graph holds an op or a weight code without C.
    InvalidInput
        The samples are not legal inputs.
    """
    machine = find_target(target)
    model = identifier(graph.name) or "model"
    if model in _HEADERS or model in KEYWORDS:
        raise Unsupported(f"a model in C must not be called {model!r}; rename the graph")
    program = group(graph, machine)
    arena = plan(program.buffers())
    functions = _functions(model, program)
    constant_bytes = sum(constant.bytes for f in functions for constant in f.constants)
    x = _vectors(graph) if samples is None else graph.check_input(samples)
    y = graph.run(x)
    context = {
        "model": model,
        "prefix": model.upper(),
        "entry": f"{model}_run",
        "version": metadata.version("hwgen"),
        "graph_hash": graph.hash,
        "input": describe_port("input", model, program.input),
        "output": describe_port("output", model, program.output),
        "arena_bytes": arena.size,
        "arena_bound": arena.lower_bound,
        "arena_align": max(arena.align, 4),
        "constant_bytes": constant_bytes,
        **_body(functions, program, arena),
        "samples": len(x),
        "inputs": x.reshape(len(x), -1),
        "outputs": y.reshape(len(y), -1),
    }
    where = Path(folder) / FOLDER
    where.mkdir(parents=True, exist_ok=True)
    for name, template in {
        f"{model}.h": "model.h.j2",
        f"{model}.c": "model.c.j2",
        f"{model}_test.c": "model_test.c.j2",
        f"{model}_batch.c": "model_batch.c.j2",
        "Makefile": "model.mk.j2",
    }.items():
        text = TEMPLATES.get_template(template).render(context)
        (where / name).write_text(text, encoding="utf-8", newline="\n")
    (where / RUNTIME).write_text(read_kernel(f"runtime/{RUNTIME}"), encoding="utf-8", newline="\n")
    build = CBuild(
        folder=where,
        model=model,
        target=machine.name,
        graph_hash=graph.hash,
        sources=(f"{model}.c",),
        input=_port(program.input),
        output=_port(program.output),
        arena_bytes=arena.size,
        arena_bound=arena.lower_bound,
        arena_align=max(arena.align, 4),
        constant_bytes=constant_bytes,
        layers=tuple(_layer(f, arena) for f in functions),
    )
    build.save()
    return build


def _functions(model: str, program: Program) -> list[Function]:
    """Every stage rendered, with names that are unique in the file."""
    names = Names(f"{model}_{taken}" for taken in ("run", "in_t", "out_t"))
    functions = []
    for stage in program.stages:
        function = Function(names.take(f"{model}_{stage.name}"), stage, program.target, names)
        function.render()
        functions.append(function)
    return functions


def _body(functions: list[Function], program: Program, arena: Plan) -> dict[str, object]:
    """What ``model.c.j2`` lays out: the functions, the buffers and the calls."""
    names = Names(("in", "out", "arena", *(f.name for f in functions)))
    symbols = {program.input.name: "in"}
    buffers = []
    for function in functions[:-1]:
        value = function.stage.output
        symbols[value.name] = names.take(value.name)
        buffers.append(
            {
                "ctype": value.ctype,
                "symbol": symbols[value.name],
                "offset": arena.offsets[value.name],
            }
        )
    symbols[functions[-1].stage.output.name] = "out"
    return {
        "buffers": buffers,
        "functions": [
            {
                "name": function.name,
                "constants": function.constants,
                "comment": describe_stage(function.stage, function.notes),
                "parameters": _parameters(function.stage),
                "arguments": ", ".join(
                    symbols[name] for name in (*function.stage.sources, function.stage.output.name)
                ),
                "body": function.body,
            }
            for function in functions
        ],
    }


def _parameters(stage: Stage) -> str:
    names = ("x",) if len(stage.inputs) == 1 else ("a", "b", "c", "d")
    inputs = [
        f"const {value.ctype} *{name}" for name, value in zip(names, stage.inputs, strict=False)
    ]
    return ", ".join([*inputs, f"{stage.output.ctype} *y"])


def _port(value) -> Port:
    return Port(value.type.shape, value.ctype, value.type.lo, value.type.hi)


def _layer(function: Function, arena: Plan) -> Layer:
    output = function.stage.output
    return Layer(
        function.name,
        tuple(node.name for node in function.stage.nodes),
        arena.offsets.get(output.name),
        output.bytes,
        sum(constant.bytes for constant in function.constants),
    )


def _vectors(graph: Graph) -> np.ndarray:
    """A few samples: the interval's ends, and drawn ones; fewer of large inputs."""
    kind = graph.input_type
    count = max(3, min(8, 4096 // kind.size))
    draw = np.random.default_rng(0).integers(
        kind.lo, kind.hi, (count, *kind.shape), dtype=np.int64, endpoint=True
    )
    draw[0], draw[1] = kind.lo, kind.hi
    return draw
