"""Random networks and schedules for the tests of the hardware."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Graph, GraphBuilder, Int, Schedule, Type
from hwgen.ops.add import Add
from hwgen.ops.argmax import Argmax
from hwgen.ops.avg_pool2d import AvgPool2d
from hwgen.ops.clip import Clip
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.concat import Concat
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.flatten import Flatten
from hwgen.ops.lib.linear import divisors
from hwgen.ops.max_pool2d import MaxPool2d
from hwgen.ops.requantize import Requantize
from hwgen.ops.reverse import Reverse
from tests.ops.draw import draw_weights

__all__ = ["networks", "random_network", "random_schedules", "random_sequences", "samples"]


def samples(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    """Random inputs; the first two are the ends of the input's interval."""
    x = graph.input_type
    values = np.random.default_rng(seed).integers(x.lo, x.hi, (count, *x.shape), endpoint=True)
    values[:1], values[1:2] = x.lo, x.hi
    return values


def _code(rng: np.random.Generator, shape: tuple[int, ...]):
    if rng.integers(4) == 0:
        return Binary(Constant(rng.choice([-1, 1], shape)))
    bits = int(rng.integers(2, 6))
    kind = Int(bits, signed=True)
    values = rng.integers(kind.lo, kind.hi, shape, endpoint=True)
    values.reshape(-1)[0] = kind.lo
    return Uniform(Constant(values), bits)


def _rescale(rng: np.random.Generator, builder: GraphBuilder, x: str, kind: Type) -> str:
    """Back to a few bits, per channel or per tensor."""
    per_channel = bool(rng.integers(2))
    count = (kind.channels,) if per_channel else ()
    multiplier = rng.integers(1, 30, count) if rng.integers(2) else np.asarray(1)
    shift = rng.integers(1, 9, count if rng.integers(2) else ())
    op = Requantize(Constant(multiplier), Constant(shift), int(rng.choice([0, -4])), 7)
    return builder.add(op, x)


def _convolution(rng, builder: GraphBuilder, x: str, kind: Type, same: bool) -> tuple[str, Type]:
    channels = kind.channels
    groups = int(rng.choice(divisors(channels)))
    outputs = channels if same else groups * int(rng.integers(1, 4))
    kernel, stride, padding = [], [], []
    for size in kind.shape[:2]:
        k = 2 * int(rng.integers(0, 2)) + 1 if same else int(rng.integers(1, min(4, size + 1)))
        kernel.append(k)
        stride.append(1 if same else int(rng.integers(1, 3)))
        padding.append(k // 2 if same else int(rng.integers(0, k)))
    op = Conv2d(
        _code(rng, (outputs, *kernel, channels // groups)),
        Constant(rng.integers(-50, 50, outputs)),
        tuple(stride),
        tuple(padding),
        groups,
    )
    result = op.infer(kind)
    return _rescale(rng, builder, builder.add(op, x), result), result


def _body(rng, builder: GraphBuilder, x: str, kind: Type, depth: int) -> tuple[str, Type]:
    """A value of the same shape; branches may hold branches."""
    choice = rng.integers(4 if depth else 2)
    if choice == 0:
        return _convolution(rng, builder, x, kind, same=True)
    if choice == 1:
        return builder.add(Clip(int(rng.integers(-2, 2)), int(rng.integers(3, 6))), x), kind
    left, _ = _body(rng, builder, x, kind, depth - 1)
    right = x if choice == 2 else _body(rng, builder, x, kind, depth - 1)[0]
    if left == right:
        right = x
    return _rescale(rng, builder, builder.add(Add(), left, right), kind), kind


def random_network(rng: np.random.Generator) -> Graph:
    """A small network: images with residual connections, nested ones too, or vectors."""
    builder = GraphBuilder("net")
    bits = int(rng.integers(1, 5))
    if rng.integers(4) == 0:
        kind = Type.of((int(rng.integers(1, 13)),), 0, (1 << bits) - 1)
        x = builder.input(kind)
    else:
        shape = (*rng.integers(1, 8, 2).tolist(), int(rng.choice([1, 2, 3, 4, 6])))
        kind = Type.of(shape, -(1 << bits), (1 << bits) - 1)
        x = builder.input(kind)
        for _ in range(rng.integers(1, 4)):
            choice = rng.integers(4)
            if choice < 2:
                x, kind = _body(rng, builder, x, kind, depth=2)
            elif choice == 2:
                x, kind = _convolution(rng, builder, x, kind, same=False)
            else:
                size = [int(rng.integers(1, min(3, n) + 1)) for n in kind.shape[:2]]
                pool = (MaxPool2d, AvgPool2d)[rng.integers(2)]
                op = pool(tuple(size), tuple(size))
                kind = op.infer(kind)
                x = builder.add(op, x)
        if rng.integers(3):
            x = builder.add(Flatten(), x)
            kind = Type.of((kind.size,), kind.lo, kind.hi)
    if len(kind.shape) == 1:
        for _ in range(rng.integers(1, 3)):
            outputs = int(rng.integers(1, 9))
            shape = (outputs, kind.size)
            masked = rng.integers(4) == 0
            code = draw_weights(rng, shape, "lfsr_masked") if masked else _code(rng, shape)
            op = Dense(code, Constant(rng.integers(-50, 50, outputs)))
            x = _rescale(rng, builder, builder.add(op, x), Type.of((outputs,), 0, 1))
            kind = Type.of((outputs,), 0, 1)
        if rng.integers(2):
            x = builder.add(Argmax(), x)
    return builder.build(x)


def random_sequences(rng: np.random.Generator) -> Graph:
    """A small network over sequences, whose branches begin at either end."""
    builder = GraphBuilder("sequences")
    shape = (int(rng.integers(1, 7)), int(rng.choice([1, 2, 3, 4, 6])))
    x = builder.input(Type.of(shape, -4, 7))

    def dense(x: str) -> str:
        outputs = int(rng.choice([1, 2, 4, 5]))
        weights = _code(rng, (outputs, builder.type(x).channels))
        result = builder.add(Dense(weights, Constant(rng.integers(-50, 50, outputs))), x)
        return _rescale(rng, builder, result, builder.type(result))

    for _ in range(rng.integers(1, 4)):
        choice = rng.integers(4)
        if choice == 0:
            x = dense(x)
        elif choice == 1:
            x = builder.add(Reverse(), x)
        else:
            left = dense(x) if rng.integers(2) else x
            right = builder.add(Reverse(), x)
            if choice == 3:
                right = builder.add(Reverse(), dense(right))
            x = builder.add(Concat(), *((left, right) if rng.integers(2) else (right, left)))
    if rng.integers(4) == 0:
        x = builder.add(Argmax(), x)
    return builder.build(x)


def random_schedules(rng: np.random.Generator, graph: Graph) -> dict[str, Schedule]:
    """Any legal schedule for every node; mostly folded."""
    schedules = {}
    for node in graph.nodes:
        if node.op.name == "input":
            continue
        choices = node.op.schedules(*graph.operands(node))
        folded = [s for s in choices if s.form != "spatial"]
        choices = folded if rng.integers(4) else choices
        schedules[node.name] = choices[rng.integers(len(choices))]
    return schedules


@st.composite
def networks(draw) -> tuple[Graph, dict[str, Schedule]]:
    """A network and its schedules."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    graph = (random_sequences if rng.integers(4) == 0 else random_network)(rng)
    return graph, random_schedules(rng, graph)
