"""The port to GAP8's PMSIS API, on the stand-in for its headers: threads are the cores."""

from __future__ import annotations

import re
import types
from pathlib import Path

import numpy as np
import pytest

from hwgen.mcu.dsp.intrinsics import render_simd
from hwgen.mcu.templates import TEMPLATES, initializer
from tests.mcu.stub import ADDRESSES, MOMENTS, THREADS, build, needs_threads, run

HERE = Path(__file__).parent / "pmsis"


# A model of two tiled layers, written by hand.


def tiled(x: np.ndarray, scales: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What pmsis/tiled.c computes, for a batch."""

    def narrow(v: np.ndarray, shift: int) -> np.ndarray:
        return np.clip((v + (1 << (shift - 1))) >> shift, -128, 127)

    z = x * scales
    y = narrow(np.roll(z, 1, axis=-1) + 2 * z + np.roll(z, -1, axis=-1), 6)
    return narrow((weights * y).sum(axis=1), 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> types.SimpleNamespace:
    """The hand-written model's generated files: weights, main program, file in flash."""
    folder = tmp_path_factory.mktemp("tiled")
    rng = np.random.default_rng(7)
    weights = rng.integers(-128, 128, (24, 32))
    x = rng.integers(-128, 128, (3, 24, 32))
    listed = re.search(r"scales\[COLUMNS\] = \{(.*?)\};", (HERE / "tiled.c").read_text(), re.S)
    scales = np.array([int(v) for v in re.findall(r"-?\d+", listed[1])])
    y = tiled(x, scales, weights)
    assert len(np.unique(y)) > 50
    (folder / "tiled_weights.h").write_text(
        f"static const int8_t weights[{weights.size}] = {initializer(weights.reshape(-1))};\n"
    )
    (folder / "hwgen_simd.h").write_text(render_simd())
    (folder / "tiled_l3.bin").write_bytes(weights.astype(np.int8).tobytes())
    for name, l3_bytes in (("gap_main.c", 0), ("gap_main_l3.c", weights.size)):
        text = TEMPLATES.get_template("targets/pmsis/gap_main.c.j2").render(
            **{"model": "tiled", "prefix": "TILED", "entry": "tiled_run"},
            **{"version": "0", "graph_hash": "0"},
            input={"typedef": "tiled_in_t"},
            output={"typedef": "tiled_out_t"},
            samples=len(x),
            inputs=x.reshape(len(x), -1),
            outputs=y,
            functions=[{"name": "blur"}, {"name": "columns"}],
            stack=1024,
            l1_bytes=2048,
            l3_bytes=l3_bytes,
            l3_file="tiled_l3.bin",
            states=(),
        )
        (folder / name).write_text(text)
    return types.SimpleNamespace(folder=folder, source=HERE / "tiled.c")


def build_tiled(model, folder: Path, options, source: Path | None = None, l3: bool = False):
    main = model.folder / ("gap_main_l3.c" if l3 else "gap_main.c")
    options = (*options, "-DHWGEN_EXTERNAL_RAM") if l3 else options
    source = source or model.source
    return build(folder, "tiled", source, main, options=options, includes=(model.folder, HERE))


@pytest.mark.parametrize("l3", [False, True], ids=["l2", "l3"])
def test_equal_on_every_number_of_cores(model, tmp_path, l3):
    program = build_tiled(model, tmp_path, (*ADDRESSES, "-DHWGEN_PROFILE"), l3=l3)
    for cores in range(1, 9):
        for moment in MOMENTS:
            done = run(program, cores, moment, flash=model.folder)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "0 of 3 samples differ" in done.stdout
            assert re.search(r"tiled: blur: \d+ cycles\ntiled: columns: \d+ cycles\n", done.stdout)


@pytest.mark.parametrize("l3", [False, True], ids=["l2", "l3"])
def test_no_races(model, tmp_path, l3):
    needs_threads()
    program = build_tiled(model, tmp_path, THREADS, l3=l3)
    for cores, moment in ((8, "thread"), (3, "thread"), (8, "crossed")):
        done = run(program, cores, moment, flash=model.folder)
        assert done.returncode == 0, done.stdout + done.stderr


def test_team_smaller_than_the_cluster(model, tmp_path):
    program = build_tiled(model, tmp_path, (*ADDRESSES, "-DHWGEN_TEAM_CORES=5"))
    assert run(program).returncode == 0
    done = run(program, cores=4)
    assert "a team must not have more cores than the cluster" in done.stderr


MUTATIONS = re.findall(r"/\* mutation: (.*?) \*/", (HERE / "tiled.c").read_text())


def mutate(text: str, mutation: str) -> str:
    if mutation == "one buffer":
        for before, after in (
            ("job->l1->x[next]", "job->l1->x[0]"),
            ("x[now][r][c]", "x[0][r][c]"),
        ):
            assert before in text
            text = text.replace(before, after)
        return text.replace("const int next = 1 - now;", "")
    call = rf"\w+\((.*)\); /\* mutation: {mutation} \*/"
    assert len(re.findall(call, text)) == 1
    return re.sub(call, lambda found: f"(void){found[1] or 0};", text)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_forgotten_synchronisation_is_caught(model, tmp_path, mutation):
    """By wrong outputs or a message on one of the moments, and by ThreadSanitizer."""
    needs_threads()
    source = tmp_path / "mutated.c"
    source.write_text(mutate(model.source.read_text(), mutation))
    program = build_tiled(model, tmp_path, ADDRESSES, source, l3=True)
    if "barrier" not in mutation:  # races of cores need luck to show in outputs
        assert any(run(program, 8, moment, model.folder).returncode for moment in MOMENTS[:3])
    program = build_tiled(model, tmp_path, THREADS, source, l3=True)
    done = run(program, 8, "thread", model.folder)
    assert done.returncode != 0
    assert "data race" in done.stderr or "pmsis stub" in done.stderr, done.stderr


def test_weights_missing_in_flash(model, tmp_path):
    program = build_tiled(model, tmp_path, (), l3=True)
    done = run(program, flash=tmp_path)
    assert done.returncode == 2
    assert "the flash holds no tiled_l3.bin of the size that the model needs" in done.stdout
    (tmp_path / "tiled_l3.bin").write_bytes(b"short")
    assert run(program, flash=tmp_path).returncode == 2


# Transfers by themselves.


@pytest.mark.parametrize("moment", MOMENTS)
def test_transfers_of_any_shape(tmp_path, moment):
    program = build(tmp_path, "transfers", HERE / "transfers.c", options=ADDRESSES)
    done = run(program, moment=moment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"\d{3,} transfers\n", done.stdout)


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        ("NEVER_WAITED", "the task has ended, and a transfer was never waited for"),
        ("OTHER_CORE", "only core 0 starts transfers"),
        ("LEFT_TEAM", "others wait for it at a barrier"),
        ("NO_TEAM", "a core waits at a barrier that the others do not come to"),
        ("OUTSIDE_L1", "a transfer must lie within a chunk of L1"),
        ("NINTH", "a ninth transfer under way"),
        ("TOO_LONG", "a command of the DMA engine does not hold this transfer"),
        ("WAITED_TWICE", "waits for a transfer that was not started, or was waited for already"),
        ("STACKS", "the stacks do not fit into L1"),
    ],
)
def test_stub_tells_misuse(tmp_path, misuse, message):
    program = build(tmp_path, "misuse", HERE / "misuse.c", options=(f"-D{misuse}",))
    done = run(program)
    assert done.returncode < 0
    assert re.search(rf"^pmsis stub: .*{message}", done.stderr), done.stderr
