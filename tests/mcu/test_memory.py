"""Memory of emitted C: freed bytes are poisoned, tiles are cut anywhere, tables are mutated."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import Unsupported
from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.build import CBuild
from hwgen.mcu.emit import emit
from hwgen.mcu.planning import tiling
from hwgen.mcu.planning.tiling import random_tiling
from hwgen.mcu.stages import group
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host, run_on_host
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.requantize import Requantize
from hwgen.sim.riscv.models import run_on_core
from tests.mcu.graphs import draw, network, samples

POISON = """
static void poison(unsigned char *arena, int step)
{
    static const unsigned char live[][%(bytes)d] = {
%(rows)s
    };
    for (int i = 0; i < %(bytes)d; i++) {
        if (!live[step][i]) {
            arena[i] = 0xA5;
        }
    }
}

int %(entry)s("""


def poison(build: CBuild, graph: Graph) -> None:
    """After every layer, overwrite all of the arena that no later layer reads."""
    path = build.folder / f"{build.model}.c"
    text = path.read_text()
    offsets = {
        name: int(offset)
        for name, offset in re.findall(r"\*const (\w+) = hwgen_at\(arena, (\d+)\);", text)
    }
    program = group(graph, find_target("host"))
    live = np.zeros((len(program.stages), build.arena_bytes), dtype=int)
    for buffer in program.buffers():
        at = offsets[buffer.name]
        live[buffer.first : buffer.last, at : at + buffer.size] = 1
    head, run = text.split(f"\nint {build.entry}(")
    for step, layer in enumerate(build.layers):
        run, count = re.subn(
            rf"(\n    {layer.function}\([^;]*;)", rf"\1\n    poison(arena, {step});", run
        )
        assert count == 1
    rows = "\n".join(f"        {{{', '.join(map(str, row))}}}," for row in live)
    path.write_text(
        head + POISON % {"bytes": build.arena_bytes, "rows": rows, "entry": build.entry} + run
    )


@pytest.mark.slow
def test_nothing_that_is_freed_is_read(tmp_path):
    rng = np.random.default_rng(3)
    jobs, expected = [], []
    while len(jobs) < 24:
        graph = draw(network, rng, f"poisoned_{len(jobs)}")
        build = emit(graph, tmp_path / graph.name)
        if build.arena_bytes:
            poison(build, graph)
            jobs.append((build, samples(graph, rng, 12)))
            expected.append(graph.run(jobs[-1][1]))
    for want, got in zip(expected, run_many_on_host(jobs, sanitize=True), strict=True):
        assert np.array_equal(got, want)


def test_poison_is_seen(small, tmp_path):
    """A buffer that is declared dead one layer too early is read poisoned."""
    build = emit(small, tmp_path)
    poison(build, small)
    path = build.folder / "small.c"
    text = path.read_text()
    assert text.count("poison(arena, 2);") == 1
    path.write_text(text.replace("poison(arena, 2);", "poison(arena, 3);"))
    x = samples(small, np.random.default_rng(0), 40)
    assert not np.array_equal(run_on_host(build, x), small.run(x))


def cut_anywhere(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(
        tiling, "tile", lambda work, memory, *rest, **more: random_tiling(work, memory, rng)
    )


def compare_tiled(tmp_path: Path, seed: int, count: int) -> None:
    """Random networks in random tiles on this machine, under ASan and UBSan."""
    rng = np.random.default_rng(seed)
    graphs = [draw(network, rng, f"tiled_{i}") for i in range(count)]
    jobs = [
        (emit(graph, tmp_path / graph.name, "gap8"), samples(graph, rng, 10)) for graph in graphs
    ]
    assert any(layer.tiles > 1 for build, _ in jobs for layer in build.layers)
    results = run_many_on_host(jobs, sanitize=True)
    for graph, (_, x), y in zip(graphs, jobs, results, strict=True):
        assert np.array_equal(y, graph.run(x)), str(graph)


@pytest.mark.slow
def test_random_tiles_give_equal_bits(tmp_path, monkeypatch):
    cut_anywhere(monkeypatch, 0)
    compare_tiled(tmp_path, 0, 20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_random_tiles_give_equal_bits(seed, tmp_path, monkeypatch):
    cut_anywhere(monkeypatch, seed)
    compare_tiled(tmp_path, seed, 40)


@pytest.fixture
def tiled(tmp_path, monkeypatch) -> tuple[Graph, CBuild]:
    """A padded convolution whose every operand is cut."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("cut")
    x = b.input(Type.of((9, 10, 4), 0, 255))
    weights = Uniform(Constant(rng.integers(-127, 128, (12, 3, 3, 4))), 8)
    y = b.add(Conv2d(weights, Constant(rng.integers(-99, 99, 12)), padding=(1, 1)), x, name="conv")
    graph = b.build(b.add(Requantize(Constant(1), Constant(9), 0, 255), y, name="act"))
    maker = random.Random(0)

    def tile(work, memory, *rest, **more):
        while True:
            found = random_tiling(work, memory, maker)
            if found.rows == 4 and found.columns == 5 and found.channels == 4:
                return found

    monkeypatch.setattr(tiling, "tile", tile)
    return graph, emit(graph, tmp_path, "gap8")


def table(text: str, name: str) -> list[str]:
    """Rows of a table of a tiled layer."""
    (body,) = re.findall(rf" {name}\[TILES\] = {{\n(.*?)\n    }};", text, flags=re.S)
    return [line for line in body.splitlines() if "/*" not in line]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        *[("tiles", column) for column in range(8)],
        *[("x_moves", column) for column in (0, 1, 2, 3, 6, 7)],
        *[("w_moves", column) for column in (0, 1, 6, 7)],
        *[("y_moves", column) for column in range(6)],
    ],
)
def test_tiles_that_are_off_by_one_are_seen(tiled, name, column):
    """Every number of every table matters: one more or less somewhere changes an output."""
    graph, build = tiled
    path = build.folder / "cut.c"
    text = path.read_text()
    rows = table(text, name)
    assert len(rows) > 8
    x = samples(graph, np.random.default_rng(0), 8)
    expected = graph.run(x)
    assert np.array_equal(run_on_host(build, x), expected)
    seen = 0
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        numbers = [int(n) for n in re.findall(r"\d+", row)]
        at = numbers[column]
        is_flag = name != "tiles" and column >= 6
        numbers[column] = 1 - at if is_flag else at - 1 if at else at + 1
        changed = f"        {{{', '.join(map(str, numbers))}}},"
        path.write_text(text.replace(row, changed))
        seen += not np.array_equal(run_on_host(build, x), expected)
    path.write_text(text)
    assert seen, (name, column)


def streaming(graph: Graph, folder: Path, l2: int) -> CBuild:
    """Emitted for a GAP8 with so many bytes of L2 beside the reserve."""
    gap8 = find_target("gap8")
    return emit(graph, folder, replace(gap8, name="small_l2", l2=gap8.reserve + l2))


def heavy(*widths: int) -> Graph:
    """Fully connected layers whose weights are most of the model."""
    rng = np.random.default_rng(5)
    b = GraphBuilder("heavy")
    x = b.input(Type.of(widths[:1], 0, 255))
    for inputs, outputs in itertools.pairwise(widths):
        weights = Uniform(Constant(rng.integers(-127, 128, (outputs, inputs))), 8)
        x = b.add(Dense(weights, Constant(rng.integers(-99, 99, outputs))), x)
        x = b.add(Requantize(Constant(3), Constant(10), 0, 255), x)
    return b.build(x)


WIDE, NARROW = (256, 120, 256, 120, 10), (96,) * 7
"""30 KiB a layer, which come in slices; 9 KiB a layer, each of which is read as a whole."""


@pytest.mark.parametrize(
    ("widths", "l2", "is_streamed", "is_sliced"),
    [
        pytest.param(WIDE, 110_000, False, False, marks=pytest.mark.slow),
        (WIDE, 40_000, True, True),
        (NARROW, 45_000, True, False),
    ],
    ids=["all stay", "in slices", "while the layer before runs"],
)
def test_weights_that_l2_cannot_hold_are_streamed(tmp_path, widths, l2, is_streamed, is_sliced):
    graph = heavy(*widths)
    build = streaming(graph, tmp_path, l2)
    text = (build.folder / "heavy.c").read_text()
    assert any(layer.l3_bytes for layer in build.layers) == is_streamed
    assert ("hwgen_stream_begin(" in text) == is_sliced
    assert ("_read = hwgen_l3_read(" in text) == (is_streamed and not is_sliced)
    assert (build.folder / "heavy_l3.bin").exists() == is_streamed
    assert build.constant_bytes - build.l3_bytes + build.arena_bytes <= l2
    x = samples(graph, np.random.default_rng(0), 8)
    expected = graph.run(x)
    assert np.array_equal(run_on_host(build, x, sanitize=True), expected)
    pytest.importorskip("ziglang")
    for cores in (1, 8):
        got, run = run_on_core(build, x[-2:], "iss", cores)
        assert np.array_equal(got, expected[-2:])
        assert run.l3_bytes == 2 * sum(layer.l3_bytes for layer in build.layers)


def test_a_model_that_fits_nowhere_is_refused_with_numbers(tmp_path):
    graph = heavy(*WIDE)
    with pytest.raises(Unsupported, match=r"needs \d+ bytes of L2.* 4096 are free"):
        streaming(graph, tmp_path, 4096)
    assert not list(tmp_path.iterdir())
    gap8 = find_target("gap8")
    with pytest.raises(Unsupported, match=r"\d+ bytes"):
        emit(graph, tmp_path, replace(gap8, name="no_l3", l2=gap8.reserve + 40_000, l3=0))
    with pytest.raises(Unsupported, match=r"L1.*\d+"):
        emit(graph, tmp_path, replace(gap8, name="no_l1", l1=gap8.l1 - gap8.l1_usable + 1024))


def test_a_flat_memory_that_is_too_small_is_refused_with_numbers(tmp_path):
    """Before anything is written, and not by the linker; a model that just fits is emitted."""
    graph, flat = heavy(*WIDE), find_target("rv32imc")
    with pytest.raises(Unsupported, match=r"needs \d+ bytes of memory") as refused:
        emit(graph, tmp_path, replace(flat, name="small", l2=flat.stack + 4096))
    assert not list(tmp_path.iterdir())
    short = int(re.search(r"larger by (\d+) bytes", str(refused.value))[1])
    fits = replace(flat, name="fits", l2=flat.stack + 4096 + short)
    assert emit(graph, tmp_path, fits).constant_bytes <= fits.l2_usable
    with pytest.raises(Unsupported, match="larger by 4 bytes"):
        emit(graph, tmp_path, replace(fits, l2=fits.l2 - 4))


@pytest.mark.parametrize("outputs", [16, 64, 100])
def test_many_inputs_take_the_blocks_of_weights_that_fit(tmp_path, outputs):
    """Sixteen rows of 5500 bytes would not fit L1; four do, even twice."""
    graph = heavy(5500, outputs)
    build = emit(graph, tmp_path, "gap8")
    assert build.layers[0].tile == (1, 1, 4)
    x = samples(graph, np.random.default_rng(0), 8)
    assert np.array_equal(run_on_host(build, x, sanitize=True), graph.run(x))


@pytest.mark.parametrize("change", ["address", "wait", "slice"])
def test_wrong_streaming_is_seen(tmp_path, change):
    """Weights read from elsewhere, used before they are there, or those of the slice before."""
    pytest.importorskip("ziglang")
    graph = heavy(*(WIDE if change == "slice" else NARROW))
    build = streaming(graph, tmp_path, 40_000 if change == "slice" else 45_000)
    path = build.folder / ("hwgen_stream.h" if change == "slice" else "heavy.c")
    text = path.read_text()
    before, after = {
        "address": ("call->l3 + 0,", "call->l3 + 1,"),
        "wait": ("hwgen_l3_wait(", "(void)("),
        "slice": ("stream->next++;\n        hwgen_stream_read", "hwgen_stream_read"),
    }[change]
    assert before in text
    path.write_text(text.replace(before, after))
    x = samples(graph, np.random.default_rng(0), 8)[-2:]
    got, _ = run_on_core(build, x, "iss", 8)
    assert not np.array_equal(got, graph.run(x))
