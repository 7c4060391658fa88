"""Memory, barrier and DMA engine of the simulated machine, with one core and with several."""

from __future__ import annotations

import random
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

import hwgen.sim.riscv
from hwgen.mcu.compiler import find_host_compiler
from hwgen.sim.riscv import CoreTrap, Machine
from tests.sim.iss_programs import CASE_BYTES, run_case, symbol_address
from tests.sim.test_iss import ENGINES, _needs

L1, L3 = 0x1000_0000, 0x8000_0000
L1_BYTES, DUMP = 8192, 4096
SIZES = {"isa": "xpulpv2", "l1_bytes": L1_BYTES, "l2_bytes": 1 << 20, "l3_bytes": 4096}
PATTERN = bytes(k * 7 + 1 & 255 for k in range(512))

by_engine = pytest.mark.parametrize("engine", ENGINES)


# ---- Several cores ------------------------------------------------------------------------------


@by_engine
@pytest.mark.parametrize("cores", [1, 4, 8])
def test_barrier_lets_all_pass_at_once(engine, cores):
    _needs(engine)
    run = run_case("barrier", Machine(cores=cores, **SIZES), engine)
    arrivals = [mark.cycle for mark in run.marks[:cores]]
    assert [mark.core for mark in run.marks[:cores]] == list(range(cores))
    assert all(90 <= b - a <= 110 for a, b in pairwise(arrivals))
    assert {mark.cycle - arrivals[-1] for mark in run.marks[cores:]} == {2}
    assert run.waits[0] >= 100 * (cores - 1) - 10


@by_engine
def test_cores_share_a_bank_in_turn(engine):
    """128 loads of each of 4 cores from one bank take 4 * 128 cycles, and none is left behind."""
    _needs(engine)
    run = run_case("same_bank", Machine(cores=4, **SIZES), engine)
    begun, ended = run.marks[:4], run.marks[4:]
    assert {mark.cycle for mark in begun} == {begun[0].cycle}
    for mark in ended:
        assert 500 <= mark.cycle - begun[0].cycle <= 515
    assert max(run.conflicts) - min(run.conflicts) <= 6
    assert min(run.conflicts) > 250


@by_engine
def test_cores_at_banks_of_their_own_do_not_wait(engine):
    _needs(engine)
    run = run_case("own_banks", Machine(cores=4, **SIZES), engine)
    alone = run_case("own_banks", Machine(cores=1, **SIZES), engine)
    took = {b.cycle - a.cycle for a, b in zip(run.marks[:4], run.marks[4:], strict=True)}
    assert took == {alone.marks[1].cycle - alone.marks[0].cycle}
    assert max(run.conflicts) <= 3  # before the barrier, in L2


@by_engine
def test_one_bank_serves_one_core_a_cycle(engine):
    """With a single bank, other words are no way out."""
    _needs(engine)
    run = run_case("own_banks", Machine(cores=4, banks=1, **SIZES), engine)
    assert min(run.conflicts) > 250


@pytest.mark.parametrize("cores", [1, 2, 8, 64])
def test_cores_see_each_other(cores):
    run = run_case("add_up", Machine(cores=cores, **SIZES))
    assert run.exit_code == cores * (cores + 1) // 2
    assert len(run.instructions) == len(run.conflicts) == len(run.waits) == cores


@by_engine
def test_l2_wait_of_several_cores(engine):
    _needs(engine)
    fast = run_case("add_up", Machine(cores=4, **SIZES), engine)
    slow = run_case("add_up", Machine(cores=4, l2_wait=20, **SIZES), engine)
    assert slow.exit_code == fast.exit_code
    assert slow.cycles >= fast.cycles + 20


# ---- DMA ----------------------------------------------------------------------------------------


def _transfer(source, target, length, lines, source_stride=0, target_stride=0) -> bytes:
    return struct.pack("<6I8x", source, target, length, lines, source_stride, target_stride)


def _random_transfers(rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """Between L1, the free part of L2 behind the program, and L3; the first fill L1."""
    pattern, free = symbol_address("pattern"), symbol_address("scratch") + CASE_BYTES
    out = [(pattern, L1 + 512 * k, 512, 1, 0, 0) for k in range(4)]
    while len(out) < count:
        length, lines = rng.randrange(0, 70), rng.randrange(0, 6)
        strides = [length + rng.choice((0, 0, 1, 3, 8, 30)) for _ in range(2)]
        span = max(strides) * lines + length
        places = []
        for _ in range(2):
            base, size = rng.choice(((L1, DUMP), (free, DUMP - CASE_BYTES), (L3, 4096)))
            places.append(base + rng.randrange(size - span))
        if abs(places[0] - places[1]) <= span:  # what overlaps depends on the beats
            continue
        out.append((*places, length, lines, *strides))
    return out


def _moved(transfers) -> tuple[bytes, bytes]:
    """The first bytes of L1 and those behind the sample in L2, afterwards."""
    scratch, pattern = symbol_address("scratch"), symbol_address("pattern")
    memories = {
        L1: bytearray(DUMP),
        scratch: bytearray(DUMP),
        L3: bytearray(4096),
        pattern: bytearray(PATTERN),
    }

    def at(address: int) -> tuple[bytearray, int]:
        base = max(b for b in memories if b <= address)
        return memories[base], address - base

    for source, target, length, lines, source_stride, target_stride in transfers:
        for line in range(lines):
            from_memory, a = at(source + line * source_stride)
            to_memory, b = at(target + line * target_stride)
            to_memory[b : b + length] = from_memory[a : a + length]
    return bytes(memories[L1]), bytes(memories[scratch][CASE_BYTES:])


@by_engine
@pytest.mark.parametrize(
    "rates",
    [
        {},
        {"dma_setup": 0, "dma_bytes": 4, "banks": 3},
        {"dma_setup": 3, "dma_bytes": 64, "l3_setup": 0, "l3_bytes_per_cycle": 6},
        {"dma_bytes": 1, "l3_bytes_per_cycle": 3},
        {"dma_bytes": 7, "banks": 1},
    ],
)
def test_transfers_move_what_they_should(engine, rates):
    _needs(engine)
    transfers = _random_transfers(random.Random(str(rates)), 60)
    samples = [_transfer(*t) for t in transfers]
    run = run_case(
        "dma", Machine(**SIZES, **rates), engine, samples, output_bytes=DUMP, limit=10**6
    )
    l1, l2 = _moved(transfers)
    assert run.outputs[:DUMP] == l1
    assert run.outputs[DUMP + CASE_BYTES :] == l2
    assert run.dma_bytes == sum(t[2] * t[3] for t in transfers)


@by_engine
def test_cycles_of_transfers(engine):
    _needs(engine)
    l2 = symbol_address("pattern")
    expected = {
        _transfer(l2, L1, 64, 1): 16 + 8,
        _transfer(l2, L1, 64, 4, 64, 100): 16 + 4 * 8,
        _transfer(l2 + 3, L1 + 2, 60, 1): 16 + 8,  # 6 bytes to the end of a word, then 8 a cycle
        _transfer(L1 + 1, l2, 8, 1): 16 + 2,
        _transfer(l2, L1, 1, 5, 1, 1): 16 + 5,
        _transfer(L3, l2, 40, 1): 16 + 100 + 40,
        _transfer(L1, L3, 3, 2, 3, 3): 16 + 100 + 6,
        _transfer(l2, L1, 64, 0): 16,
        _transfer(l2, L1, 0, 9): 16,
    }
    run = run_case("dma", Machine(**SIZES), engine, list(expected), output_bytes=DUMP)
    program = 1 + 6 * 3 + 1  # from the mark to the start; and from the wait to the next mark
    cycles = [
        b.cycle - a.cycle - program for a, b in zip(run.marks[::2], run.marks[1::2], strict=True)
    ]
    assert cycles == list(expected.values())
    assert run.dma_cycles == sum(expected.values())


@by_engine
def test_early_reads_are_stale(engine):
    _needs(engine)
    run = run_case("dma_early", Machine(**SIZES), engine)
    assert list(run.outputs[:4]) == [0, PATTERN[0], 0, PATTERN[63]]


@by_engine
def test_queue_of_transfers(engine):
    """16 wait; the next start waits for the first of them."""
    _needs(engine)
    run = run_case("dma_many", Machine(dma_setup=500, **SIZES), engine)
    assert run.exit_code == 20
    gaps = [b.cycle - a.cycle for a, b in pairwise(run.marks)]
    assert max(gaps[:16]) < 10
    assert gaps[16] > 350
    assert all(495 <= gap <= 505 for gap in gaps[17:19])
    assert run.cycles > 20 * 500


@by_engine
def test_transfers_take_banks_from_cores(engine):
    """512 bytes visit bank 0 eight times; the first one comes before the core's loads."""
    _needs(engine)
    run = run_case("dma_rival", Machine(**SIZES), engine)
    assert run.conflicts == (7,)


@pytest.mark.parametrize(
    ("transfer", "cause"),
    [
        (_transfer(0x1C000000, L1 + L1_BYTES - 10, 11, 1), "destination, 1 lines of 11 bytes at"),
        (_transfer(0x40, L1, 4, 1), "source, 1 lines of 4 bytes at 0x00000040, 0 bytes apart"),
        (_transfer(0x1C000000, L1, 64, 129, 64, 64), "destination, 129 lines of 64 bytes"),
        (_transfer(0x1C000000, L1, 1, 3, 0xFFFFFFFF), "source, 3 lines of 1 bytes"),
        (_transfer(L3 + 4090, L1, 7, 1), "source, 1 lines of 7 bytes at 0x80000ffa"),
    ],
)
def test_transfers_outside_memory(transfer, cause):
    with pytest.raises(CoreTrap) as trap:
        run_case("dma", Machine(**SIZES), samples=[transfer], output_bytes=DUMP)
    assert cause in trap.value.cause
    assert trap.value.cause.endswith("does not lie in memory")
    assert trap.value.symbol.startswith("case_dma+")


# ---- The sources --------------------------------------------------------------------------------

STRICT = ("-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Werror", "-fsyntax-only")


@pytest.mark.parametrize("language", ["c", "c++"])
def test_sources_compile_without_warnings(language, tmp_path: Path):
    folder = Path(hwgen.sim.riscv.__file__).parent
    if language == "c":
        options = ["-std=c99", str(folder / "iss.c")]
    else:
        options = ["-x", "c++", "-std=c++17", f"-I{folder}", str(tmp_path / "engine.cpp")]
        (tmp_path / "engine.cpp").write_text('#include "engine.h"\n')
    command = [*find_host_compiler(), *STRICT, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
