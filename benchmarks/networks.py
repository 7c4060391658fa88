"""The two networks that every generator gets: 64-32-32-10, at 4 and at 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hwgen import zoo
from hwgen.ir.constant import Constant
from hwgen.ir.graph import Graph, GraphBuilder
from hwgen.ir.types import Type
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.requantize import Requantize

__all__ = ["NETWORKS", "Case", "load"]

NETWORKS = ("4-bit", "8-bit")
SEED = 2026


@dataclass(frozen=True)
class Case:
    """A network and the samples that show two forms of it equal.

    Attributes
    ----------
    graph
        The integers.
    x, expected
        Samples (n, 64) and the golden model's outputs (n, 10), int64.
    about
        One line for the head of a table.
    """

    graph: Graph
    x: np.ndarray
    expected: np.ndarray
    about: str


def load(name: str) -> Case:
    """The case called ``name``, one of ``NETWORKS``."""
    return _trained() if name == "4-bit" else _drawn()


def _trained() -> Case:
    graph = zoo.load("digits-mlp")
    x, _ = zoo.test_data("digits-mlp")
    x = graph.quantize(x)
    about = "digits-mlp of the zoo: 64-32-32-10, 4-bit weights and activations, trained"
    return Case(graph, x, graph.run(x), about)


def _drawn() -> Case:
    """Weights from a bell curve over the whole 8-bit range, as trained ones are."""
    random = np.random.default_rng(SEED)
    builder = GraphBuilder("drawn_mlp")
    value = builder.input(Type.of((64,), 0, 255), name="x")
    sizes = (64, 32, 32, 10)
    for layer, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
        weights = np.clip(np.rint(random.normal(0, 42, (outputs, inputs))), -127, 127)
        bias = random.integers(-(1 << 12), 1 << 12, outputs)
        op = Dense(Uniform(Constant(weights), 8), Constant(bias))
        value = builder.add(op, value, name=f"fc{layer}")
        if layer < 3:
            shift = {1: 9, 2: 8}[layer]
            op = Requantize(Constant(1), Constant(shift), 0, 255)
            value = builder.add(op, value, name=f"relu{layer}")
    graph = builder.build(value)
    x = random.integers(0, 256, (359, 64))
    about = f"64-32-32-10, 8-bit weights and activations, drawn at random (seed {SEED})"
    return Case(graph, x, graph.run(x), about)
