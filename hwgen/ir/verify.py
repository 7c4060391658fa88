"""The rules that every graph keeps, as a table; run after every pass."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from ..errors import RuleViolation
from .graph import Graph, Node
from .op import check_attributes

__all__ = ["RULES", "verify"]


def _name_is_legal(graph: Graph, node: Node) -> str | None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", node.name):
        return f"a name must match [a-z][a-z0-9]*(_[a-z0-9]+)*, not {node.name!r}"
    return None


def _inputs_come_first(graph: Graph, node: Node) -> str | None:
    for name in node.inputs:
        for other in graph.nodes:
            if other is node:
                return f"input %{name} must be defined before it is used"
            if other.name == name:
                break
        else:
            return f"input %{name} must be a node of the graph"
    return None


def _arity(graph: Graph, node: Node) -> str | None:
    if len(node.inputs) != node.op.arity:
        return f"takes {node.op.arity} inputs, not {len(node.inputs)}"
    return None


def _attributes_have_types(graph: Graph, node: Node) -> str | None:
    try:
        check_attributes(node.op)
    except RuleViolation as error:
        return str(error)
    return None


def _op_is_legal(graph: Graph, node: Node) -> str | None:
    try:
        node.op.verify(*graph.operands(node))
    except RuleViolation as error:
        return str(error)
    return None


def _type_is_consistent(graph: Graph, node: Node) -> str | None:
    try:
        node.type.check()
    except RuleViolation as error:
        return str(error)
    return None


def _type_is_inferred(graph: Graph, node: Node) -> str | None:
    inferred = node.op.infer(*graph.operands(node))
    if not inferred.same_values(node.type):
        return f"type must be {inferred}, as inferred from its inputs, not {node.type}"
    return None


def _scale_fits(graph: Graph, node: Node) -> str | None:
    scale = node.type.scale
    if isinstance(scale, tuple) and len(scale) != node.type.channels:
        return (
            f"a scale must be one number or {node.type.channels} (one a channel), not {len(scale)}"
        )
    return None


def _sources_differ(graph: Graph, node: Node) -> str | None:
    own = node.op.random_sources()
    if own is None:
        return None
    for other in graph.nodes:
        if other is node:
            break
        theirs = other.op.random_sources()
        if theirs is None or theirs.kind != own.kind:
            continue
        both = np.intersect1d(own.seeds.array, theirs.seeds.array)
        if both.size:
            return (
                f"seeds must differ from those of {other.where}, which draws from the same register: "
                f"both have {both[0]}"
            )
    return None


# What must hold of every node, in the order in which it is looked at.
RULES: tuple[tuple[str, Callable[[Graph, Node], str | None]], ...] = (
    ("legal name", _name_is_legal),
    ("topological order", _inputs_come_first),
    ("arity", _arity),
    ("consistent type", _type_is_consistent),
    ("attribute types", _attributes_have_types),
    ("op's own rules", _op_is_legal),
    ("inferred type", _type_is_inferred),
    ("scale", _scale_fits),
    ("random sources", _sources_differ),
)


def verify(graph: Graph, after: str = "") -> None:
    """Raise RuleViolation naming the pass (``after``), the node and the rule that is broken."""
    stage = f"after pass {after}: " if after else ""
    names = [node.name for node in graph.nodes]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RuleViolation(f"{stage}graph {graph.name!r}: the name {twice!r} is used twice")
    if graph.output not in names:
        raise RuleViolation(f"{stage}graph {graph.name!r}: output %{graph.output} is not a node")
    if len(graph.inputs) != 1:
        raise RuleViolation(
            f"{stage}graph {graph.name!r}: must have exactly one input, not {len(graph.inputs)}"
        )
    for node in graph.nodes:
        for rule, check in RULES:
            problem = check(graph, node)
            if problem:
                raise RuleViolation(f"{stage}{node.where}: {problem} [rule: {rule}]")
