"""conv2d."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests


@st.composite
def cases(draw) -> Case:
    groups, depth, each = (draw(st.integers(1, 3)) for _ in range(3))
    kind, lo, hi = draw(d.elements())
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    x = Type.of((height, width, groups * depth), lo, hi, element=kind)
    kernel, stride, padding = draw(d.windows(height, width))
    weights = draw(d.weights((groups * each, *kernel, depth)))
    return Case(Conv2d(weights, draw(d.biases(groups * each)), stride, padding, groups), x)


def conv(shape, kernel, lo=0, hi=15, **more) -> Case:
    rng = np.random.default_rng(7)
    weights = Uniform(Constant(rng.integers(-7, 8, kernel)), 4)
    bias = Constant(rng.integers(-99, 99, kernel[0]))
    return Case(Conv2d(weights, bias, **more), Type.of(shape, lo, hi))


class TestConv2d(OpTests):
    cases = cases()
    corners = (
        conv((5, 5, 2), (3, 3, 3, 2), padding=(1, 1)),
        # Strided and padded, odd sizes, an image that is not square.
        conv((5, 7, 2), (2, 3, 3, 2), padding=(1, 1), stride=(2, 2)),
        conv((6, 3, 1), (2, 2, 3, 1), padding=(1, 2), stride=(3, 1), lo=-8, hi=7),
        # Depthwise, and with two outputs a channel.
        conv((4, 4, 3), (3, 3, 3, 1), padding=(1, 1), groups=3),
        conv((4, 4, 3), (6, 3, 3, 1), groups=3, lo=-8, hi=7),
        # Two groups; pointwise; a kernel as large as the image.
        conv((3, 3, 4), (4, 2, 2, 2), groups=2),
        conv((3, 4, 3), (5, 1, 1, 3)),
        conv((3, 4, 2), (2, 3, 4, 2)),
        # Kernels that are larger than the image on one side or both.
        conv((3, 1, 2), (2, 3, 3, 2), padding=(1, 1)),
        conv((1, 2, 2), (2, 3, 3, 1), padding=(1, 1), groups=2),
        conv((2, 2, 1), (1, 3, 3, 1), padding=(2, 2), stride=(2, 1), lo=-8, hi=7),
        # One pixel.
        conv((1, 1, 1), (1, 1, 1, 1)),
        # Padding widens an interval without zero.
        conv((3, 3, 1), (1, 3, 3, 1), padding=(1, 1), lo=3, hi=9),
        # One bit a weight.
        Case(
            Conv2d(Binary(Constant(-np.ones((2, 2, 2, 2), int))), Constant([0, 0])),
            Type.of((3, 3, 2), -8, 7),
        ),
    )

    def naive(self, op, x):
        weights, bias = op.weights.decode().tolist(), op.bias.array.tolist()
        outputs, kh, kw, depth = op.weights.shape
        each = outputs // op.groups
        height, width = len(x), len(x[0])
        y = []
        for top in range(-op.padding[0], height + op.padding[0] - kh + 1, op.stride[0]):
            row = []
            for left in range(-op.padding[1], width + op.padding[1] - kw + 1, op.stride[1]):
                pixel = []
                for o in range(outputs):
                    total = bias[o]
                    for i in range(kh):
                        for j in range(kw):
                            if not (0 <= top + i < height and 0 <= left + j < width):
                                continue
                            for k in range(depth):
                                value = x[top + i][left + j][o // each * depth + k]
                                total += weights[o][i][j][k] * value
                    pixel.append(total)
                row.append(pixel)
            y.append(row)
        return y

    def extremes(self, case):
        """Without padding: for every output, its own worst window in the image's corner."""
        op, x = case.op, case.x
        if any(op.padding):
            return None
        weights = op.weights.decode()
        outputs, kh, kw, depth = weights.shape
        inputs = np.full((2 * outputs, *x.shape), x.lo)
        for o in range(outputs):
            first = o // (outputs // op.groups) * depth
            least = np.where(weights[o] > 0, x.lo, x.hi)
            inputs[2 * o, :kh, :kw, first : first + depth] = least
            inputs[2 * o + 1, :kh, :kw, first : first + depth] = x.lo + x.hi - least
        return inputs

    def model(self, rng):
        from torch import nn

        from hwgen.nn import Conv2d

        groups, depth, each = rng.integers(1, 4, 3).tolist()
        kernel, stride = rng.integers(1, 4, 2).tolist(), rng.integers(1, 3, 2).tolist()
        padding = [int(rng.integers(k)) for k in kernel]
        return nn.Sequential(
            d.entrance(rng, groups * depth, 6, 5),
            Conv2d(
                groups * depth,
                groups * each,
                kernel,
                stride=stride,
                padding=padding,
                groups=groups,
                **d.weighted(rng),
            ),
        )
