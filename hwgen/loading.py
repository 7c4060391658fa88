"""Anything that holds a network, as a graph."""

from __future__ import annotations

from pathlib import Path

from .errors import InvalidInput, Unsupported
from .ir.graph import Graph
from .undisturbed import undisturbed

__all__ = ["find_source", "load"]

KINDS = (
    "a checkpoint (.pt, written by hwgen.save), a graph (.ir.json), a build folder, "
    "or a model of the zoo"
)


def load(source: str | Path) -> Graph:
    """The integer graph of a checkpoint, a graph file, a build folder or a model of the zoo.

    Parameters
    ----------
    source
        A path, or a name that ``hwgen zoo list`` shows.

    Raises
    ------
    InvalidInput
        There is no such file, or it is none of these.
    """
    path = find_source(source)
    if path.is_dir():
        from .build import Build

        return Build.load(path).graph
    if path.name.endswith(".ir.json"):
        from .ir.serialize import load_graph

        return load_graph(path)
    # torch.export's .pt2 would be read by unpickling, which can run code from the file.
    if path.suffix in (".onnx", ".pt2", ".h5", ".keras", ".tflite"):
        raise Unsupported(
            f"{path}: a {path.suffix} file cannot be read; expected {KINDS}. In Python a float "
            f"PyTorch module becomes a checkpoint by hwgen.quantize(module, calibration) and hwgen.save"
        )
    with undisturbed():
        from .frontend.checkpoint import load as load_checkpoint

    return load_checkpoint(path)


def find_source(source: str | Path) -> Path:
    """The file or folder that ``source`` names; names of the zoo stand for their checkpoints."""
    path = Path(source)
    try:
        if path.exists():
            return path
    except OSError as error:
        raise InvalidInput(f"{str(source)[:200]}: cannot be read: {error.strerror}") from None
    from . import zoo

    if str(source) in zoo.names():
        return zoo.checkpoint(str(source))
    raise InvalidInput(f"{source}: no such file; expected {KINDS} ({', '.join(zoo.names())})")
