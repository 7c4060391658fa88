"""Shift registers in C draw what those of Python do."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwgen.mcu.templates import read_kernel
from hwgen.mcu.toolchain.compiler import WARNINGS, find_host_compiler, run_compiler
from hwgen.mcu.toolchain.host import SANITIZED
from hwgen.ops.lib import lfsr
from tests.ops.test_lfsr import GOLDEN

WIDTHS = range(3, 17)

PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>

#include "hwgen_lfsr.h"

/* width taps leap threshold seed count: that many states and mask bits, two words each. */
int main(int count, char **words)
{
    uint32_t v[6];
    for (int i = 1; i + 5 < count; i += 6) {
        for (int j = 0; j < 6; j++) {
            v[j] = (uint32_t)strtoul(words[i + j], NULL, 10);
        }
        const hwgen_lfsr r = hwgen_lfsr_make((int)v[0], v[1], v[2], v[3]);
        uint32_t single = v[4], state = v[4];
        for (uint32_t k = 0; k < v[5]; k++) {
            const uint32_t drawn[2] = {state, (uint32_t)hwgen_lfsr_keeps(&r, state)};
            fwrite(drawn, sizeof drawn, 1, stdout);
            for (uint32_t step = 0; step < v[2]; step++) {
                single = hwgen_lfsr_step(&r, single);
            }
            state = hwgen_lfsr_advance(&r, state);
            if (state != single) {
                return 1;
            }
        }
    }
    return 0;
}
"""


def compile_registers(folder: Path, header: str) -> Path:
    (folder / "hwgen_lfsr.h").write_text(header)
    (folder / "draw.c").write_text(PROGRAM)
    command = [*find_host_compiler(), *WARNINGS, *SANITIZED, "-o", "draw", "draw.c"]
    run_compiler(command, folder)
    return folder / "draw"


@pytest.fixture(scope="module")
def registers(tmp_path_factory) -> Path:
    """A program that draws what it is asked for."""
    return compile_registers(tmp_path_factory.mktemp("lfsr"), read_kernel("runtime/hwgen_lfsr.h"))


def draw(program: Path, *asked: tuple) -> list[np.ndarray]:
    """Of each (width, taps, leap, threshold, seed, count) an array of shape (count, 2)."""
    words = []
    for width, taps, *rest in asked:
        words += [width, sum(1 << tap - 1 for tap in taps), *rest]
    done = subprocess.run([program, *map(str, words)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    drawn = np.frombuffer(done.stdout, dtype=np.uint32).reshape(-1, 2)
    return np.split(drawn, np.cumsum([count for *_, count in asked])[:-1])


def python(width, taps, leap, threshold, seed, count) -> np.ndarray:
    states = lfsr.cycle(width, taps)
    start = int(np.flatnonzero(states == seed)[0])
    drawn = states[(start + leap * np.arange(count)) % len(states)]
    return np.stack([drawn, drawn < threshold], axis=1)


def periods() -> list[tuple]:
    """Of every width single steps, the usual leap, and one of more than half a period."""
    asked = []
    for width in WIDTHS:
        taps, period = lfsr.TAPS[width], (1 << width) - 1
        far = next(n for n in range(period - period // 3, period) if math.gcd(n, period) == 1)
        leaps = dict.fromkeys((1, lfsr.default_leap(width), far if width < 9 else 1))
        for leap, seed in zip(leaps, lfsr.golden_seeds(3, width, taps), strict=False):
            limit = lfsr.threshold(0.3 if leap == 1 else 0.1 if width > 4 else 0.5, width)
            asked.append((width, taps, leap, limit, int(seed), period))
    return asked


def test_every_width_for_its_whole_period(registers):
    asked = periods()
    assert {width for width, *_ in asked} == set(WIDTHS)
    for what, drawn in zip(asked, draw(registers, *asked), strict=True):
        assert np.array_equal(drawn, python(*what)), what
        assert len(np.unique(drawn[:, 0])) == what[-1]


def test_golden_sequence(registers):
    (drawn,) = draw(registers, (10, (10, 7), 1, 103, 1, 24))
    assert tuple(drawn[:, 0]) == GOLDEN
    assert "".join(map(str, drawn[:, 1])) == "111111100011110000001000"


def test_published_mask(registers):
    """The figure of arXiv 1611.01427, section 3: its bit is 1 where the state is 4 or more."""
    drawn = draw(registers, *((3, (3, 1), 1, 4, seed, 7) for seed in (3, 2)))
    columns = [1 - d[:, 1] for d in drawn]
    assert [c.tolist() for c in columns] == [[0, 1, 1, 1, 0, 1, 0], [0, 1, 0, 0, 1, 1, 1]]


def test_the_widest_register_and_threshold(registers):
    (drawn,) = draw(registers, (24, lfsr.TAPS[24], 1, 1 << 24, 1, 5000))
    state = 1
    for found, keeps in drawn.tolist():
        assert (found, keeps) == (state, 1)
        state = lfsr.step(state, 24, lfsr.TAPS[24])


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("state & r->taps", "state & (r->taps ^ 1u)"),
        ("feedback >> shift", "feedback << shift"),
        ("i < leap", "i + 1 < leap"),
        ("state < r->threshold", "state <= r->threshold"),
    ],
)
def test_a_wrong_register_is_seen(was, becomes, tmp_path):
    text = read_kernel("runtime/hwgen_lfsr.h")
    assert text.count(was) == 1
    program = compile_registers(tmp_path, text.replace(was, becomes))
    what = (5, (5, 3), 3, 10, 1, 31)
    try:
        (drawn,) = draw(program, what)
    except AssertionError:  # a jump is not its steps
        return
    assert not np.array_equal(drawn, python(*what))
