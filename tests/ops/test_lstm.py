"""lstm."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ir.code import WeightCode
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lstm import Lstm
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests


def gains(rng: np.random.Generator, weights: WeightCode, largest: int, part: float) -> Constant:
    """Gains up to ``part`` of what the rule of 2^31 leaves to one of two products."""
    most = np.abs(weights.decode()).sum(axis=1).max() * largest
    limit = min((1 << 15) - 1, int(((1 << 30) - (1 << 20)) / most))
    limit = max(1, int(limit * part))
    return Constant(rng.integers(-limit, limit, len(weights.decode()), endpoint=True))


def cell(
    rng: np.random.Generator,
    x: Type,
    input_weights: WeightCode,
    recurrent_weights: WeightCode,
    part: float = 0.02,
    **options,
) -> Lstm:
    """An LSTM with random gains and biases; with ``part`` 1 everything saturates."""
    shift = options.pop("shift", 6)
    most = 1 << min(20, 11 + shift)
    return Lstm(
        input_weights,
        recurrent_weights,
        gains(rng, input_weights, max(x.hi, -x.lo, 1), part),
        gains(rng, recurrent_weights, 128, part),
        Constant(rng.integers(-most, most, recurrent_weights.shape[0], endpoint=True)),
        shift,
        **options,
    )


@st.composite
def cases(draw) -> Case:
    n, features, steps = (draw(st.integers(1, most)) for most in (9, 6, 8))
    kind, lo, hi = draw(d.elements())
    x = Type.of((steps, features), lo, hi, element=kind)
    rng = np.random.default_rng(draw(d.seeds))
    op = cell(
        rng,
        x,
        d.draw_weights(rng, (4 * n, features)),
        d.draw_weights(rng, (4 * n, n)),
        draw(st.sampled_from([0.001, 0.02, 0.2, 1.0])),
        shift=draw(st.integers(0, 15)),
        activation=draw(st.sampled_from(["plan", "table"])),
        threshold=draw(st.sampled_from([0, 1, 2, 26, 100, 128])),
        every_step=draw(st.booleans()),
        stateful=draw(st.booleans()),
    )
    return Case(op, x)


def corner(n: int, x: Type, code: str, **options) -> Case:
    rng = np.random.default_rng(n)

    def weights(columns: int) -> WeightCode:
        shape = (4 * n, columns)
        if code == "ternary":
            return Ternary(Constant(rng.choice([-1, 0, 1], shape)))
        if code == "binary":
            return Binary(Constant(rng.choice([-1, 1], shape)))
        if code == "mixed" and columns == n:
            return PowerOfTwo(Constant(rng.choice([-4, -1, 0, 2], shape)), 3)
        return Uniform(Constant(rng.integers(-100, 100, shape)), 8)

    return Case(cell(rng, x, weights(x.shape[1]), weights(n), **options), x)


def plan(z: int) -> int:
    magnitude = -z if z < 0 else z
    if magnitude < 256:
        y = magnitude // 4 + 128
    elif magnitude < 608:
        y = magnitude // 8 + 160
    elif magnitude < 1280:
        y = magnitude // 32 + 216
    else:
        y = 256
    return 256 - y if z < 0 else y


def table(z: int) -> int:
    return round(256 / (1 + math.exp(-(z // 16 * 16 + 8) / 256)))


def clipped(value: int, bits: int) -> int:
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, value))


class TestLstm(OpTests):
    cases = cases()
    corners = (
        corner(6, Type.of((4, 3), -8, 7), "ternary", threshold=20),
        # Everything saturates; h of every step goes on to the next sample.
        corner(
            5,
            Type.of((3, 2), 0, 255),
            "uniform",
            part=1.0,
            activation="table",
            every_step=True,
            stateful=True,
        ),
        # Only -128 is kept, one unit, one step.
        corner(1, Type.of((1, 1), -1, 1), "binary", threshold=128, stateful=True, part=1.0),
        # No input is 0; two codes that have only uniform weights in common.
        corner(4, Type.of((2, 5), 3, 9), "mixed", threshold=2, shift=0, every_step=True),
    )

    def naive_batch(self, op, x):
        results, state = [], None
        for sample in x:
            found, state = self.sequence(op, sample, state if op.stateful else None)
            results.append(found if op.every_step else found[-1])
        return results

    def naive(self, op, x):
        return self.naive_batch(op, [x])[0]

    def sequence(self, op, x, state):
        """h of every step, and the state behind them."""
        n = op.units
        input_weights = op.input_weights.decode().tolist()
        recurrent_weights = op.recurrent_weights.decode().tolist()
        sigmoid = plan if op.activation == "plan" else table
        h, c = state or ([0] * n, [0] * n)
        found = []
        for element in x:
            z = []
            for r in range(4 * n):
                a = sum(w * v for w, v in zip(recurrent_weights[r], h, strict=True))
                b = sum(w * v for w, v in zip(input_weights[r], element, strict=True))
                total = a * int(op.recurrent_gain.array[r]) + b * int(op.input_gain.array[r])
                total += int(op.bias.array[r])
                z.append(clipped((2 * total + 2**op.shift) // 2 ** (op.shift + 1), 12))
            h, c = h[:], c[:]
            for u in range(n):
                i, f, o = sigmoid(z[u]), sigmoid(z[n + u]), sigmoid(z[3 * n + u])
                g = 2 * sigmoid(clipped(2 * z[2 * n + u], 12)) - 256
                c[u] = clipped((f * c[u] + i * g + 128) // 256, 12)
                squashed = 2 * sigmoid(clipped(2 * c[u], 12)) - 256
                h[u] = clipped((o * squashed + 256) // 512, 8)
                if abs(h[u]) < op.threshold:
                    h[u] = 0
            found.append(h)
        return found, (h, c)

    def model(self, rng):
        from torch import nn

        from hwgen.nn import LSTM

        code = str(rng.choice(["ternary", "binary", "uniform", "power_of_two"]))
        layer = LSTM(
            4,
            int(rng.integers(1, 9)),
            code=code,
            every_step=bool(rng.integers(2)),
            threshold=float(rng.choice([0.0, 0.1])),
            activation=str(rng.choice(["plan", "table"])),
        )
        return nn.Sequential(d.entrance(rng, 5, 4), layer)
