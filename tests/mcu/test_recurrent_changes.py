"""Recurrent cells in C that are changed in one place: tests see each of these."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hwgen.ir import Graph, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.toolchain.host import run_many_on_host, run_on_host
from hwgen.ops.gru import Gru
from hwgen.ops.lib.recurrent import Recurrent
from hwgen.ops.lstm import Lstm
from hwgen.sim.riscv.models import run_many_on_core
from tests.mcu.recurrent_cells import KINDS, alone, cell, samples

HEADER = "hwgen_recurrent.h"
MUTATIONS = {
    "a line of PLAN": (Lstm, HEADER, r"\(a >> 3\) \+ 32", "(a >> 3) + 33"),
    "where a line of PLAN begins": (Lstm, HEADER, "a < 608", "a < 600"),
    "the end of PLAN": (Lstm, HEADER, "a < 1280", "a < 1200"),
    "gates": (
        Lstm,
        HEADER,
        r"in = 128 \+ hwgen_plan\(z\[u\]\);(\s+)(.*?forget) = 128 \+ hwgen_plan\(z\[2 \+ u\]\)",
        r"in = 128 + hwgen_plan(z[2 + u]);\1\2 = 128 + hwgen_plan(z[u])",
    ),
    "the state's saturation": (Lstm, HEADER, r"(9\)), 127\)", r"\1, 126)"),
    "the threshold": (Lstm, "one_cell.c", r"(, )3\);", r"\g<1>4);"),
    "the shift": (Lstm, "one_cell.c", r"(bias \+ u,\s+)4", r"\g<1>3"),
    "what is reset": (Gru, HEADER, r"reset \* z\[4 \+ u\]", "reset * z[6 + u]"),
    "the rounding of c": (Gru, HEADER, r"(c\[u\] \+ \(256 - update\) \* fresh)", r"\1 - 128"),
    "the rounding of h": (Gru, HEADER, r"round_shift_i32\(kept", "shift_right_i32(kept"),
    "the recurrent bias": (Gru, "one_cell.c", r"recurrent_bias \+ u", "recurrent_bias + 2 - u"),
}


def mutable(seed: int, kind: type[Recurrent], count: int, **options) -> tuple[Graph, np.ndarray]:
    """A cell that neither saturates nor rests, and sequences for it."""
    rng = np.random.default_rng(seed)
    x = Type.of((6, 4), -128, 127)
    op = cell(rng, 20, x, gain=60, most_bias=1875, kind=kind, every_step=True, **options)
    return alone(op, x), samples(rng, x, count)


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_that_is_changed_is_right(tmp_path, kind):
    graph, frames = mutable(60, kind, 40, threshold=3)
    assert np.array_equal(run_on_host(emit(graph, tmp_path), frames), graph.run(frames))


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_changed_model_is_seen(tmp_path, what):
    """Each of these changes a bit somewhere in 40 sequences."""
    kind, name, pattern, instead = MUTATIONS[what]
    graph, frames = mutable(60, kind, 40, threshold=3)
    build = emit(graph, tmp_path)
    file = build.folder / name
    text = file.read_text()
    mutated = re.sub(pattern, instead, text, count=1)
    assert mutated != text
    file.write_text(mutated)
    assert not np.array_equal(run_on_host(build, frames), graph.run(frames))


LANES = {
    Lstm: [
        (HEADER, "", ""),
        (HEADER, "in1, cell1 - 256", "in1, cell1 - 255"),
        (HEADER, "most0 = hwgen_clip_signed(next0, 640)", "most0 = hwgen_clip_signed(next0, 600)"),
        (HEADER, 'HWGEN_P_MACHHSN("%3"', 'HWGEN_P_MACSN("%3"'),
        (HEADER, 'HWGEN_P_MACHHSRN("%3", "%9"', 'HWGEN_P_MACHHSRN("%3", "%8"'),
        (HEADER, "rest = count - 1", "rest = count / 2"),
        ("one_cell.c", "cell_sigmoid + 1282", "cell_sigmoid + 1280"),
        ("one_cell.c", ", 1280);", ", 1100);"),
    ],
    Gru: [
        (HEADER, "", ""),
        (HEADER, "hwgen_scale_i16(reset1, z[5]", "hwgen_scale_i16(reset1, z[4]"),
        (HEADER, "update1 * c1", "update1 * (c1 + 2)"),
        (HEADER, 'HWGEN_P_MACHHSRN("%2", "%6"', 'HWGEN_P_MACSRN("%2", "%6"'),
    ],
}


def test_a_changed_lane_is_seen(tmp_path):
    """The arms of DSP cores have gates of their own."""
    pytest.importorskip("ziglang")
    jobs, expected, same = [], [], []
    for kind, changes in LANES.items():
        graph, frames = mutable(61, kind, 10)
        for name, old, new in changes:
            build = emit(graph, tmp_path / str(len(jobs)), "cv32e40p")
            file = build.folder / name
            text = file.read_text()
            assert old in text
            file.write_text(text.replace(old, new) if old else text)
            jobs.append((build, frames))
            expected.append(graph.run(frames))
            same.append(not old)
    results = run_many_on_core(jobs)
    assert [np.array_equal(y, want) for y, want in zip(results, expected, strict=True)] == same


@pytest.mark.parametrize("target", ["host", "cv32e40p"])
def test_zeros_may_lie_anywhere(tmp_path, target):
    """Whole words and pairs of them are skipped: not what stands beside."""
    if target != "host":
        pytest.importorskip("ziglang")
    rng = np.random.default_rng(70)
    x = Type.of((6, 19), -128, 127)
    graph = alone(cell(rng, 6, x, gain=60, every_step=True), x)
    frames = np.where(rng.random((10, 6, 19)) < 0.9, 0, samples(rng, x, 10))
    jobs = [(emit(graph, tmp_path / str(at), target), frames) for at in range(2)]
    header = jobs[1][0].folder / HEADER
    text = header.read_text()
    assert "(const uint8_t *)x + 4" in text
    header.write_text(text.replace("(const uint8_t *)x + 4", "(const uint8_t *)x"))
    right, wrong = (run_many_on_host if target == "host" else run_many_on_core)(jobs)
    assert np.array_equal(right, graph.run(frames))
    assert not np.array_equal(wrong, graph.run(frames))
