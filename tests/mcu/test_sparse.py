"""Sparse layers: kept weights and their positions, on every arm, whole, in tiles and on teams."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.gather import bitmap_rows, gather_cycles, gather_rows, sparse_form
from hwgen.mcu.picks import is_picked, pick_rows
from hwgen.mcu.registry import find_storage
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.mcu.weights import Kept
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.structured_sparse import StructuredSparse
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.lib import lfsr
from hwgen.sim.riscv.models import run_many_on_core
from tests.ops.harness import cut_anywhere

SLOWER = ("cv32e41p", "rv32imc")


def n_of_m(rng, outputs: int, inputs: int, block: int, share: int, keep: int = 1):
    """Kept weights at random positions, the same for ``share`` outputs."""
    drawn = rng.random((outputs // share, inputs // block, block))
    at = np.sort(np.argsort(drawn, axis=2)[:, :, :keep], axis=2)
    values = rng.integers(-128, 128, outputs * inputs // block * keep)
    return StructuredSparse(Uniform(Constant(values), 8), (inputs,), block, share, Constant(at))


def masked(rng, outputs: int, inputs: int, density: float):
    """Weights under the mask of a shift register."""
    width = lfsr.default_width(inputs, outputs)
    taps, leap = lfsr.TAPS[width], lfsr.default_leap(width)
    seeds, limit = lfsr.golden_seeds(outputs, width, taps), lfsr.threshold(density, width)
    count = int(lfsr.mask(inputs, seeds, width, taps, leap, limit).sum())
    values = rng.integers(-128, 128, count)
    kept = Uniform(Constant(values), 8)
    return LfsrMasked(kept, (inputs,), width, taps, leap, limit, Constant(seeds))


def layer(rng, code, signed: bool) -> Graph:
    lo, hi = (-128, 127) if signed else (0, 255)
    b = GraphBuilder("sparse")
    x = b.input(Type.of((code.shape[1],), lo, hi))
    bias = Constant(rng.integers(-(1 << 16), 1 << 16, code.shape[0]))
    return b.build(b.add(Dense(code, bias), x))


def layers() -> list[Graph]:
    """Odd sizes, every number of channels that a list of positions serves, gaps wider than a byte."""
    rng = np.random.default_rng(0)
    codes = [
        n_of_m(rng, 5, 40, 8, 1),
        n_of_m(rng, 6, 33, 3, 6),
        n_of_m(rng, 12, 64, 16, 4, keep=3),
        n_of_m(rng, 16, 48, 8, 16),
        n_of_m(rng, 3, 1024, 256, 1),
        n_of_m(rng, 124, 72, 8, 1),
        n_of_m(rng, 64, 64, 8, 1),
        masked(rng, 37, 127, 0.1),
        masked(rng, 9, 100, 0.3),
        masked(rng, 10, 70, 0.5),
    ]
    graphs = [layer(rng, code, bool(i % 2)) for i, code in enumerate(codes)]
    code = n_of_m(rng, 8, 3 * 3 * 8, 8, 4)
    for kernel, depth, padding in (((3, 3), 8, (1, 1)), ((1, 1), 72, (0, 0)), ((3, 8), 3, (0, 2))):
        b = GraphBuilder("sparse")
        x = b.input(Type.of((5, 9, depth), -128, 127))
        op = Conv2d(replace(code, row=(*kernel, depth)), Constant(np.arange(8)), padding=padding)
        graphs.append(b.build(b.add(op, x)))
    return graphs


def jobs(folder, target: str):
    made = []
    for i, graph in enumerate(layers()):
        kind = graph.input_type
        x = np.random.default_rng(i).integers(kind.lo, kind.hi + 1, (3, *kind.shape))
        x[0] = kind.hi
        made.append((graph, emit(graph, folder / str(i), target), x))
    return made


def check(made, results) -> None:
    for (graph, build, x), y in zip(made, results, strict=True):
        assert np.array_equal(y, graph.run(x)), build.folder


@pytest.mark.parametrize("target", ["host", pytest.param("gap8", marks=pytest.mark.slow)])
def test_on_this_machine(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    texts = [(build.folder / "sparse.c").read_text() for _, build, _ in made]
    assert sum("hwgen_gather_" in text for text in texts) >= 5
    assert sum("hwgen_pick_" in text for text in texts) == (0 if target == "host" else 2)
    assert any("hwgen_bitmap_" in text for text in texts) == (target == "host")
    check(made, run_many_on_host([(build, x) for _, build, x in made], sanitize=True))


@pytest.mark.parametrize(
    "target", ["cv32e40p", "gap8", *(pytest.param(t, marks=pytest.mark.slow) for t in SLOWER)]
)
def test_on_cores(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    cores = find_target(target).cores
    check(made, run_many_on_core([(build, x) for _, build, x in made], "iss", cores))


def unpacked(blocks: np.ndarray, channels: int, n: int) -> np.ndarray:
    """The matrix, read back as the layout is described."""
    matrix = np.zeros((len(blocks) * channels, n), dtype=np.int64)
    for number, block in enumerate(blocks.tolist()):
        at, steps = block[0] | block[1] << 8, block[2] | block[3] << 8
        for step in range(steps):
            first = 4 + step * 4 * (channels + 1)
            for i in range(4):
                for c in range(channels):
                    byte = block[first + 4 * (c + 1) + i]
                    matrix[number * channels + c, at] += byte - 256 * (byte > 127)
                at += block[first + i]
    return matrix


@pytest.mark.parametrize(
    ("rows", "n", "channels", "density"), [(6, 77, 2, 0.2), (3, 900, 1, 0.002), (8, 16, 8, 1.0)]
)
def test_every_kept_weight_lies_where_the_layout_says(rows, n, channels, density):
    rng = np.random.default_rng(n)
    mask = rng.random((rows // channels, n)) < density
    mask[:, n // 2] = True
    mask = np.repeat(mask, channels, axis=0)
    matrix = rng.integers(-128, 128, (rows, n)) * mask
    blocks = gather_rows(matrix, mask, channels)
    assert np.array_equal(unpacked(blocks, channels, n), matrix)
    assert blocks.shape[1] % 4 == 0


@pytest.mark.parametrize(
    ("form", "byte"),
    [
        *(("gather", byte) for byte in (0, 2, 4, 9)),
        *(("pick", byte) for byte in (0, 14, 17, 31, 77)),
        ("bitmap", 0),
    ],
)
def test_wrong_byte_is_caught(tmp_path, form, byte):
    """A start, a number of steps, a distance, a position, a weight, bits of a map: a result differs."""
    graph = layers()[{"gather": 0, "pick": 5, "bitmap": 9}[form]]
    kind = graph.input_type
    x = np.random.default_rng(0).integers(kind.lo, kind.hi + 1, (8, *kind.shape))
    build = emit(graph, tmp_path, "cv32e40p" if form == "pick" else "rv32imc")
    source = build.folder / "sparse.c"
    text = source.read_text()
    assert f"hwgen_{form}_" in text
    head, numbers = re.search(r"(_weights\[\d+\]\[\d+\] = \{\s*\{\s*)([\d,\s]+)", text).groups()
    values = numbers.split(",")
    values[byte] = f" {int(values[byte]) ^ 1}"
    source.write_text(text.replace(head + numbers, head + ",".join(values)))
    (y,) = run_many_on_core([(build, x)], "iss", 1)
    assert not np.array_equal(y, graph.run(x))


def test_every_picked_weight_lies_where_the_layout_says():
    rng = np.random.default_rng(3)
    matrix, mask = np.zeros((2, 11, 56), dtype=np.int64)
    at = rng.integers(0, 8, (11, 7)) + 8 * np.arange(7)
    np.put_along_axis(mask, at, 1, axis=1)
    np.put_along_axis(matrix, at, rng.integers(-128, 128, at.shape), axis=1)
    mask[:, 16:24] = matrix[:, 16:24] = 0
    blocks = pick_rows(matrix, mask > 0)
    assert blocks.shape == (2, 2 * 64)
    found = np.zeros((16, 56), dtype=np.int64)
    for b, block in enumerate(blocks.reshape(2, 2, 2, 2, 4, 4)):
        for first, step in zip((0, 3), block, strict=True):  # the second step goes back by one
            for four, (picks, weights) in enumerate(step):
                for c, g in np.ndindex(4, 4):
                    row = found[8 * b + 4 * four + c]
                    row[8 * (first + g) + picks[g, c]] += weights.view(np.int8)[c, g]
    assert np.array_equal(found[:11], matrix)
    assert not found[11:].any()


@pytest.mark.parametrize(
    ("outputs", "inputs", "block", "share", "keep", "picked"),
    [
        (16, 512, 8, 1, 1, True),
        (16, 512, 16, 1, 1, False),
        (16, 512, 8, 2, 1, False),
        (16, 512, 8, 1, 2, False),
        (16, 516, 12, 1, 1, False),
        (16, 24, 8, 1, 1, False),
        (1, 512, 8, 1, 1, False),
    ],
)
def test_one_in_eight_is_picked_where_that_is_faster(outputs, inputs, block, share, keep, picked):
    code = n_of_m(np.random.default_rng(0), outputs, inputs, block, share, keep)
    for target in ("cv32e40p", "gap8", "rv32imc"):  # gap8: a core computes two rows, or eight
        machine = find_target(target)
        stored = find_storage(code, machine)(code)
        assert is_picked(stored, machine) == (picked and target == "cv32e40p")


def test_the_faster_form_is_taken_on_dsp_cores_and_the_smallest_elsewhere():
    rng = np.random.default_rng(0)
    forms = {0.05: ("list", "list"), 0.3: ("zeros", "list")}
    forms |= {0.6: ("zeros", "bitmap"), 0.95: ("zeros", "zeros")}
    for density, expected in forms.items():
        code = masked(rng, 64, 255, density)
        for target, form in zip(("cv32e40p", "rv32imc"), expected, strict=True):
            machine = find_target(target)
            assert sparse_form(find_storage(code, machine)(code), machine) == form


def test_every_bit_and_weight_of_a_bitmap_lies_where_the_layout_says():
    rng = np.random.default_rng(0)
    mask = rng.random((5, 45)) < 0.4
    matrix = rng.integers(-128, 128, mask.shape) * mask
    rows = bitmap_rows(matrix, mask)
    assert rows.shape[1] == 6 + mask.sum(axis=1).max()
    found = np.zeros((5, 48), dtype=np.int64)
    for row, block in zip(found, rows.tolist(), strict=True):
        at = 6
        for k in range(48):
            if block[k // 16 * 2 + k % 16 // 8] >> k % 8 & 1:
                row[k] = block[at] - 256 * (block[at] > 127)
                at += 1
    assert np.array_equal(found[:, :45], matrix)
    assert not found[:, 45:].any()


def test_positions_in_common_save_time():
    mask = np.random.default_rng(0).random((1, 784)) < 0.125
    masks = np.repeat(mask, 8, axis=0)
    times = [gather_cycles(Kept(masks, share)) for share in (1, 2, 4, 8)]
    assert times == sorted(times, reverse=True)
    assert times[0] > 2.5 * times[2]
