"""Random recurrent cells for the tests of their C, and cells at their ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.emit import emit
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.gru import Gru
from hwgen.ops.lib.recurrent import Recurrent
from hwgen.ops.lstm import Lstm
from tests.ops.draw import draw_weights
from tests.ops.recurrent_cells import varied

KINDS = (Gru, Lstm)
CODES = (
    *("uniform", "binary", "ternary", "power_of_two", "basis"),
    *("lfsr_masked", "structured_sparse"),
)
INPUTS = ((-128, 127), (0, 255), (0, 1), (-2000, 2000), (0, 60_000))
SAMPLES = 6


def cell(
    rng: np.random.Generator,
    units: int,
    x: Type,
    codes: tuple[str, str] = ("ternary", "ternary"),
    gain: int = 30,
    shift: int = 4,
    kind: type[Recurrent] = Lstm,
    most_bias: int = 2000,
    **options,
) -> Recurrent:
    """A cell with random weights; ``gain`` and bias decide how far it saturates."""
    rows, features = kind.gates * units, x.shape[1]

    def gains() -> Constant:
        return Constant(rng.integers(-gain, gain, rows, endpoint=True))

    def bias(size: int) -> Constant:
        most = min(most_bias << shift, (1 << 30) - 1)
        return Constant(rng.integers(-most, most, size, endpoint=True))

    weights = [
        draw_weights(rng, (rows, count), code)
        for count, code in zip((features, units), codes, strict=True)
    ]
    more = {"recurrent_bias": bias(units)} if kind is Gru else {}
    return kind(*weights, gains(), gains(), bias(rows), shift, **more, **options)


def alone(op: Recurrent, x: Type, name: str = "one_cell") -> Graph:
    """A graph of one cell."""
    builder = GraphBuilder(name)
    return builder.build(builder.add(op, builder.input(x), name="cell", layer="recurrent"))


def draw(rng: np.random.Generator, code: str, kind: type[Recurrent]) -> Graph:
    """A random cell, one matrix of it with the given code, within what is legal."""
    while True:
        lo, hi = INPUTS[rng.integers(len(INPUTS))]
        x = Type.of((int(rng.integers(1, 9)), int(rng.integers(1, 10))), lo, hi)
        codes = [code, str(rng.choice(CODES[:5]))]
        if x.shape[1] == 1:
            codes[0], codes[1] = "uniform", code
        units = int(rng.integers(2, 41) if code == "structured_sparse" else rng.integers(1, 41))
        op = cell(
            rng,
            units,
            x,
            tuple(codes),
            int(rng.choice([0, 3, 30, 300, 32_767])),
            int(rng.integers(0, 12)),
            kind,
            activation=str(rng.choice(["plan", "table"])),
            threshold=int(rng.choice([0, 1, 3, 40, 128])),
            every_step=bool(rng.integers(2)),
            stateful=bool(rng.integers(2)),
        )
        by = rng.integers(4)
        if by == 0:
            span = max(x.hi, 0) - min(x.lo, 0)
            deltas = ((1, 1), (40, 1 + span // 4), (255, span))[rng.integers(3)]
            op = replace(op, state_delta=deltas[0], input_delta=deltas[1])
        elif by == 1:
            op = varied(replace(op, stateful=False), x.shape[0])
        try:
            return alone(op, x)
        except RuleViolation as error:  # gains times products beyond 32 bits
            assert "2^31" in str(error)


def samples(rng: np.random.Generator, x: Type, count: int = SAMPLES) -> np.ndarray:
    """Inputs, many of them zero, some at their ends."""
    values = rng.integers(x.lo, x.hi, (count, *x.shape), endpoint=True)
    ends = rng.random(values.shape) < 0.1
    values[ends] = rng.choice([x.lo, x.hi], ends.sum())
    zeros = rng.random(values.shape) < 0.5
    return np.where(zeros & (x.lo <= 0), 0, values)


def cells(seed: int, count: int = len(CODES) * len(KINDS)) -> list[Graph]:
    """Random cells of all kinds in turn; of fewer than all codes, those the seed chooses."""
    rng = np.random.default_rng(seed)
    codes = len(CODES)
    return [draw(rng, CODES[(seed + k) % codes], KINDS[k % len(KINDS)]) for k in range(count)]


def jobs_of(graphs: list[Graph], folder: Path, target: str, seed: int = 0, count: int = SAMPLES):
    """What runners take, and what they must return."""
    rng = np.random.default_rng(seed)
    jobs, expected = [], []
    for at, graph in enumerate(graphs):
        x = samples(rng, graph.input_type, count)
        jobs.append((emit(graph, folder / str(at), target), x))
        expected.append(graph.run(x))
    return jobs, expected


def check(results, expected, graphs) -> None:
    for got, want, graph in zip(results, expected, graphs, strict=True):
        assert np.array_equal(got, want), f"{graph['cell'].op}"[:2000]


def saturating(kind: type[Recurrent]) -> list[Graph]:
    """z, c and h at both of their ends, of both activations: gates that are open or closed.

    Of a GRU in blocks of 4 units and of 16.
    """
    graphs = []
    for activation in ("plan", "table"):
        for sign in (-1, 1):
            units = 5 if sign == 1 else 16
            rows = kind.gates * units
            ones = Ternary(Constant(np.ones((rows, 3), dtype=np.int64)))
            back = Ternary(Constant(np.eye(rows, units, dtype=np.int64)))
            large = np.full(rows, 30_000)
            new = sign * 2047
            ends = (2047, -2047, new) if kind is Gru else (2047, 2047, new, 2047)
            bias = np.repeat(ends, units) << 4
            bias[::units] += 30_000 * np.sign(bias[::units])  # beyond what z can be
            more = {"recurrent_bias": Constant(bias[2 * units : 3 * units])} if kind is Gru else {}
            op = kind(
                *(ones, back, Constant(large), Constant(np.zeros_like(large)), Constant(bias), 4),
                activation=activation,
                every_step=True,
                **more,
            )
            graphs.append(alone(op, Type.of((8, 3), -1, 1)))
    return graphs


def wide(units: int, features: int, kind: type[Recurrent] = Lstm) -> Graph:
    """A cell with weights of 8 bits."""
    rng = np.random.default_rng(50)
    x = Type.of((2, features), -128, 127)
    weights = [
        Uniform(Constant(rng.integers(-127, 127, (kind.gates * units, n), endpoint=True)), 8)
        for n in (features, units)
    ]
    drawn = cell(rng, units, x, gain=1, kind=kind)
    return alone(replace(drawn, input_weights=weights[0], recurrent_weights=weights[1]), x)
