"""Emitted models for GAP8 on the stand-in for its SDK: 8 threads, late transfers, sanitizers."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import Unsupported
from hwgen.mcu.build import CBuild
from hwgen.mcu.emit import emit
from hwgen.mcu.planning import tiling
from hwgen.mcu.planning.tiling import random_tiling
from tests.mcu.graphs import OPS, draw, network, samples
from tests.mcu.stub import ADDRESSES, THREADS, build, needs_threads, run

BUILTINS = Path(__file__).with_name("greenwaves_stubs.h")
# The arm that the SDK compiles (GAP8 loads words from any address), and the one for any compiler.
ARMS = {
    "greenwaves": ("-DHWGEN_GREENWAVES", f"-include{BUILTINS}", "-fno-sanitize=alignment"),
    "plain": (),
}
MODELS = [*sorted(OPS), *(f"network{i}" for i in range(3))]


@pytest.fixture
def cut_at_random(monkeypatch):
    """Let layers be cut where they need not be cut at all."""
    rng = random.Random(0)

    def tile(work, memory, where="layer", *_):
        return random_tiling(work, memory, rng)

    monkeypatch.setattr(tiling, "tile", tile)


def compile_gap(made: CBuild, name: str, options) -> Path:
    """The emitted program, as ``gap.mk`` puts it together."""
    return build(
        made.folder,
        name,
        *(made.folder / source for source in ("gap_main.c", *made.sources)),
        options=options,
        includes=(made.folder,),
    )


def check(made: CBuild, options, *runs: tuple[int, str]) -> None:
    program = compile_gap(made, "program", options)
    for cores, moment in runs:
        done = run(program, cores, moment)
        assert done.returncode == 0, f"{cores} cores, {moment}:\n{done.stdout}\n{done.stderr}"
        assert re.search(r": 0 of \d+ samples differ\n$", done.stdout)


def a_model(name: str, seed: int, folder: Path) -> CBuild:
    """An emitted random model; one that does not fit is drawn again."""
    rng = np.random.default_rng(seed)
    while True:
        graph = draw(OPS.get(name, network), rng, name)
        try:
            return emit(graph, folder, "gap8", samples(graph, rng))
        except Unsupported:
            continue


@pytest.mark.parametrize("name", MODELS)
def test_equal(name, tmp_path, cut_at_random):
    made = a_model(name, MODELS.index(name), tmp_path)
    check(made, (*ADDRESSES, *ARMS["greenwaves"]), (8, "late"), (5, "early"), (8, "crossed"))


@pytest.mark.parametrize("name", MODELS)
def test_no_races(name, tmp_path, cut_at_random):
    needs_threads()
    made = a_model(name, MODELS.index(name) + 100, tmp_path)
    check(made, (*THREADS, *ARMS["plain"]), (8, "thread"))


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_many(seed, tmp_path, cut_at_random):
    needs_threads()
    names = [*sorted(OPS), *(["network"] * len(OPS))]
    made = a_model(names[seed % len(names)], seed, tmp_path)
    arm = ARMS["plain" if seed % 3 else "greenwaves"]
    check(made, (*ADDRESSES, *arm), (8, "late"), (7, "early"), (2, "crossed"), (1, "late"))
    check(made, (*THREADS, *arm), (8, "thread"), (3, "crossed"))


def test_whole_layers(small, tmp_path):
    made = emit(small, tmp_path, "gap8")
    runs = [(cores, moment) for cores in (1, 8) for moment in ("late", "early", "crossed")]
    check(made, (*ADDRESSES, *ARMS["greenwaves"], "-DHWGEN_PROFILE"), *runs)
    said = run(made.folder / "program").stdout
    for layer in made.layers:
        assert re.search(rf"^small: {layer.function}: \d+ cycles$", said, re.MULTILINE)


# What the C holds where weights come from L3 slice by slice, and where a layer's come as a whole.
FORMS = {"slices": "hwgen_stream_begin(", "whole": "_read = hwgen_l3_read("}


@pytest.mark.parametrize("form", ["whole", pytest.param("slices", marks=pytest.mark.slow)])
def test_weights_in_external_memory(deep, tmp_path, form):
    """They come from a file in flash through RAM; nothing is read before it has arrived."""
    file = tmp_path / "small_l2.toml"
    for l2 in range(20_480, 36_864, 1024):
        file.write_text(f'extends = "gap8"\n[memory]\nl1 = 20_480\nl2 = {l2}\nreserve = 0\n')
        made = emit(deep, tmp_path, str(file))
        text = (made.folder / "deep.c").read_text()
        if FORMS[form] in text:
            break
    assert made.l3_bytes > 0
    assert FORMS[form] in text
    options = (*ADDRESSES, *ARMS["greenwaves"], "-DHWGEN_EXTERNAL_RAM")
    check(made, options, (8, "late"), (5, "early"), (8, "crossed"), (1, "late"))
    needs_threads()
    check(made, (*THREADS, "-DHWGEN_EXTERNAL_RAM"), (8, "thread"))
    path = made.folder / {"slices": "hwgen_stream.h", "whole": "deep.c"}[form]
    whole = path.read_text()
    mutated = re.sub(r"hwgen_l3_wait\((.*?)\);", r"(void)(\1);", whole)
    assert mutated != whole
    path.write_text(mutated)
    assert run(compile_gap(made, "mutated", options), 8, "late").returncode != 0


def test_makefile_of_the_sdk(small, tmp_path):
    """What the SDK's rules are given: sources that exist, the arm, the port."""
    made = emit(small, tmp_path, "gap8")
    command = ["make", "--no-print-directory", "-f", "gap.mk"]
    done = subprocess.run(command, cwd=made.folder, capture_output=True, text=True)
    assert "source the configuration of your board in the GAP SDK first" in done.stderr
    (tmp_path / "pmsis_rules.mk").write_text(
        "all:\n\t@echo app=$(APP)\n\t@echo sources=$(APP_SRCS)\n\t@echo flags=$(APP_CFLAGS)\n"
    )
    command += [f"RULES_DIR={tmp_path}", "HWGEN_PROFILE=1"]
    done = subprocess.run(command, cwd=made.folder, capture_output=True, text=True)
    said = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert said["app"] == "small_test"
    assert all((made.folder / source).is_file() for source in said["sources"].split())
    flags = said["flags"].split()
    assert {"-DHWGEN_GREENWAVES", "-DHWGEN_PROFILE"} < set(flags)
    folders = [Path(flag[2:]) for flag in flags if flag.startswith("-I")]
    assert [path.relative_to(made.folder).as_posix() for path in folders] == [".", "ports/pmsis"]


@pytest.mark.parametrize("isa", ["plain", "xcv"])
def test_makefile_of_the_sdk_has_the_arm_of_the_target(small, tmp_path, isa):
    file = tmp_path / "own.toml"
    file.write_text(f'extends = "gap8"\nisa = "{isa}"\n')
    text = (emit(small, tmp_path, file).folder / "gap.mk").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("APP_CFLAGS += -O3")]
    assert line.partition("ports/pmsis")[2] == {"plain": "", "xcv": " -DHWGEN_XCV"}[isa]


@pytest.mark.slow
def test_forgotten_barrier_is_caught(small, tmp_path, cut_at_random):
    """Every barrier of a tiled layer is needed, and ThreadSanitizer tells."""
    needs_threads()
    made = emit(small, tmp_path, "gap8")
    source = made.folder / made.sources[0]
    text = source.read_text()
    barriers = [m.start() for m in re.finditer(r"hwgen_barrier\(\);", text)]
    assert len(barriers) > 4
    for start in barriers[:4]:
        source.write_text(
            text[:start] + "/* forgotten */" + text[start + len("hwgen_barrier();") :]
        )
        done = run(compile_gap(made, "mutated", THREADS), 8, "thread")
        assert done.returncode != 0
        assert "data race" in done.stderr or "pmsis stub" in done.stderr
