"""A whole graph in plain Python loops: the references of ``tests/ops``, one after the other."""

from __future__ import annotations

import importlib

from hwgen.ir import Graph
from hwgen.ops import op_names
from tests.ops.harness import OpTests

__all__ = ["run_naive"]


def _reference(op: str) -> OpTests:
    module = importlib.import_module(f"tests.ops.test_{op}")
    (tests,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, OpTests) and value is not OpTests
    )
    return tests()


REFERENCES = {op: _reference(op) for op in op_names() if op != "input"}


def run_naive(graph: Graph, x: list) -> list:
    """One sample through the graph: nested lists in and out."""
    values = {}
    for node in graph.nodes:
        if node.op.name == "input":
            values[node.name] = x
        else:
            operands = (values[name] for name in node.inputs)
            values[node.name] = REFERENCES[node.op.name].naive(node.op, *operands)
    return values[graph.output]
