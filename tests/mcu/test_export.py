"""An emitted folder in somebody else's project: CMake, README."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from hwgen.mcu.emit import emit
from hwgen.mcu.target import find_target
from hwgen.mcu.templates import read_kernel
from hwgen.mcu.toolchain.compiler import find_host_compiler
from hwgen.mcu.toolchain.cross import compile_source
from hwgen.mcu.toolchain.elf import function_sizes

PROJECT = """\
cmake_minimum_required(VERSION 3.12)
project(firmware C)
set(CMAKE_C_STANDARD 99)
add_subdirectory(vendor/small)
add_executable(small main.c)
target_link_libraries(small PRIVATE hwgen_small)
"""
MAIN = """\
#include <stdio.h>

#include "small.h"

static _Alignas(SMALL_ARENA_ALIGN) unsigned char arena[SMALL_ARENA_BYTES];
{l1}
int main(void)
{{
    small_in_t in[SMALL_INPUT_SIZE] = {{{values}}};
    small_out_t out[SMALL_OUTPUT_SIZE];
    const int status = small_run(in, out, arena{argument});
    for (int i = 0; i < SMALL_OUTPUT_SIZE; i++) {{
        printf("%d ", (int)out[i]);
    }}
    return status;
}}
"""
TILES = "static _Alignas(SMALL_L1_ALIGN) unsigned char l1[SMALL_L1_BYTES];\n"


def cmake(*arguments, **options) -> subprocess.CompletedProcess:
    if not shutil.which("cmake"):
        pytest.skip("no CMake here")
    compiler = " ".join(find_host_compiler())
    return subprocess.run(
        ["cmake", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "CC": compiler},
        **options,
    )


@pytest.mark.parametrize("target", ["host", "gap8"])
def test_cmake_project(small, tmp_path, target):
    """A program of the same name as the model, in another standard of C, links the library."""
    build = emit(small, tmp_path, target)
    shutil.copytree(build.folder, tmp_path / "vendor" / "small")
    x = np.arange(small.input_type.size) % 16
    tiles = target == "gap8"
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "main.c").write_text(
        MAIN.format(
            values=", ".join(map(str, x)),
            l1=TILES if tiles else "",
            argument=", l1" if tiles else "",
        )
    )
    done = cmake("-S", tmp_path, "-B", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    done = cmake("--build", tmp_path / "b")
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([tmp_path / "b" / "small"], capture_output=True, text=True)
    y = small.run(x.reshape(1, *small.input_type.shape))
    assert (done.returncode, [int(v) for v in done.stdout.split()]) == (0, y.ravel().tolist())


def test_cmake_alone_tests_golden_vectors(deep, tmp_path):
    """With weights in external memory, a file here."""
    file = tmp_path / "board.toml"
    file.write_text('extends = "gap8"\n[memory]\nl1 = 20_480\nl2 = 24_576\nreserve = 0\n')
    build = emit(deep, tmp_path, str(file))
    for step in (("-S", build.folder, "-B", tmp_path / "b"), ("--build", tmp_path / "b")):
        done = cmake(*step)
        assert done.returncode == 0, done.stderr
    done = subprocess.run(["ctest"], cwd=tmp_path / "b", capture_output=True, text=True)
    assert "100% tests passed, 0 tests failed out of 1" in done.stdout
    text = (build.folder / "README.md").read_text()
    assert f"| weights, file `deep_l3.bin` | {build.l3_bytes} | external RAM" in text
    assert "deep_run(in, out, arena, l1, l3);" in text


def test_cmake_refuses(small, tmp_path):
    build = emit(small, tmp_path, "gap8")
    done = cmake("-S", build.folder, "-B", tmp_path / "a", "-DHWGEN_ISA=avx")
    assert "HWGEN_ISA must be one of plain, xpulpv2, greenwaves, not 'avx'" in done.stderr
    done = cmake("-S", build.folder, "-B", tmp_path / "b", f"-DHWGEN_PORT={tmp_path}")
    assert "HWGEN_PORT must be a folder with hwgen_port.h" in done.stderr


@pytest.mark.parametrize("target", ["host", "rv32imc", "cv32e40p", "gap8"])
def test_readme_says_what_a_model_needs(small, tmp_path, target):
    build = emit(small, tmp_path, target)
    text = (build.folder / "README.md").read_text()
    assert f"\n| arena, lent for a run | {build.arena_bytes} |" in text
    assert (f"\n| tiles, lent for a run | {build.l1_bytes} | L1 |" in text) == (build.l1_bytes > 0)
    for name in re.findall(r"^\| `(ports/\w+)` \|", text, re.MULTILINE):
        assert (build.folder / name / "hwgen_port.h").is_file()
    assert "ports/host" in text or find_target(target).cores == 1
    assert ("HWGEN_XPULPV2" in text) == (target == "gap8")
    assert ("gap.mk" in text) == (build.folder / "gap.mk").is_file() == (target == "gap8")
    assert all(source in text for source in build.sources)


def test_own_port_comes_along(small, tmp_path):
    """A platform's own port is a folder too, its C files are part of the library."""
    (tmp_path / "team.h").write_text(read_kernel("targets/host/hwgen_port.h"))
    (tmp_path / "team.c").write_text("int hwgen_team_of_board(void)\n{\n    return 7;\n}\n")
    file = tmp_path / "board.toml"
    file.write_text(
        'extends = "gap8"\nport = "bare"\n[startup]\nport = "team.h"\nsources = ["team.c"]\n'
    )
    build = emit(small, tmp_path, str(file))
    assert (
        "| `ports/board` | the platform of target board |"
        in (build.folder / "README.md").read_text()
    )
    assert not (build.folder / "gap.mk").exists()
    where = tmp_path / "b"
    port = f"-DHWGEN_PORT={build.folder / 'ports' / 'board'}"
    for step in (("-S", build.folder, "-B", where, port), ("--build", where)):
        assert cmake(*step).returncode == 0
    names = subprocess.run(["ar", "t", where / "libhwgen_small.a"], capture_output=True, text=True)
    assert "team.c.o" in names.stdout


@pytest.mark.parametrize("target", ["cv32e40p", "gap8"])
def test_one_core_without_an_operating_system_takes_the_plain_port(small, tmp_path, target):
    """A chip with a single core, and a compiler without a C library, needs no port of its own."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("needs pip install ziglang")
    build = emit(small, tmp_path, target)
    path = tmp_path / "small.o"
    options = ("-O2", "-nostdlibinc", "-Iports/host")
    compile_source(find_target(target), "small.c", path, build.folder, options=options)
    assert "small_run" in function_sizes(path.read_bytes())


PORT_HEADER = """\
#ifndef HWGEN_PORT_H
#define HWGEN_PORT_H
#include <stdint.h>
int hwgen_core(void);
int hwgen_cores(void);
void hwgen_barrier(void);
void hwgen_fork(void (*function)(void *), void *argument);
unsigned hwgen_dma_in(void *l1, const void *l2, uint32_t length, uint32_t lines, uint32_t stride);
unsigned hwgen_dma_out(void *l2, const void *l1, uint32_t length, uint32_t lines, uint32_t stride);
void hwgen_dma_wait(unsigned ticket);
void hwgen_mark(int id);
#endif
"""
PORT_SOURCE = """\
#include "hwgen_port.h"
int hwgen_core(void) { return 0; }
int hwgen_cores(void) { return 1; }
void hwgen_barrier(void) {}
void hwgen_fork(void (*function)(void *), void *argument) { function(argument); }
void hwgen_mark(int id) { (void)id; }
"""


def test_make_takes_options_and_ports(small, tmp_path):
    """Whatever was built before; and a port may be C files too."""
    if not shutil.which("make"):
        pytest.skip("no make here")
    build = emit(small, tmp_path, "cv32e40p")
    port = build.folder / "my_port"
    port.mkdir()
    (port / "hwgen_port.h").write_text(PORT_HEADER)
    (port / "port.c").write_text(PORT_SOURCE)
    for arguments, said in (
        ((), "-O2 "),
        (("SANITIZE=1",), "-fsanitize=address,undefined"),
        (("CFLAGS=-O1",), "-O1 -std=c11"),
        (("PORT=my_port",), "my_port/port.c"),
    ):
        command = ["make", "--no-print-directory", "test", *arguments]
        done = subprocess.run(command, cwd=build.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
        assert done.stdout.endswith("small: 0 of 8 samples differ\n")
