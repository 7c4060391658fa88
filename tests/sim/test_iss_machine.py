"""Memory, barrier and DMA engines of the simulated machine, with one core and with several."""

from __future__ import annotations

import random
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

import hwgen.sim.riscv
from hwgen.mcu.toolchain.compiler import find_host_compiler
from hwgen.sim.riscv import CoreTrap, Machine
from tests.sim.iss_programs import CASE_BYTES, run_case, symbol_address
from tests.sim.test_iss import ENGINES, _needs

L1, L2, L3 = 0x1000_0000, 0x1C00_0000, 0x8000_0000
TICKET_L3 = 0x8000_0000
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


# From and to which memories: L3's engine knows L2 only.
_SIDES = ((L1, L1), (L1, L2), (L2, L1), (L2, L2), (L2, L3), (L3, L2))


def _random_transfers(rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """Between L1, the free part of L2 behind the program, and L3; the first fill L1."""
    pattern, free = symbol_address("pattern"), symbol_address("scratch") + CASE_BYTES
    out = [(pattern, L1 + 512 * k, 512, 1, 0, 0) for k in range(4)]
    while len(out) < count:
        length, lines = rng.randrange(0, 70), rng.randrange(0, 6)
        strides = [length + rng.choice((0, 0, 1, 3, 8, 30)) for _ in range(2)]
        span = max(strides) * lines + length
        places = []
        for base in rng.choice(_SIDES):
            start, size = {L1: (L1, DUMP), L2: (free, DUMP - CASE_BYTES), L3: (L3, 4096)}[base]
            places.append(start + rng.randrange(size - span))
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
    external = {t: max(t[:2]) >= L3 for t in transfers}
    assert run.l3_bytes == sum(t[2] * t[3] for t in transfers if external[t]) > 0
    assert run.dma_bytes == sum(t[2] * t[3] for t in transfers if not external[t]) > 0


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
        _transfer(L3, l2, 40, 1): 100 + 40,
        _transfer(l2 + 1, L3, 3, 2, 3, 3): 100 + 6,
        _transfer(L3, l2, 40, 0): 100,
        _transfer(L3, L1, 0, 1): 100,
        _transfer(l2, L1, 64, 0): 16,
        _transfer(l2, L1, 0, 9): 16,
        _transfer(0, 0, 9, 0): 16,  # wherever nothing goes
    }
    run = run_case("dma", Machine(**SIZES), engine, list(expected), output_bytes=DUMP)
    program = 1 + 6 * 3 + 1  # from the mark to the start; and from the wait to the next mark
    cycles = [
        b.cycle - a.cycle - program for a, b in zip(run.marks[::2], run.marks[1::2], strict=True)
    ]
    assert cycles == list(expected.values())
    assert run.dma_cycles + run.l3_cycles == sum(expected.values())
    assert run.l3_cycles == 100 * 4 + 40 + 6


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
        (_transfer(L3 + 4090, L2, 7, 1), "source, 1 lines of 7 bytes at 0x80000ffa"),
    ],
)
def test_transfers_outside_memory(transfer, cause):
    with pytest.raises(CoreTrap) as trap:
        run_case("dma", Machine(**SIZES), samples=[transfer], output_bytes=DUMP)
    assert cause in trap.value.cause
    assert trap.value.cause.endswith("does not lie in memory")
    assert trap.value.symbol.startswith("case_dma+")


@pytest.mark.parametrize("sides", [(L3, L1), (L1, L3), (L3 + 64, L3)])
def test_external_memory_is_next_to_l2_only(sides):
    with pytest.raises(CoreTrap) as trap:
        run_case("dma", Machine(**SIZES), samples=[_transfer(*sides, 4, 1)], output_bytes=DUMP)
    assert trap.value.cause == (
        f"a DMA transfer from 0x{sides[0]:08x} to 0x{sides[1]:08x}: the other side of one from or "
        "to L3 must be in L2"
    )


# ---- Two DMA engines ----------------------------------------------------------------------------

STEP = 50  # cycles that a step which waits for nothing does not take


def _wait(ticket: int) -> bytes:
    return struct.pack("<24x2I", 1, ticket)


def _read(address: int) -> bytes:
    return struct.pack("<24x2I", 2, address)


def _steps(engine: str, steps: list[bytes], **settings):
    """The run of those steps; every one ends with a mark, the ticket or the byte."""
    _needs(engine)
    machine = Machine(**SIZES, **settings)
    run = run_case("dma_steps", machine, engine, steps, output_bytes=DUMP, limit=10**6)
    assert len(run.marks) == len(steps)
    return run


@by_engine
@pytest.mark.parametrize("external", [400, 1])
def test_engines_work_at_once(engine, external):
    """A transfer with L3 and two with L1 that start after it end as they would do alone."""
    pattern = symbol_address("pattern")
    free = pattern + 1024
    run = _steps(
        engine,
        [
            _transfer(L3, free, external, 1),
            _transfer(pattern, L1, 512, 1),
            _transfer(pattern, L1 + 512, 256, 1),
            _wait(2),
            _wait(TICKET_L3 + 1),
        ],
    )
    started, first, _, local, last = (mark.cycle for mark in run.marks)
    assert [mark.id for mark in run.marks[:3]] == [TICKET_L3 + 1, 1, 2]
    alone = 16 + 512 // 8 + 16 + 256 // 8
    assert local - first == alone - 1  # the mark after a start comes 2 cycles after it, not 1
    if external == 400:
        assert last - started == 100 + 400 - 1
    else:
        assert first - started < STEP and last - local < STEP  # it is over
    assert (run.dma_cycles, run.dma_bytes) == (alone, 768)
    assert (run.l3_cycles, run.l3_bytes) == (100 + external, external)
    assert run.outputs[:768] == (PATTERN + PATTERN[:256])


@by_engine
def test_an_engine_keeps_the_order(engine):
    """The second of two transfers reads what the first has written, in each engine."""
    pattern = symbol_address("pattern")
    free = symbol_address("scratch") + CASE_BYTES
    run = _steps(
        engine,
        [
            _transfer(pattern, L3, 256, 1),
            _transfer(L3, free, 256, 1),
            _transfer(pattern, L1, 512, 1),
            _transfer(L1, free + 256, 512, 1),
            _wait(2),
            _wait(1),
            _wait(TICKET_L3 + 1),
            _wait(TICKET_L3 + 2),
        ],
    )
    cycles = [mark.cycle for mark in run.marks]
    assert cycles[4] - cycles[2] == 2 * (16 + 64) - 1
    assert cycles[5] - cycles[4] < STEP  # complete since long
    assert cycles[6] - cycles[0] == 100 + 256 - 1
    assert cycles[7] - cycles[6] == 100 + 256
    assert run.outputs[DUMP + CASE_BYTES :][:768] == PATTERN[:256] + PATTERN


@by_engine
def test_a_core_and_the_other_engine_read_stale_bytes(engine):
    pattern = symbol_address("pattern")
    free = symbol_address("scratch") + CASE_BYTES
    run = _steps(
        engine,
        [
            _transfer(pattern, L3, 64, 1),
            _wait(TICKET_L3 + 1),
            _transfer(L3, free, 64, 1),
            _transfer(free, L1, 64, 1),  # much too early
            _read(free),
            _wait(1),  # not for what counts
            _read(free + 63),
            _wait(TICKET_L3 + 2),
            _read(free + 63),
            _transfer(free, L1 + 64, 64, 1),
            _wait(2),
        ],
    )
    assert [run.marks[i].id for i in (4, 6, 8)] == [0, 0, PATTERN[63]]
    assert run.outputs[:128] == bytes(64) + PATTERN[:64]


@by_engine
def test_bytes_of_external_memory_come_one_by_one(engine):
    pattern = symbol_address("pattern")
    free = symbol_address("scratch") + CASE_BYTES
    steps = [_transfer(pattern, L3, 99, 1), _wait(TICKET_L3 + 1), _transfer(L3, free, 99, 1)]
    run = _steps(engine, [*steps, *[_read(free + 50)] * 20], l3_setup=0)
    reads = [(mark.id, mark.cycle - run.marks[2].cycle) for mark in run.marks[3:]]
    assert {number for number, cycle in reads if cycle < 50} == {0}
    assert {number for number, cycle in reads if cycle > 60} == {PATTERN[50]}


@by_engine
def test_a_full_queue_keeps_up_its_own_engine_only(engine):
    pattern = symbol_address("pattern")
    external = _transfer(L3, pattern + 1024, 0, 1)
    local = _transfer(pattern, L1, 8, 1)
    waits = [_wait(TICKET_L3 + 1), _wait(TICKET_L3 + 17)]
    steps = [*[external] * 16, *[local] * 3, external, local, *waits]
    run = _steps(engine, steps, l3_setup=3000)
    gaps = [b.cycle - a.cycle for a, b in pairwise(run.marks)]
    assert max(gaps[:18]) < STEP
    assert 2000 < gaps[18] < 3000  # until the first has left the queue
    assert max(gaps[19:21]) < STEP
    assert 15 * 3000 < gaps[21] <= 16 * 3000
    assert (run.l3_cycles, run.l3_bytes) == (17 * 3000, 0)


@by_engine
def test_wait_for_nothing(engine):
    """Ticket 0 never waits, and neither does what is complete."""
    pattern = symbol_address("pattern")
    steps = [_wait(0), _wait(TICKET_L3), _transfer(L3, pattern + 1024, 90, 1)]
    steps += [_transfer(pattern, L1, 512, 1), _wait(0), _wait(TICKET_L3), _wait(1), _wait(1)]
    run = _steps(engine, steps, dma_setup=200)
    gaps = [b.cycle - a.cycle for a, b in pairwise(run.marks)]
    assert [gap > STEP for gap in gaps] == [False, False, False, False, False, True, False]


@pytest.mark.parametrize(
    ("ticket", "cause"),
    [
        (2, "waits for DMA transfer 2, and 1 have been started"),
        (TICKET_L3 + 1, "waits for DMA transfer 1 of L3, and 0 have been started"),
        (0xFFFFFFFF, "waits for DMA transfer 2147483647 of L3, and 0 have been started"),
    ],
)
def test_wait_for_a_transfer_that_has_not_been_started(ticket, cause):
    pattern = symbol_address("pattern")
    with pytest.raises(CoreTrap) as trap:
        _steps("iss", [_transfer(pattern, L1, 8, 1), _wait(ticket)])
    assert trap.value.cause == cause


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["cv32e40p", "cv32e41p"])
@pytest.mark.parametrize("seed", range(3))
def test_engines_of_the_machine_agree(engine, seed):
    """Transfers of both engines under way, loads, waits: the RTL's run is the simulator's."""
    rng = random.Random(seed)
    steps: list[bytes] = []
    started = {False: 0, True: 0}
    for transfer in _random_transfers(rng, 80):
        external = max(transfer[:2]) >= L3
        started[external] += 1
        steps.append(_transfer(*transfer))
        if rng.random() < 0.3:
            external = rng.random() < 0.5
            steps.append(_wait(TICKET_L3 * external + rng.randint(0, started[external])))
        if rng.random() < 0.5:
            steps.append(_read(rng.choice((L1, symbol_address("scratch"))) + rng.randrange(DUMP)))
    steps += [_wait(started[False]), _wait(TICKET_L3 + started[True])]
    settings = {"l3_setup": 20, "l3_bytes_per_cycle": rng.choice((1, 3)), "banks": 4}
    assert _steps(engine, steps, **settings) == _steps("iss", steps, **settings)


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
