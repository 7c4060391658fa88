"""A graph to a folder of C: the model, its golden vectors, a batch runner and a Makefile."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np

from ..errors import InvalidInput, Unsupported
from ..ir.graph import Graph, identifier
from .build import CBuild, Layer, Port
from .describe import describe_port
from .function import Function
from .masks import mask_tests
from .names import KEYWORDS, Names
from .package import headers, ports, write_runtime, write_text
from .planning.memory import Memories, assign
from .planning.tiles import ALIGN
from .stages import Program, group
from .state import state_bytes, state_members
from .target import Target, find_target, save_target
from .templates import TEMPLATES, wrap_code
from .tiled import TiledLayer

__all__ = ["FOLDER", "emit"]

FOLDER = "c"
_SIZES = ("arena_bytes", "arena_bound", "arena_align", "l1_bytes", "l3_bytes", "constant_bytes")
_HEADERS = frozenset(
    {
        "hwgen_bits",
        "hwgen_dot",
        "hwgen_gather",
        "hwgen_lfsr",
        "hwgen_masks",
        "hwgen_pick",
        "hwgen_port",
        "hwgen_rebuild",
        "hwgen_recurrent",
        "hwgen_runtime",
        "hwgen_simd",
        "hwgen_tile",
    }
    | {"stddef", "stdint", "stdio", "string"}
)


def emit(
    graph: Graph,
    folder: str | Path,
    target: str | Target = "host",
    samples=None,
    *,
    is_tested: bool = True,
) -> CBuild:
    """Write ``folder/c/``: C11 that computes ``graph`` bit for bit.

    ``<model>.h`` and ``<model>.c`` with ``hwgen_runtime.h`` are the model; ``<model>_test.c``
    checks golden vectors, and with ``<model>_masks.c`` the masks that shift registers draw, if
    there are any; ``<model>_batch.c`` runs a file of samples, ``Makefile`` builds both,
    ``CMakeLists.txt`` makes a library, ``README.md`` says how to use it, ``build.json`` describes
    all of it; ``gap_main.c`` and ``gap.mk`` are for the GAP SDK, where the target has that
    platform. Equal input gives equal bytes.

    Parameters
    ----------
    folder
        The build folder; made if it does not exist.
    target
        A target, its name, or the path of its file, see :mod:`hwgen.mcu.target`.
    samples
        Integers of shape (n, *input shape) for the golden vectors; a few drawn from the input's
        interval, its extremes first, if None.
    is_tested
        False: only what a batch of samples needs on this machine, for graphs of which a single golden
        vector takes long.

    Raises
    ------
    Unsupported
        The target is not known, or the graph holds an op or a weight code without C.
    InvalidInput
        The samples are not legal inputs, or there are none.
    """
    machine = target if isinstance(target, Target) else find_target(target)
    model = identifier(graph.name) or "model"
    if model in _HEADERS or model in KEYWORDS:
        raise Unsupported(f"a model in C must not be called {model!r}; rename the graph")
    program = group(graph, machine)
    functions = _functions(model, program)
    memories = assign(functions, program)
    arena = memories.arena
    masks = mask_tests(functions, memories)
    names = functions[0].names
    x = _vectors(graph) if samples is None else graph.check_input(samples)
    if not is_tested:
        x = x[:0]
    elif not len(x):
        raise InvalidInput("samples must hold one sample or more, found none")
    y = graph.run(x)
    build = CBuild(
        folder=Path(folder) / FOLDER,
        model=model,
        target=machine.name,
        graph_hash=graph.hash,
        sources=(f"{model}.c",),
        input=_port(program.input),
        output=_port(program.output),
        arena_bytes=arena.size,
        arena_bound=arena.lower_bound,
        arena_align=max(arena.align, 4),
        l1_bytes=memories.l1_bytes,
        l3_bytes=memories.l3_bytes,
        constant_bytes=sum(constant.bytes for f in functions for constant in f.constants),
        layers=tuple(_layer(memories, number, f) for number, f in enumerate(functions)),
        state_bytes=state_bytes(functions),
    )
    context = {
        "model": model,
        "prefix": model.upper(),
        "entry": build.entry,
        "version": metadata.version("hwgen"),
        "target": machine.name,
        "graph_hash": graph.hash,
        "input": describe_port("input", model, program.input),
        "output": describe_port("output", model, program.output),
        **{name: getattr(build, name) for name in _SIZES},
        "l1_align": ALIGN,
        "l3_file": f"{model}_l3.bin",
        "states": state_members(functions),
        "state_bytes": build.state_bytes,
        "entry_parameters": ", ".join(_entry_parameters(model, build)),
        "entry_arguments": ", ".join(_entry_parameters(model, build, types=False)),
        "headers": headers(functions, machine, memories),
        "ports": ports(machine),
        "arms": [isa for isa in (machine.isa, machine.sdk_isa) if isa not in ("", "plain")],
        "sources": build.sources,
        "stack": machine.stack,
        "is_team": machine.is_team,
        "profiles": not machine.is_host and not machine.is_team,
        **_body(functions, program, memories),
        "samples": len(x),
        "masks": masks,
        "masks_entry": names.take(f"{model}_masks"),
        "masks_run": names.take(f"{model}_masks_run"),
        "inputs": x.reshape(len(x), program.input.type.size),
        "outputs": y.reshape(len(y), program.output.type.size),
    }
    build.folder.mkdir(parents=True, exist_ok=True)
    context["m"] = context
    templates = {
        f"{model}.h": "model.h.j2",
        f"{model}.c": "model.c.j2",
        f"{model}_test.c": "model_test.c.j2",
        f"{model}_batch.c": "model_batch.c.j2",
        "Makefile": "model.mk.j2",
        "CMakeLists.txt": "model.cmake.j2",
        "README.md": "model_readme.md.j2",
    }
    if not is_tested:
        for name in (f"{model}_test.c", "Makefile", "CMakeLists.txt", "README.md"):
            del templates[name]
    if masks:
        templates[f"{model}_masks.c"] = "model_masks.c.j2"
    if "ports/pmsis" in context["ports"]:
        templates["gap_main.c"] = "targets/pmsis/gap_main.c.j2"
        templates["gap.mk"] = "targets/pmsis/gap.mk.j2"
    for name, template in templates.items():
        text = TEMPLATES.get_template(template).render(context)
        write_text(build.folder / name, wrap_code(text) if name.endswith((".c", ".h")) else text)
    write_runtime(build.folder, functions, machine, memories, has_masks=bool(masks))
    if memories.l3_bytes:
        (build.folder / f"{model}_l3.bin").write_bytes(_external(functions, memories))
    save_target(machine, build.folder)
    build.save()
    return build


def _entry_parameters(model: str, build: CBuild, types: bool = True) -> list[str]:
    """What the model's entry point takes."""
    parameters = [
        (f"const {model}_in_t *", "in"),
        (f"{model}_out_t *", "out"),
        ("void *", "arena"),
        *([("void *", "l1")] if build.l1_bytes else []),
        *([("uint32_t ", "l3")] if build.l3_bytes else []),
        *([(f"{model}_state_t *", "state")] if build.state_bytes else []),
    ]
    return [f"{kind if types else ''}{name}" for kind, name in parameters]


def _functions(model: str, program: Program) -> list[Function]:
    """Every stage rendered, with names that are unique in the file."""
    taken = ["run", "in_t", "out_t"]
    if any(
        getattr(stage.kernel and stage.kernel.op, "stateful", False) for stage in program.stages
    ):
        taken += ["reset", "state", "state_t"]
    names = Names(f"{model}_{suffix}" for suffix in taken)
    functions = []
    for stage in program.stages:
        function = Function(names.take(f"{model}_{stage.name}"), stage, program.target, names)
        function.render()
        functions.append(function)
    return functions


def _body(functions: list[Function], program: Program, memories: Memories) -> dict[str, object]:
    """What ``model.c.j2`` lays out: the functions, the buffers and the calls."""
    names = Names(("in", "out", "arena", "l1", "l3", "call", *(f.name for f in functions)))
    if any(function.states for function in functions):
        names.take("state")
    symbols = {program.input.name: "in"}
    buffers = []

    def place(name: str, ctype: object, buffer: str) -> str:
        symbol = names.take(name)
        offset = memories.arena.offsets[buffer]
        buffers.append({"ctype": ctype, "symbol": symbol, "offset": offset})
        return symbol

    for function in functions[:-1]:
        value = function.stage.output
        symbols[value.name] = place(value.name, value.ctype, value.name)
    symbols[functions[-1].stage.output.name] = "out"
    described = []
    for function, tiling, stream in zip(functions, memories.tilings, memories.streams, strict=True):
        stage = function.stage
        arguments = [symbols[name] for name in stage.sources]
        streamed, tiled = None, None
        if tiling is not None:
            tiled = TiledLayer(function, tiling, stream is not None and stream.half)
            array = function.weights_array
            if stream is not None:
                ctype = "unsigned char" if stream.half else array.ctype
                staged = place(array.symbol, ctype, stream.buffer)
                arguments.append(staged)
                if stream.half:
                    arguments.append(f"call->l3 + {stream.address}")
                else:
                    ticket = names.take(f"{array.symbol}_read")
                    streamed = {"symbol": staged, "ticket": ticket, "stream": stream}
            elif array is not None:
                arguments.append(f"{array.symbol}[0]")
            arguments += [symbols[stage.output.name], "l1"]
        else:
            arguments.append(symbols[stage.output.name])
            if function.scratch_size:
                scratch = place(f"{stage.name}_scratch", "uint8_t", f"{function.name} scratch")
                arguments.append(scratch)
        arguments += [f"state->{member.name}" for member in function.states]
        described.append(
            {
                **function.context,
                "arguments": ", ".join(arguments),
                "reads": [],
                "waits": streamed,
                "is_streamed": stream is not None,
                "tiled": tiled,
            }
        )
    for number, after in enumerate(described):
        if after["waits"]:  # weights are read while the layer before runs
            described[max(number - 1, 0)]["reads"].append(after["waits"])
    return {"buffers": buffers, "functions": described}


def _external(functions: list[Function], memories: Memories) -> bytes:
    """The contents of external memory: weights that are streamed."""
    image = bytearray(memories.l3_bytes)
    for function, stream in zip(functions, memories.streams, strict=True):
        if stream is not None:
            array = function.weights_array
            data = array.values.astype(array.ctype.dtype.newbyteorder("<")).tobytes()
            image[stream.address : stream.address + len(data)] = data
    return bytes(image)


def _port(value) -> Port:
    return Port(value.type.shape, value.ctype, value.type.lo, value.type.hi)


def _layer(memories: Memories, number: int, function: Function) -> Layer:
    output, tiling = function.stage.output, memories.tilings[number]
    cut = {}
    if tiling is not None:
        stream = memories.streams[number]
        cut = {
            "tile": (tiling.rows, tiling.columns, tiling.channels),
            "tiles": tiling.tiles,
            "l1_bytes": tiling.l1_bytes,
            "l3_bytes": stream.size if stream else 0,
            "dma_bytes": tiling.dma_bytes,
            "cycles": tiling.cycles,
        }
    return Layer(
        function.name,
        tuple(node.name for node in function.stage.nodes),
        memories.arena.offsets.get(output.name),
        output.bytes,
        sum(constant.bytes for constant in function.constants),
        function.macs,
        **cut,
    )


def _vectors(graph: Graph) -> np.ndarray:
    """A few samples: the interval's ends, and drawn ones; fewer of large inputs and long runs."""
    kind = graph.input_type
    count = max(3, min(8, 4096 // kind.size))
    draw = np.random.default_rng(0).integers(
        kind.lo, kind.hi, (count, *kind.shape), dtype=np.int64, endpoint=True
    )
    draw[0], draw[1] = kind.lo, kind.hi
    return draw[: graph.golden_samples(count)]
