"""Intrinsics and micro-kernels: every arm gives the bits of numpy."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hwgen.mcu.dsp.bit_kernels import BITS
from hwgen.mcu.dsp.gather_kernels import GATHERS
from hwgen.mcu.dsp.intrinsics import INTRINSICS, render_simd
from hwgen.mcu.dsp.isa import INSTRUCTIONS
from hwgen.mcu.dsp.micro_kernels import DOTS
from hwgen.sim.riscv import CoreTrap, Machine, run_program
from tests.mcu import simd_cases

ISA = {"rv32imc": "rv32imc", "cv32e41p": "xpulpv2", "cv32e40p": "xcv"}


@pytest.fixture(scope="module")
def cases():
    return simd_cases.all_cases()


def run_on_core(folder: Path, cases, target: str, engine: str, simd: str | None = None):
    elf = simd_cases.link_for_core(folder, cases, target, simd)
    size = 4 * sum(len(case.expected) for case in cases)
    machine = Machine(isa=ISA[target])
    run = run_program(elf, machine, engine, b"\0" * 4, 1, input_bytes=4, output_bytes=size)
    assert run.exit_code == 0
    return np.frombuffer(run.outputs, dtype=np.uint32)


def test_every_intrinsic_has_a_model():
    assert set(simd_cases.MODELS) == set(INTRINSICS)


@pytest.mark.parametrize(
    "flags",
    [
        (),
        pytest.param(
            ("-DHWGEN_GREENWAVES", "-fno-sanitize=alignment", f"-include{simd_cases.STUBS}"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["plain", "greenwaves"],
)
def test_on_this_machine(tmp_path, cases, flags):
    assert simd_cases.differing(cases, simd_cases.run_on_host(tmp_path, cases, flags)) == []


@pytest.mark.parametrize(
    "target",
    ["cv32e40p", *(pytest.param(t, marks=pytest.mark.slow) for t in ISA if t != "cv32e40p")],
)
def test_on_simulated_core(tmp_path, cases, target):
    results = run_on_core(tmp_path, cases, target, "iss")
    assert simd_cases.differing(cases, results) == []


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cv32e41p", "cv32e40p"])
def test_on_real_core(tmp_path, cases, target):
    results = run_on_core(tmp_path, cases, target, target)
    assert simd_cases.differing(cases, results) == []


@pytest.mark.parametrize(
    ("target", "name", "wrong"),
    [
        ("cv32e41p", "pv.sdotusp.b", "pv.sdotsp.b"),
        ("cv32e41p", "pv.packhi.b", "pv.packlo.b"),
        ("cv32e40p", "p.clipr", "p.clipur"),
        ("cv32e40p", "p.addrnr", "p.mac"),
    ],
)
def test_wrong_encoding_is_caught(tmp_path, target, name, wrong):
    """The header with one instruction's encoding replaced by another's."""
    cases = simd_cases.intrinsic_cases()
    arm = ISA[target]
    right, other = (INSTRUCTIONS[n].define(arm) for n in (name, wrong))
    swapped = right.split(")")[0] + ")" + other.split(")", 1)[1]
    text = render_simd()
    assert text.count(right) == 1
    results = run_on_core(tmp_path, cases, target, "iss", text.replace(right, swapped))
    assert simd_cases.differing(cases, results)


def test_unknown_encoding_traps(tmp_path):
    text = re.sub(r"(define HWGEN_P_MAC.*?0x33, )0", r"\g<1>7", render_simd())
    with pytest.raises(CoreTrap, match=r"illegal|unknown"):
        run_on_core(tmp_path, simd_cases.intrinsic_cases(), "cv32e41p", "iss", text)


def test_xcv_encodings_are_those_of_the_assembler(tmp_path):
    """Every instruction by its mnemonic and by .insn: two equal words."""
    pytest.importorskip("ziglang")
    from elftools.elf.elffile import ELFFile

    spelled = {
        "register": ('("a0", "a1", "a2")', "a0, a1, a2"),
        "unary": ('("a0", "a1")', "a0, a1"),
        "number": ('("a0", "a1", "3")', "a0, a1, {number}"),
        "scaled": ('("a0", "a1", "a2", "3")', "a0, a1, a2, 3"),
        "load": ('("a0", "-8", "a1")', "a0, (a1), -8"),
        "store": ('("a0", "-8", "a1")', "a0, (a1), -8"),
    }
    text = '#include "hwgen_simd.h"\n'
    for row in INSTRUCTIONS.values():
        arguments, operands = spelled[row.form]
        operands = operands.format(number=6 if ".sci" in row.name else 3)
        if row.name.endswith(".r"):
            operands = "a0, (a1), a2"
        elif row.name.endswith(".rr"):
            operands = "a0, a2(a1)"
        text += f'__asm__("{row.xcv_name} {operands}\\n" {row.macro}{arguments});\n'
    (tmp_path / "pairs.c").write_text(text)
    (tmp_path / "hwgen_simd.h").write_text(render_simd())
    cpu = "generic_rv32+m+xcvmac+xcvsimd+xcvmem+xcvalu+xcvbitmanip"
    command = [sys.executable, "-m", "ziglang", "cc", "--target=riscv32-freestanding-none"]
    command += [f"-mcpu={cpu}", "-DHWGEN_XCV", "-O1", "-c", "pairs.c", "-o", "pairs.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    with (tmp_path / "pairs.o").open("rb") as file:
        code = ELFFile(file).get_section_by_name(".text").data()
    words = np.frombuffer(code, dtype="<u4").reshape(-1, 2)
    assert len(words) == len(INSTRUCTIONS)
    wrong = [n for n, (a, b) in zip(INSTRUCTIONS, words, strict=True) if a != b]
    assert wrong == []


@pytest.mark.parametrize("kernel", [*DOTS, *GATHERS, *BITS], ids=lambda k: k.name)
def test_inner_loop_never_waits_for_a_load(kernel):
    body = [re.findall(r"%\[(\w+)\]", line) for line in kernel.assembly.body]
    loads = [bool(re.match(r"HWGEN_P_L|\"lw", line)) for line in kernel.assembly.body]
    assert sum(loads) >= 2
    for i, (operands, is_load) in enumerate(zip(body, loads, strict=True)):
        assert not (is_load and operands[0] in body[(i + 1) % len(body)])


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("u8_s8_4x4", 2.66),
        ("u8_s8_8x1", 1.88),
        ("s8_s4_4x1", 1.45),
        ("s8_s4_4x4", 2.28),
        ("u8_p4_8x1", 0.70),
        ("s8_p4_4x4", 1.59),
    ],
)
def test_products_an_instruction(name, least):
    (dot,) = (d for d in DOTS if d.name == f"hwgen_dot_{name}")
    products = dot.channels * dot.pixels * dot.step
    assert products / len(dot.assembly.body) >= least
