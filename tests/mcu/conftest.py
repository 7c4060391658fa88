"""Networks that the tests of the C back end share."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.ops.add import Add
from hwgen.ops.avg_pool2d import AvgPool2d
from hwgen.ops.clip import Clip
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.flatten import Flatten
from hwgen.ops.lookup import Lookup
from hwgen.ops.max_pool2d import MaxPool2d
from hwgen.ops.requantize import Requantize


@pytest.fixture(scope="session")
def small() -> Graph:
    """A residual network with nearly every op, and every kind of weight storage."""

    def weights(k: int, bits: int, *shape: int) -> Uniform:
        """Weights from a formula: no generator of random numbers may change them."""
        most = (1 << (bits - 1)) - 1
        values = (np.arange(np.prod(shape)) * k) % (2 * most + 1) - most
        return Uniform(Constant(values.reshape(shape)), bits)

    b = GraphBuilder("small")
    x = b.input(Type.of((6, 6, 2), 0, 15, scale=0.0625), layer="image")
    bias = Constant([20, -7, 0, 3])
    c1 = b.add(Conv2d(weights(7, 4, 4, 3, 3, 2), bias, padding=(1, 1)), x, name="conv1", layer="0")
    a1 = b.add(Requantize(Constant([3, 5, 7, 9]), Constant(6), 0, 15), c1, name="act1", layer="1")
    depthwise = Conv2d(weights(97, 8, 4, 3, 3, 1), bias, padding=(1, 1), groups=4)
    a2 = b.add(
        Requantize(Constant(1), Constant([4, 5, 6, 5]), 0, 15),
        b.add(depthwise, a1, name="depthwise"),
        name="act2",
    )
    signs = Binary(
        Constant([[[[1, -1, 1, 1]]], [[[-1, -1, 1, 1]]], [[[1, 1, 1, -1]]], [[[-1, 1, -1, 1]]]])
    )
    p1 = b.add(Conv2d(signs, Constant(0 * bias.array)), a2, name="pointwise")
    a3 = b.add(Requantize(Constant(1), Constant(2), -8, 7), p1, name="act3")
    r1 = b.add(Clip(0, None), b.add(Add(), a1, a3, name="residual", layer="block"), name="relu")
    m1 = b.add(MaxPool2d((3, 3), (2, 2), (1, 1)), r1, name="pool")
    t1 = b.add(Lookup(Constant(np.arange(-4, 30) ** 2 // 5), -4), m1, name="square")
    g1 = b.add(AvgPool2d((3, 3), (3, 3)), t1, name="mean")
    a4 = b.add(Requantize(Constant(1234567), Constant(24), -128, 127), g1, name="act4")
    fc = Dense(weights(2, 2, 3, 4), Constant([100, 0, -100]))
    return b.build(b.add(fc, b.add(Flatten(), a4), name="fc", scale=(0.5, 0.25, 0.1)))


@pytest.fixture(scope="session")
def deep() -> Graph:
    """A network with 33 thousand bytes of weights and few activations."""
    rng = np.random.default_rng(5)
    b = GraphBuilder("deep")
    x = b.input(Type.of((64,), 0, 15))
    for i, width in enumerate((96, 128, 96, 10)):
        weights = rng.integers(-128, 128, (width, b.type(x).shape[0]))
        bias = Constant(rng.integers(-999, 999, width))
        x = b.add(Dense(Uniform(Constant(weights), 8), bias), x, name=f"fc{i}")
        if i < 3:
            x = b.add(Requantize(Constant(3), Constant(11), 0, 127), x, name=f"act{i}")
    return b.build(x)
