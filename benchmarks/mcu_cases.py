"""What runs on the simulated cores: single layers drawn at random, whole networks of the zoo."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from hwgen import zoo
from hwgen.ir.code import WeightCode
from hwgen.ir.constant import Constant
from hwgen.ir.graph import Graph, GraphBuilder
from hwgen.ir.op import Op
from hwgen.ir.types import Type
from hwgen.ops.add import Add
from hwgen.ops.avg_pool2d import AvgPool2d
from hwgen.ops.codes.basis import Basis
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.codes.structured_sparse import StructuredSparse
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.lib import lfsr
from hwgen.ops.max_pool2d import MaxPool2d
from hwgen.ops.requantize import Requantize

__all__ = [
    "BIG_CONV",
    "BINARY",
    "CODES",
    "CONV",
    "CONV_1X1",
    "DENSE",
    "DENSE_2",
    "DENSE_4",
    "DEPTHWISE",
    "ELEMENTWISE",
    "LAYERS",
    "NETWORKS",
    "SPARSE_GOAL",
    "TERNARY",
    "Case",
    "load",
]

CONV, CONV_1X1 = "conv 3x3, 16 to 32, 16x16", "conv 1x1, 16 to 32, 16x16"
BIG_CONV = "conv 3x3, 32 to 64, 16x16"  # the layer of arXiv 1908.11263
DEPTHWISE = "depthwise 3x3, 16, 16x16"
DENSE, DENSE_4, DENSE_2 = (f"dense 784x128, {bits}-bit weights" for bits in (8, 4, 2))
TERNARY, POWER = "dense 784x128, ternary weights", "dense 784x128, 3-bit powers of two"
POWER_4 = "dense 784x128, 4-bit powers of two"
BASIS = "dense 784x128, bases of 4 for 8 outputs"
BINARY = "dense 784x128, binary weights, 1-bit inputs"
BINARY_8 = "dense 784x128, binary weights, 8-bit inputs"
SPARSE = tuple(
    f"dense 784x128, 1:{block} sparse, positions of {share}"
    for block, share in ((4, 4), (8, 1), (8, 2), (8, 4), (16, 1), (16, 4))
)
SPARSE_GOAL = "dense 784x128, 1:8 sparse, positions of 2"
MASKED = tuple(f"dense 784x128, LFSR mask of {density}" for density in ("0.1", "0.5"))
CODES = (BINARY, BINARY_8, TERNARY, POWER, POWER_4, BASIS, *SPARSE, *MASKED)
ELEMENTWISE = ("max pool 2x2, 16, 16x16", "average pool 2x2, 16, 16x16", "add, 16, 16x16")
LAYERS = (CONV, CONV_1X1, BIG_CONV, DEPTHWISE, DENSE, DENSE_4, DENSE_2, *CODES, *ELEMENTWISE)
NETWORKS = ("digits-mlp", "digits-cnn", "mnist-cnn")


@dataclass(frozen=True)
class Case:
    """A graph and samples for it.

    Attributes
    ----------
    graph
        The integers.
    work
        Products summed up in one inference; values read, of a layer that multiplies nothing.
    x, expected
        Samples (n, *input shape) drawn from the input's interval, and the golden model's outputs.
    """

    graph: Graph
    work: int
    x: np.ndarray
    expected: np.ndarray

    def draw(self, count: int) -> np.ndarray:
        """Other samples, the same every time."""
        return _draw(self.graph.input_type, count, np.random.default_rng(count))


@cache
def load(name: str) -> Case:
    """The layer or network called ``name``."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    graph = zoo.load(name) if name in NETWORKS else _layer(name, random)
    x = _draw(graph.input_type, 4, random)
    return Case(graph, _products(graph) or graph.input_type.size, x, graph.run(x))


def _draw(kind: Type, count: int, random: np.random.Generator) -> np.ndarray:
    return random.integers(kind.lo, kind.hi, (count, *kind.shape), endpoint=True)


def _products(graph: Graph) -> int:
    """Of a weight and a value: taps in the padding are counted, as everybody does."""
    total = 0
    for node in graph.nodes:
        if node.op.name in ("conv2d", "dense"):
            total += node.type.size * math.prod(node.op.weights.shape[1:])
    return total


def _layer(name: str, random: np.random.Generator) -> Graph:
    """int8 in, int8 weights but where the name says otherwise, requantized to int8."""
    size, channels = 16, 16

    def weights(*shape: int, bits: int = 8) -> tuple[Uniform, Constant]:
        largest = (1 << (bits - 1)) - 1
        values = random.integers(-largest, largest, shape, endpoint=True)
        return Uniform(Constant(values), bits), Constant(random.integers(-999, 999, shape[0]))

    op: Op
    shape: tuple[int, ...] = (size, size, channels)
    if name.startswith("conv"):
        kernel = int(name[5])
        inputs, outputs = (32, 64) if name == BIG_CONV else (channels, 32)
        shape = (size, size, inputs)
        op = Conv2d(*weights(outputs, kernel, kernel, inputs), padding=(kernel // 2, kernel // 2))
    elif name == DEPTHWISE:
        op = Conv2d(*weights(channels, 3, 3, 1), padding=(1, 1), groups=channels)
    elif name in CODES:
        shape = (784,)
        op = Dense(_code(name, random), Constant(random.integers(-999, 999, 128)))
    elif name.startswith("dense"):
        shape = (784,)
        op = Dense(*weights(128, 784, bits=int(name.split()[2][0])))
    else:
        op = {"max": MaxPool2d, "average": AvgPool2d}.get(name.split()[0], Add)(
            *(() if name.startswith("add") else ((2, 2), (2, 2)))
        )
    builder = GraphBuilder(name.split(",")[0])
    interval = (0, 1) if name == BINARY else (-128, 127)
    x = builder.input(Type.of(shape, *interval), name="x")
    y = builder.add(op, *([x] * op.arity), name="layer")
    if not isinstance(op, MaxPool2d):
        y = builder.add(_requantize(builder.build(y), random), y, name="act")
    return builder.build(y)


def _code(name: str, random: np.random.Generator) -> WeightCode:
    """The weights of a fully connected layer, int8 where a part of them is kept."""
    outputs, inputs = shape = 128, 784
    if name in (BINARY, BINARY_8):
        return Binary(Constant(random.choice([-1, 1], shape)))
    if name == TERNARY:
        return Ternary(Constant(random.integers(-1, 1, shape, endpoint=True)))
    if name in (POWER, POWER_4):
        bits, exponents = (3, 3) if name == POWER else (4, 7)
        values = random.choice([-1, 0, 1], shape) << random.integers(0, exponents, shape)
        return PowerOfTwo(Constant(values), bits)
    if name == BASIS:
        runs = (outputs, inputs // 4, 4)
        coefficients = random.choice([-1, 0, 1], runs) << random.integers(0, 7, runs)
        basis = random.integers(-127, 127, (outputs // 8, 4, 4), endpoint=True)
        return Basis(Constant(coefficients), Constant(basis), 8, 7, (inputs,))
    number = name.rpartition(" ")[2]
    if name in MASKED:
        width = lfsr.default_width(inputs, outputs)
        taps, leap = lfsr.TAPS[width], lfsr.default_leap(width)
        seeds = lfsr.golden_seeds(outputs, width, taps)
        limit = lfsr.threshold(float(number), width)
        count = int(lfsr.mask(inputs, seeds, width, taps, leap, limit).sum())
        kept = Uniform(Constant(random.integers(-127, 127, count, endpoint=True)), 8)
        return LfsrMasked(kept, (inputs,), width, taps, leap, limit, Constant(seeds))
    block, share = int(name.partition("1:")[2].split()[0]), int(number)
    positions = random.integers(0, block, (outputs // share, inputs // block, 1))
    count = outputs * inputs // block
    kept = Uniform(Constant(random.integers(-127, 127, count, endpoint=True)), 8)
    return StructuredSparse(kept, (inputs,), block, share, Constant(positions))


def _requantize(graph: Graph, random: np.random.Generator) -> Requantize:
    """To int8, of which a few outputs leave the interval; of products, one factor a channel.

    Factors have 15 bits at most, as those that hwgen's own quantization finds.
    """
    sums = graph.run(_draw(graph.input_type, 8, random))
    scale = 127 / (2.5 * sums.std())
    shift = 13 - math.floor(math.log2(scale))
    count = sums.shape[-1] if _products(graph) else ()
    factors = np.rint(scale * 2**shift * random.uniform(0.7, 1.3, count)).astype(np.int64)
    return Requantize(Constant(factors), Constant(shift), -128, 127)
