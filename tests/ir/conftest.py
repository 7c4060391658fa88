"""One small graph with every kind of attribute in it."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.ops.add import Add
from hwgen.ops.clip import Clip
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.flatten import Flatten
from hwgen.ops.lookup import Lookup
from hwgen.ops.requantize import Requantize


def build_small() -> Graph:
    """Convolution with a residual, a table and a dense layer; every weight code."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("small")
    x = b.input(Type.of((4, 4, 2), 0, 15, scale=0.25))
    kernel = Uniform(Constant(rng.integers(-7, 8, (2, 3, 3, 2))), 4)
    y = b.add(Conv2d(kernel, Constant([3, -4]), padding=(1, 1)), x, name="conv", layer="0")
    y = b.add(Requantize(Constant([5, 9]), Constant(7), 0, 15), y, name="act", scale=(0.5, 0.25))
    y = b.add(Add(), x, y, name="residual", layer="block.add")
    y = b.add(Clip(1, None), y, name="rectified")
    y = b.add(Lookup(Constant(range(20, -12, -1)), 0), y, name="table")
    y = b.add(Flatten(), y)
    signs = Binary(Constant(rng.choice([-1, 1], (3, 32))))
    y = b.add(Dense(signs, Constant([0, 1, 2])), y, name="fc", layer="2")
    return b.build(y)


@pytest.fixture
def small() -> Graph:
    return build_small()


@pytest.fixture
def samples() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 16, (20, 4, 4, 2))
