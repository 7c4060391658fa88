"""Every instruction of the simulator against its model in Python, on random operands."""

from __future__ import annotations

import random
import struct

import pytest

from hwgen.mcu.dsp import isa as emitted
from hwgen.sim.riscv import CoreTrap, Machine, Program, run_program
from tests.sim.iss_instructions import (
    MASK,
    Instruction,
    compressed,
    extension,
    r_type,
    rv32im,
    signed,
)

START, TABLE = 0x1C00_0080, 0x1C10_0000
ENTRY = 48  # bytes of a case: rs1, rs2, rd, -, 16 bytes to work on, rd and rs1 afterwards, -, -
VALUES = (
    0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x80808080,
    0x80008000, 0x7F7F7F7F, 0xFFFFFFFE,
)  # fmt: skip


def _run(isa: str, cases: list[tuple[int, tuple[int, int, int], bytes]]) -> list[bytes]:
    """Run (instruction, (rs1, rs2, rd), 16 bytes); what their entries hold in the end."""

    def load(rd: int, offset: int) -> int:
        return offset << 20 | 5 << 15 | 2 << 12 | rd << 7 | 0x03

    def store(rs2: int, offset: int) -> int:
        return (offset >> 5) << 25 | rs2 << 20 | 5 << 15 | 2 << 12 | (offset & 31) << 7 | 0x23

    device = 0x1A100000
    code = [device | 6 << 7 | 0x37, 4 << 20 | 6 << 15 | 2 << 12 | 0x03]  # x6; the sample begins
    code += [TABLE | 5 << 7 | 0x37]  # x5
    for word, _, _ in cases:
        code += [load(10, 0), load(11, 4), load(12, 8)]
        code += [word] if word & 3 == 3 else [word | 0x0001 << 16]  # and c.nop
        code += [store(12, 32), store(10, 36), ENTRY << 20 | 5 << 15 | 5 << 7 | 0x13]
    code += [TABLE | 5 << 7 | 0x37]
    code += [5 << 20 | 6 << 15 | 2 << 12 | 12 << 7 | 0x23, 6 << 15 | 2 << 12 | 0x23]  # OUT, EXIT
    table = b"".join(struct.pack("<3I4x", *v) + block + bytes(16) for _, v, block in cases)
    program = Program(((START, struct.pack(f"<{len(code)}I", *code)), (TABLE, table)), ())
    run = run_program(program, Machine(isa=isa, l2_bytes=8 << 20), count=1, output_bytes=len(table))
    return [run.outputs[k : k + ENTRY] for k in range(0, len(table), ENTRY)]


def _value(rng: random.Random) -> int:
    return rng.choice(VALUES) if rng.random() < 0.4 else rng.getrandbits(rng.choice((5, 8, 16, 32)))


def _check(isa: str, instructions: list[Instruction], rng: random.Random) -> None:
    cases = []
    for instruction in instructions:
        for _ in range(24):
            cases.append((instruction, tuple(_value(rng) for _ in range(3))))
    entries = _run(isa, [(i.word, values, bytes(16)) for i, values in cases])
    for (instruction, values), entry in zip(cases, entries, strict=True):
        (result,) = struct.unpack_from("<I", entry, 32)
        expected = int(instruction.model(*values)) & MASK
        said = f"{instruction.name} {' '.join(map(hex, values))}"
        assert f"{said}: {result:08x}" == f"{said}: {expected:08x}"


@pytest.mark.parametrize("isa", ["rv32imc", "xpulpv2", "xcv"])
@pytest.mark.parametrize("instructions", [rv32im, compressed])
def test_base(isa, instructions):
    rng = random.Random(1)
    _check(isa, [i for _ in range(6) for i in instructions(rng)], rng)


@pytest.mark.parametrize("isa", ["xpulpv2", "xcv"])
def test_extension(isa):
    rng = random.Random(2)
    _check(isa, [i for _ in range(3) for i in extension(isa, rng)], rng)


@pytest.mark.parametrize("isa", ["xpulpv2", "xcv"])
def test_a_mutated_model_is_found(isa):
    rng = random.Random(3)
    (mutated,) = (i for i in extension(isa, rng) if i.name == "sdotusp.b")
    with pytest.raises(AssertionError, match=r"sdotusp\.b"):
        _check(isa, [Instruction(mutated.name, mutated.word ^ 1 << 27, mutated.model)], rng)


# ---- The table that emitted code comes from -----------------------------------------------------


@pytest.mark.parametrize("isa", emitted.ARMS)
def test_emitted_encodings(isa):
    """Each is the instruction that it is called after."""
    known = {}
    for instruction in extension(isa, random.Random(4)):
        name = instruction.name.split()[0].lower()
        known.setdefault(name, instruction)
    compared = 0
    for name, instruction in emitted.INSTRUCTIONS.items():
        name = name.split(".", 1)[1]
        if instruction.form in ("load", "store") or name.endswith((".r", ".rr")):
            continue  # test_accesses has their encodings
        encoding = instruction.xcv if isa == "xcv" else instruction.xpulpv2
        operand = {"register": 11, "scaled": 11, "unary": 0, "number": None}[instruction.form]
        word = r_type(encoding.opcode, encoding.funct3, encoding.funct7, operand or 0)
        expected = known[name].word
        if instruction.form == "scaled":  # by whatever number
            expected &= ~(31 << 25)
        if operand is None:  # with whatever number
            word, expected = (w & ~(31 << 20 | (".sci." in name) << 25) for w in (word, expected))
        assert f"{name} {word:08x}" == f"{name} {expected:08x}"
        compared += 1
    assert compared > 20


# ---- Loads and stores ---------------------------------------------------------------------------


def _access_words(isa: str, name: str) -> dict[str, int]:
    """Every addressing mode of a load or store: data x12, base x10, by x11 or by 3 or -6."""
    size, is_store = {"b": 0, "h": 1, "w": 2}[name[1]], name[0] == "s"
    unsigned = name.endswith("u")
    data, base, index = 12, 10, 11

    def with_number(opcode: int, imm: int) -> int:
        funct3 = size + 4 * unsigned
        if is_store:
            high, low = imm >> 5 & 127, imm & 31
            return high << 25 | data << 20 | base << 15 | funct3 << 12 | low << 7 | opcode
        return (imm & 0xFFF) << 20 | base << 15 | funct3 << 12 | data << 7 | opcode

    words = {"offset": with_number(0x23 if is_store else 0x03, 3)}
    if isa == "rv32imc":
        return words
    post = 0x2B if is_store else 0x0B
    words |= {"post 3": with_number(post, 3), "post -6": with_number(post, -6)}
    registers = index << 7 | data << 20 if is_store else data << 7 | index << 20
    registers |= base << 15
    if isa == "xcv":
        funct7 = size | 8 * unsigned | 16 * is_store
        words["index"] = (funct7 | 4) << 25 | registers | 3 << 12 | 0x2B
        words["post index"] = funct7 << 25 | registers | 3 << 12 | 0x2B
    else:
        codes = {"lb": 0x00, "lbu": 0x20, "lh": 0x08, "lhu": 0x28, "lw": 0x10}
        funct7, funct3 = (0, 4 + size) if is_store else (codes[name], 7)
        for mode, opcode in (("index", 0x23 if is_store else 0x03), ("post index", post)):
            words[mode] = funct7 << 25 | registers | funct3 << 12 | opcode
    return words


@pytest.mark.parametrize("isa", ["rv32imc", "xpulpv2", "xcv"])
def test_accesses(isa):
    rng = random.Random(5)
    cases = []
    for name in ("lb", "lbu", "lh", "lhu", "lw", "sb", "sh", "sw"):
        for mode, word in _access_words(isa, name).items():
            for _ in range(8):
                cases.append((name, mode, word, rng.randrange(-3, 4), rng.getrandbits(32)))
    blocks = [rng.randbytes(16) for _ in cases]
    tables = [TABLE + ENTRY * k + 16 for k in range(len(cases))]
    runs = []
    for (_, _, word, index, data), block, address in zip(cases, blocks, tables, strict=True):
        runs.append((word, (address + 6, index & MASK, data), block))
    for case, block, address, entry in zip(cases, blocks, tables, _run(isa, runs), strict=True):
        name, mode, _, index, data = case
        step = {"offset": 3, "post 3": 3, "post -6": -6}.get(mode, index)
        place = 6 if mode.startswith("post") else 6 + step
        size = {"b": 1, "h": 2, "w": 4}[name[1]]
        if name[0] == "s":
            block = block[:place] + data.to_bytes(4, "little")[:size] + block[place + size :]
        else:
            data = int.from_bytes(block[place : place + size], "little")
            data = data if name.endswith("u") else signed(data, 8 * size) & MASK
        base = address + 6 + (step if mode.startswith("post") else 0)
        expected = block + struct.pack("<2I", data, base)
        assert (name, mode, entry[16:40].hex()) == (name, mode, expected.hex())


@pytest.mark.parametrize(
    ("isa", "word"),
    [
        ("rv32imc", 0x02B50033 | 1 << 31),  # mul with bit 31
        ("rv32imc", r_type(0x57, 1, 0x5C)),  # extensions that are not there
        ("rv32imc", r_type(0x7B, 1, 0x54)),
        ("rv32imc", 0x0000000B),
        ("xpulpv2", r_type(0x7B, 6, 0)),
        ("xpulpv2", r_type(0x57, 2, 0)),  # pv.add in a form that does not exist
        ("xpulpv2", r_type(0x57, 0, 0x01)),
        ("xpulpv2", r_type(0x57, 1, 0x7E)),
        ("xpulpv2", r_type(0x33, 0, 0x02)),  # p.abs of two registers
        ("xcv", r_type(0x57, 1, 0x5C)),
        ("xcv", r_type(0x7B, 1, 0x5A)),
        ("xcv", r_type(0x2B, 3, 0x4A)),
        ("xcv", r_type(0x2B, 5, 0)),
        ("xcv", 0x0000300B),  # cv.elw
    ],
)
def test_illegal(isa, word):
    with pytest.raises(CoreTrap, match=f"instruction 0x{word:08x}: illegal instruction"):
        _run(isa, [(word, (0, 0, 0), bytes(16))])
