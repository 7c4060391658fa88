"""Random graphs for the C back end: every op alone in all its forms, and whole networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, Graph, GraphBuilder, Int, Type
from hwgen.ir.code import WeightCode
from hwgen.ops.accumulate import Accumulate
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
from hwgen.ops.gru import Gru
from hwgen.ops.lib.recurrent import Recurrent
from hwgen.ops.lookup import Lookup
from hwgen.ops.lstm import Lstm
from hwgen.ops.max_pool2d import MaxPool2d
from hwgen.ops.requantize import Requantize
from hwgen.ops.reverse import Reverse
from hwgen.ops.saturating_counter import SaturatingCounter
from hwgen.ops.stochastic_dense import CODINGS, StochasticDense
from hwgen.ops.stream_argmax import StreamArgmax
from hwgen.ops.stream_multiply import StreamMultiply
from hwgen.ops.to_stream import ToStream
from tests.ops.streams import sources
from tests.ops.test_ising import network as network_of_spins

__all__ = ["OPS", "draw", "network", "samples"]

Rng = np.random.Generator
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 8, 9, 15, 16, 17, 31, 32, 33, 40)


def samples(graph: Graph, rng: Rng, count: int = 12) -> np.ndarray:
    """Inputs: both ends, mixtures of the ends, the worst of the first layer, then anything."""
    kind = graph.input_type
    x = rng.integers(kind.lo, kind.hi, (count, *kind.shape), dtype=np.int64, endpoint=True)
    x[0], x[1] = kind.lo, kind.hi
    x[2:5] = rng.choice([kind.lo, kind.hi], (3, *kind.shape))
    first = graph.nodes[1].op
    if isinstance(first, Dense):  # drives one accumulator to the end of its interval
        row = first.weights.decode()[rng.integers(len(first.bias.array))]
        x[5] = np.where(row > 0, kind.hi, kind.lo)
        x[6] = np.where(row > 0, kind.lo, kind.hi)
    return x


def a_type(rng: Rng, shape, widths=WIDTHS) -> Type:
    """A type of any width, half of the time with an interval smaller than its element."""
    width = int(rng.choice(widths))
    kind = Int(width, bool(rng.integers(2)) and width > 1)
    if rng.integers(2):
        return Type.of(shape, kind.lo, kind.hi, element=kind)
    lo, hi = sorted(rng.integers(kind.lo, kind.hi, 2, endpoint=True).tolist())
    return Type.of(shape, lo, hi, element=kind)


def a_shape(rng: Rng) -> tuple[int, ...]:
    return tuple(rng.integers(1, 7, 3).tolist()) if rng.integers(2) else (int(rng.integers(1, 20)),)


def a_code(rng: Rng, shape) -> WeightCode:
    """Weights of every storage: bits, crumbs, nibbles, bytes, words; sometimes all at an end."""
    bits = int(rng.choice([1, 2, 3, 4, 5, 8, 8, 12, 16]))
    if bits == 1:
        return Binary(Constant(rng.choice([-1, 1], shape)))
    kind = Int(bits, signed=True)
    if rng.integers(4) == 0:
        return Uniform(Constant(np.full(shape, rng.choice([kind.lo, kind.hi]))), bits)
    values = rng.integers(kind.lo, kind.hi, shape, endpoint=True)
    values.reshape(-1)[0] = kind.lo
    return Uniform(Constant(values), bits)


def a_bias(rng: Rng, channels: int) -> Constant:
    most = int(rng.choice([0, 1, 100, 30_000, 2**31 - 1, 2**35]))
    return Constant(rng.integers(-most, most, channels, endpoint=True))


def a_window(rng: Rng, height: int, width: int, pool: bool):
    """Kernel, stride, padding; sometimes the whole image."""
    if rng.integers(5) == 0:
        return (height, width), (height, width), (0, 0)
    kernel = [int(rng.integers(1, min(4, size + 1) + 1)) for size in (height, width)]
    most = [k // 2 if pool else k - 1 for k in kernel]
    padding = [int(rng.integers(0, m + 1)) for m in most]
    return tuple(kernel), tuple(rng.integers(1, 4, 2).tolist()), tuple(padding)


def dense(rng: Rng, x: Type) -> Dense:
    outputs = int(rng.integers(1, 12))
    return Dense(a_code(rng, (outputs, x.size)), a_bias(rng, outputs))


def conv2d(rng: Rng, x: Type) -> Conv2d:
    divisors = [g for g in range(1, x.channels + 1) if x.channels % g == 0]
    groups = int(rng.choice(divisors))
    each = int(rng.integers(1, 4))
    kernel, stride, padding = a_window(rng, *x.shape[:2], pool=False)
    weights = a_code(rng, (groups * each, *kernel, x.channels // groups))
    return Conv2d(weights, a_bias(rng, groups * each), stride, padding, groups)


def max_pool2d(rng: Rng, x: Type) -> MaxPool2d:
    return MaxPool2d(*a_window(rng, *x.shape[:2], pool=True))


def avg_pool2d(rng: Rng, x: Type) -> AvgPool2d:
    return AvgPool2d(*a_window(rng, *x.shape[:2], pool=True))


def clip(rng: Rng, x: Type) -> Clip:
    lo, hi = sorted(rng.integers(x.lo - 3, x.hi + 3, 2, endpoint=True).tolist())
    return Clip(lo if rng.integers(3) else None, hi if rng.integers(3) else None)


def requantize(rng: Rng, x: Type) -> Requantize:
    """Pure shift or multiplier, per tensor or per channel, to a small type."""

    def parameter(least: int, most: int) -> Constant:
        size = x.channels if rng.integers(2) else ()
        return Constant(rng.integers(least, most, size, endpoint=True))

    multiplier = parameter(1, int(rng.choice([1, 40, 2**15, 2**16 + 9, 2**31 - 1])))
    shift = parameter(0, int(rng.choice([0, 3, 12, 31, 47])))
    out = Int(int(rng.integers(2, 17)), bool(rng.integers(2)))
    return Requantize(multiplier, shift, out.lo, out.hi)


def lookup(rng: Rng, x: Type) -> Lookup:
    if x.hi - x.lo >= 4000:
        raise RuleViolation("too large a table")
    before, after = rng.integers(0, 9, 2).tolist()
    bits = int(rng.choice([4, 8, 16, 31, 40]))
    entries = rng.integers(-(1 << bits), 1 << bits, before + x.hi - x.lo + 1 + after)
    return Lookup(Constant(entries), x.lo - before)


def recurrent(rng: Rng, x: Type, kind: type[Recurrent]) -> Recurrent:
    """A cell that keeps its state or not, with gains from none to what saturates every gate."""
    units = int(rng.integers(1, 13))
    rows, shift = kind.gates * units, int(rng.integers(0, 10))
    most = int(rng.choice([0, 5, 100, 32_767]))
    gains = [Constant(rng.integers(-most, most, rows, endpoint=True)) for _ in range(2)]
    weights = a_code(rng, (rows, x.channels)), a_code(rng, (rows, units))
    bias = Constant(rng.integers(-2048, 2047, rows) << shift)
    more = {}
    if kind is Gru:
        more["recurrent_bias"] = Constant(rng.integers(-2048, 2047, units) << shift)
    return kind(
        *(*weights, *gains, bias, shift),
        str(rng.choice(["plan", "table"])),
        int(rng.choice([0, 4, 30])),
        every_step=bool(rng.integers(2)),
        stateful=bool(rng.integers(2)),
        **more,
    )


def lstm(rng: Rng, x: Type) -> Recurrent:
    return recurrent(rng, x, Lstm)


def gru(rng: Rng, x: Type) -> Recurrent:
    return recurrent(rng, x, Gru)


def a_stream_of_bits(rng: Rng, most: int = 80) -> Type:
    """Bits, with signs or not, in an element of their own width or of one too wide."""
    lo = int(rng.choice([0, -1]))
    kind = Int(int(rng.choice([2, 2, 8, 9, 17])), signed=True)
    shape = (int(rng.integers(1, most)), int(rng.integers(1, 14)))
    return Type.of(shape, lo, 1, element=kind if rng.integers(2) else None)


def to_stream(rng: Rng, x: Type) -> ToStream:
    bits, bipolar = int(rng.integers(1, 10)), bool(rng.integers(2))
    components, length = int(rng.choice([1, 2, 4, 8, 16])), int(rng.integers(1, 80))
    drawn = sources(rng, (x.channels, components), bits, length, bool(rng.integers(3) == 0))
    return ToStream(length, components, bits, bipolar, **drawn)


def stochastic_dense(rng: Rng, x: Type) -> StochasticDense:
    bits, outputs = int(rng.integers(2, 11)), int(rng.integers(1, 8))
    components, coding = int(rng.choice([1, 2, 4, 8, 16])), str(rng.choice(CODINGS))
    largest = 1 << (bits - 1)
    most = largest - int(rng.integers(2))
    weights = rng.integers(-most, most, (outputs, x.channels), endpoint=True)
    bias = rng.integers(-most, most, outputs, endpoint=True)
    number_bits = bits if coding == "bipolar" else bits - 1
    shape = (x.channels + 1, components)
    drawn = sources(rng, shape, number_bits, x.shape[0], bool(rng.integers(3) == 0))
    code = Uniform(Constant(weights), bits + 1)
    return StochasticDense(code, Constant(bias), bits, components, coding, **drawn)


def saturating_counter(rng: Rng, x: Type) -> SaturatingCounter:
    states = rng.integers(2, int(rng.choice([3, 40, 1 << 16])), x.channels, endpoint=True)
    if rng.integers(3) == 0:
        states[:] = states[0]
    threshold = rng.integers(1, states)
    flags = rng.integers(2, size=2).astype(bool).tolist()
    return SaturatingCounter(Constant(states), Constant(threshold), *flags)


def stream_argmax(rng: Rng, x: Type) -> StreamArgmax:
    if x.channels < 2 or rng.integers(3) == 0:
        return StreamArgmax()
    return StreamArgmax(True, x.hi - x.lo + int(rng.integers(3)), int(rng.choice([0, 1, 9])))


def ising(rng: Rng, name: str) -> Graph:
    """A network of spins, its frames in an element that may be wider than theirs."""
    replicas = int(rng.integers(1, 5))
    op = network_of_spins(
        rng,
        int(rng.choice([1, 2, 9, 31, 32, 33, 70])),
        engine=str(rng.choice(["accumulator", "gibbs"])),
        replicas=replicas,
        cycles=int(rng.integers(1, 60)),
        checks=str(rng.choice(["relations", "energy", ""])),
        ports=int(rng.integers(0, 20)),
        stops=bool(rng.integers(2)),
        swaps=replicas > 1 and bool(rng.integers(2)),
        segments=int(rng.integers(1, 4)),
        most=int(rng.choice([1, 3, 12])),
        density=float(rng.choice([0.05, 0.2, 0.8])),
    )
    element = Int(int(rng.choice([8, 9, 17])), signed=False)
    x = Type.of((op.frame.input_bytes,), 0, 255, element=element)
    return _one(lambda *_: op, rng, x, name)


def a_stream_multiply(rng: Rng, name: str) -> Graph:
    """A stream times the bits of counters that it drives."""
    builder = GraphBuilder(name)
    x = builder.input(a_type(rng, tuple(rng.integers(1, 12, 2).tolist()), WIDTHS[:12]))
    bits = builder.add(saturating_counter(rng, builder.type(x)), x)
    value = builder.add(StreamMultiply(), x, bits)
    if rng.integers(2):
        value = builder.add(requantize(rng, builder.type(value)), value)
    return builder.build(value)


def _bits(make) -> Callable[[Rng, str], Graph]:
    return lambda rng, name: _one(make, rng, a_stream_of_bits(rng), name)


def _number(make) -> Callable[[Rng, str], Graph]:
    """Of a vector whose interval suits the op that ``make`` draws."""

    def graph(rng: Rng, name: str) -> Graph:
        size = int(rng.integers(1, 20))
        op = make(rng, Type.of((size,), 0, 1))
        lo, hi = sorted(rng.integers(0, 1 << op.bits, 2, endpoint=True).tolist())
        return _one(lambda *_: op, rng, Type.of((size,), lo - op.offset, hi - op.offset), name)

    return graph


def _one(make, rng: Rng, shape: tuple[int, ...] | Type, name: str) -> Graph:
    """A graph of one op, half of the time with an epilogue behind it."""
    builder = GraphBuilder(name)
    value = builder.input(shape if isinstance(shape, Type) else a_type(rng, shape))
    value = builder.add(make(rng, builder.type(value)), value)
    while rng.integers(2):
        kind = ELEMENTWISE[int(rng.integers(len(ELEMENTWISE)))]
        value = builder.add(kind(rng, builder.type(value)), value)
    return builder.build(value)


ELEMENTWISE = (clip, requantize, requantize, lookup)


def an_add(rng: Rng, name: str) -> Graph:
    """The sum of a value and something elementwise of it (or itself), in either order."""
    builder = GraphBuilder(name)
    x = builder.input(a_type(rng, a_shape(rng)))
    other = builder.add(requantize(rng, builder.type(x)), x) if rng.integers(4) else x
    pair = [x, other] if rng.integers(2) else [other, x]
    value = builder.add(Add(), *pair)
    if rng.integers(2):
        value = builder.add(requantize(rng, builder.type(value)), value)
    return builder.build(value)


def a_concat(rng: Rng, name: str) -> Graph:
    """A value beside something elementwise of it, or itself, in either order."""
    builder = GraphBuilder(name)
    x = builder.input(a_type(rng, a_shape(rng)))
    other = builder.add(requantize(rng, builder.type(x)), x) if rng.integers(4) else x
    value = builder.add(Concat(), *([x, other] if rng.integers(2) else [other, x]))
    if rng.integers(2):
        value = builder.add(requantize(rng, builder.type(value)), value)
    return builder.build(value)


def a_flatten(rng: Rng, name: str) -> Graph:
    """Flattening at the start, the end or in between, of the input too."""
    builder = GraphBuilder(name)
    value = builder.input(a_type(rng, tuple(rng.integers(1, 5, 3).tolist())))
    if rng.integers(2):
        value = builder.add(max_pool2d(rng, builder.type(value)), value)
    value = builder.add(Flatten(), value)
    if rng.integers(2):
        value = builder.add(requantize(rng, builder.type(value)), value)
    return builder.build(value)


def _vector(make) -> Callable[[Rng, str], Graph]:
    return lambda rng, name: _one(make, rng, (int(rng.integers(1, 20)),), name)


def _image(make) -> Callable[[Rng, str], Graph]:
    def graph(rng: Rng, name: str) -> Graph:
        channels = int(rng.choice([1, 2, 3, 4, 5, 6, 8, 16]))
        return _one(make, rng, (*rng.integers(1, 8, 2).tolist(), channels), name)

    return graph


def _sequence(make) -> Callable[[Rng, str], Graph]:
    return lambda rng, name: _one(make, rng, tuple(rng.integers(1, 9, 2).tolist()), name)


def _any(make) -> Callable[[Rng, str], Graph]:
    return lambda rng, name: _one(make, rng, a_shape(rng), name)


OPS: dict[str, Callable[[Rng, str], Graph]] = {
    "accumulate": _sequence(lambda rng, x: Accumulate()),
    "add": an_add,
    "argmax": _vector(lambda rng, x: Argmax()),
    "avg_pool2d": _image(avg_pool2d),
    "clip": _any(clip),
    "concat": a_concat,
    "conv2d": _image(conv2d),
    "dense": _vector(dense),
    "flatten": a_flatten,
    "gru": _sequence(gru),
    "ising": ising,
    "lookup": _any(lookup),
    "lstm": _sequence(lstm),
    "max_pool2d": _image(max_pool2d),
    "requantize": _any(requantize),
    "reverse": _sequence(lambda rng, x: Reverse()),
    "saturating_counter": _sequence(saturating_counter),
    "stochastic_dense": _bits(stochastic_dense),
    "stream_argmax": _sequence(stream_argmax),
    "stream_multiply": a_stream_multiply,
    "to_stream": _number(to_stream),
}


def network(rng: Rng, name: str) -> Graph:
    """A network with branches: values are read late and more than once, some never."""
    builder = GraphBuilder(name)
    is_image = rng.integers(3) > 0
    shape = (int(rng.integers(3, 9)), int(rng.integers(3, 9)), int(rng.choice([1, 2, 3, 4, 8])))
    values = [
        builder.input(a_type(rng, shape if is_image else (int(rng.integers(2, 20)),), WIDTHS[:8]))
    ]
    steps = int(rng.integers(2, 12))
    while len(values) < steps:
        recent = values[-min(len(values), int(rng.integers(1, 4)))]
        kind = builder.type(recent)
        try:
            values.append(builder.add(_some_op(rng, kind), recent))
        except RuleViolation:
            continue
        last = builder.type(values[-1])
        if last.element.width > 12:
            try:
                values.append(builder.add(requantize(rng, last), values[-1]))
            except RuleViolation:
                continue
        last = builder.type(values[-1])
        peers = [v for v in values if builder.type(v).shape == last.shape]
        if rng.integers(2) and last.element.width < 20:
            values.append(builder.add(Add(), values[-1], peers[int(rng.integers(len(peers)))]))
    return builder.build(values[-1])


def _some_op(rng: Rng, x: Type):
    if len(x.shape) == 3:
        makers = (conv2d, conv2d, max_pool2d, avg_pool2d, clip, requantize, lambda *_: Flatten())
        return makers[rng.choice(7, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])](rng, x)
    return (dense, dense, requantize, clip, lookup)[rng.integers(5)](rng, x)


def draw(make: Callable[[Rng, str], Graph], rng: Rng, name: str) -> Graph:
    """A graph from ``make``; what breaks a rule of the representation is drawn again."""
    while True:
        try:
            return make(rng, name)
        except RuleViolation:
            continue
