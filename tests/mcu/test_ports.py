"""What platforms give to emitted C: the team, transfers, external memory; on the host and bare."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from hwgen.mcu.target import find_target
from hwgen.mcu.templates import read_kernel
from hwgen.mcu.toolchain import cross
from hwgen.mcu.toolchain.compiler import WARNINGS, CompilerFailed, find_host_compiler, run_compiler
from hwgen.mcu.toolchain.host import SANITIZED
from hwgen.mcu.toolchain.program import Source, link_sources
from hwgen.sim.riscv import CoreRun, CoreTrap, run_program
from hwgen.sim.riscv.models import machine_for
from tests.mcu.test_cross import COMPILERS

GAP8 = find_target("gap8")


@pytest.fixture(params=COMPILERS.values())
def compiler(request, monkeypatch):
    """Each cross compiler that is here, in turn."""
    monkeypatch.setenv(cross.VARIABLE, request.param)


def run(folder: Path, text: str, target=GAP8, cores: int = 1, **options) -> CoreRun:
    """Compile a program for the simulated machine and run it there."""
    (folder / "check.c").write_text(text)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    program = link_sources([Source("check.c", folder)], target, work, **options)
    return run_program(program, machine_for(target, target.isa, cores), limit=50_000_000)


# The same program on every platform: it returns the line of the check that failed, or 0.
PROGRAM = r"""
#include "hwgen_port.h"

#define CHECK(holds) do { if (!(holds)) return __LINE__ % 100 + 1; } while (0)
enum { MOST = 16, LINES = 5, LENGTH = 7, STRIDE = 11, ROUNDS = 9 };

static int visits[MOST], sums[MOST];
static unsigned char l2[LINES * STRIDE], back[LINES * STRIDE];
HWGEN_L1 static unsigned char l1[4 * LINES * LENGTH];
HWGEN_L3 static const unsigned char l3[64] = {9, 8, 7, 6, 5, 4, 3, 2, 1};

/* Every core counts itself, and after the barrier sees what all others have counted. */
static void task(void *argument)
{
    const int core = hwgen_core(), cores = hwgen_cores(), add = *(const int *)argument;
    visits[core] += add;
    hwgen_barrier();
    int sum = 0;
    for (int i = 0; i < cores; i++) {
        sum += visits[i];
    }
    sums[core] = sum;
    hwgen_barrier();
}

static int check_team(void)
{
    const int cores = hwgen_cores();
    int total = 0;
    CHECK(hwgen_core() == 0 && cores >= 1 && cores <= MOST);
    for (int round = 1; round <= ROUNDS; round++) {
        hwgen_fork(task, &round);
        total += round;
        for (int i = 0; i < MOST; i++) {
            CHECK(visits[i] == (i < cores ? total : 0));
            CHECK(sums[i] == (i < cores ? cores * total : 0));
        }
    }
    return 0;
}

static int check_transfers(void)
{
    for (int i = 0; i < LINES * STRIDE; i++) {
        l2[i] = (unsigned char)(i + 1);
        back[i] = 0xEE;
    }
    unsigned ticket = 0;
    for (int k = 0; k < 4; k++) {
        ticket = hwgen_dma_in(l1 + k * LINES * LENGTH, l2 + k, LENGTH, LINES, STRIDE);
    }
    hwgen_dma_wait(ticket);
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < LINES * LENGTH; i++) {
            CHECK(l1[k * LINES * LENGTH + i] == k + i / LENGTH * STRIDE + i % LENGTH + 1);
        }
    }
    hwgen_dma_wait(hwgen_dma_out(back, l1, LENGTH, LINES, STRIDE));
    for (int i = 0; i < (LINES - 1) * STRIDE + LENGTH; i++) {
        CHECK(back[i] == (i % STRIDE < LENGTH ? i + 1 : 0xEE));
    }
    return 0;
}

static int check_external_memory(void)
{
    static unsigned char copy[12]; /* in L2: stacks may be in L1 */
    hwgen_l3_wait(hwgen_l3_read(copy + 1, L3_ADDRESS + 2, 7));
    hwgen_l3_wait(hwgen_l3_read(copy + 9, L3_ADDRESS + 2, 0));
    for (int i = 0; i < 12; i++) {
        CHECK(copy[i] == (i > 0 && i < 8 ? 8 - i : 0));
    }
    return 0;
}

/* Transfers of nothing, to and from nowhere, and waits for none. */
static int check_nothing(void)
{
    hwgen_dma_wait(0);
    hwgen_l3_wait(0);
    hwgen_dma_wait(hwgen_dma_in(0, 0, LENGTH, 0, STRIDE));
    hwgen_dma_wait(hwgen_dma_out(0, 0, LENGTH, 0, 0));
    hwgen_dma_wait(hwgen_dma_in(l1, l2, 0, LINES, STRIDE));
    hwgen_dma_wait(hwgen_dma_out(l2, l1, 0, LINES, 0));
    hwgen_dma_wait(0);
    hwgen_l3_wait(0);
    return 0;
}

int main(void)
{
    START();
    hwgen_mark(1);
    int result = check_nothing();
    result = result == 0 ? check_team() : result;
    result = result == 0 ? check_transfers() : result;
    hwgen_mark(2);
    result = result == 0 ? check_external_memory() : result;
    return result == 0 ? check_nothing() : result;
}
"""
BARE = "#define L3_ADDRESS (uint32_t)(uintptr_t)l3\n#define START() ((void)0)\n"
HOST = """#define HWGEN_EXTERNAL_RAM
#define L3_ADDRESS 0
#define START() (hwgen_ram = l3)
#include "hwgen_port.h"
const unsigned char *hwgen_ram;
"""


def test_host(tmp_path):
    (tmp_path / "hwgen_port.h").write_text(read_kernel("targets/host/hwgen_port.h"))
    (tmp_path / "check.c").write_text(HOST + PROGRAM)
    command = [*find_host_compiler(), *WARNINGS, *SANITIZED, "-o", "check", "check.c"]
    run_compiler(command, tmp_path)
    assert subprocess.run([tmp_path / "check"]).returncode == 0


@pytest.mark.parametrize("cores", [1, 3, 8])
def test_bare(tmp_path, compiler, cores):
    result = run(tmp_path, BARE + PROGRAM, cores=cores)
    assert result.exit_code == 0
    assert result.marks == ()
    assert (result.dma_bytes, result.l3_bytes) == (5 * 7 * 5, 7)


def test_marks_are_there_when_profiling(tmp_path):
    result = run(tmp_path, BARE + PROGRAM, cores=2, options=("-O2", "-DHWGEN_PROFILE"))
    assert [(mark.core, mark.id) for mark in result.marks] == [(0, 1), (0, 2)]
    assert result.exit_code == 0


def test_a_wrong_transfer_is_caught(tmp_path):
    """The check above sees what it must see."""
    for old, new in (
        ("LENGTH, LINES, STRIDE)", "LENGTH, LINES, STRIDE - 1)"),
        ("+ 2, 7)", "+ 1, 7)"),
    ):
        assert old in PROGRAM
        assert run(tmp_path, BARE + PROGRAM.replace(old, new, 1)).exit_code != 0


MEMORY = r"""
#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

enum { SIZE = 48 };
static unsigned char memory[SIZE], expected[SIZE], before[SIZE];

static int equal(void)
{
    for (int i = 0; i < SIZE; i++) {
        if (memory[i] != expected[i]) {
            return 0;
        }
    }
    return 1;
}

static void fill(void)
{
    for (int i = 0; i < SIZE; i++) {
        memory[i] = expected[i] = before[i] = (unsigned char)(3 * i + 1);
    }
}

int main(void)
{
    for (int to = 0; to < 13; to++) {
        for (size_t bytes = 0; bytes < 14; bytes++) {
            fill();
            for (size_t i = 0; i < bytes; i++) {
                expected[(size_t)to + i] = 0xA5;
            }
            if (memset(memory + to, 0x12A5, bytes) != memory + to || !equal()) {
                return 1;
            }
            for (int from = 0; from < 13; from++) {
                fill();
                for (size_t i = 0; i < bytes; i++) {
                    expected[(size_t)to + i] = before[(size_t)from + i];
                }
                if (memmove(memory + to, memory + from, bytes) != memory + to || !equal()) {
                    return 2;
                }
                fill();
                for (size_t i = 0; i < bytes; i++) {
                    expected[30 + i] = before[(size_t)from + i];
                }
                if (memcpy(memory + 30, memory + from, bytes) != memory + 30 || !equal()) {
                    return 3;
                }
            }
        }
    }
    return 0;
}
"""


def test_memory_functions(tmp_path, compiler):
    assert run(tmp_path, MEMORY, find_target("rv32imc")).exit_code == 0


def test_machine_registers(tmp_path):
    text = """
    static int zero[3], set = 7;
    static void say(const char *s) { for (; *s; s++) *hwgen_register(HWGEN_PUTC) = (uint32_t)*s; }
    int main(void) { say("hello\\n"); return zero[0] + zero[2] + set; }
    """
    result = run(tmp_path, text)
    assert (result.printed, result.exit_code) == ("hello\n", 7)


STACKS = """
void hwgen_guard_stacks(void);
static void dig(void *depth)
{
    volatile unsigned char room[64];
    const int left = *(const int *)depth - 1;
    for (int i = 0; i < 64; i++) room[i] = 0;
    if (left > 0) dig((void *)(uintptr_t)&left);
    room[0] = room[1];
}
static void task(void *depth) { if (hwgen_core() == hwgen_cores() - 1) dig(depth); }
int main(void)
{
    int depth = DEPTH;
    hwgen_guard_stacks();
    hwgen_fork(task, &depth);
    return hwgen_stacks_hold() ? 0 : HWGEN_STACK_OVERFLOW;
}
"""


@pytest.mark.parametrize("cores", [1, 8])
def test_stack_overflow_is_seen(tmp_path, compiler, cores):
    assert run(tmp_path, STACKS.replace("DEPTH", "4", 1), cores=cores).exit_code == 0
    assert run(tmp_path, STACKS.replace("DEPTH", "20", 1), cores=cores).exit_code == 100


def test_a_core_must_not_reach_external_memory(tmp_path):
    text = """
    HWGEN_L3 static const unsigned char far[4] = {1};
    int main(void) { const volatile unsigned char *p = far; return *p; }
    """
    with pytest.raises(CoreTrap, match="0x80000000") as error:
        run(tmp_path, text)
    assert error.value.symbol.startswith("main")


def test_a_program_that_fills_memory_does_not_link(tmp_path):
    full = "HWGEN_L1 static volatile char room[57217]; int main(void) { room[0] = 0; return 0; }"
    with pytest.raises(CompilerFailed, match="L1 is full"):
        run(tmp_path, full)
    assert run(tmp_path, full.replace("57217", "57216")).exit_code == 0
    small = dataclasses.replace(find_target("rv32imc"), l2=32768, stack=4096)
    with pytest.raises(CompilerFailed, match="L2 is full"):
        run(tmp_path, "static volatile char room[32000]; int main(void) { return room[0]; }", small)
    far = "HWGEN_L3 static const int far[2097152] = {1}; static const int *volatile p = far; "
    main = "int main(void) { return p == far ? 0 : 1; }"
    assert run(tmp_path, far + main).exit_code == 0
    with pytest.raises(CompilerFailed, match="L3 is full"):
        run(tmp_path, far.replace("2097152", "2097153") + main)
