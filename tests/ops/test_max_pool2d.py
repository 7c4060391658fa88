"""max_pool2d."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.ir import Type
from hwgen.ops.max_pool2d import MaxPool2d
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests, samples


@st.composite
def cases(draw) -> Case:
    x = draw(d.images())
    return Case(MaxPool2d(*draw(d.windows(*x.shape[:2], pool=True))), x)


class TestMaxPool2d(OpTests):
    cases = cases()
    corners = (
        Case(MaxPool2d((2, 2), (2, 2)), Type.of((4, 4, 2), 0, 15)),
        # Rows and columns left over; overlapping windows; negative values beside padding.
        Case(MaxPool2d((2, 2), (2, 2)), Type.of((5, 5, 1), -8, 7)),
        Case(MaxPool2d((3, 3), (2, 2), (1, 1)), Type.of((5, 4, 3), -8, -1)),
        Case(MaxPool2d((3, 2), (1, 3), (1, 1)), Type.of((3, 5, 1), 0, 1)),
        # A kernel larger than the image; a constant image.
        Case(MaxPool2d((3, 3), (1, 1), (1, 1)), Type.of((2, 2, 1), -128, 127)),
        Case(MaxPool2d((1, 2), (1, 3), (0, 1)), Type.of((5, 4, 1), -7, -7)),
        # The whole image, and single pixels.
        Case(MaxPool2d((3, 4), (1, 1)), Type.of((3, 4, 2), 0, 255)),
        Case(MaxPool2d((1, 1), (1, 1)), Type.of((2, 2, 2), 0, 3)),
    )

    def naive(self, op, x):
        height, width, channels = len(x), len(x[0]), len(x[0][0])
        y = []
        for top in range(-op.padding[0], height + op.padding[0] - op.kernel[0] + 1, op.stride[0]):
            row = []
            for left in range(
                -op.padding[1], width + op.padding[1] - op.kernel[1] + 1, op.stride[1]
            ):
                pixel = []
                for k in range(channels):
                    seen = []
                    for i in range(max(0, top), min(height, top + op.kernel[0])):
                        for j in range(max(0, left), min(width, left + op.kernel[1])):
                            seen.append(x[i][j][k])
                    pixel.append(max(seen))
                row.append(pixel)
            y.append(row)
        return y

    def extremes(self, case):
        return samples(case.x, 2)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import MaxPool2d

        kernel = rng.integers(1, 4, 2).tolist()
        padding = [int(rng.integers(k // 2 + 1)) for k in kernel]
        pool = (MaxPool2d, nn.MaxPool2d)[rng.integers(2)]
        stride = tuple(rng.integers(1, 4, 2).tolist())
        return nn.Sequential(d.entrance(rng, 3, 6, 5), pool(tuple(kernel), stride, tuple(padding)))
