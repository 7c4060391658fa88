"""Stochastic streams in C: sources as rows of bits, whole networks, and what a wrong number does."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.sequences import sequences
from hwgen.mcu.toolchain.host import run_many_on_host, run_on_host
from hwgen.ops.accumulate import Accumulate
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib import lfsr
from hwgen.ops.lib.random_numbers import numbers
from hwgen.ops.saturating_counter import SaturatingCounter
from hwgen.ops.stochastic_dense import StochasticDense
from hwgen.ops.stream_argmax import StreamArgmax
from hwgen.ops.to_stream import ToStream


@dataclass(frozen=True)
class Source:
    """What an op says of its sources."""

    width: int
    taps: tuple[int, ...]
    leap: int
    seeds: Constant


def a_source(width: int, leap: int, count: int) -> Source:
    """Registers of random seeds, or counters where ``leap`` is 0."""
    rng = np.random.default_rng((width, leap))
    if not leap:
        return Source(width, (), 1, Constant(rng.integers(0, 1 << width, (count, 1))))
    seeds = rng.choice((1 << width) - 1, (count, 1), replace=False) + 1
    return Source(width, lfsr.TAPS[width], leap, Constant(seeds))


@pytest.mark.parametrize(
    ("width", "leap", "bits", "length", "count"),
    [
        # The whole period is held.
        (5, 1, 5, 31, 9),
        (8, 11, 3, 255, 40),
        (13, 8, 7, 256, 60),
        # Parts of it: apart from each other; overlapping, beyond the end too.
        (20, 29, 8, 100, 5),
        (14, 1, 14, 900, 5),
        # Counters: of one bit, of a number's width, wider, and shorter than a period.
        (1, 0, 1, 9, 2),
        (8, 0, 8, 600, 9),
        (10, 0, 4, 77, 9),
    ],
)
def test_rows_hold_the_numbers(width, leap, bits, length, count):
    source = a_source(width, leap, count)
    found = sequences(source, bits, length)
    wanted = numbers(source, bits, 0, length)
    row = np.unpackbits(found.words(64).astype("<u4").view(np.uint8), bitorder="little")
    assert len(row) >= len(found.row) + 64
    steps = np.arange(length)
    for s in range(count):
        got = np.zeros(length, dtype=np.int64)
        for b in range(bits):
            if found.period:
                at = (found.starts[s] + steps + found.shifts[b]) % found.period
            else:
                at = found.starts[s, b] + steps
            got |= (1 - row[at].astype(np.int64)) << b
        assert np.array_equal(got, wanted[:, s, 0])
    if found.period:  # a row a bit, as the host reads them, runs on into its beginning
        for b, shift in enumerate(found.shifts):
            words = found.words(64, shift).astype("<u4").view(np.uint8)
            own = np.unpackbits(words, bitorder="little")
            start = found.starts[-1]
            assert np.array_equal(
                own[start : start + 64], row[(start + np.arange(64) + shift) % found.period]
            ), b


def test_less_than_a_period_is_held_where_that_is_less():
    few, many = a_source(16, 31, 3), a_source(12, 17, 300)
    assert len(sequences(few, 4, 50).row) <= 3 * 4 * 50
    assert sequences(many, 8, 200).period == (1 << 12) - 1


def network(coding: str, *, bipolar: bool, components: int, steps: int, last) -> Graph:
    """9 inputs, 6 hidden neurons, 4 outputs."""
    rng = np.random.default_rng(components)
    width = 12
    taps, leap = lfsr.TAPS[width], lfsr.default_leap(width)
    left = iter(lfsr.golden_seeds(400, width, taps))

    def drawn(operands: int, each: int) -> tuple:
        seeds = [[next(left) for _ in range(each)] for _ in range(operands)]
        return width, taps, leap, Constant(seeds)

    builder = GraphBuilder("streams")
    value = builder.input(Type.of((9,), -31, 32) if bipolar else Type.of((9,), 0, 63))
    value = builder.add(ToStream(steps, 1, 6, bipolar, *drawn(9, 1)), value)
    for inputs, outputs in ((9, 6), (6, 4)):
        weights = Uniform(Constant(rng.integers(-60, 61, (outputs, inputs))), 8)
        bias = Constant(rng.integers(-60, 61, outputs))
        sources = drawn(inputs + 1, components)
        value = builder.add(StochasticDense(weights, bias, 7, components, coding, *sources), value)
        if outputs == 6:
            states = 2 * rng.integers(2, 9, outputs)
            counter = SaturatingCounter(Constant(states), Constant(states // 2), False, bipolar)
            value = builder.add(counter, value)
    return builder.build(builder.add(last, value))


@pytest.mark.parametrize("target", ["host", pytest.param("gap8", marks=pytest.mark.slow)])
def test_networks(target, tmp_path):
    """Steps that fill one block and part of another, of 256 on the host and of 32 elsewhere."""
    jobs, expected = [], []
    for coding, bipolar, components, last in (
        ("bipolar", False, 4, StreamArgmax()),
        ("sign_magnitude", True, 1, Accumulate()),
    ):
        graph = network(coding, bipolar=bipolar, components=components, steps=300, last=last)
        kind = graph.input_type
        x = np.random.default_rng(1).integers(kind.lo, kind.hi, (12, 9), endpoint=True)
        jobs.append((emit(graph, tmp_path / str(len(jobs)), target), x))
        expected.append(graph.run(x))
        assert len(np.unique(expected[-1])) > 1
    for want, got in zip(expected, run_many_on_host(jobs, sanitize=True), strict=True):
        assert np.array_equal(got, want)


WRONG = (
    "to_stream_starts",
    "to_stream_bits",
    "stochastic_dense_thresholds",
    "stochastic_dense_starts",
    "stochastic_dense_offset",
    "stochastic_dense_bits",
    "saturating_counter_top",
    "saturating_counter_threshold",
)


def test_wrong_numbers_are_seen(tmp_path):
    """Every array matters: outputs change with the lowest bits of its numbers."""
    graph = network("sign_magnitude", bipolar=False, components=2, steps=70, last=Accumulate())
    build = emit(graph, tmp_path / "right", "rv32imc")
    x = np.random.default_rng(2).integers(0, 64, (40, 9))
    right = (build.folder / "streams.c").read_text()
    jobs = [(build, x)]
    for name in WRONG:
        found = re.search(rf" {name}(\[\d+\])+ = (\{{.*?\}});", right, re.DOTALL)
        assert found, name
        changed = re.sub(r"-?\d+", lambda value: str(int(value[0]) ^ 1), found[2])
        text = right[: found.start(2)] + changed + right[found.end(2) :]
        folder = tmp_path / name
        folder.mkdir()
        for file in build.folder.iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
        (folder / "streams.c").write_text(text)
        jobs.append((replace(build, folder=folder), x))
    first, *others = run_many_on_host(jobs)
    assert np.array_equal(first, graph.run(x))
    for name, got in zip(WRONG, others, strict=True):
        assert not np.array_equal(got, first), name


def test_planes_of_more_than_a_word_are_the_host_s(tmp_path):
    graph = network("bipolar", bipolar=False, components=1, steps=9, last=Accumulate())
    texts = {}
    for target in ("host", "cv32e40p"):
        folder = emit(graph, tmp_path / target, target).folder
        files = ("streams.c", "hwgen_stochastic.h")
        texts[target] = "".join((Path(folder) / name).read_text() for name in files)
    for word in ("vector_size", "HWGEN_CLONES", "string.h"):
        assert word in texts["host"]
        assert word not in texts["cv32e40p"]


@pytest.mark.slow
def test_one_program_for_processors_with_and_without_wide_registers(tmp_path):
    """Compiled for several processors or, with sanitizers, for the plain one alone."""
    graph = network("bipolar", bipolar=True, components=8, steps=520, last=Accumulate())
    build = emit(graph, tmp_path)
    x = np.random.default_rng(3).integers(-31, 33, (20, 9))
    for sanitize in (False, True):
        assert np.array_equal(run_on_host(build, x, sanitize), graph.run(x))
