"""Elementwise layers on DSP cores: equal bits in every form, whoever shares them, and fast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir.constant import Constant
from hwgen.ir.graph import Graph, GraphBuilder
from hwgen.ir.types import Type
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.ops.add import Add
from hwgen.ops.clip import Clip
from hwgen.ops.lookup import Lookup
from hwgen.ops.requantize import Requantize
from hwgen.sim.riscv.models import inferences, run_many_on_core, run_on_core
from tests.ops.harness import samples

RNG = np.random.default_rng(7)
S8, U8, S16, S32 = (-128, 127), (0, 255), (-(1 << 15), (1 << 15) - 1), (-(1 << 24), 1 << 24)


def each(least: int, most: int, channels: int) -> Constant:
    return Constant(RNG.integers(least, most, channels, endpoint=True))


def table(least: int, most: int, size: int, base: int) -> Lookup:
    return Lookup(Constant(RNG.integers(least, most, size, endpoint=True)), base)


def rescale(multiplier, shift, lo: int = -128, hi: int = 127) -> Requantize:
    parts = (p if isinstance(p, Constant) else Constant(p) for p in (multiplier, shift))
    return Requantize(*parts, lo, hi)


def chain(shape, interval, *ops) -> Graph:
    """Ops behind each other; an ``Add`` adds the value before it and its own input's."""
    builder = GraphBuilder("chain")
    before = x = builder.input(Type.of(shape, *interval), name="x")
    for i, op in enumerate(ops):
        operands = (x, before) if isinstance(op, Add) else (x,)
        before, x = x, builder.add(op, *operands, name=f"n{i}")
    return builder.build(x)


GRAPHS = {
    "requantize s8": chain((5, 7, 3), S8, rescale(31001, 14)),
    "requantize u8 to s8": chain((9, 9, 4), U8, rescale(16001, 15)),
    "requantize s16": chain((37,), S16, rescale(31001, 22)),
    "requantize s16 to s16": chain((4, 4, 4), S16, rescale(31001, 15, *S16)),
    "requantize s32": chain((6, 5, 2), S32, rescale(32767, 31)),
    "requantize s32, large multiplier": chain((6, 5, 2), S32, rescale(11100777, 39)),
    "requantize s32 by the largest shift": chain(
        (16,), (-(1 << 31), (1 << 31) - 1), rescale(3, 47)
    ),
    "requantize by channel": chain((3, 5, 8), S32, rescale(each(9000, 32767, 8), 31)),
    "requantize by channel, rest": chain((3, 5, 7), S32, rescale(each(9000, 32767, 7), 31)),
    "requantize by channel, few": chain((3, 5, 3), U8, rescale(each(9000, 32767, 3), 16)),
    "requantize by channel, shifts": chain(
        (4, 4, 6), S16, rescale(each(1, 800, 6), each(0, 12, 6), -1000, 1000)
    ),
    "requantize a vector by channel": chain((41,), S8, rescale(each(1, 32767, 41), 14)),
    "requantize twice by channel": chain(
        (3, 3, 5), S8, rescale(each(1, 999, 5), 6, *S16), rescale(each(1, 99, 5), each(5, 12, 5))
    ),
    "shift": chain((5, 5, 5), S32, rescale(1, 17)),
    "shift by channel": chain((5, 5, 5), S8, rescale(1, each(0, 5, 5))),
    "clip s8": chain((7, 3, 3), S8, Clip(-100, 90)),
    "clip s8 to u8": chain((8, 4), S8, Clip(0, None)),
    "clip u8": chain((7, 3, 3), U8, Clip(3, 200)),
    "clip u8 below 0": chain((7, 3, 3), U8, Clip(-3, -3)),
    "clip s8 beyond its bytes": chain((7, 3, 4), S8, Clip(200, 200)),
    "clip u8 below 0, then more": chain((8, 4), U8, Clip(None, -3), Clip(-5, -4)),
    "clip s32": chain((7, 3, 3), S32, Clip(-128, 127)),
    "clip nibbles": chain((7, 3, 3), (-8, 7), Clip(None, 3)),
    "lookup s8": chain((7, 5, 3), S8, table(-128, 127, 256, -128)),
    "lookup u8": chain((7, 5, 3), U8, table(0, 255, 256, 0)),
    "lookup behind an offset": chain((35,), (100, 120), table(-9, 9, 40, 90)),
    "lookup s16": chain((35,), S8, table(*S16, 256, -128)),
    "add s8": chain((9, 5, 3), S8, rescale(21, 5), Add(), rescale(27001, 15)),
    "add u8": chain((9, 5, 3), U8, rescale(21, 5, 0, 255), Add(), rescale(21001, 15, 0, 255)),
    "add s8 and u8": chain((8, 4, 4), S8, Clip(0, None), Add(), rescale(31001, 15)),
    "add u8 and s8": chain((8, 4, 4), U8, rescale(1, 1), Add(), rescale(31001, 15)),
    "add s16 and s8": chain((8, 4, 3), S16, rescale(1, 8), Add(), rescale(31001, 22)),
    "add s32": chain((8, 4, 3), S32, rescale(3, 2, *S32), Add(), rescale(31001, 31)),
    "add by channel": chain((5, 3, 10), S8, rescale(21, 5), Add(), rescale(each(1, 32767, 10), 15)),
    "add a vector by channel": chain(
        (29,), S8, rescale(21, 5), Add(), rescale(each(1, 32767, 29), 15)
    ),
    "add alone": chain((5, 3, 3), S8, rescale(21, 5), Add()),
    "adds in place": chain(
        (5, 5, 5),
        S8,
        rescale(21, 5),
        Add(),
        rescale(1, 1),
        Add(),
        rescale(1, 1),
        Add(),
        Clip(-9, 99),
    ),
}


@pytest.mark.parametrize(
    ("target", "cores"),
    [
        pytest.param("cv32e40p", 1, marks=pytest.mark.slow),
        pytest.param("cv32e41p", 3, marks=pytest.mark.slow),
        ("gap8", 8),
    ],
)
def test_equal(tmp_path, target, cores):
    jobs, expected = [], []
    for i, graph in enumerate(GRAPHS.values()):
        x = samples(graph.input_type, 6, seed=i)
        jobs.append((emit(graph, tmp_path / str(i), target), x))
        expected.append(graph.run(x))
    results = run_many_on_core(jobs, cores=cores)
    pairs = zip(GRAPHS, results, expected, strict=True)
    assert [name for name, y, right in pairs if not np.array_equal(y, right)] == []


def test_bytes_over_wider_elements_keep_their_order(tmp_path):
    """On one core bytes may lie over the elements that they are made of, four times as wide."""
    alone = replace(find_target("cv32e40p"), name="alone", cores=1)
    builder = GraphBuilder("order")
    x = builder.input(Type.of((5, 4, 6), *S8), name="x")
    wide = builder.add(rescale(1000, 1, -(1 << 20), 1 << 20), x, name="wide")
    other = builder.add(rescale(1, 12), wide, name="other")
    bytes = builder.add(rescale(each(1, 32767, 6), 24), wide, name="bytes")
    graph = builder.build(builder.add(Add(), other, bytes, name="y"))
    made = emit(graph, tmp_path, alone)
    offsets = {layer.nodes[0]: layer.offset for layer in made.layers}
    assert offsets["wide"] <= offsets["bytes"] < offsets["wide"] + 4 * graph.input_type.size
    x = samples(graph.input_type, 6)
    assert np.array_equal(run_on_core(made, x)[0], graph.run(x))


@pytest.mark.parametrize("target", ["cv32e40p", "cv32e41p"])
@pytest.mark.parametrize(
    ("graph", "most"),
    [
        (chain((16, 16, 16), S8, Add(), rescale(21845, 16)), 4.1),
        (chain((16, 16, 16), S8, Add(), rescale(31001, 15)), 5.1),
        (chain((16, 16, 16), S8, Add(), rescale(each(9000, 32767, 16), 15)), 5.7),
        (chain((16, 16, 16), S32, rescale(31001, 31)), 5.1),
        (chain((16, 16, 16), S32, rescale(each(9000, 32767, 16), 31)), 5.3),
        (chain((16, 16, 16), S8, Clip(0, None)), 1.3),
        (chain((16, 16, 16), S8, table(-128, 127, 256, -128)), 3.1),
    ],
    ids=["add", "add, clipped", "add by channel", "requantize", "by channel", "clip", "lookup"],
)
def test_cycles_an_element(tmp_path, target, graph, most):
    """Naive C takes 9.4, 15, 32, 32, 31, 6.3 and 6.3."""
    x = samples(graph.input_type, 1, seed=1)
    _, run = run_on_core(emit(graph, tmp_path, target), x, cores=1)
    assert inferences(run)[-1].cycles <= most * graph.input_type.size
