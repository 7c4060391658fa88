"""Building graphs, running them, and what is said of bad input."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.errors import InvalidInput, RuleViolation
from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.ir.graph import identifier
from hwgen.ops.add import Add
from hwgen.ops.clip import Clip
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.ising import Ising
from hwgen.ops.requantize import Requantize


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("features.0.Conv__2d", "features_0_conv_2d"),
        ("0", "n0"),
        ("_x_", "x"),
        ("größe", "gr_e"),
        ("--", ""),
        ("Ab" * 40, "ab" * 32),
        ("a" * 63 + ".b", "a" * 63),
    ],
)
def test_identifier(text, name):
    assert identifier(text) == name


def test_builder_makes_names_legal_and_unique():
    b = GraphBuilder("My Model!")
    x = b.input(Type.of((3,), -4, 3), name="Input")
    names = [b.add(Clip(), x, name=n) for n in ("act", "ACT", "act", "")]
    assert names == ["act", "act_2", "act_3", "clip"]
    assert b.build(names[-1]).name == "my_model"
    assert GraphBuilder("!").name == "model"


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        (Clip(), ["y"], "clip 'n': input %y must be added before it is used"),
        (Add(), ["x"], "add %n (layer 'L'): takes 2 inputs, not 1"),
        (Clip(3, 2), ["x"], "clip %n (layer 'L'): lo must not exceed hi, found [3, 2]"),
        (
            Clip(0, np.int64(3)),
            ["x"],
            "clip %n (layer 'L'): hi must be int | None, not np.int64(3) (int64)",
        ),
        (
            Dense(Uniform(Constant([[1, 2]]), 4), Constant([0])),
            ["x"],
            "dense %n (layer 'L'): weights must have shape (outputs, 3), found (1, 2)",
        ),
        (
            Dense(Constant([[1, 2, 3]]), Constant([0])),
            ["x"],
            "dense %n (layer 'L'): weights must be WeightCode, not Constant([[1, 2, 3]]) (Constant)",
        ),
        (
            Requantize(Constant(1), Constant(48), 0, 3),
            ["x"],
            "requantize %n (layer 'L'): shift must be in 0..47, not 48; use a larger output scale",
        ),
        (
            Requantize(Constant(2**31 - 1), Constant(0), -(2**61), 2**62),
            ["x"],
            "requantize %n (layer 'L'): bounds must lie below 2^62, found 4611686018427387904",
        ),
    ],
)
def test_builder_messages(op, inputs, message):
    b = GraphBuilder("m")
    b.input(Type.of((3,), -4, 3))
    with pytest.raises(RuleViolation) as error:
        b.add(op, *inputs, name="n", layer="L")
    assert str(error.value) == message


def test_accumulators_wider_than_the_interpreter_are_refused():
    b = GraphBuilder("wide")
    x = b.input(Type.of((4,), -(2**50), 2**50))
    with pytest.raises(RuleViolation, match=r"width must be in 1\.\.63, not 68"):
        b.add(Dense(Uniform(Constant([[32767] * 4]), 16), Constant([0])), x)


def test_run_equals_last_of_run_all(small, samples):
    values = small.run_all(samples)
    assert list(values) == [node.name for node in small.nodes]
    assert np.array_equal(small.run(samples), values[small.output])
    for node in small.nodes:
        value = values[node.name]
        assert value.dtype == np.int64
        assert value.shape == (len(samples), *node.type.shape)
        assert value.min() >= node.type.lo
        assert value.max() <= node.type.hi


def test_run_of_any_batch_is_sample_by_sample(small):
    # More samples than are run at once, and none at all.
    x = np.random.default_rng(3).integers(0, 16, (5000, 4, 4, 2))
    y = small.run(x)
    assert np.array_equal(y[4321:4322], small.run(x[4321:4322]))
    assert np.array_equal(y, small.run_all(x)[small.output])
    assert small.run(x[:0]).shape == (0, 3)


def test_an_empty_batch_runs_no_op(small, monkeypatch):
    monkeypatch.setattr(Dense, "run", None)
    y = small.run(np.zeros((0, *small.input_type.shape), np.int64))
    assert y.shape == (0, *small.output_type.shape)
    assert y.dtype == np.int64


@pytest.mark.parametrize(("cycles", "count"), [(1, 32), (1 << 13, 16), (100_000, 1), (1 << 30, 1)])
def test_long_runs_have_few_golden_samples(cycles, count):
    op = Ising(
        h=Constant([1]),
        edges=None,
        couplings=None,
        engine="accumulator",
        cycles=cycles,
        starts=Constant([0]),
        levels=Constant([[0]]),
        table=Constant([[1, 1]]),
        seeds=Constant([1 << 31]),
    )
    b = GraphBuilder("g")
    graph = b.build(b.add(op, b.input(Type.of((op.frame.input_bytes,), 0, 255))))
    assert graph.golden_samples(32) == count


def test_run_leaves_its_input_alone(small, samples):
    before = samples.copy()
    small.run(samples)
    assert np.array_equal(samples, before)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64, np.int32, np.float32, np.float64])
def test_whole_numbers_of_any_dtype_are_taken(small, samples, dtype):
    assert np.array_equal(small.run(samples.astype(dtype)), small.run(samples))


BAD_INPUTS = {
    "no batch axis": (
        np.zeros((4, 4, 2), int),
        "input must have shape (batch, 4, 4, 2), found (4, 4, 2); "
        "images are (batch, height, width, channels)",
    ),
    "channels first": (
        np.zeros((1, 2, 4, 4), int),
        "input must have shape (batch, 4, 4, 2), found (1, 2, 4, 4); "
        "images are (batch, height, width, channels)",
    ),
    "scalar": (
        3,
        "input must have shape (batch, 4, 4, 2), found (); "
        "images are (batch, height, width, channels)",
    ),
    "fractions": (
        np.full((1, 4, 4, 2), 0.5),
        "input must hold integers; quantize it first (see Graph.quantize)",
    ),
    "not a number": (
        np.full((1, 4, 4, 2), np.nan),
        "input must hold integers; quantize it first (see Graph.quantize)",
    ),
    "wraps to -1": (
        np.full((1, 4, 4, 2), 2**64 - 1, np.uint64),
        "input must hold integers; quantize it first (see Graph.quantize)",
    ),
    "text": (
        np.full((1, 4, 4, 2), "7"),
        "input must hold integers; quantize it first (see Graph.quantize)",
    ),
    "out of range": (
        np.full((1, 4, 4, 2), 16),
        "input values must lie in [0, 15], found [16, 16]",
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_named(small, case):
    x, message = BAD_INPUTS[case]
    with pytest.raises(InvalidInput) as error:
        small.run(x)
    assert str(error.value) == message


def test_quantize_rounds_half_to_even_and_saturates():
    b = GraphBuilder("q")
    x = b.input(Type.of((6,), -8, 7, scale=0.5))
    graph = b.build(b.add(Clip(), x))
    real = [[0.25, 0.75, -0.25, -100, 100, 1.0]]
    assert graph.quantize(real).tolist() == [[0, 2, 0, -8, 7, 2]]


def test_quantize_by_channel():
    b = GraphBuilder("q")
    x = b.input(Type.of((1, 2, 2), 0, 7, scale=(1.0, 0.5)))
    graph = b.build(b.add(Clip(), x))
    assert graph.quantize(np.ones((1, 1, 2, 2))).tolist() == [[[[1, 2], [1, 2]]]]


@pytest.mark.parametrize(
    ("real", "message"),
    [
        (np.full((1, 4, 4, 2), np.nan), "input must be finite, found NaN or infinity"),
        (np.full((1, 4, 4, 2), -np.inf), "input must be finite, found NaN or infinity"),
        (np.zeros((1, 4, 4)), r"must have shape \(batch, 4, 4, 2\), found \(1, 4, 4\)"),
    ],
)
def test_quantize_refuses(small, real, message):
    with pytest.raises(InvalidInput, match=message):
        small.quantize(real)


def test_users_count_every_reading():
    b = GraphBuilder("twice")
    x = b.input(Type.of((3,), 0, 3))
    y = b.add(Add(), x, x, name="double")
    graph = b.build(y)
    assert graph.users == {"x": ("double", "double"), "double": ()}
    assert graph.run([[1, 2, 3]]).tolist() == [[2, 4, 6]]


def test_rewrite_keeps_or_replaces(small, samples):
    assert small.rewrite(lambda node, builder, names: None) == small

    def drop_clip(node, builder, names):
        return names[node.inputs[0]] if node.op.name == "clip" else None

    without = small.rewrite(drop_clip)
    assert "rectified" not in [node.name for node in without.nodes]
    assert without["table"].inputs == ("residual",)
    assert without["conv"].layer == "0"
    assert without["act"].type.scale == (0.5, 0.25)
    assert without.run(samples).shape == (20, 3)


def test_only_keeps_the_named_nodes(small):
    assert [n.name for n in small.only({"x", "conv"}).nodes] == ["x", "conv"]
