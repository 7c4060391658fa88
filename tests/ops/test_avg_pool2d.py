"""avg_pool2d: the exact sum over a window."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.ir import Type
from hwgen.ops.avg_pool2d import AvgPool2d
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples


@st.composite
def cases(draw) -> Case:
    x = draw(d.images())
    return Case(AvgPool2d(*draw(d.windows(*x.shape[:2]))), x)


class TestAvgPool2d(OpTests):
    cases = cases()
    corners = (
        Case(AvgPool2d((2, 2), (2, 2)), Type.of((4, 4, 2), 0, 15)),
        # Global average; padding counts as zeros, also where the interval has none.
        Case(AvgPool2d((4, 5), (4, 5)), Type.of((4, 5, 3), -128, 127)),
        Case(AvgPool2d((3, 3), (2, 2), (1, 1)), Type.of((5, 4, 2), 3, 9)),
        Case(AvgPool2d((3, 3), (1, 2), (2, 0)), Type.of((3, 5, 1), -8, -2)),
        Case(AvgPool2d((1, 1), (1, 1)), Type.of((2, 2, 2), 0, 3)),
    )

    def naive(self, op, x):
        height, width, channels = len(x), len(x[0]), len(x[0][0])
        y = []
        for top in range(-op.padding[0], height + op.padding[0] - op.kernel[0] + 1, op.stride[0]):
            row = []
            for left in range(
                -op.padding[1], width + op.padding[1] - op.kernel[1] + 1, op.stride[1]
            ):
                pixel = [0] * channels
                for i in range(max(0, top), min(height, top + op.kernel[0])):
                    for j in range(max(0, left), min(width, left + op.kernel[1])):
                        for k in range(channels):
                            pixel[k] += x[i][j][k]
                row.append(pixel)
            y.append(row)
        return y

    def extremes(self, case):
        return None if any(case.op.padding) else samples(case.x, 2)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import AvgPool2d, GlobalAvgPool2d

        kernel = rng.integers(1, 4, 2).tolist()
        padding = [int(rng.integers(k // 2 + 1)) for k in kernel]
        pool = AvgPool2d(kernel, rng.integers(1, 4, 2).tolist(), padding)
        pool = (pool, GlobalAvgPool2d())[rng.integers(2)]
        return nn.Sequential(d.entrance(rng, 3, 6, 5), pool, d.activation(rng))
