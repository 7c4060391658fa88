"""Scaling by a multiplier and a shift: every arm gives the bits of numpy, at every level."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.program import Source, link_sources
from hwgen.ops.lib.fixed_point import requantize
from hwgen.sim.riscv import Machine, run_program
from tests.mcu import simd_cases
from tests.mcu.simd_cases import Case, array

SHIFTS = (1, 2, 15, 16, 30, 31)
HALVES = (0, 1, -1, 255, -256, (1 << 15) - 1, -(1 << 15))
WORDS = (*HALVES, 1 << 15, 65535, 65536, -65536, (1 << 31) - 1, -(1 << 31))
FACTORS = (0, 1, 2, 181, (1 << 15) - 1)


def scaled(x, m, shift: int) -> np.ndarray:
    return requantize(x, m, shift, -(1 << 31), (1 << 31) - 1)


def _cases() -> list[Case]:
    """Shifts as literals and as variables; extremes of both factors among drawn ones."""
    rng = np.random.default_rng(4)
    cases = []
    for name, extremes, bits in (("hwgen_scale_i16", HALVES, 16), ("hwgen_scale_i32", WORDS, 32)):
        drawn = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), 16)
        x, m = np.meshgrid([*extremes, *drawn], [*FACTORS, *rng.integers(0, 1 << 15, 4)])
        x, m = x.ravel(), m.ravel()
        if bits == 16:
            m = m * rng.choice([-1, 1], m.size)
        n = x.size
        for shift in SHIFTS:
            text = array("int32_t", "x", x) + array(
                "int32_t", "m", m if bits == 16 else m * 0x10001
            )
            text += f"static volatile int any = {shift};\n"
            for at, s in ((0, shift), (n, "any")):
                text += f"for (int i = 0; i < {n}; i++) {{\n"
                text += f"out[{at} + i] = (uint32_t){name}(x[i], m[i], {s});\n}}\n"
            y = scaled(x, m, shift if bits == 16 else 16 + shift)
            cases.append(Case(f"{name} by {shift}", text, np.tile(y, 2)))
    return cases


@pytest.fixture(scope="module")
def cases():
    return _cases()


@pytest.mark.parametrize(
    "flags",
    [(), ("-DHWGEN_GREENWAVES", "-fno-sanitize=alignment", f"-include{simd_cases.STUBS}")],
    ids=["plain", "greenwaves"],
)
def test_on_this_machine(tmp_path, cases, flags):
    for level in ("-O0", "-O2"):
        folder = tmp_path / level
        folder.mkdir()
        results = simd_cases.run_on_host(folder, cases, (*flags, level))
        assert simd_cases.differing(cases, results) == []


@pytest.mark.parametrize("target", ["rv32imc", "cv32e41p", "cv32e40p"])
def test_on_simulated_core(tmp_path, cases, target):
    isa = {"cv32e41p": "xpulpv2", "cv32e40p": "xcv"}.get(target, target)
    size = 4 * sum(len(case.expected) for case in cases)
    elf = simd_cases.link_for_core(tmp_path, cases, target)
    run = run_program(elf, Machine(isa=isa), "iss", b"\0" * 4, 1, input_bytes=4, output_bytes=size)
    assert run.exit_code == 0
    results = np.frombuffer(run.outputs, dtype=np.uint32)
    assert simd_cases.differing(cases, results) == []


@pytest.mark.parametrize("target", ["cv32e41p", "cv32e40p"])
def test_compiles_without_optimization(tmp_path, cases, target):
    """Where the compiler does not see that a shift is a literal."""
    simd_cases.write_program(tmp_path, cases)
    (tmp_path / "main.c").write_text(
        "void run_cases(void);\nint main(void)\n{\n    run_cases();\n    return 0;\n}\n"
    )
    sources = [Source(name, tmp_path) for name in ("cases.c", "main.c")]
    made = tmp_path / "made"
    made.mkdir()
    assert link_sources(sources, find_target(target), made, options=("-O0",)).exists()
