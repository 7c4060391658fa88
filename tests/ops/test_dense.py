"""dense."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ops.codes.basis import Basis
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.lib import lfsr
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests


@st.composite
def cases(draw) -> Case:
    x = draw(st.one_of(d.vectors(), d.sequences()))
    outputs = draw(st.integers(1, 12))
    return Case(Dense(draw(d.weights((outputs, x.channels))), draw(d.biases(outputs))), x)


def masked(inputs: int, outputs: int, code, values, *steps: int) -> Case:
    rng = np.random.default_rng(inputs)
    width = lfsr.default_width(inputs, outputs)
    taps, leap = lfsr.TAPS[width], lfsr.default_leap(width)
    seeds, limit = lfsr.golden_seeds(outputs, width, taps), lfsr.threshold(0.5, width)
    kept = lfsr.mask(inputs, seeds, width, taps, leap, limit).sum()
    weights = code(Constant(values(rng, int(kept))))
    mask = LfsrMasked(weights, (inputs,), width, taps, leap, limit, Constant(seeds))
    bias = Constant(rng.integers(-99, 99, outputs))
    return Case(Dense(mask, bias), Type.of((*steps, inputs), -8, 7))


class TestDense(OpTests):
    cases = cases()
    corners = (
        # One input, one output; the most negative weight on the most negative input.
        Case(Dense(Uniform(Constant([[-128]]), 8), Constant([0])), Type.of((1,), -128, 127)),
        # A row and a column of zeros; one-bit input.
        Case(
            Dense(Uniform(Constant([[0, 0, 0], [0, 1, -2]]), 2), Constant([5, -5])),
            Type.of((3,), 0, 1),
        ),
        # Every weight -1.
        Case(
            Dense(Binary(Constant(-np.ones((3, 8), int))), Constant([0] * 3)), Type.of((8,), 0, 15)
        ),
        # An input whose interval does not hold zero.
        Case(Dense(Uniform(Constant([[3, -3]]), 4), Constant([1])), Type.of((2,), 2, 7)),
        # Equal rows, as a sharing of sub-expressions finds them.
        Case(
            Dense(Uniform(Constant([[5, -3, 7, 1]] * 4), 4), Constant([1, 2, 3, 4])),
            Type.of((4,), -8, 7),
        ),
        # Masked by a shift register: signs, and uniform weights.
        masked(5, 4, Binary, lambda rng, n: rng.choice([-1, 1], n)),
        masked(12, 6, lambda w: Uniform(w, 5), lambda rng, n: rng.integers(-16, 16, n)),
        # Sequences: bytes on both sides of a word, binary weights, a mask.
        Case(
            Dense(Uniform(Constant([[3, -7, 1, 100, -128]] * 5), 8), Constant([1, 2, 3, 4, 5])),
            Type.of((7, 5), -128, 127),
        ),
        Case(
            Dense(Binary(Constant([[1, -1] * 4, [-1] * 8])), Constant([0, 1])),
            Type.of((3, 8), 0, 1),
        ),
        masked(10, 4, Binary, lambda rng, n: rng.choice([-1, 1], n), 3),
        # Rebuilt from a basis.
        Case(
            Dense(
                Basis(
                    Constant([[[1, -64], [0, 2]], [[4, 4], [-1, 0]], [[0, 0], [32, 16]]]),
                    Constant([[[-128, 127], [7, -9]], [[5, 77], [1, 0]]]),
                    2,
                    3,
                    (4,),
                ),
                Constant([9, 0, -9]),
            ),
            Type.of((4,), -8, 7),
        ),
    )

    def naive(self, op, x):
        if isinstance(x[0], list):
            return [self.naive(op, step) for step in x]
        weights, bias = op.weights.decode().tolist(), op.bias.array.tolist()
        y = []
        for row, offset in zip(weights, bias, strict=True):
            total = offset
            for weight, value in zip(row, x, strict=True):
                total += weight * value
            y.append(total)
        return y

    def extremes(self, case):
        """For every output, the inputs that its weights' signs ask for."""
        weights = case.op.weights.decode()
        least = np.where(weights > 0, case.x.lo, case.x.hi)
        if len(case.x.shape) > 1:
            least = np.repeat(least[:, None], case.x.shape[0], axis=1)
        return np.concatenate([least, case.x.lo + case.x.hi - least])

    def model(self, rng):
        from torch import nn

        inputs, outputs = rng.integers(1, 20, 2).tolist()
        return nn.Sequential(
            d.entrance(rng, *([3] if rng.integers(2) else []), inputs),
            d.linear(rng, inputs, outputs),
            d.activation(rng),
            d.linear(rng, outputs, 5),
        )
