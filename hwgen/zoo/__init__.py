"""Small real models, each with its data, its training recipe and its checkpoint.

A model called ``digits-mlp`` is ``digits_mlp.py`` (``build_model``, ``train``) and
``digits_mlp.pt``; the first word of its name is its data set.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import InvalidInput
from ..ir.classes import classes
from ..ir.graph import Graph
from . import data

__all__ = ["accuracy", "checkpoint", "load", "names", "recipe", "test_data"]

_FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Names of the models."""
    return tuple(sorted(path.stem.replace("_", "-") for path in _FOLDER.glob("*.pt")))


def checkpoint(name: str) -> Path:
    """A model's checkpoint file."""
    if name not in names():
        raise InvalidInput(f"the zoo holds {', '.join(names())}, not {name!r}")
    return _FOLDER / f"{name.replace('-', '_')}.pt"


@cache
def load(name: str) -> Graph:
    """A model's integer graph."""
    from ..frontend.checkpoint import load

    return load(checkpoint(name))


def recipe(name: str):
    """A model's module: ``build_model()``, ``train(progress, say)`` and ``PROMISE``, its accuracy."""
    return importlib.import_module(f"{__name__}.{checkpoint(name).stem}")


def test_data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Held-out samples of a model's data set.

    Returns
    -------
    x
        Real samples (batch, *input shape of the graph), channels last: what ``Graph.quantize`` takes.
    labels
        int64, shape (batch,).

    Raises
    ------
    InvalidInput
        The data set is not there.
    """
    graph = load(name)
    kind = name.partition("-")[0]
    if kind == "text":
        characters, labels = data.text_test()
        return data.one_hot(characters), labels
    images, labels = data.digits_test() if kind == "digits" else data.mnist("test")
    return data.to_real(images, kind).reshape(-1, *graph.input_type.shape), labels


def accuracy(graph: Graph, x: np.ndarray, labels: np.ndarray, run=None) -> float:
    """Part of the real samples ``x`` for which the graph's outputs tell the label.

    Every model of the zoo has one scale for all outputs, so that integers compare. ``run`` is what
    runs the graph on integers, if not its interpreter.
    """
    outputs = (run or graph.run)(graph.quantize(x))
    return float((classes(outputs) == labels).mean())
