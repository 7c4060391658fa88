"""What recurrent cells keep from run to run, in C: streaming, whose memory it is, many cells."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.mcu.build import CBuild
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host, run_on_host
from hwgen.ops.clip import Clip
from hwgen.ops.gru import Gru
from hwgen.ops.lib.recurrent import Recurrent
from hwgen.ops.lstm import Lstm
from hwgen.sim.riscv.models import run_many_on_core
from tests.mcu.poisoned import run_poisoned_on_host
from tests.mcu.recurrent_cells import KINDS, alone, cell, samples
from tests.mcu.stub import ADDRESSES, THREADS, needs_threads
from tests.mcu.test_gap8 import ARMS
from tests.mcu.test_gap8 import check as check_gap


def streams(seed: int = 40, kind: type[Recurrent] = Lstm) -> tuple[Recurrent, np.ndarray]:
    """A cell and a sequence of 12 steps."""
    rng = np.random.default_rng(seed)
    x = Type.of((12, 4), -128, 127)
    codes = ("uniform", "ternary")
    op = cell(rng, 9, x, codes, gain=12, kind=kind, most_bias=1000, every_step=True)
    return op, samples(rng, x, 1)


@pytest.mark.parametrize("target", ["host", "cv32e40p", "gap8"])
def test_frames_are_parts_of_a_sequence(tmp_path, target):
    """One by one with a state, or in chunks: what the whole sequence gives."""
    jobs, whole = [], []
    for kind in KINDS:
        op, x = streams(kind=kind)
        h = alone(op, Type.of((12, 4), -128, 127)).run(x)[0]
        assert len(np.unique(h)) > 20
        for steps in (1, 3):
            graph = alone(replace(op, stateful=True), Type.of((steps, 4), -128, 127))
            build = emit(graph, tmp_path / op.name / str(steps), target)
            jobs.append((build, x.reshape(-1, steps, 4)))
            whole.append(h)
    assert all(build.state_bytes == 12 * 3 for build, _ in jobs)  # h and c of whole blocks
    if target == "host":
        results = run_many_on_host(jobs)
    else:
        pytest.importorskip("ziglang")
        results = run_many_on_core(jobs, "iss", find_target(target).cores)
    for result, h in zip(results, whole, strict=True):
        assert np.array_equal(result.reshape(12, 9), h)


def test_state_is_the_callers_alone(tmp_path):
    """Arena and fast memory are filled with garbage before every run."""
    jobs, expected = [], []
    for kind, target in ((Lstm, "gap8"), (Gru, "host")):
        op, x = streams(41, kind)
        frames = x.reshape(-1, 2, 4)
        begun, kept = (
            alone(replace(op, stateful=stateful), Type.of((2, 4), -128, 127))
            for stateful in (False, True)
        )
        assert not np.array_equal(begun.run(frames), kept.run(frames))
        graph = kept if target == "gap8" else begun
        jobs.append((emit(graph, tmp_path / target, target), frames))
        expected.append(graph.run(frames))
    got = run_poisoned_on_host(jobs, tmp_path)
    assert all(np.array_equal(y, want) for y, want in zip(got, expected, strict=True))


def test_batch_and_golden_vectors_follow_one_sequence(tmp_path):
    """The emitted programs: with one state, in order."""
    op, x = streams(42)
    op = replace(op, input_gain=Constant(op.input_gain.array * 40))
    graph = alone(replace(op, stateful=True), Type.of((1, 4), -128, 127), "streamed")
    frames = x.reshape(-1, 1, 4)
    build = emit(graph, tmp_path, samples=frames)
    assert np.array_equal(run_on_host(build, frames), graph.run(frames))
    done = subprocess.run(["make", "-s", "test"], cwd=build.folder, capture_output=True, text=True)
    assert "0 of 12 samples differ" in done.stdout, done.stderr
    assert CBuild.load(build.folder).state_bytes == build.state_bytes > 0
    program = """
#include <string.h>
#include "streamed.h"
int main(void)
{
    static streamed_state_t one, two;
    const streamed_in_t in[2][STREAMED_INPUT_SIZE] = {{90, -3, 0, 7}, {-50, 1, 127, 0}};
    streamed_out_t alone[2][STREAMED_OUTPUT_SIZE], beside[STREAMED_OUTPUT_SIZE];
    static _Alignas(STREAMED_ARENA_ALIGN) unsigned char arena[STREAMED_ARENA_BYTES];
    streamed_reset(&one);
    for (int i = 0; i < 2; i++) {
        if (streamed_run(in[i], alone[i], arena, &one) != 0) { return 1; }
    }
    streamed_reset(&one);
    streamed_reset(&two);
    for (int i = 0; i < 2; i++) { /* two sequences, interleaved */
        streamed_run(in[i], beside, arena, &one);
        if (memcmp(beside, alone[i], sizeof beside) != 0) { return 2; }
        streamed_run(in[1 - i], beside, arena, &two);
        if (i == 0 && memcmp(beside, alone[0], sizeof beside) == 0) { return 3; }
    }
    return streamed_run(in[0], beside, NULL, &one) == 1 ? 0 : 4;
}
"""
    (build.folder / "user.c").write_text(program)
    command = ["cc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-o", "user"]
    subprocess.run([*command, "user.c", "streamed.c"], cwd=build.folder, check=True)
    assert subprocess.run(["./user"], cwd=build.folder).returncode == 0


@pytest.mark.parametrize("arm", ["greenwaves", pytest.param("plain", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [Lstm, pytest.param(Gru, marks=pytest.mark.slow)])
def test_state_on_the_stand_in_for_the_sdk(tmp_path, arm, kind):
    """GAP8's main program: samples in order, late transfers, 8 cores."""
    op, x = streams(44, kind)
    graph = alone(replace(op, stateful=True), Type.of((3, 4), -128, 127))
    frames = x.reshape(-1, 3, 4)
    assert len(np.unique(graph.run(frames))) > 20
    made = emit(graph, tmp_path, "gap8", frames)
    if arm == "plain":
        needs_threads()
        check_gap(made, (*THREADS, *ARMS[arm]), (8, "thread"))
    else:
        check_gap(made, (*ADDRESSES, *ARMS[arm]), (8, "late"), (3, "crossed"))


def test_models_without_state_have_none(tmp_path):
    op, _ = streams()
    build = emit(alone(op, Type.of((12, 4), -128, 127)), tmp_path)
    assert build.state_bytes == 0
    assert "state_bytes" not in (build.folder / "build.json").read_text()
    for name in ("one_cell.h", "one_cell_batch.c", "README.md"):
        assert "state" not in (build.folder / name).read_text()


def test_two_cells_have_a_state_each(tmp_path):
    """An LSTM and a GRU, an epilogue between them, names that C or the template uses."""
    rng = np.random.default_rng(43)
    x = Type.of((2, 3), -128, 127)
    first = cell(rng, 5, x, gain=40, every_step=True, stateful=True)
    builder = GraphBuilder("two")
    h = builder.add(first, builder.input(x), name="h")
    h = builder.add(Clip(-50, 40), h, name="a")
    inner = Type.of((2, 5), -50, 40)
    codes = ("binary", "uniform")
    second = cell(rng, 6, inner, codes, gain=40, kind=Gru, every_step=True, stateful=True)
    graph = builder.build(builder.add(second, h, name="state"))
    frames = samples(rng, x, 8)
    want = graph.run(frames)
    assert len(np.unique(want)) > 5
    for target in ("host", "gap8"):
        build = emit(graph, tmp_path / target, target)
        assert np.array_equal(run_on_host(build, frames, sanitize=True), want)
