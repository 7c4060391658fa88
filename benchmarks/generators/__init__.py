"""What is compared: one module a generator, all with the functions of :class:`Generator`."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np

from hwgen.ir.graph import Graph

__all__ = ["FORMS", "NAMES", "Emitted", "Generator", "find", "version"]

# The ways in which each can lay out a network, its default first.
FORMS = {
    "hwgen": ("pipelined",),
    "alkaid": ("pipelined", "combinational"),
    "da4ml": ("pipelined", "combinational"),
}
NAMES = tuple(FORMS)

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Emitted:
    """Verilog files that a generator wrote.

    Attributes
    ----------
    top
        Name of the top module.
    sources
        All files that it needs.
    form
        How it is pipelined, in words.
    latency
        Registers on the way from input to output, in clocks; None where there are none.
    adders
        Counts the additions of two values; those of constants (biases, rounding) are left out.
    simulate
        Compiles the design and returns what runs it: a batch of samples to a batch of outputs.
    """

    top: str
    sources: tuple[Path, ...]
    form: str
    latency: int | None
    adders: Callable[[], int]
    simulate: Callable[[], Run]


class Generator(Protocol):
    """The module of a generator."""

    def prepare(self, x: np.ndarray) -> np.ndarray:
        """Samples in the element type that the generator likes best."""

    def emit(self, graph: Graph, form: str, folder: Path) -> Emitted:
        """Write the Verilog of ``graph`` into ``folder``; ``form`` is one of ``FORMS``."""

    def interpreter(self, graph: Graph) -> Run:
        """The generator's own integer interpreter of ``graph``, on one thread."""


def find(name: str) -> Generator:
    """The generator called ``name``; this imports all that it needs."""
    return importlib.import_module(f"{__name__}.{name}")


def version(name: str) -> str | None:
    """The version of an installed generator, or None."""
    if importlib.util.find_spec(name) is None:
        return None
    return metadata.version(name)
