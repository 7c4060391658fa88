"""Cases of the intrinsics and of the micro-kernels in C, and what they must yield by numpy.

One program holds all cases of an arm; it runs on this machine or on a simulated core.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.ir import Constant
from hwgen.mcu.bit_planes import bit_rows, row_words
from hwgen.mcu.dsp.bit_kernels import BITS, render_bits
from hwgen.mcu.dsp.gather_kernels import GATHERS, render_gather
from hwgen.mcu.dsp.intrinsics import INTRINSICS, render_simd
from hwgen.mcu.dsp.micro_kernels import DOTS, render_dot
from hwgen.mcu.dsp.pick_kernels import PICK_CHANNELS, PICKS, render_pick
from hwgen.mcu.gather import gather_rows
from hwgen.mcu.picks import pick_rows
from hwgen.mcu.rebuild import power_words
from hwgen.mcu.registry import find_storage
from hwgen.mcu.target import find_target
from hwgen.mcu.templates import read_kernel
from hwgen.mcu.toolchain.compiler import WARNINGS, find_host_compiler
from hwgen.mcu.toolchain.program import Source, link_sources
from hwgen.mcu.weights import block_rows
from hwgen.ops.codes.basis import Basis

STUBS = Path(__file__).with_name("greenwaves_stubs.h")


@dataclass(frozen=True)
class Case:
    """A piece of C that stores 32-bit results through ``out``, and what they must be.

    Attributes
    ----------
    name
        For people.
    text
        A block of statements; ``out[i]`` are its results.
    expected
        int64, one axis.
    """

    name: str
    text: str
    expected: np.ndarray


def array(ctype: str, name: str, values) -> str:
    """A constant array at a multiple of 16."""
    numbers = ", ".join(
        "(-2147483647 - 1)" if v == -(1 << 31) else str(v) for v in np.ravel(values).tolist()
    )
    return f"static const _Alignas(16) {ctype} {name}[] = {{{numbers}}};\n"


def lanes(x: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    """Lanes of 32-bit words, along a new last axis."""
    fields = np.stack([x >> (bits * i) & ((1 << bits) - 1) for i in range(32 // bits)], axis=-1)
    return fields - (fields >> (bits - 1) << bits) if signed else fields


def words(fields: np.ndarray) -> np.ndarray:
    """The words of byte lanes, of which the low 8 bits count."""
    return ((fields & 0xFF) << (8 * np.arange(4))).sum(axis=-1)


def _dot(signed_x: bool, signed_w: bool, bits: int = 8):
    return lambda *a: (
        (a[0] if len(a) == 3 else 0)
        + (lanes(a[-2], bits, signed_x) * lanes(a[-1], bits, signed_w)).sum(axis=-1)
    )


def _lane_by_lane(function, signed: bool):
    return lambda a, b: words(function(lanes(a, 8, signed), lanes(b, 8, signed)))


def _shuffle(low, high, order):
    pool = np.concatenate([lanes(low, 8, False), lanes(high, 8, False)], axis=-1)
    return words(np.take_along_axis(pool, lanes(order, 8, False) & 7, axis=-1))


MODELS = {
    "min_i32": np.minimum,
    "max_i32": np.maximum,
    "clip_signed": lambda x, hi: np.clip(x, -hi - 1, hi),
    "clip_unsigned": lambda x, hi: np.clip(x, 0, hi),
    "round_shift_i32": lambda x, n: (x + ((1 << n) >> 1)) >> n,
    "count_ones": lambda x: lanes(x, 1, False).sum(axis=-1),
    "mac": lambda acc, x, w: acc + x * w,
    "mac_u32": lambda acc, x, w: (acc + (x * w & 0xFFFFFFFF)) & 0xFFFFFFFF,
    "dot_s8_s8": _dot(True, True),
    "dot_u8_s8": _dot(False, True),
    "dot_u8_u8": _dot(False, False),
    "sdot_s8_s8": _dot(True, True),
    "sdot_u8_s8": _dot(False, True),
    "sdot_u8_u8": _dot(False, False),
    "sdot_s16_s16": _dot(True, True, 16),
    "min_s8": _lane_by_lane(np.minimum, True),
    "min_u8": _lane_by_lane(np.minimum, False),
    "max_s8": _lane_by_lane(np.maximum, True),
    "max_u8": _lane_by_lane(np.maximum, False),
    "shift_left_s8": lambda x, n: words(lanes(x, 8, False) << n[:, None]),
    "shift_right_s8": lambda x, n: words(lanes(x, 8, True) >> n[:, None]),
    "shift_right_each_s8": lambda x, s: words(lanes(x, 8, True) >> (lanes(s, 8, False) & 7)),
    "low_halves": lambda a, b: (a & 0xFFFF) | (b & 0xFFFF) << 16,
    "high_halves": lambda a, b: a >> 16 | b >> 16 << 16,
    "shuffle": _shuffle,
}
"""What every intrinsic computes, on int64."""

EXTREME_WORDS = (0, 0xFFFFFFFF, 0x80808080, 0x7F7F7F7F, 0x80008000, 0x00FF7F80, 0x01234567)
EXTREME_INTEGERS = (0, 1, -1, 127, 128, -128, -129, (1 << 31) - 1, -(1 << 31))


def operands(name: str, parameter: str, ctype: str, rng) -> np.ndarray:
    """Values for a parameter of an intrinsic: extremes of its legal range among random ones."""
    size = 64
    if parameter == "shift":
        return rng.integers(0, 31 if name == "round_shift_i32" else 8, size)
    if parameter == "hi" and name.startswith("clip"):
        bounds = [0, 1, 127, 255, (1 << 31) - 1]
        return np.concatenate([rng.choice(bounds, 48), rng.integers(0, 1 << 31, size - 48)])
    if name == "mac" and parameter != "acc":
        return rng.integers(-(1 << 14), 1 << 14, size)
    if (
        parameter == "acc" and ctype == "int32_t"
    ) or name == "round_shift_i32":  # the sum must fit 32 bits
        return rng.integers(-(1 << 30), 1 << 30, size)
    if name == "sdot_s16_s16":  # two products of 2^28 beside the accumulator
        low, high = rng.integers(-(1 << 14), (1 << 14) + 1, (2, size)) & 0xFFFF
        return low | high << 16
    extremes = EXTREME_WORDS if ctype == "uint32_t" else EXTREME_INTEGERS
    low, high = (0, 1 << 32) if ctype == "uint32_t" else (-(1 << 31), 1 << 31)
    drawn = rng.integers(low, high, size - 32)
    return np.concatenate([rng.choice(extremes, 32), drawn])


def intrinsic_cases() -> list[Case]:
    rng = np.random.default_rng(1)
    cases = []
    for name, row in INTRINSICS.items():
        values = [operands(name, p, c, rng) for p, c in row.parameters.items()]
        text = "".join(
            array(ctype, f"p{i}", v)
            for i, (ctype, v) in enumerate(zip(row.parameters.values(), values, strict=True))
        )
        call = f"hwgen_{name}({', '.join(f'p{i}[i]' for i in range(len(values)))})"
        text += f"for (int i = 0; i < {len(values[0])}; i++) {{ out[i] = (uint32_t){call}; }}\n"
        cases.append(Case(name, text, MODELS[name](*values)))
    four = rng.integers(-(1 << 31), 1 << 31, (4, 8))
    text = "".join(array("int32_t", f"p{i}", v) for i, v in enumerate(four))
    text += "for (int i = 0; i < 8; i++) { out[i] = hwgen_pack(p0[i], p1[i], p2[i], p3[i]); }\n"
    cases.append(Case("pack", text, words(four.T)))
    data = rng.integers(0, 256, 20)
    text = array("uint8_t", "p", data)
    text += "for (int i = 0; i < 17; i++) { out[i] = hwgen_load(p + i); }\n"
    cases.append(Case("load", text, np.array([words(data[i : i + 4]) for i in range(17)])))
    return cases


def dot_cases() -> list[Case]:
    """Every micro-kernel with few and with many products, tails, strides and extreme operands."""
    rng = np.random.default_rng(2)
    cases = []
    for d in DOTS:
        half = 1 << (d.bits - 1)
        lo, hi = (0, 255) if d.unsigned else (-128, 127)
        for k, extreme in ((1, False), (2 * d.step + 5, False), (3 * d.step, True)):
            steps = -(-k // d.step)
            stride = steps * d.step + 4 * int(rng.integers(0, 3))
            least, most = (1 - half, half - 1) if d.nested else (-half, half - 1)
            w = rng.integers(least, most + 1, (d.channels, k))
            if d.bits == 1:
                least, w = -1, rng.choice([-1, 1], w.shape)
            if d.power:
                least, w = -64, rng.choice([-1, 0, 1], w.shape) << rng.integers(0, 7, w.shape)
            x = rng.integers(lo, hi + 1, (d.pixels, stride))
            if d.bits == 1:
                x[:, k:] = 0
            if extreme:
                w[:], x[:] = least, rng.choice([lo, hi], x.shape)
            bias = rng.integers(-(1 << 24), 1 << 24, d.channels)
            text = array("int32_t", "bias", bias)
            stored = d.packing.blocks(w, d.channels)
            text += array("int8_t" if stored.dtype == np.int8 else "uint8_t", "w", stored)
            text += array("uint8_t" if d.unsigned else "int8_t", "x", x)
            sizes = f"{stride}, {steps}" if d.pixels > 1 else f"{steps}"
            text += f"{d.name}((int32_t *)out, bias, w, x, {sizes});\n"
            expected = bias[:, None] + w @ x[:, :k].T
            cases.append(Case(f"{d.name} of {k}", text, expected.ravel()))
    return cases


def gather_cases() -> list[Case]:
    """Every micro-kernel of sparse weights: one kept input, tails, gaps wider than a byte, extremes."""
    rng = np.random.default_rng(4)
    cases = []
    for g in GATHERS:
        lo, hi = (0, 255) if g.unsigned else (-128, 127)
        for n, count, extreme in ((1, 1, False), (700, 5, False), (40, 40, True), (63, 14, True)):
            mask = np.zeros(n, dtype=bool)
            mask[rng.choice(n, count, replace=False)] = True
            if n == 700:
                mask[:], mask[[3, 4, 260, 690, 699]] = False, True
            w = rng.integers(-128, 128, (g.channels, n)) * mask
            x = rng.integers(lo, hi + 1, n)
            if extreme:
                w[:], x[:] = -128 * mask, rng.choice([lo, hi], n)
            bias = rng.integers(-(1 << 24), 1 << 24, g.channels)
            text = array("int32_t", "bias", bias)
            masks = np.broadcast_to(mask, w.shape)
            text += array("uint8_t", "w", gather_rows(w, masks, g.channels))
            text += array("uint8_t" if g.unsigned else "int8_t", "x", x)
            text += f"{g.name}((int32_t *)out, bias, w, x);\n"
            cases.append(Case(f"{g.name} of {count} in {n}", text, bias + w @ x))
    return cases


def pick_cases() -> list[Case]:
    """Picks of one in eight: a step, steps that overlap by every number of groups, extremes."""
    rng = np.random.default_rng(6)
    cases = []
    for k in PICKS:
        lo, hi = (0, 255) if k.unsigned else (-128, 127)
        for groups, extreme in ((4, False), (5, False), (10, False), (15, False), (12, True)):
            w, mask = np.zeros((2, PICK_CHANNELS, 8 * groups), dtype=np.int64)
            at = rng.integers(0, 8, (PICK_CHANNELS, groups)) + 8 * np.arange(groups)
            np.put_along_axis(mask, at, 1, axis=1)
            values = np.full(at.shape, -128) if extreme else rng.integers(-128, 128, at.shape)
            np.put_along_axis(w, at, values, axis=1)
            x = rng.choice([lo, hi], 8 * groups) if extreme else rng.integers(lo, hi, 8 * groups)
            bias = rng.integers(-(1 << 24), 1 << 24, PICK_CHANNELS)
            text = array("int32_t", "bias", bias)
            text += array("uint8_t", "w", pick_rows(w, mask > 0))
            text += array("uint8_t" if k.unsigned else "int8_t", "x", x)
            text += f"{k.name}((int32_t *)out, bias, w, x, {groups});\n"
            cases.append(Case(f"{k.name} of {groups}", text, bias + w @ x))
    return cases


def bit_cases() -> list[Case]:
    """Every micro-kernel that counts bits, with fewer words than a step, and with tails."""
    rng = np.random.default_rng(5)
    cases = []
    for kernel in BITS:
        for n in (1, 70, 256, 7 * 32):
            w = rng.choice([-1, 1], (kernel.channels, n))
            lo = int(rng.integers(-128, 256 - (1 << kernel.planes)))
            lo = min(lo, 127 - (1 << kernel.planes)) if lo < 0 else lo
            lo = 0 if n == 256 else lo
            x = rng.integers(0, 1 << kernel.planes, n)
            x[: n // 2] = (1 << kernel.planes) - 1
            bias = rng.integers(-(1 << 24), 1 << 24, kernel.channels)
            words = row_words(n, kernel.planes)
            text = array("int32_t", "bias", bias)
            text += array("uint8_t", "w", bit_rows(w, kernel.planes, kernel.channels))
            text += array("uint8_t", "x", (x + lo) & 0xFF)
            text += f"static _Alignas(4) uint8_t room[{4 * kernel.planes * words}];\n"
            text += f"hwgen_planes(room, x, {n}, {lo}, {kernel.planes}, 0, {words});\n"
            text += f"{kernel.name}((int32_t *)out, bias, w, room, {words});\n"
            more = ((1 << kernel.planes) - 1) * (w < 0).sum(axis=1)
            cases.append(Case(f"{kernel.name} of {n}", text, bias + w @ x + more))
    return cases


def rebuild_cases() -> list[Case]:
    """Powers of two made into bytes, and blocks of bases: one for all channels or one each."""
    rng = np.random.default_rng(6)
    cases = []
    for n in (16, 96):
        values = rng.choice([-1, 0, 1], (1, n)) << rng.integers(0, 7, (1, n))
        text = array("uint8_t", "from", power_words(values))
        text += f"{dirty_room(n)}hwgen_powers(room, from, {n});\n"
        expected = words(values.reshape(-1, 4))
        cases.append(Case(f"powers of {n}", text + stored_words(n), expected))
    for outputs, n, run, group, shift, most in (
        *((4, 40, 4, 4, 6, 127), (3, 31, 4, 2, 3, 127), (4, 9, 4, 1, 2, 1)),
        *((4, 30, 3, 8, 8, 127), (4, 50, 7, 4, 0, 1)),
    ):
        c = rng.choice([-1, 0, 1], (outputs, -(-n // run), run))
        c <<= rng.integers(0, 7, c.shape)
        b = rng.integers(-most, most, (-(-outputs // group), run, run), endpoint=True)
        code = Basis(Constant(c), Constant(b), group, shift, (n,))
        stored = find_storage(code, find_target("host"))(code).rebuild
        text = array("uint8_t", "from", stored.blocks)
        text += f"{dirty_room(stored.scratch_bytes)}{stored.call('room', 'from')};\n"
        expected = words(block_rows(code.decode(), 8, 4).astype(np.int64).reshape(-1, 4))
        name = f"basis of {run}, {n} weights, {outputs} outputs"
        cases.append(Case(name, text + stored_words(stored.block_bytes), expected))
    return cases


def dirty_room(size: int) -> str:
    """C of memory that holds no zeros."""
    text = f"static _Alignas(4) uint8_t room[{size}];\n"
    return f"{text}for (int i = 0; i < {size}; i++) {{ room[i] = 0xa5; }}\n"


def stored_words(size: int) -> str:
    """C that hands out what is in ``room``."""
    return f"for (int i = 0; i < {size // 4}; i++) {{ out[i] = hwgen_load(room + 4 * i); }}\n"


def copy_cases() -> list[Case]:
    """Runs of all lengths and alignments: the bytes around them must stay as they are."""
    rng = np.random.default_rng(3)
    source = rng.integers(0, 256, 64)
    cases = []
    for to in range(4):
        lengths = [*range(0, 22), 33]
        for start in range(4):
            text, expected = array("uint8_t", "source", source), []
            text += "static _Alignas(4) uint8_t room[40];\n"
            for i, n in enumerate(lengths):
                text += "for (int i = 0; i < 40; i++) { room[i] = 0xa5; }\n"
                call = "hwgen_copy(room + 1 + {0}, source + {1}, {2});\n"
                if start == 3 and i % 2:
                    call = "hwgen_zero(room + 1 + {0}, {2});\n"
                text += call.format(to, start, n)
                text += (
                    "for (int i = 0; i < 10; i++) {"
                    f" out[{10 * i} + i] = hwgen_load(room + 4 * i); }}\n"
                )
                room = np.full(40, 0xA5)
                room[1 + to : 1 + to + n] = 0 if "zero" in call else source[start : start + n]
                expected.append(words(room.reshape(-1, 4)))
            cases.append(Case(f"copy {start} to {to}", text, np.concatenate(expected)))
    return cases


def all_cases() -> list[Case]:
    sparse = (*gather_cases(), *pick_cases())
    kernels = (*dot_cases(), *sparse, *bit_cases(), *rebuild_cases())
    return [*intrinsic_cases(), *kernels, *copy_cases()]


def write_program(folder: Path, cases: list[Case], simd: str | None = None) -> None:
    """``cases.c`` and the headers: ``run_cases`` fills the array ``results``."""
    total = sum(len(case.expected) for case in cases)
    text = '#include <stdint.h>\n#include "hwgen_runtime.h"\n#include "hwgen_dot.h"\n'
    text += '#include "hwgen_gather.h"\n#include "hwgen_bits.h"\n#include "hwgen_pick.h"\n'
    text += '#include "hwgen_rebuild.h"\n'
    text += f"uint32_t results[{total}];\n"
    calls, at = [], 0
    for i, case in enumerate(cases):
        text += f"/* {case.name} */\nstatic void case_{i}(uint32_t *out)\n{{\n{case.text}}}\n"
        calls.append(f"    case_{i}(results + {at});\n")
        at += len(case.expected)
    text += "void run_cases(void);\nvoid run_cases(void)\n{\n" + "".join(calls) + "}\n"
    (folder / "cases.c").write_text(text)
    (folder / "hwgen_simd.h").write_text(render_simd() if simd is None else simd)
    (folder / "hwgen_dot.h").write_text(render_dot())
    (folder / "hwgen_bits.h").write_text(render_bits())
    (folder / "hwgen_gather.h").write_text(render_gather())
    (folder / "hwgen_pick.h").write_text(render_pick())
    for name in ("hwgen_runtime.h", "hwgen_memory.h", "hwgen_rebuild.h"):
        (folder / name).write_text(read_kernel(f"runtime/{name}"))


def run_on_host(folder: Path, cases: list[Case], flags: tuple[str, ...]) -> np.ndarray:
    """The results of this machine, with sanitizers on."""
    write_program(folder, cases)
    (folder / "main.c").write_text(
        "#include <stdint.h>\n#include <stdio.h>\n"
        f"extern uint32_t results[{sum(len(c.expected) for c in cases)}];\n"
        "void run_cases(void);\n"
        "int main(void)\n{\n    run_cases();\n"
        "    return fwrite(results, sizeof results, 1, stdout) != 1;\n}\n"
    )
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    command = [*find_host_compiler(), *WARNINGS, "-O0", *sanitize, *flags]
    subprocess.run([*command, "-o", "cases", "cases.c", "main.c"], cwd=folder, check=True)
    done = subprocess.run([folder / "cases"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, dtype=np.uint32)


def link_for_core(folder: Path, cases: list[Case], target: str, simd: str | None = None) -> Path:
    """The program for a simulated core, which hands in ``results`` as its only output."""
    write_program(folder, cases, simd)
    total = sum(len(c.expected) for c in cases)
    (folder / "main.c").write_text(
        f"extern uint32_t results[{total}];\nvoid run_cases(void);\n"
        "int main(void)\n{\n    (void)*hwgen_register(HWGEN_HOST_NEXT);\n"
        "    run_cases();\n    hwgen_ordered();\n"
        "    *hwgen_register(HWGEN_HOST_OUT) = (uint32_t)(uintptr_t)results;\n    return 0;\n}\n"
    )
    sources = [Source(name, folder) for name in ("cases.c", "main.c")]
    made = folder / "made"
    made.mkdir()
    return link_sources(sources, find_target(target), made)


def differing(cases: list[Case], results: np.ndarray) -> list[str]:
    """Names of the cases with a wrong result."""
    wrong, at = [], 0
    for case in cases:
        part = results[at : at + len(case.expected)]
        if (part != (case.expected & 0xFFFFFFFF)).any():
            wrong.append(case.name)
        at += len(case.expected)
    assert at == len(results)
    return wrong
