"""Every rule of the verifier, broken once; the messages are snapshots."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, Graph, Int, Node, Type
from hwgen.ir.verify import RULES, verify
from hwgen.ops.add import Add
from hwgen.ops.argmax import Argmax
from hwgen.ops.avg_pool2d import AvgPool2d
from hwgen.ops.clip import Clip
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.input import Input
from hwgen.ops.lookup import Lookup
from hwgen.ops.max_pool2d import MaxPool2d
from hwgen.ops.requantize import Requantize
from hwgen.ops.to_stream import ToStream

VECTOR = Type.of((3,), 0, 15)
IMAGE = Type.of((4, 4, 2), 0, 15)


def source(kind: Type) -> Node:
    return Node("x", Input(kind.shape, kind.element, kind.lo, kind.hi), (), kind)


def one_op(op, kind: Type, *more: Node, inputs=("x",)) -> Graph:
    """A graph of one op whose type is inferred where that works."""
    try:
        result = op.infer(*(kind for _ in inputs))
        result.check()
    except Exception:  # an illegal op: its type does not matter
        result = VECTOR
    return Graph("g", (source(kind), *more, Node("y", op, inputs, result, "layer1")), "y")


def with_node(graph: Graph, name: str, /, **changes) -> Graph:
    nodes = tuple(replace(n, **changes) if n.name == name else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


CLIP = one_op(Clip(), VECTOR)
CLIP_NODE = CLIP["y"]
WEIGHTS = Uniform(Constant([[1, 2, 3]]), 4)
KERNEL = Uniform(Constant([[[[1, 2]]]]), 4)


def dense(weights, bias=(0,)):
    return one_op(Dense(weights, Constant(bias)), VECTOR)


def streams(*seeds) -> Graph:
    """A graph of two streams whose sources have those seeds."""
    kind = Type.of((1,), 0, 15)
    nodes = [source(kind)]
    for name, seed in zip("ab", seeds, strict=True):
        op = ToStream(7, 1, 4, False, 5, (5, 3), 1, Constant([[seed]]))
        nodes.append(Node(name, op, ("x",), op.infer(kind), f"layer_{name}"))
    nodes.append(Node("y", Add(), ("a", "b"), Add().infer(nodes[1].type, nodes[2].type)))
    return Graph("g", tuple(nodes), "y")


def conv(weights=KERNEL, bias=(0,), **more):
    return one_op(Conv2d(weights, Constant(bias), **more), IMAGE)


BROKEN: dict[str, Graph] = {
    # the graph as a whole
    "name used twice": replace(CLIP, nodes=(*CLIP.nodes, CLIP_NODE)),
    "output is no node": replace(CLIP, output="z"),
    "no nodes": replace(CLIP, nodes=(), output="y"),
    "no input": replace(CLIP, nodes=CLIP.nodes[1:]),
    "two inputs": replace(CLIP, nodes=(*CLIP.nodes, replace(source(VECTOR), name="x2"))),
    # legal name
    "capital in a name": replace(with_node(CLIP, "y", name="Y"), output="Y"),
    "double underscore": replace(with_node(CLIP, "y", name="y__1"), output="y__1"),
    # topological order
    "used before defined": replace(CLIP, nodes=CLIP.nodes[::-1]),
    "reads itself": with_node(CLIP, "y", inputs=("y",)),
    "reads nothing known": with_node(CLIP, "y", inputs=("w",)),
    # arity
    "one operand short": one_op(Add(), VECTOR),
    # consistent type
    "empty shape": with_node(CLIP, "y", type=replace(VECTOR, shape=())),
    "interval beyond the element": with_node(CLIP, "y", type=replace(VECTOR, hi=16)),
    "interval upside down": with_node(CLIP, "y", type=replace(VECTOR, lo=5, hi=4)),
    "scale of zero": with_node(CLIP, "y", type=VECTOR.with_scale(0)),
    "no steps": with_node(CLIP, "y", type=replace(VECTOR, steps=0)),
    # attribute types
    "attribute of another type": with_node(CLIP, "y", op=Clip(0.5)),
    "attribute of a weight code": dense(Uniform(Constant([[1, 2, 3]]), 4.0)),
    "tuple of another length": one_op(MaxPool2d((2, 2, 2), (2, 2)), IMAGE),
    # op's own rules
    "add of two shapes": Graph(
        "g",
        (
            source(VECTOR),
            Node("m", Argmax(), ("x",), Type.of((1,), 0, 2)),
            Node("y", Add(), ("x", "m"), VECTOR),
        ),
        "y",
    ),
    "argmax of an image": one_op(Argmax(), IMAGE),
    "clip upside down": one_op(Clip(3, 2), VECTOR),
    "clip bound beyond 62 bits": one_op(Clip(0, 1 << 62), VECTOR),
    "dense on an image": one_op(Dense(WEIGHTS, Constant([0])), IMAGE),
    "dense of other columns": dense(Uniform(Constant([[1, 2]]), 4)),
    "weights all zero": dense(Uniform(Constant([[0, 0, 0]]), 4)),
    "weights beyond their bits": dense(Uniform(Constant([[1, 2, 8]]), 4)),
    "weights of one bit": dense(Uniform(Constant([[0, 0, -1]]), 1)),
    "binary weight of zero": dense(Binary(Constant([[1, -1, 0]]))),
    "bias of other channels": dense(WEIGHTS, (0, 0)),
    "conv on a vector": one_op(Conv2d(KERNEL, Constant([0])), VECTOR),
    "conv of two axes": conv(WEIGHTS),
    "groups do not divide": conv(groups=3),
    "groups of zero": conv(groups=0),
    "conv of other channels": conv(Uniform(Constant([[[[1, 2, 3]]]]), 4)),
    "stride of zero": conv(stride=(1, 0)),
    "padding as large as the kernel": conv(padding=(0, 1)),
    "kernel larger than the image": conv(Uniform(Constant([[[[1, 2]]] * 5]), 4)),
    "max pool of a vector": one_op(MaxPool2d((2, 2), (2, 2)), VECTOR),
    "max pool padded beyond half": one_op(MaxPool2d((3, 3), (1, 1), (2, 2)), IMAGE),
    "average pool of a vector": one_op(AvgPool2d((2, 2), (2, 2)), VECTOR),
    "average pool without kernel": one_op(AvgPool2d((0, 2), (2, 2)), IMAGE),
    "table too short": one_op(Lookup(Constant(range(15)), 0), VECTOR),
    "table starts too late": one_op(Lookup(Constant(range(20)), 1), VECTOR),
    "table too long": one_op(Lookup(Constant(range(4097)), 0), VECTOR),
    "table with two axes": one_op(Lookup(Constant([[1, 2]]), 0), VECTOR),
    "multiplier of zero": one_op(Requantize(Constant(0), Constant(1), 0, 7), VECTOR),
    "multiplier too large": one_op(Requantize(Constant(1 << 31), Constant(1), 0, 7), VECTOR),
    "multipliers of other channels": one_op(
        Requantize(Constant([1, 2]), Constant(1), 0, 7), VECTOR
    ),
    "shift below zero": one_op(Requantize(Constant(1), Constant([1, -1, 1]), 0, 7), VECTOR),
    "shift too far": one_op(Requantize(Constant(1), Constant(48), 0, 7), VECTOR),
    "requantize upside down": one_op(Requantize(Constant(1), Constant(1), 7, 0), VECTOR),
    "product beyond 62 bits": one_op(
        Requantize(Constant(2**31 - 1), Constant(1), 0, 7), Type.of((3,), 0, 2**32)
    ),
    # inferred type
    "interval of its own": with_node(CLIP, "y", type=Type.of((3,), 0, 14)),
    "wider element than inferred": with_node(
        CLIP, "y", type=Type.of((3,), 0, 15, element=Int(8, False))
    ),
    "input that contradicts its op": with_node(CLIP, "x", type=Type.of((3,), 0, 7)),
    # scale
    "scale of other channels": with_node(CLIP, "y", type=VECTOR.with_scale((1, 2))),
    # random sources
    "two ops with one source": streams(9, 9),
}


def message(graph: Graph) -> str:
    with pytest.raises(RuleViolation) as error:
        verify(graph)
    return str(error.value)


def test_every_broken_rule_has_its_message(snapshot):
    lines = [f"{case}:\n  {message(graph)}\n" for case, graph in BROKEN.items()]
    snapshot.check("".join(lines), "verify.txt")


def test_every_rule_is_broken_at_least_once():
    messages = [message(graph) for graph in BROKEN.values()]
    for rule, _ in RULES:
        assert any(m.endswith(f"[rule: {rule}]") for m in messages), rule


def test_the_pass_is_named():
    with pytest.raises(
        RuleViolation, match=r"^after pass fold-batchnorm: clip %y \(layer 'layer1'"
    ):
        verify(with_node(CLIP, "y", op=Clip(3, 2)), after="fold-batchnorm")


def test_streams_of_different_sources_pass():
    verify(streams(9, 10))


def test_a_legal_graph_passes(small):
    verify(small)
    verify(CLIP)
