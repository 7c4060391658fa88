"""What the C back end writes: snapshots, names, messages, the caller's contract."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest

from hwgen.errors import InvalidInput, MissingTool, Unsupported
from hwgen.ir import Constant, GraphBuilder, Op, Type, register
from hwgen.ir.op import _OPS
from hwgen.mcu.build import CBuild
from hwgen.mcu.emit import emit
from hwgen.mcu.toolchain.compiler import WARNINGS, find_host_compiler, run_compiler
from hwgen.mcu.toolchain.host import RunFailed, run_on_host
from hwgen.ops.clip import Clip
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.requantize import Requantize
from tests.mcu.graphs import network, samples


def files(build: CBuild) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in build.folder.iterdir()}


def test_snapshot(small, snapshot, tmp_path):
    build = emit(small, tmp_path)
    for name in ("small.h", "small.c", "small_test.c", "small_batch.c", "Makefile"):
        text = (build.folder / name).read_text()
        text = re.sub(r"Written by hwgen \S+;", "Written by hwgen VERSION;", text)
        snapshot.check(text, f"{name}.txt")


def test_layout_is_tidy(small, tmp_path):
    build = emit(small, tmp_path)
    for name, data in files(build).items():
        lines = data.decode().split("\n")
        assert max(map(len, lines)) <= 100, name
        assert not any(line != line.rstrip() or "\t" in line[1:] for line in lines), name
        assert "\n\n\n" not in data.decode(), name
        assert data.endswith(b"\n") and not data.endswith(b"\n\n"), name


def test_equal_input_gives_equal_bytes(small, tmp_path):
    assert files(emit(small, tmp_path / "a")) == files(emit(small, tmp_path / "b"))


def test_golden_vectors_and_makefile(small, tmp_path):
    build = emit(small, tmp_path)
    for options in ((), ("SANITIZE=1",)):
        done = subprocess.run(
            ["make", "-B", "test", *options], cwd=build.folder, capture_output=True, text=True
        )
        assert "small: 0 of 8 samples differ" in done.stdout, done.stderr


def test_given_golden_vectors(small, tmp_path):
    x = samples(small, np.random.default_rng(0), 9)
    build = emit(small, tmp_path, samples=x)
    assert "#define SAMPLES 9\n" in (build.folder / "small_test.c").read_text()
    with pytest.raises(InvalidInput, match="input values must lie in"):
        emit(small, tmp_path, samples=x + 99)


def test_description_survives_a_file(small, tmp_path):
    build = emit(small, tmp_path)
    assert CBuild.load(build.folder) == build
    assert build.graph_hash == small.hash
    assert [layer.nodes[0] for layer in build.layers] == [
        *("conv1", "depthwise", "pointwise", "residual", "pool", "mean", "fc"),
    ]
    assert build.constant_bytes == sum(layer.constant_bytes for layer in build.layers)
    assert build.arena_bytes == build.arena_bound
    (build.folder / "build.json").write_text("{")
    with pytest.raises(InvalidInput, match="damaged"):
        CBuild.load(build.folder)
    with pytest.raises(InvalidInput, match="no emitted C here"):
        CBuild.load(tmp_path)


def test_arena_is_checked(small, tmp_path):
    build = emit(small, tmp_path)
    (build.folder / "arena.c").write_text(
        '#include <stddef.h>\n#include "small.h"\n'
        "static _Alignas(8) unsigned char arena[SMALL_ARENA_BYTES + 8];\n"
        "int main(void)\n{\n"
        "    small_in_t in[SMALL_INPUT_SIZE] = {0};\n    small_out_t out[SMALL_OUTPUT_SIZE];\n"
        "    if (small_run(in, out, NULL) != 1) { return 1; }\n"
        "    if (small_run(in, out, arena + 1) != 1) { return 2; }\n"
        "    return small_run(in, out, arena + SMALL_ARENA_ALIGN);\n}\n"
    )
    command = [*find_host_compiler(), *WARNINGS, "-o", "arena", "arena.c", *build.sources]
    run_compiler(command, build.folder)
    assert subprocess.run([build.folder / "arena"]).returncode == 0


def test_header_serves_cxx_and_integers(small, tmp_path):
    """The scales are there for code without floating point too: mantissa * 2^exponent."""
    header = emit(small, tmp_path).header.read_text()
    macros = dict(re.findall(r"#define SMALL_(\w+) (.+)", header))
    assert float(macros["INPUT_SCALE"]) == 0.0625
    assert (macros["INPUT_SCALE_MANTISSA"], macros["INPUT_SCALE_EXPONENT"]) == ("1", "(-4)")
    numbers = [
        [int(n) for n in re.findall(r"-?\d+", macros[f"OUTPUT_SCALE_{part}"])]
        for part in ("MANTISSA", "EXPONENT")
    ]
    assert [m * 2.0**e for m, e in zip(*numbers, strict=True)] == [0.5, 0.25, 0.1]
    assert 'extern "C"' in header


def test_inference_has_no_float_and_no_allocation(small, tmp_path):
    build = emit(small, tmp_path)
    for name in ("small.c", "hwgen_runtime.h"):
        code = re.sub(r"/\*.*?\*/", "", (build.folder / name).read_text(), flags=re.S)
        assert not re.search(r"\b(float|double|malloc|calloc|free)\b|\d\.\d", code)


@pytest.mark.parametrize(
    "flip", ["weight", "bias", "shift", "multiplier", "bound", "table", "offset"]
)
def test_mutations_are_seen(small, flip, tmp_path):
    """One changed constant in the C must change outputs: the comparison is not blind."""
    build = emit(small, tmp_path)
    path = build.folder / "small.c"
    before, after = {
        "weight": (
            "depthwise_weights[4][12] = {\n    {-127,",
            "depthwise_weights[4][12] = {\n    {-126,",
        ),
        "bias": ("fc_bias[4] = {100,", "fc_bias[4] = {101,"),
        "shift": ("act2_shift[4] = {4,", "act2_shift[4] = {3,"),
        "multiplier": ("act1_multiplier[4] = {3,", "act1_multiplier[4] = {4,"),
        "bound": ("act1_multiplier[o], 6), 0, 15)", "act1_multiplier[o], 6), 0, 14)"),
        "table": ("33, 39, 45", "33, 40, 45"),
        "offset": ("act3 = hwgen_at(arena, 288)", "act3 = hwgen_at(arena, 0)"),
    }[flip]
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    x = samples(small, np.random.default_rng(0), 200)
    assert not np.array_equal(run_on_host(build, x), small.run(x))


def test_sanitizers_watch(small, tmp_path):
    """An input that reaches past its array is reported, not returned."""
    build = emit(small, tmp_path)
    path = build.folder / "small.c"
    text = path.read_text()
    assert text.count("for (int i = 0; i < 144; i++)") == 1
    path.write_text(text.replace("i < 144; i++", "i < 1440; i++"))
    with pytest.raises(RunFailed, match=r"(?s)stopped.*(overflow|out of bounds)"):
        run_on_host(build, samples(small, np.random.default_rng(0), 9), sanitize=True)


@pytest.mark.parametrize("name", ["int", "x", "acc", "run", "in_t", "in", "arena", "act_table"])
def test_awkward_names(name, tmp_path):
    """Nodes may be called as C's keywords, and as what emitted C itself uses."""
    b = GraphBuilder("model")
    x = b.input(Type.of((3,), -8, 7), name="out")
    x = b.add(Requantize(Constant([1, 2, 3]), Constant(1), -8, 7), x, name="act")
    weights = Uniform(Constant([[1, -2, 3], [3, 2, 1], [-7, 5, 7]]), 4)
    layer = 'quoted */ "name" \\ ??/\n/* of a layer'
    x = b.add(Dense(weights, Constant([1, 2, 3])), x, name=name, layer=layer)
    x = b.add(Requantize(Constant(1), Constant([1, 2, 3]), -8, 7), x, name=f"{name}_2")
    x = b.add(Dense(weights, Constant([1, 2, 3])), x, name=f"{name}_weights", layer=layer)
    graph = b.build(x)
    x = samples(graph, np.random.default_rng(0))
    assert np.array_equal(run_on_host(emit(graph, tmp_path), x, sanitize=True), graph.run(x))


@pytest.mark.parametrize("name", ["stdint", "hwgen runtime", "int"])
def test_reserved_model_names(name, tmp_path):
    b = GraphBuilder(name)
    graph = b.build(b.add(Clip(), b.input(Type.of((2,), -5, 5))))
    with pytest.raises(Unsupported, match="a model in C must not be called"):
        emit(graph, tmp_path)
    assert not list(tmp_path.iterdir())


def test_input_as_output(tmp_path):
    b = GraphBuilder("wire")
    graph = b.build(b.input(Type.of((2, 3), -5, 5)))
    build = emit(graph, tmp_path)
    x = np.arange(-5, 1).reshape(1, 2, 3)
    assert np.array_equal(run_on_host(build, x), x)
    assert (build.arena_bytes, build.constant_bytes) == (0, 0)


def test_missing_parts_are_named(tmp_path):
    @register
    @dataclass(frozen=True)
    class Unheard(Op):
        def infer(self, x):
            return x

        def run(self, x):
            return x

    try:
        b = GraphBuilder("m")
        graph = b.build(b.add(Unheard(), b.input(Type.of((2,), 0, 1))))
        with pytest.raises(Unsupported, match="op unheard has no C kernel for target host"):
            emit(graph, tmp_path)
    finally:
        del _OPS["unheard"]
    b = GraphBuilder("m")
    graph = b.build(b.add(Clip(), b.input(Type.of((2,), -5, 5))))
    with pytest.raises(Unsupported, match=r"C target must be one of .*rv32imc.*, not 'z80'"):
        emit(graph, tmp_path, target="z80")
    assert not list(tmp_path.iterdir())


def test_missing_compiler_is_explained(small, tmp_path, monkeypatch):
    build = emit(small, tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    x = np.zeros((1, 6, 6, 2), int)
    with pytest.raises(MissingTool, match="apt install gcc"):
        run_on_host(build, x)
    monkeypatch.setenv("CC", "nocc -m32")
    with pytest.raises(MissingTool, match="CC must name a C compiler, and 'nocc' was not found"):
        run_on_host(build, x)


@pytest.mark.parametrize(
    "x", [np.zeros((1, 6, 6, 3), int), np.full((1, 6, 6, 2), 16), np.zeros((1, 6, 6, 2))]
)
def test_bad_input_is_refused(small, x, tmp_path):
    with pytest.raises(InvalidInput, match=r"input (must be integers of shape|values must lie)"):
        run_on_host(emit(small, tmp_path), x)


def test_golden_vectors_must_be_some(small, tmp_path):
    with pytest.raises(InvalidInput, match="samples must hold one sample or more, found none"):
        emit(small, tmp_path, samples=np.zeros((0, *small.input_type.shape), int))


def test_without_vectors_a_batch_can_be_run(tmp_path, monkeypatch):
    """Nothing is computed by the golden model, which may take long."""
    graph = network(np.random.default_rng(3), "untested")
    x = samples(graph, np.random.default_rng(0))
    expected = graph.run(x)
    ran = []
    monkeypatch.setattr(type(graph), "run", lambda self, x: ran.append(len(x)) or expected[:0])
    build = emit(graph, tmp_path, is_tested=False)
    assert ran == [0]
    assert not list(build.folder.glob("*_test.c"))
    assert np.array_equal(run_on_host(build, x), expected)
