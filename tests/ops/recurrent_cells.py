"""What the tests of recurrent cells share: drawn cells, sigmoids in plain Python, sequences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, Type
from hwgen.ir.code import WeightCode
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.gru import Gru
from hwgen.ops.lib.recurrent import Recurrent
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests

__all__ = [
    "RecurrentTests",
    "cases",
    "cell",
    "clipped",
    "corner",
    "layer_options",
    "sigmoid",
    "varied",
]


def gains(rng: np.random.Generator, weights: WeightCode, largest: int, part: float) -> Constant:
    """Gains up to ``part`` of what the rule of 2^31 leaves to one of two products."""
    most = np.abs(weights.decode()).sum(axis=1).max() * largest
    limit = min((1 << 15) - 1, int(((1 << 30) - (1 << 20)) / most))
    limit = max(1, int(limit * part))
    return Constant(rng.integers(-limit, limit, len(weights.decode()), endpoint=True))


def cell(
    kind: type[Recurrent],
    rng: np.random.Generator,
    x: Type,
    input_weights: WeightCode,
    recurrent_weights: WeightCode,
    part: float = 0.02,
    **options,
) -> Recurrent:
    """A cell with random gains and biases; with ``part`` 1 everything saturates."""
    shift = options.pop("shift", 6)
    # A new state of a GRU is the sum of two pre-activations: with large biases only these count.
    most = 1 << (min(19, 9 + shift) if kind is Gru else min(20, 11 + shift))
    rows, units = recurrent_weights.shape
    constants = (
        gains(rng, input_weights, max(x.hi, -x.lo, 1), part),
        gains(rng, recurrent_weights, 128, part),
        Constant(rng.integers(-most, most, rows, endpoint=True)),
    )
    if kind is Gru:
        options["recurrent_bias"] = Constant(rng.integers(-most, most, units))
    return kind(input_weights, recurrent_weights, *constants, shift, **options)


def varied(op: Recurrent, steps: int, seed: int = 0) -> Recurrent:
    """The cell with its constants in another order of rows in every step."""
    rng = np.random.default_rng(seed)
    return replace(
        op,
        **{
            name: Constant(
                np.stack([rng.permutation(getattr(op, name).array) for _ in range(steps)])
            )
            for name in op.of_step
        },
    )


def at_step(op: Recurrent, t: int) -> Recurrent:
    """The cell with the constants of a step for all."""
    if op.bias.array.ndim == 1:
        return op
    return replace(op, **{name: Constant(getattr(op, name).array[t]) for name in op.of_step})


@st.composite
def cases(draw, kind: type[Recurrent]) -> Case:
    n, features, steps = (draw(st.integers(1, most)) for most in (9, 6, 8))
    element, lo, hi = draw(d.elements())
    x = Type.of((steps, features), lo, hi, element=element)
    rng = np.random.default_rng(draw(d.seeds))
    op = cell(
        kind,
        rng,
        x,
        d.draw_weights(rng, (kind.gates * n, features)),
        d.draw_weights(rng, (kind.gates * n, n)),
        draw(st.sampled_from([0.001, 0.02, 0.2, 1.0])),
        shift=draw(st.integers(0, 15)),
        activation=draw(st.sampled_from(["plan", "table"])),
        threshold=draw(st.sampled_from([0, 1, 2, 26, 100, 128])),
        every_step=draw(st.booleans()),
        stateful=draw(st.booleans()),
    )
    by = draw(st.sampled_from(["elements", "elements", "changes", "steps"]))
    if by == "changes":
        span = max(x.hi, 0) - min(x.lo, 0)
        deltas = draw(st.sampled_from([(1, 1), (20, 1), (1, 1 + span // 4), (255, span)]))
        op = replace(op, state_delta=deltas[0], input_delta=max(1, min(deltas[1], span)))
        if span == 0:
            op = replace(op, state_delta=0, input_delta=0)
    elif by == "steps":
        try:
            changed = varied(replace(op, stateful=False), steps)
            changed.verify(x)
            op = changed
        except RuleViolation:  # gains of other rows are too large for a row
            pass
    return Case(op, x)


def corner(kind: type[Recurrent], n: int, x: Type, code: str, **options) -> Case:
    """A cell of ``n`` units; ``mixed`` codes have only uniform weights in common."""
    rng = np.random.default_rng(n)

    def weights(columns: int) -> WeightCode:
        shape = (kind.gates * n, columns)
        if code == "ternary":
            return Ternary(Constant(rng.choice([-1, 0, 1], shape)))
        if code == "binary":
            return Binary(Constant(rng.choice([-1, 1], shape)))
        if code == "mixed" and columns == n:
            return PowerOfTwo(Constant(rng.choice([-4, -1, 0, 2], shape)), 3)
        return Uniform(Constant(rng.integers(-100, 100, shape)), 8)

    return Case(cell(kind, rng, x, weights(x.shape[1]), weights(n), **options), x)


def corners(kind: type[Recurrent]) -> tuple[Case, ...]:
    return (
        corner(kind, 6, Type.of((4, 3), -8, 7), "ternary", threshold=20),
        # Everything saturates; h of every step goes on to the next sample.
        corner(
            kind,
            5,
            Type.of((3, 2), 0, 255),
            "uniform",
            part=1.0,
            activation="table",
            every_step=True,
            stateful=True,
        ),
        # Only -128 is kept, one unit, one step.
        corner(kind, 1, Type.of((1, 1), -1, 1), "binary", threshold=128, stateful=True, part=1.0),
        # No input is 0; two codes that have only uniform weights in common; constants a step.
        Case(
            varied(
                corner(
                    kind, 4, Type.of((2, 5), 3, 9), "mixed", threshold=2, shift=0, every_step=True
                ).op,
                2,
            ),
            Type.of((2, 5), 3, 9),
        ),
        # The largest changes there are, of states that saturate; the sums stay for the next sample.
        corner(
            kind,
            3,
            Type.of((6, 3), -128, 127),
            "uniform",
            part=1.0,
            every_step=True,
            stateful=True,
            state_delta=1,
            input_delta=100,
        ),
    )


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


def sigmoid(activation: str) -> Callable[[int], int]:
    return plan if activation == "plan" else table


def clipped(value: int, bits: int) -> int:
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, value))


def rounded(value: int, shift: int) -> int:
    """A pre-activation: half up, 12 bits."""
    return clipped((2 * value + 2**shift) // 2 ** (shift + 1), 12)


class RecurrentTests(OpTests):
    """Subclasses define ``unit``."""

    def unit(self, op: Recurrent, u: int, a: list[int], b: list[int], c: int) -> tuple[int, int]:
        """New h, before it is dropped, and c of unit ``u``; ``a`` and ``b`` are products of all rows."""
        raise NotImplementedError(f"{type(self).__name__} must define unit()")

    def naive_batch(self, op, x):
        results, state = [], None
        for sample in x:
            found, state = self.sequence(op, sample, state if op.stateful else None)
            results.append(found if op.every_step else found[-1])
        return results

    def naive(self, op, x):
        return self.naive_batch(op, [x])[0]

    def sequence(self, op, x, state):
        """h of every step, and the state behind them: h, c, and what products saw of h and x."""
        n = op.units
        input_weights = op.input_weights.decode().tolist()
        recurrent_weights = op.recurrent_weights.decode().tolist()
        h, c, seen_h, seen_x = state or ([0] * n, [0] * n, [0] * n, [0] * len(x[0]))
        found = []
        for t, element in enumerate(x):
            cell = at_step(op, t)
            seen_h = self.seen(seen_h, h, op.state_delta)
            seen_x = self.seen(seen_x, element, op.input_delta)
            a, b = [], []
            for r in range(len(input_weights)):
                product = sum(w * v for w, v in zip(recurrent_weights[r], seen_h, strict=True))
                a.append(product * int(cell.recurrent_gain.array[r]))
                product = sum(w * v for w, v in zip(input_weights[r], seen_x, strict=True))
                b.append(product * int(cell.input_gain.array[r]) + int(cell.bias.array[r]))
            new = [self.unit(cell, u, a, b, c[u]) for u in range(n)]
            h = [0 if abs(value) < op.threshold else value for value, _ in new]
            c = [value for _, value in new]
            found.append(h)
        return found, (h, c, seen_h, seen_x)

    def seen(self, before, now, delta):
        """Elements that have changed by ``delta`` or more; of others what was seen of them."""
        return [b if abs(v - b) < delta else v for b, v in zip(before, now, strict=True)]


def layer_options(rng: np.random.Generator) -> dict[str, object]:
    """Keywords of a layer, by chance."""
    return {
        "code": str(rng.choice(["ternary", "binary", "uniform", "power_of_two"])),
        "hidden_size": int(rng.integers(1, 9)),
        "every_step": bool(rng.integers(2)),
        "threshold": float(rng.choice([0.0, 0.1])),
        "activation": str(rng.choice(["plan", "table"])),
    }
