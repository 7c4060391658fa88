"""stochastic_dense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib import lfsr
from hwgen.ops.stochastic_dense import StochasticDense
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests
from tests.ops.streams import drawn_numbers, sources

CODINGS = ("bipolar", "sign_magnitude")


def instance(seed, inputs, outputs, length, components, coding, bits=4, lo=0, counter=False):
    rng = np.random.default_rng(seed)
    largest = 1 << (bits - 1)
    values = rng.integers(-largest, largest, (outputs, inputs), endpoint=True)
    values *= rng.random(values.shape) < 0.8
    values.reshape(-1)[0] = largest
    bias = rng.integers(-largest, largest, outputs, endpoint=True)
    code = Uniform(Constant(values), bits + 1)
    number_bits = bits if coding == "bipolar" else bits - 1
    drawn = sources(rng, (inputs + 1, components), number_bits, length, counter)
    op = StochasticDense(code, Constant(bias), bits, components, coding, **drawn)
    return Case(op, Type.of((length, inputs), lo, 1))


@st.composite
def cases(draw) -> Case:
    seed = draw(d.seeds)
    rng = np.random.default_rng(seed)
    return instance(
        seed,
        int(rng.integers(1, 9)),
        int(rng.integers(1, 7)),
        int(rng.integers(1, 20)),
        int(rng.choice([1, 2, 4])),
        str(rng.choice(CODINGS)),
        int(rng.integers(2, 7)),
        int(rng.choice([0, -1])),
        bool(rng.integers(4) == 0),
    )


class TestStochasticDense(OpTests):
    cases = cases()
    corners = (
        instance(0, 7, 6, 12, 4, "bipolar"),
        instance(1, 7, 6, 12, 4, "sign_magnitude"),
        instance(2, 5, 4, 9, 2, "bipolar", lo=-1),
        instance(3, 5, 4, 9, 2, "sign_magnitude", lo=-1),
        # One of everything; numbers of one bit; many components.
        instance(4, 1, 1, 1, 1, "sign_magnitude", bits=2),
        instance(5, 3, 2, 6, 16, "bipolar", bits=2, counter=True),
    )

    def naive(self, op, x):
        rows = [
            [*row, b]
            for row, b in zip(op.weights.decode().tolist(), op.bias.array.tolist(), strict=True)
        ]
        bits = op.bits if op.coding == "bipolar" else op.bits - 1
        steps = []
        for numbers, values in zip(drawn_numbers(op, bits, len(x)), x, strict=True):
            step = []
            for row in rows:
                total = 0
                for q, drawn, value in zip(row, numbers, [*values, 1], strict=True):
                    if op.coding == "bipolar":
                        word = sum(1 if r < q + 2 ** (op.bits - 1) else -1 for r in drawn)
                    else:
                        word = sum(r < abs(q) for r in drawn) * (1 if q > 0 else -1)
                    total += word * value
                step.append(total)
            steps.append(step)
        return steps

    def model(self, rng):
        from torch import nn

        from hwgen.nn import InputQuantizer, StochasticLinear, ToStream

        components = int(rng.choice([1, 2, 4]))
        signed = bool(rng.integers(2))
        bits = int(rng.integers(2, 6))
        activation = str(rng.choice(["sigmoid", "tanh"]))
        layers = [
            InputQuantizer(bits, 2.0 ** (signed - bits), signed, (6,)),
            ToStream(6, int(rng.integers(1, 30)), bits=bits, signed=signed),
            StochasticLinear(
                6,
                5,
                activation=activation,
                signed=signed,
                components=components,
                coding=str(rng.choice(CODINGS)),
                bits=int(rng.integers(3, 9)),
                first_source=6,
            ),
            StochasticLinear(
                5,
                4,
                activation=None,
                signed=activation == "tanh",
                components=components,
                first_source=6 + 7 * components,
            ),
        ]
        return nn.Sequential(*layers)


def right() -> dict:
    return {
        "weights": Uniform(Constant([[8, -8]]), 5),
        "bias": Constant([0]),
        "bits": 4,
        "components": 1,
        "coding": "bipolar",
        "width": 8,
        "taps": lfsr.TAPS[8],
        "leap": 1,
        "seeds": Constant([[5], [6], [7]]),
    }


WRONG = {
    "weights": (
        {"weights": Uniform(Constant([[9, -8]]), 5)},
        r"must lie in \[-8, 8\] for 4 bits, found \[-8, 9\]",
    ),
    "bias": ({"bias": Constant([-9])}, r"found \[-9, 8\]"),
    "coding": ({"coding": "unipolar"}, "sign_magnitude, bipolar, not 'unipolar'"),
    "components": ({"components": 5}, "one of 1, 2, 4, 8, 16, not 5"),
    "seeds": ({"seeds": Constant([[5], [6], [5]])}, "found 5 more than once"),
    "period": ({"width": 5, "taps": lfsr.TAPS[5]}, "repeats after 31 steps.*width 6 would do"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told(name):
    change, told = WRONG[name]
    builder = GraphBuilder("g")
    x = builder.input(Type.of((40, 2), 0, 1))
    builder.add(StochasticDense(**right()), x)
    with pytest.raises(RuleViolation, match=told):
        builder.add(StochasticDense(**right() | change), x)


def test_integers_are_no_bits():
    builder = GraphBuilder("g")
    x = builder.input(Type.of((40, 2), 0, 2))
    with pytest.raises(RuleViolation, match=r"stream of bits.*found \[0, 2\]"):
        builder.add(StochasticDense(**right()), x)
