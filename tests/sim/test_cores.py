"""The instruction-set simulator against the RTL of the cores: equal in all that a run yields.

Outputs, instructions, cycles, profile points, conflicts and waits of every core, and what stops a
run: exactly, whatever the program. The simulator alone is stricter: it stops at encodings that
CV32E41P takes for others and at hardware loops that break the rules.
"""

from __future__ import annotations

import functools
import random
import struct

import pytest

from hwgen.errors import MissingTool
from hwgen.mcu.toolchain.compiler import find_host_compiler, run_compiler
from hwgen.sim.riscv import CoreTrap, Machine, iss, rtl, run_program
from hwgen.sim.riscv.engine import sources
from hwgen.sim.riscv.program import Program
from tests.sim import core_code as asm
from tests.sim import core_programs as programs
from tests.sim.core_code import L2, START, code
from tests.sim.core_instructions import value
from tests.sim.core_programs import DATA, Generator

ISA = {"cv32e40p": "xcv", "cv32e41p": "xpulpv2"}

cores = pytest.mark.parametrize(
    "core",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(bool(core.missing()), reason=str(core.missing()))
        )
        for name, core in rtl.CORES.items()
    ],
)


def outcome(engine: str, program: Program, machine: Machine, limit: int = 1_000_000, **host):
    """The run, or what stopped it: the core, its address, its instruction, the cause."""
    try:
        return run_program(program, machine, engine, limit=limit, **host)
    except CoreTrap as trap:
        if "has not ended" in trap.cause:
            return "endless loop"  # anywhere in it
        return trap.core, trap.address, trap.instruction, trap.cause


def single(word: int, registers: list[int], align: int) -> Program:
    """One instruction, with these values in x1 to x31; then registers and data go to the host."""
    out = asm.constant(31, L2 + programs.TABLE)
    out += code(*(asm.load_word(r, 31, 4 * r) for r in range(1, 32)))
    out += code(*[0x0001] * align, word, *[0x0001] * (8 + align))
    out += code(asm.i_type(0x73, 1, 0, 31, 0x340)) + asm.constant(31, L2 + DATA - 128)
    out += code(*(asm.store_word(r, 31, 4 * r) for r in range(1, 31)))
    out += code(asm.i_type(0x73, 2, 1, 0, 0x340), asm.store_word(1, 31, 124))
    out += asm.constant(1, asm.DEVICES) + code(asm.load_word(0, 1, asm.NEXT))
    out += code(asm.store_word(31, 1, asm.OUT), asm.store_word(0, 1, 0))
    table = struct.pack("<32I", 0, *registers)
    return Program(((START, out), (L2 + programs.TABLE, table), (L2 + DATA, some_data())), ())


@functools.cache
def some_data() -> bytes:
    rng = random.Random(1)
    return struct.pack("<1024I", *(value(rng) for _ in range(1024)))


@functools.cache
def is_legal(isa: str, fields: int) -> bool:
    machine = Machine(isa=isa, l2_bytes=programs.L2_BYTES)
    result = outcome("iss", single(fields, [0] * 31, 0), machine, count=1, output_bytes=4224)
    return not (isinstance(result, tuple) and result[3] == "illegal instruction")


def legal(isa: str):
    """Does an instruction exist, whatever its first source and its target?"""
    return lambda word: is_legal(isa, word & ~(31 << 7 | 31 << 15))


def agree(core: str, seed: int, isa: str | None = None, **options) -> int:
    """Compare a random program's runs; returns their cycles."""
    rng = random.Random(seed)
    isa = isa or ISA[core]
    team = options.pop("cores", 1)
    blocks = options.pop("blocks", 6)
    generator = Generator(
        rng,
        isa,
        legal(isa),
        cores=team,
        compressed=rng.random() < 0.7,
        linking=core == "cv32e40p",
        dma=options.pop("dma", False),
    )
    program = generator.program(blocks)
    machine = Machine(
        isa=isa,
        cores=team,
        l1_bytes=programs.L1_BYTES,
        l2_bytes=programs.L2_BYTES,
        l3_bytes=programs.L1_BYTES,
        **options,
    )
    host = {"count": generator.samples, "output_bytes": generator.output_bytes}
    model = outcome("iss", program, machine, **host)
    truth = outcome(core, program, machine, **host)
    assert model == truth, f"seed {seed}"
    assert not isinstance(truth, tuple), f"seed {seed} stops: {truth}"
    assert len(truth.outputs) == generator.samples * generator.output_bytes
    return truth.cycles


@cores
def test_random_programs(core):
    assert sum(agree(core, seed) for seed in range(40)) > 5_000


@cores
def test_random_programs_without_extensions(core):
    for seed in range(10):
        agree(core, seed, isa="rv32imc")


@cores
@pytest.mark.parametrize("team", [2, 8])
def test_random_programs_share_memory(core, team):
    """Conflicts, barriers, DMA, and data that the cores take from each other."""
    for seed in range(10):
        agree(core, seed, cores=team, dma=True)


# Rules of the simulator, changed: a program must show each of them.
MUTATIONS = {
    "multiply": ("pipeline.h", "MULH_CYCLES = 5", "MULH_CYCLES = 4"),
    "fence": ("pipeline.h", "FENCE_CYCLES = 4", "FENCE_CYCLES = 2"),
    "write_after_load": ("pipeline.h", " || r == i->early", ""),
    "own_jalr": ("pipeline.h", "(late && (c->after & AFTER_OWN_JALR))", "0"),
    "hidden_jump": ("execute.h", "c->offered + JUMP_CYCLES", "c->ready + JUMP_CYCLES"),
    "division": ("pipeline.h", "return 3 + (negative", "return 4 + (negative"),
    "clip": ("simd.h", "sa < high ? a", "sa > high ? a"),
    "fairness": ("machine.h", "m->last[0][in_l1 / 4 % banks] = (uint8_t)core;", ";"),
    "dma": ("dma.h", "rate = engine == DMA_L3", "rate = engine != DMA_L3"),
}


@cores
@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_rule_is_seen(core, name, tmp_path, monkeypatch):
    file, rule, wrong = MUTATIONS[name]
    for path in sources(".c", ".h"):
        text = path.read_text()
        if path.name == file:
            assert rule in text
            text = text.replace(rule, wrong)
        (tmp_path / path.name).write_text(text)
    library = tmp_path / "iss.so"
    run_compiler(
        [*find_host_compiler(), "-O1", "-fPIC", "-shared", "-o", str(library), "iss.c"], tmp_path
    )
    monkeypatch.setattr(iss, "iss_library", lambda: library)
    with pytest.raises(AssertionError, match="seed"):
        for seed in range(100):
            agree(core, seed, cores=2 if name == "fairness" else 1, dma=name == "dma")


@cores
@pytest.mark.slow
@pytest.mark.parametrize("team", [1, 2, 8])
@pytest.mark.parametrize("dma", [False, True])
def test_many_random_programs(core, team, dma):
    for seed in range(1_000, 1_400):
        agree(core, seed, cores=team, dma=dma, blocks=2 + seed % 14)


@cores
@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"cores": 1, "l2_wait": 3},
        {"cores": 4, "l2_wait": 5, "banks": 3},
        {"cores": 3, "banks": 1, "dma_setup": 0, "dma_bytes": 1},
        {"cores": 7, "banks": 4, "dma_bytes": 64, "l3_bytes_per_cycle": 4, "l3_setup": 3},
    ],
    ids=str,
)
def test_random_programs_on_other_machines(core, options):
    for seed in range(2_000, 2_150):
        agree(core, seed, dma=True, **options)


def trapping(*words: int | bytes) -> Program:
    """Instructions in every core, behind a device address in x1, L2's end in x2, L3 in x3."""
    out = asm.constant(1, asm.DEVICES) + asm.constant(2, L2 + programs.L2_BYTES)
    out += asm.constant(3, asm.L3)
    return Program(
        ((START, out + b"".join(w if isinstance(w, bytes) else code(w) for w in words)),), ()
    )


# What stops a run, and a part of what is said.
STOPS = {
    "illegal": ([0x00002067], "illegal instruction"),
    "illegal_compressed": ([0x0000], "illegal instruction"),
    "ecall": ([0x00000073], "environment call"),
    "ebreak": ([0x00100073], "breakpoint"),
    "c.ebreak": ([0x0001, 0x9002], "breakpoint"),
    "wfi": ([0x10500073], "wfi"),
    "load": ([asm.load_word(4, 2)], "load of 4 bytes at 0x1c020000"),
    "load_across_the_end": ([asm.load_word(4, 2, -2)], "load of 2 bytes at 0x1c020000"),
    "store": ([asm.s_type(0x23, 0, 0, 4, 5)], "store of 1 byte at 0x00000005"),
    "l3": ([asm.load_word(4, 3)], "only the DMA engine"),
    "jump": ([asm.i_type(0x67, 0, 0, 0, 0)], "jump to 0x00000000 outside memory"),
    "jump_beyond": ([asm.i_type(0x67, 0, 1, 2, 6)], "jump to 0x1c020006 outside memory"),
    "control_register": ([asm.i_type(0x73, 2, 4, 0, 0x123)], "control register 0x123"),
    "device_byte": ([asm.i_type(0x03, 0, 4, 1, 24)], "aligned words"),
    "device_write_only": ([asm.load_word(4, 1)], "read at 0x1a100000"),
    "dma": (
        [asm.store_word(2, 1, 64), asm.store_word(2, 1, 72), asm.store_word(2, 1, 76),
         asm.load_word(4, 1, 88)],
        "does not lie in memory",
    ),
    # The instruction before has an effect, the one after has none.
    "precise": (
        [asm.store_word(1, 1, 20), 0x00000000, asm.store_word(1, 1, 0)],
        "illegal instruction",
    ),
    # Core 1 of 4 stops while the others wait.
    "one_of_four": (
        [asm.i_type(0x73, 2, 4, 0, 0xF14), asm.addi(4, 4, -1),
         asm.b_type(0x63, 0, 4, 0, 8), asm.load_word(5, 1, asm.BARRIER), 0x00002067],
        "illegal instruction",
    ),
}  # fmt: skip


@cores
@pytest.mark.parametrize("name", STOPS)
def test_what_stops_a_run(core, name):
    words, cause = STOPS[name]
    machine = Machine(
        isa=ISA[core],
        cores=4 if name == "one_of_four" else 1,
        l2_bytes=programs.L2_BYTES,
        l3_bytes=64,
    )
    model, truth = (outcome(engine, trapping(*words), machine) for engine in ("iss", core))
    assert model == truth
    assert cause in truth[3]
    assert truth[0] == (name == "one_of_four")


# What an encoding may be: the opcodes of the base and of all extensions.
OPCODES = (0x03, 0x0B, 0x0F, 0x13, 0x17, 0x23, 0x2B, 0x33, 0x37, 0x57, 0x5B, 0x63, 0x67, 0x6F, 0x73, 0x7B)  # fmt: skip


# Where the simulator stops and the RTL goes on: don't-care fields of CV32E41P's encodings, loops
# that break the rules, the debugger's trigger registers, writes to read-only user registers.
STRICTER = (
    "illegal instruction",
    "hardware loop",
    "control register 0x7a",
    "control register 0xcc",
)


def encodings(core: str, count: int) -> int:
    """Compare single instructions of any encoding; returns how many the simulator runs."""
    rng = random.Random(count)
    machine = Machine(isa=ISA[core], l2_bytes=programs.L2_BYTES)
    ran = 0
    for _ in range(count):
        word = rng.getrandbits(32) & ~0x7F | rng.choice(OPCODES)
        if rng.random() < 0.3:
            word &= ~(31 << 20)
        if rng.random() < 0.5:
            word = word & ~(31 << 15) | rng.choice((8, 9)) << 15
        registers = [value(rng) for _ in range(31)]
        for pointer in (8, 9):
            registers[pointer - 1] = L2 + DATA + 2048 + rng.randrange(-64, 64)
        program = single(word, registers, rng.randrange(2))
        model = outcome("iss", program, machine, 10_000, count=1, output_bytes=4224)
        truth = outcome(core, program, machine, 10_000, count=1, output_bytes=4224)
        if isinstance(model, tuple) and any(part in model[3] for part in STRICTER):
            continue
        assert model == truth, f"0x{word:08x}"
        ran += not isinstance(model, tuple)
    return ran


@cores
def test_encodings(core):
    assert encodings(core, 500) > 100


@cores
@pytest.mark.slow
def test_many_encodings(core):
    assert encodings(core, 30_000) > 6_000


def test_a_missing_core_is_named(monkeypatch):
    monkeypatch.setattr(rtl.importlib.util, "find_spec", lambda name: None)
    assert not rtl.is_built("cv32e41p")
    with pytest.raises(MissingTool, match="pip install pythondata-cpu-cv32e41p=="):
        run_program(trapping(), Machine(isa="xpulpv2"), "cv32e41p")
