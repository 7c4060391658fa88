"""Emitted C compiles for a 32-bit RISC-V core without an operating system."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import sys

import numpy as np
import pytest

from hwgen.errors import InvalidInput, MissingTool, Unsupported
from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain import cross
from hwgen.mcu.toolchain.compiler import CompilerFailed
from hwgen.mcu.toolchain.cross import compile_source, find_cross_compiler, measure
from hwgen.mcu.toolchain.elf import function_sizes, is_compressed, section_sizes
from hwgen.sim import cache
from tests.mcu.graphs import draw, network

ZIG = (sys.executable, "-m", "ziglang", "cc")
COMPILERS = {
    "zig": pytest.param(
        " ".join(ZIG),
        id="zig",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("ziglang") is None, reason="needs pip install ziglang"
        ),
    ),
    "gcc": pytest.param(
        cross.DEBIAN,
        id="gcc",
        marks=pytest.mark.skipif(
            shutil.which(cross.DEBIAN) is None, reason="needs apt install gcc-riscv64-unknown-elf"
        ),
    ),
}
needs_cross_compiler = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None and shutil.which(cross.DEBIAN) is None,
    reason="needs the cross compiler: pip install ziglang",
)


@pytest.fixture(params=COMPILERS.values())
def compiler(request, monkeypatch):
    """Each cross compiler that is here, in turn."""
    monkeypatch.setenv(cross.VARIABLE, request.param)


def test_small(small, tmp_path, compiler):
    build = emit(small, tmp_path, target="rv32imc")
    sizes = measure(build)
    # The compiler may fold small tables into the code.
    assert build.constant_bytes / 2 <= sizes.rodata <= build.constant_bytes
    assert 0 < sizes.text < 4000
    assert (sizes.data, sizes.bss) == (0, 0)


@needs_cross_compiler
def test_random_networks(tmp_path):
    rng = np.random.default_rng(5)
    for i in range(6):
        build = emit(draw(network, rng, f"n{i}"), tmp_path / str(i), target="rv32imc")
        sizes = measure(build)
        assert (sizes.data, sizes.bss) == (0, 0)


LAYERS = """
#if defined HWGEN_XPULPV2 + defined HWGEN_XCV + defined HWGEN_GREENWAVES > 1
#error "two arms at once"
#endif
#if defined HWGEN_XPULPV2
#define ARM 1
#elif defined HWGEN_XCV
#define ARM 2
#else
#define ARM 0
#endif
#include <stdint.h>
int run(int *x);
static inline int twice(int a) { return 2 * a; }
static void one_layer(int *x) { x[0] = twice(x[1]) + twice(x[2]); }
static int another_layer(const unsigned char *x) { uint32_t w = (uint32_t)x[0] | (uint32_t)x[1] << 8
    | (uint32_t)x[2] << 16 | (uint32_t)x[3] << 24; return (int)w; }
int run(int *x) { one_layer(x); return ARM + another_layer((const unsigned char *)x); }
"""


def _compile(tmp_path, target, **rest) -> bytes:
    (tmp_path / "layers.c").write_text(LAYERS)
    compile_source(target, "layers.c", tmp_path / "layers.o", tmp_path, options=("-O2",), **rest)
    return (tmp_path / "layers.o").read_bytes()


def test_every_layer_stays_a_function(tmp_path, compiler):
    sizes = function_sizes(_compile(tmp_path, find_target("rv32imc")))
    assert set(sizes) == {"run", "one_layer", "another_layer"}
    assert sum(sizes.values()) <= section_sizes((tmp_path / "layers.o").read_bytes()).text


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="about zig")
def test_zig_keeps_nothing_of_a_run_in_the_home_folder(tmp_path, monkeypatch):
    """Its own cache would grow with every run; and where it cannot be written, zig hangs."""
    monkeypatch.delenv(cross.VARIABLE, raising=False)
    for name in ("ZIG_LOCAL_CACHE_DIR", "ZIG_GLOBAL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    _compile(tmp_path, find_target("rv32imc"))
    assert any((tmp_path / "zig-cache").iterdir())
    assert any(cache.cache_folder("zig").iterdir())


def test_instruction_sets(tmp_path, compiler):
    rv32imc, cv32e41p, cv32e40p = map(find_target, ("rv32imc", "cv32e41p", "cv32e40p"))
    assert is_compressed(_compile(tmp_path, rv32imc))
    assert not is_compressed(_compile(tmp_path, cv32e41p))
    images = [_compile(tmp_path, rv32imc, isa=isa) for isa in ("plain", "xpulpv2", "xcv")]
    assert len(set(images)) == 3
    assert _compile(tmp_path, cv32e40p) == _compile(tmp_path, cv32e40p, isa="xcv")


@needs_cross_compiler
def test_words_at_any_address(tmp_path):
    """One load instead of four: the cores do it, and the compiler is told so."""
    loose = find_target("cv32e40p")
    strict = dataclasses.replace(loose, cpu=find_target("rv32imc").cpu)
    compiler = find_cross_compiler(loose)
    if compiler.is_zig:
        sizes = [function_sizes(_compile(tmp_path, t))["another_layer"] for t in (loose, strict)]
        assert sizes[0] < sizes[1] / 3
    else:  # GCC merges loads only where a processor's own tuning says that it is fast
        assert "-mno-strict-align" in compiler.compiling(loose)
        assert "-mno-strict-align" not in compiler.compiling(strict)


def test_order_of_compilers(monkeypatch):
    rv32imc = find_target("rv32imc")
    here = {"ziglang": True, cross.DEBIAN: True, "my-gcc": True, "their-gcc": True}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: here[name] or None)
    monkeypatch.setattr(shutil, "which", lambda name: name if here.get(name) else None)
    monkeypatch.setenv(cross.VARIABLE, "my-gcc -march=rv32imc")
    theirs = dataclasses.replace(rv32imc, command="their-gcc -mmagic")
    assert find_cross_compiler(theirs).command == ("their-gcc", "-mmagic")
    mine = find_cross_compiler(rv32imc)
    assert mine.command == ("my-gcc", "-march=rv32imc") and mine.complete and not mine.is_zig
    assert not any("-march" in option for option in mine.compiling(rv32imc))
    monkeypatch.setenv(cross.VARIABLE, "")
    assert find_cross_compiler(rv32imc).command == ZIG
    here["ziglang"] = False
    gcc = find_cross_compiler(rv32imc)
    assert gcc.command == (cross.DEBIAN,) and "-march=rv32imc_zicsr" in gcc.compiling(rv32imc)
    here[cross.DEBIAN] = False
    with pytest.raises(MissingTool) as error:
        find_cross_compiler(rv32imc)
    assert str(error.value) == (
        "compiling for rv32imc needs a cross compiler: 'pip install ziglang' (or 'pip install "
        "hwgen[rv32]') brings one, so does 'apt install gcc-riscv64-unknown-elf "
        "picolibc-riscv64-unknown-elf'; HWGEN_RISCV_CC names any other"
    )
    with pytest.raises(Unsupported, match="needs no cross compiler"):
        find_cross_compiler(find_target("host"))


def test_a_compiler_that_is_not_there_is_named(monkeypatch):
    rv32imc = find_target("rv32imc")
    monkeypatch.setenv(cross.VARIABLE, "no-such-gcc -O2")
    with pytest.raises(
        MissingTool, match=r"HWGEN_RISCV_CC must name .*'no-such-gcc' was not found"
    ):
        find_cross_compiler(rv32imc)
    monkeypatch.setenv(cross.VARIABLE, "gcc '")
    with pytest.raises(InvalidInput, match="HWGEN_RISCV_CC must be a command"):
        find_cross_compiler(rv32imc)
    theirs = dataclasses.replace(rv32imc, name="mine", command="no-such-cc")
    with pytest.raises(MissingTool, match=r"compiler.command of target mine must name"):
        find_cross_compiler(theirs)


def test_what_is_wrong_in_the_source_is_shown(tmp_path, compiler):
    (tmp_path / "bad.c").write_text("int run(void);\nint run(void) { return missing; }\n")
    with pytest.raises(CompilerFailed, match=r"bad.c:2.*\n?.*missing"):
        compile_source(find_target("rv32imc"), "bad.c", tmp_path / "bad.o", tmp_path)


def test_files_that_are_no_programs():
    with pytest.raises(InvalidInput, match="must be ELF"):
        section_sizes(b"MZ")
    with pytest.raises(InvalidInput, match="32-bit little-endian ELF, not 64-bit"):
        section_sizes(b"\x7fELF\x02\x01\x01" + bytes(57))
