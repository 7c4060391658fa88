"""Masks in emitted C: the test beside a model draws them anew, and sees any difference."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from itertools import pairwise

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.build import CBuild
from hwgen.mcu.emit import emit
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.lib import lfsr
from hwgen.ops.requantize import Requantize
from tests.mcu.test_export import cmake


def masked(rng, row, outputs: int, density: float, width=0, leap=0, ternary=False) -> LfsrMasked:
    """Weights under a mask, some of them zero."""
    inputs = math.prod(row)
    width = width or lfsr.default_width(inputs, outputs)
    taps, leap = lfsr.TAPS[width], leap or lfsr.default_leap(width)
    seeds, limit = lfsr.golden_seeds(outputs, width, taps), lfsr.threshold(density, width)
    count = int(lfsr.mask(inputs, seeds, width, taps, leap, limit).sum())
    most = 1 if ternary else 127
    kept = Constant(rng.integers(-most, most + 1, count) * (rng.random(count) < 0.9))
    code = Ternary(kept) if ternary else Uniform(kept, 8)
    return LfsrMasked(code, row, width, taps, leap, limit, Constant(seeds))


def chain(codes: dict[str, LfsrMasked], image=None, groups: int = 1, most: int = 127) -> Graph:
    """Layers one behind the other, with bytes between, or larger numbers."""
    b = GraphBuilder("chain")
    x = b.input(Type.of(image or next(iter(codes.values())).row, -most - 1, most))
    for name, code in codes.items():
        bias = Constant(np.arange(code.shape[0]) - 3)
        if image:
            op = Conv2d(code, bias, padding=(1, 1), groups=groups)
        else:
            op = Dense(code, bias)
        x = b.add(op, x, name=name)
        # The last one's results are left as they are.
        if name != list(codes)[-1]:
            x = b.add(Requantize(Constant(1), Constant(9), -most - 1, most), x)
    return b.build(x)


def dense_chain() -> Graph:
    """Every form: a list, one with long gaps, a bitmap, zeros in bytes, in fields of bytes."""
    rng = np.random.default_rng(4)
    return chain(
        {
            "gaps": masked(rng, (1023,), 70, 0.008, leap=1),
            "list": masked(rng, (70,), 50, 0.3),
            "map": masked(rng, (50,), 37, 0.6, width=9),
            "bytes": masked(rng, (37,), 30, 0.95, leap=61),
            "fields": masked(rng, (30,), 9, 0.7, ternary=True),
            "rest": masked(rng, (9,), 3, 0.9, width=12, leap=3 * 4095 + 4),
        }
    )


def conv_chain() -> Graph:
    """Windows whose rows begin at whole words, and channels of their own."""
    rng = np.random.default_rng(1)
    codes = {"first": masked(rng, (3, 3, 5), 7, 0.3), "second": masked(rng, (2, 3, 7), 6, 0.9)}
    return chain(codes, image=(5, 6, 5))


def depthwise() -> Graph:
    rng = np.random.default_rng(2)
    return chain({"each": masked(rng, (3, 2, 1), 6, 0.5)}, image=(5, 6, 6), groups=6)


def wide() -> Graph:
    """Inputs that no micro-kernel takes: weights in bytes, and four a byte."""
    rng = np.random.default_rng(6)
    codes = {
        "bytes": masked(rng, (30,), 11, 0.4),
        "fields": masked(rng, (11,), 5, 0.4, ternary=True),
    }
    return chain(codes, most=999)


def tables(build: CBuild) -> str:
    return (build.folder / f"{build.model}_masks.c").read_text()


def check(build: CBuild, *options: str) -> subprocess.CompletedProcess:
    """What a user's ``make test`` says."""
    if not shutil.which("make"):
        pytest.skip("no make here")
    command = ["make", "--no-print-directory", "-s", "test", "CFLAGS=-O0", *options]
    return subprocess.run(command, cwd=build.folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("graph", "target"),
    [
        (dense_chain, "host"),
        (dense_chain, "gap8"),
        (conv_chain, "host"),
        (depthwise, "host"),
        (wide, "host"),
        pytest.param(conv_chain, "gap8", marks=pytest.mark.slow),
        pytest.param(depthwise, "gap8", marks=pytest.mark.slow),
    ],
)
def test_emitted_masks_are_drawn_anew(graph, target, tmp_path):
    build = emit(graph(), tmp_path, target)
    count = len(build.layers)
    done = check(build, "SANITIZE=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"mask: 0 of \d+ outputs differ\n", done.stdout)) == count
    assert f"chain: 0 of {count} masks differ\n" in done.stdout
    text = tables(build)
    assert max(map(len, text.split("\n"))) <= 100
    if graph is wide:
        assert "row[i] != 0" in text and "hwgen_weight_s2(row, i) != 0" in text
    if graph is dense_chain:
        assert {"A list of", "A bitmap of"} >= set(re.findall(r"A \w+ of", text))
        assert ("A bitmap of" in text) == (target == "host")
        assert all(what in text for what in ("hwgen_dot_s8_s8_", "hwgen_dot_s8_n2_"))


def change(build: CBuild, file: str, pattern: str, to) -> None:
    """Replace the one match of ``pattern``."""
    path = build.folder / file
    text, count = re.subn(pattern, to, path.read_text(), count=1)
    assert count, pattern
    path.write_text(text)


def other(match: re.Match) -> str:
    """A number that is one larger behind what was found before it."""
    return f"{match[1]}{int(match[2]) + 1}"


def first_number(symbol: str, skip: int) -> str:
    """Of the first row of a table, after ``skip`` numbers."""
    return rf"(\b{symbol}\[\d+\]\[\d+\] = \{{\s*\{{\s*(?:-?\d+,\s+){{{skip}}})(-?\d+)"


# File, what is changed, what it becomes, and what the test says then.
MUTATIONS = {
    "a tap": (
        "chain_masks.c",
        r"make\(7, 0x60u",
        "make(7, 0x50u",
        r"list: mask: output \d+, input",
    ),
    "a seed": (
        "chain_masks.c",
        r"(chain_map_seeds\[\] = \{\s*1, )(\d+)",
        other,
        r"map: mask: output 1, input \d+: the shift register \w+ it, the table \w+ it\n",
    ),
    "the feedback": ("hwgen_lfsr.h", "feedback & 1u", "~feedback & 1u", "gaps: mask: output 0,"),
    "a threshold": ("chain_masks.c", r"(make\(7, 0x60u, 14, )(\d+)", other, "list: mask: output"),
    "a start": ("chain.c", first_number("list_weights", 0), other, "list: mask: output 0, input"),
    "a length": (
        "chain.c",
        first_number("list_weights", 2),
        other,
        "list: mask: output 0, input 0: .* is damaged",
    ),
    "a distance": ("chain.c", first_number("list_weights", 4), other, "list: mask: output 0, inp"),
    "a bit": (
        "chain.c",
        first_number("map_weights", 0),
        lambda m: f"{m[1]}{int(m[2]) ^ 8}",
        r"map: mask: output 0, input 3: the shift register (keeps|drops)",
    ),
    "a weight that is not kept": (
        "chain.c",
        r"(bytes_weights\[\d+\]\[\d+\] = \{\s*\{[^}]*?\b)(0)\b",
        other,
        r"bytes: mask: output \d+, input \d+: the shift register drops it, the table keeps it",
    ),
}


@pytest.fixture(scope="module")
def emitted(tmp_path_factory) -> CBuild:
    return emit(dense_chain(), tmp_path_factory.mktemp("chain"))


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_wrong_mask_is_named(mutation, emitted, tmp_path):
    file, pattern, to, says = MUTATIONS[mutation]
    shutil.copytree(emitted.folder, tmp_path / "c")
    build = CBuild.load(tmp_path / "c")
    change(build, file, pattern, to)
    done = check(build)
    assert done.returncode != 0
    assert re.match(says, done.stderr), done.stderr
    layer = done.stderr.partition(":")[0]
    assert re.search(rf"{layer}: mask: [1-9]\d* of \d+ outputs differ\n", done.stdout)
    assert re.search(r"chain: [1-9] of 6 masks differ\n", done.stdout)


@pytest.mark.parametrize(
    ("graph", "layer"),
    [
        (conv_chain, "first"),
        (conv_chain, "second"),
        (depthwise, "each"),
        (wide, "bytes"),
        (wide, "fields"),
    ],
)
def test_every_form_is_read(graph, layer, tmp_path):
    """The first zero of a table becomes another number."""
    build = emit(graph(), tmp_path)
    change(build, "chain.c", rf"({layer}_weights\[\d+\]\[\d+\] = \{{[^;]*?\b)(0)\b", other)
    done = check(build)
    assert done.returncode != 0
    assert re.match(rf"{layer}: mask: output \d+, input \d+: the shift register", done.stderr)


def test_masks_in_external_memory(tmp_path):
    """They are in a file, of which the test reads whole layers."""
    rng = np.random.default_rng(3)
    rows = (400, 300, 200, 10)
    codes = {f"fc{i}": masked(rng, (n,), m, 0.1) for i, (n, m) in enumerate(pairwise(rows))}
    file = tmp_path / "board.toml"
    file.write_text('extends = "gap8"\n[memory]\nl1 = 20_480\nl2 = 24_576\nreserve = 0\n')
    build = emit(chain(codes), tmp_path, str(file))
    assert build.l3_bytes and "(l3 + " in tables(build)
    assert check(build, "SANITIZE=1").returncode == 0
    path = build.folder / "chain_l3.bin"
    data = bytearray(path.read_bytes())
    data[0] += 1  # the first position
    path.write_bytes(bytes(data))
    done = check(build)
    assert done.returncode != 0
    assert re.match(r"fc\d: mask: output 0, input \d+: the shift register", done.stderr)


def test_cmake_runs_the_test_of_masks(emitted, tmp_path):
    shutil.copytree(emitted.folder, tmp_path / "c")
    build = CBuild.load(tmp_path / "c")
    for passes in (True, False):
        if not passes:
            change(build, "chain.c", first_number("list_weights", 0), other)
        for step in (("-S", build.folder, "-B", tmp_path / "b"), ("--build", tmp_path / "b")):
            done = cmake(*step)
            assert done.returncode == 0, done.stderr
        done = subprocess.run(
            ["ctest", "--output-on-failure"], cwd=tmp_path / "b", capture_output=True, text=True
        )
        assert (done.returncode == 0) == passes
        assert ("list: mask: output 0, input" in done.stdout) != passes


@pytest.mark.parametrize("target", ["host", "gap8"])
def test_firmware_holds_no_register(target, tmp_path):
    """Neither the model, nor the library, nor the program for the GAP SDK."""
    build = emit(dense_chain(), tmp_path, target)
    own = {
        "chain_masks.c",
        "hwgen_masks.h",
        "chain_test.c",
        "README.md",
        "Makefile",
        "hwgen_lfsr.h",
    }
    for path in build.folder.rglob("*"):
        if path.is_file() and path.name not in own | {"CMakeLists.txt"}:
            assert not re.search(rb"lfsr|masks|_seeds", path.read_bytes()), path
    listed = (build.folder / "CMakeLists.txt").read_text()
    assert re.findall(r".*_masks.*", listed) == [
        "  add_executable(chain_golden chain_test.c chain_masks.c)"
    ]
    assert build.sources == ("chain.c",)


def test_models_without_masks_have_no_test_of_them(small, tmp_path):
    build = emit(small, tmp_path)
    for path in build.folder.rglob("*"):
        assert "mask" not in path.name and "lfsr" not in path.name
        if path.is_file() and path.name != "hwgen_simd.h":
            assert not re.search(r"_masks|lfsr", path.read_text()), path


def test_equal_input_gives_equal_bytes(tmp_path):
    a, b = (emit(dense_chain(), tmp_path / name) for name in "ab")
    assert tables(a) == tables(b)


def test_names_of_layers_do_not_meet_those_of_the_test(tmp_path):
    rng = np.random.default_rng(5)
    names = ("masks", "masks_run", "list_mask", "list", "list_seeds", "marks", "hwgen_marks")
    codes = {name: masked(rng, (20,), 20, 0.4) for name in names}
    done = check(emit(chain(codes), tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"chain: 0 of {len(names)} masks differ" in done.stdout
