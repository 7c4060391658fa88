"""The C that everybody writes first, as a peer of hwgen's.

One function a layer, plain loops, sums of 32 bits, requantized like hwgen's, a byte or more a
weight. Sizes are literal numbers, so that the compiler knows as much as of hwgen's C.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jinja2
import numpy as np

from hwgen.errors import Unsupported
from hwgen.ir.graph import Graph, Node
from hwgen.ir.types import Type
from hwgen.mcu.build import CBuild
from hwgen.mcu.storage import INT32, CType, storage

__all__ = ["naive_build"]

_OPS = ("conv2d", "dense", "add", "requantize", "max_pool2d", "avg_pool2d")
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def naive_build(graph: Graph, build: CBuild, folder: Path) -> CBuild:
    """Write the peer of hwgen's C of a graph.

    Parameters
    ----------
    build
        hwgen's C, whose target, entry point, input and output the peer has too.
    folder
        Where the file goes; made if it does not exist.

    Raises
    ------
    Unsupported
        The graph holds an op that nobody has written here.
    """
    functions = _functions(graph)
    arena = 0  # every layer's result has a place of its own
    for function in functions[:-1]:
        function["offset"] = arena
        arena += -(-function["size"] * function["out"].bytes // 8) * 8
    text = _TEMPLATES.get_template("naive.c.j2").render(build=build, functions=functions)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "naive.c").write_text(text, encoding="utf-8")
    return replace(
        build,
        folder=folder,
        sources=("naive.c",),
        arena_bytes=arena,
        arena_align=8,
        l1_bytes=0,
        l3_bytes=0,
        constant_bytes=sum(
            values.size * ctype.bytes for f in functions for _, ctype, values in f["arrays"]
        ),
        layers=(),
    )


def _functions(graph: Graph) -> list[dict[str, object]]:
    """One a node; what only a requantize reads is not stored."""
    nodes = {node.name: node for node in graph.nodes}
    readers: dict[str, list[Node]] = {name: [] for name in nodes}
    for node in graph.nodes:
        for name in node.inputs:
            readers[name].append(node)
    symbols, done, functions = {}, set(), []
    for node in graph.nodes:
        if node.op.name == "input":
            symbols[node.name] = "in"
        elif node.op.name == "flatten":
            symbols[node.name] = symbols[node.inputs[0]]
        elif node.name not in done:
            after = readers[node.name]
            last = node
            if node.op.name != "requantize" and [n.op.name for n in after] == ["requantize"]:
                last = after[0]
            done.add(last.name)
            symbols[last.name] = f"{last.name}_result"
            sources = [nodes[name] for name in node.inputs]
            function = _function(node, last, [source.type for source in sources])
            function["arguments"] = [symbols[source.name] for source in sources]
            functions.append(function)
    return functions


def _function(node: Node, last: Node, inputs: list[Type]) -> dict[str, object]:
    """What the template needs of a layer that ends with ``last``."""
    op = node.op
    if op.name not in _OPS:
        raise Unsupported(f"naive C knows {', '.join(_OPS)}, not {op.name!r}")
    x, y = inputs[0].shape, node.type.shape
    function = {
        "op": op.name,
        "name": node.name,
        "ins": [storage(kind.element) for kind in inputs],
        "out": storage(last.type.element),
        "result": f"{last.name}_result",
        "size": node.type.size,
        "inputs": x[-1],
        "outputs": y[-1],
        "pixels": node.type.size // y[-1],
        "requantize": last.op.name == "requantize",
        "arrays": [],
    }
    if op.name in ("conv2d", "max_pool2d", "avg_pool2d"):
        window = op.window(inputs[0])
        function |= {"height": y[0], "width": y[1], "in_height": x[0], "in_width": x[1]}
        function |= {key: getattr(window, key) for key in ("kernel", "stride", "padding")}
    arrays: list[tuple[str, CType, np.ndarray]] = function["arrays"]
    if op.name in ("conv2d", "dense"):
        weights = op.weights.decode()
        if op.name == "conv2d" and op.groups not in (1, x[-1]):
            raise Unsupported("naive C knows groups of one channel, or of all")
        function["depth"] = weights.shape[-1]
        arrays.append(("weights", storage(op.weights.element), weights.ravel()))
        arrays.append(("bias", INT32, op.bias.array))
    if last.op.name == "requantize":
        function |= {"lo": last.op.lo, "hi": last.op.hi, "half": (1 << last.op.shift.hi) // 2}
        for key in ("multiplier", "shift"):
            values = getattr(last.op, key).array
            if values.shape and np.all(values == values[0]):
                values = values[0]
            if values.shape and key == "shift":
                raise Unsupported("naive C knows one shift for all channels")
            function[key] = f"{node.name}_{key}[o]" if values.shape else int(values)
            if values.shape:
                arrays.append((key, INT32, values))
    return function
