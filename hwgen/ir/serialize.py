"""Graphs on disk: versioned JSON beside a safetensors file of constants."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from ..errors import HwgenError, InvalidInput
from .code import WeightCode, find_code
from .constant import Constant
from .graph import Graph, Node
from .op import find_op
from .types import Int, Type

__all__ = ["VERSION", "content_hash", "from_json", "load_graph", "save_graph", "to_json"]

FORMAT = "hwgen-ir"
VERSION = 1


def _encode(value, key: str, constants: dict[str, np.ndarray]):
    if isinstance(value, Constant):
        constants[key] = value.array
        return {"constant": key}
    if isinstance(value, Int):
        return {"int": str(value)}
    if isinstance(value, WeightCode):
        fields = {k: _encode(v, f"{key}.{k}", constants) for k, v in value.attributes().items()}
        return {"code": value.name, **fields}
    if isinstance(value, tuple):
        return [_encode(v, f"{key}.{i}", constants) for i, v in enumerate(value)]
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"attribute {key} has the unsupported type {type(value).__name__}")


def _decode(value, constants: dict[str, np.ndarray]):
    if isinstance(value, list):
        return tuple(_decode(v, constants) for v in value)
    if not isinstance(value, dict):
        return value
    if "constant" in value:
        return Constant(constants[value["constant"]])
    if "int" in value:
        return Int.parse(value["int"])
    fields = {k: _decode(v, constants) for k, v in value.items() if k != "code"}
    return find_code(value["code"])(**fields)


def to_json(graph: Graph) -> tuple[dict, dict[str, np.ndarray]]:
    """The graph as plain JSON data, and its constants by key (int64 arrays)."""
    constants: dict[str, np.ndarray] = {}
    nodes = []
    for node in graph.nodes:
        attributes = {
            k: _encode(v, f"{node.name}.{k}", constants) for k, v in node.op.attributes().items()
        }
        nodes.append(
            {
                "name": node.name,
                "op": node.op.name,
                "inputs": list(node.inputs),
                "attributes": attributes,
                "type": {
                    "shape": list(node.type.shape),
                    "element": str(node.type.element),
                    "lo": node.type.lo,
                    "hi": node.type.hi,
                    "scale": node.type.scale,
                    "steps": node.type.steps,
                },
                "layer": node.layer,
            }
        )
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": graph.name,
        "nodes": nodes,
        "output": graph.output,
    }
    return document, constants


def from_json(document: dict, constants: dict[str, np.ndarray]) -> Graph:
    """The inverse of :func:`to_json`; the result is verified.

    Raises
    ------
    InvalidInput
        The data is not a graph of a version that this hwgen reads.
    """
    from .verify import verify

    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidInput(f"must be {FORMAT} JSON, found something else")
    if document.get("version") != VERSION:
        raise InvalidInput(f"{FORMAT} version must be {VERSION}, found {document.get('version')!r}")
    try:
        nodes = []
        for entry in document["nodes"]:
            attributes = {k: _decode(v, constants) for k, v in entry["attributes"].items()}
            kind = entry["type"]
            scale = kind["scale"]
            for text in (entry["name"], entry["layer"], *entry["inputs"]):
                if not isinstance(text, str):
                    raise TypeError(f"a name must be a string, not {text!r}")
            nodes.append(
                Node(
                    entry["name"],
                    find_op(entry["op"])(**attributes),
                    tuple(entry["inputs"]),
                    Type(
                        tuple(kind["shape"]),
                        Int.parse(kind["element"]),
                        kind["lo"],
                        kind["hi"],
                        tuple(scale) if isinstance(scale, list) else scale,
                        kind["steps"],
                    ),
                    entry["layer"],
                )
            )
        graph = Graph(document["name"], tuple(nodes), document["output"])
    except HwgenError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"damaged {FORMAT} data: {type(error).__name__}: {error}") from None
    verify(graph)
    return graph


def content_hash(graph: Graph) -> str:
    """SHA-256 over the canonical JSON and the bytes of every constant, in hexadecimal."""
    document, constants = to_json(graph)
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
    for key in sorted(constants):
        digest.update(key.encode() + b"\0" + str(constants[key].shape).encode() + b"\0")
        digest.update(constants[key].astype("<i8").tobytes())
    return digest.hexdigest()


def _narrow(array: np.ndarray) -> np.ndarray:
    for dtype in (np.int8, np.int16, np.int32):
        info = np.iinfo(dtype)
        if array.size == 0 or (array.min() >= info.min and array.max() <= info.max):
            return array.astype(dtype)
    return array


def save_graph(graph: Graph, path: str | Path) -> tuple[Path, Path]:
    """Write ``<path>.ir.json`` and ``<path>.safetensors``; returns both paths."""
    from safetensors.numpy import save

    path = Path(path)
    document, constants = to_json(graph)
    document["hash"] = graph.hash
    text = path.with_name(path.name + ".ir.json")
    data = path.with_name(path.name + ".safetensors")
    text.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    # Not save_file: it makes files that only their owner can read.
    data.write_bytes(save({key: _narrow(array) for key, array in sorted(constants.items())}))
    return text, data


def load_graph(path: str | Path) -> Graph:
    """Read what :func:`save_graph` wrote, given the path of the ``.ir.json``.

    Raises
    ------
    InvalidInput
        A file is missing or damaged, or the content differs from its recorded hash.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(path)
    data = path.with_name(path.name.removesuffix(".ir.json") + ".safetensors")
    try:
        text, stored = path.read_text(encoding="utf-8"), data.read_bytes()
    except FileNotFoundError as error:
        raise InvalidInput(
            f"{error.filename}: no such file; a graph is two files, "
            f"NAME.ir.json and NAME.safetensors"
        ) from None
    except OSError as error:
        raise InvalidInput(f"{error.filename}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: damaged graph: {error}") from None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: nested too deep
        raise InvalidInput(f"{path}: damaged graph: {error}") from None
    try:
        constants = load(stored)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{data}: damaged graph: {error}") from None
    try:
        graph = from_json(document, constants)
    except HwgenError as error:
        raise type(error)(f"{path}: {error}") from None
    if document.get("hash") != graph.hash:
        raise InvalidInput(f"{path}: content does not match its recorded hash; export it again")
    return graph
