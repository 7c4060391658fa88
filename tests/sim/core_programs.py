"""Random programs for the simulated cores: every kind of instruction, every hazard between them.

A program loads random registers, runs random code, dumps its registers and hands the memory that it
worked on to the host. Whether an instruction exists, the caller says (`Generator.legal`): fields are
drawn blindly, so that an engine meets encodings that nobody thought of.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from hwgen.sim.riscv.program import Program

START, L1, L2, L3 = 0x1C00_0080, 0x1000_0000, 0x1C00_0000, 0x8000_0000
DEVICES = 0x1A10_0000
EXIT, NEXT, OUT, MARK, BARRIER, DMA, DMA_START, DMA_WAIT = 0, 4, 12, 16, 32, 64, 88, 92

# Every core has REGION bytes of its own, here in L2, and in L1 as well where there is one.
REGION = 4096
TABLE, DATA = 0xC000, 0x10000
L1_BYTES = L2_BYTES = 0x20000

# Registers with a purpose; the others are drawn.
HART = 3  # number of the core
SLOT, OWN, SHARED, LOCAL = (
    19,
    20,
    21,
    22,
)  # pointers that do not change: to the core's dump, regions
POINTERS = (8, 9, 18)  # copies of those, changed by post-increments
INDEX, OUTER, INNER, COUNT, DEVICE = 23, 24, 25, 26, 27
DRAWN = (4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31)

SPECIAL = (
    0, 1, 2, 3, 31, 32, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000,
    0x80000001, 0xFFFFFFFE, 0xFFFFFFFF, 0x80808080, 0x7F7F7F7F, 0x80008000, 0x7FFF7FFF, 0xFF00FF00,
)  # fmt: skip

READABLE = (
    0x300, 0x301, 0x304, 0x305, 0x320, 0x323, 0x33F, 0x340, 0x341, 0x342, 0x343, 0x344, 0xB00,
    0xB02, 0xB03, 0xB80, 0xB82, 0xC00, 0xC02, 0xC80, 0xC82, 0xF11, 0xF12, 0xF13, 0xF14,
)  # fmt: skip
WRITABLE = (0x300, 0x304, 0x305, 0x320, 0x340, 0x341, 0x342, 0xB00, 0xB02, 0xB80, 0xB82)


def r_type(opcode: int, funct3: int, funct7: int, rd: int, rs1: int, rs2: int) -> int:
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | funct7 << 25


def i_type(opcode: int, funct3: int, rd: int, rs1: int, imm: int) -> int:
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | (imm & 0xFFF) << 20


def s_type(opcode: int, funct3: int, rs1: int, rs2: int, imm: int) -> int:
    return r_type(opcode, funct3, (imm & 0xFFF) >> 5, imm & 31, rs1, rs2)


def b_type(opcode: int, funct3: int, rs1: int, rs2: int, offset: int) -> int:
    low = (offset >> 1 & 15) << 1 | (offset >> 11 & 1)
    return r_type(opcode, funct3, (offset >> 12 & 1) << 6 | (offset >> 5 & 63), low, rs1, rs2)


def jal(rd: int, offset: int) -> int:
    imm = (offset >> 20 & 1) << 19 | (offset >> 1 & 0x3FF) << 9
    imm |= (offset >> 11 & 1) << 8 | (offset >> 12 & 0xFF)
    return 0x6F | rd << 7 | imm << 12


def addi(rd: int, rs1: int, imm: int) -> int:
    return i_type(0x13, 0, rd, rs1, imm)


def load_word(rd: int, rs1: int, imm: int = 0) -> int:
    return i_type(0x03, 2, rd, rs1, imm)


def store_word(rs2: int, rs1: int, imm: int = 0) -> int:
    return s_type(0x23, 2, rs1, rs2, imm)


def constant(rd: int, value: int) -> bytes:
    """lui and addi."""
    low = (value & 0xFFF ^ 0x800) - 0x800
    return code(0x37 | rd << 7 | (value - low) & 0xFFFFF000, addi(rd, rd, low))


def code(*words: int) -> bytes:
    """Instructions as bytes; those that do not end in 11 have 16 bits."""
    return b"".join(struct.pack("<I" if word & 3 == 3 else "<H", word) for word in words)


@dataclass(frozen=True)
class Extension:
    """Where an extension's instructions are, as (opcode, funct3, funct7s).

    Attributes
    ----------
    compute
        Change registers only.
    immediate, register
        Loads and stores that add an immediate to their pointer, or add or use a register.
    branches
        Compare with an immediate.
    """

    compute: tuple[tuple[int, int, range], ...]
    immediate: tuple[tuple[int, int], ...]
    register: tuple[tuple[int, int, tuple[int, ...]], ...]
    branches: tuple[tuple[int, int], ...]


_ALL = range(128)
EXTENSIONS = {
    "rv32imc": Extension((), (), (), ()),
    "xcv": Extension(
        compute=(
            *((0x2B, 3, range(0x18, 0x4A)) for _ in range(3)),
            *((0x5B, f, _ALL) for f in range(4)),
            *((0x7B, f, _ALL) for f in range(8)),
        ),
        immediate=(*((0x0B, f) for f in (0, 1, 2, 4, 5)), *((0x2B, f) for f in (0, 1, 2))),
        register=(
            (0x2B, 3, (0, 1, 2, 8, 9, 4, 5, 6, 12, 13)),
            (0x2B, 3, (0x10, 0x11, 0x12, 0x14, 0x15, 0x16)),
        ),
        branches=((0x0B, 6), (0x0B, 7)),
    ),
    "xpulpv2": Extension(
        compute=(
            *((0x33, f, range(1, 128)) for f in range(8)),
            *((0x5B, f, _ALL) for f in range(8)),
            *((0x57, f, _ALL) for f in range(8)),
        ),
        immediate=(*((0x0B, f) for f in (0, 1, 2, 4, 5)), *((0x2B, f) for f in (0, 1, 2))),
        register=(
            (0x0B, 7, (0x00, 0x08, 0x10, 0x20, 0x28)),
            (0x03, 7, (0x00, 0x08, 0x10, 0x20, 0x28)),
            *((0x2B, f, (0,)) for f in (4, 5, 6)),
            *((0x23, f, (0,)) for f in (4, 5, 6)),
        ),
        branches=((0x63, 2), (0x63, 3)),
    ),
}


def value(rng: random.Random) -> int:
    """A register's or memory word's content: special, small, or anything."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(SPECIAL)
    if kind < 0.5:
        return rng.getrandbits(rng.randrange(1, 33))
    if kind < 0.6:
        return -rng.getrandbits(rng.randrange(1, 32)) & 0xFFFFFFFF
    return rng.getrandbits(32)


@dataclass
class Generator:
    """Draws programs.

    Attributes
    ----------
    rng
        Source of all choices.
    isa
        As of a machine.
    legal
        Does the instruction exist?
    cores
        That run the program; more than one share the L1 and meet at barriers.
    compressed
        Draw compressed instructions.
    linking
        Draw c.jal and c.jalr, too, with which CV32E41P links the wrong address.
    dma
        Core 0 starts transfers.
    """

    rng: random.Random
    isa: str
    legal: Callable[[int], bool]
    cores: int = 1
    compressed: bool = True
    linking: bool = True
    dma: bool = False
    _drift: int = field(default=0, init=False)  # of the pointers, at most
    _started: list[int] = field(default_factory=list, init=False)  # transfers, by engine

    def program(self, blocks: int) -> Program:
        """A program of so many blocks, straight lines, branches and loops among them."""
        body = self._prologue()
        self._started = [0, 0]
        for _ in range(blocks):
            body += self._block(START + len(body), depth=0)
            if self.cores > 1 and self.rng.random() < 0.3:
                body += code(load_word(self._rd(), DEVICE, BARRIER))
            if self.rng.random() < 0.1:
                body += code(store_word(self.rng.choice(DRAWN), DEVICE, MARK))
            if self.dma and self.rng.random() < 0.5:
                body += self._transfer()
        body += self._epilogue()
        if len(body) > TABLE - 0x80:
            raise ValueError("too many blocks")
        tables = struct.pack(
            f"<{32 * self.cores}I", *(value(self.rng) for _ in range(32 * self.cores))
        )
        data = b"".join(struct.pack("<I", value(self.rng)) for _ in range(REGION * self.cores // 4))
        return Program(((START, body), (L2 + TABLE, tables), (L2 + DATA, data)), ())

    @property
    def local(self) -> int:
        """Where the regions are that all cores use."""
        return L1 if self.cores > 1 or self.dma else L2 + DATA

    @property
    def _dump(self) -> int:
        """Where the cores' registers go, 128 bytes each, right before the regions in L2."""
        return L2 + DATA - 128 * self.cores

    @property
    def samples(self) -> int:
        """Of the machine's host: the first output is the dump and L2's regions, the second L1's."""
        return 2 if self.local == L1 else 1

    @property
    def output_bytes(self) -> int:
        """Of a sample."""
        return (REGION + 128) * self.cores

    # ---- Frame --------------------------------------------------------------------------------

    def _prologue(self) -> bytes:
        """Registers from the core's table, pointers to its regions."""
        out = code(i_type(0x73, 2, HART, 0, 0xF14)) + constant(1, L2 + TABLE)
        out += constant(SLOT, self._dump) + code(i_type(0x13, 1, 2, HART, 7))
        out += code(r_type(0x33, 0, 0, 1, 1, 2), r_type(0x33, 0, 0, SLOT, SLOT, 2))
        out += code(*(load_word(r, 1, 4 * r) for r in DRAWN))
        out += constant(OWN, L2 + DATA + REGION // 2) + code(i_type(0x13, 1, 2, HART, 12))
        out += code(r_type(0x33, 0, 0, OWN, OWN, 2))
        out += constant(LOCAL, self.local + REGION // 2) + code(r_type(0x33, 0, 0, LOCAL, LOCAL, 2))
        out += constant(SHARED, self.local + REGION // 2 + REGION * (self.cores // 2))
        out += constant(DEVICE, DEVICES) + code(addi(INDEX, 0, self.rng.randrange(-32, 33)))
        out += code(addi(2, LOCAL, -64), load_word(0, DEVICE, NEXT))
        if self.rng.random() < 0.8:
            out += code(i_type(0x73, 1, 0, 0, 0x320))  # counters run
        return out + self._pointers()

    def _pointers(self) -> bytes:
        self._drift = 0
        return code(*(addi(p, o, 0) for p, o in zip(POINTERS, (OWN, SHARED, LOCAL), strict=True)))

    def _epilogue(self) -> bytes:
        """Registers to the dump; core 0 hands it over once all have done so."""
        out = code(*(store_word(r, SLOT, 4 * r) for r in range(1, 32)))
        if self.cores > 1:
            # A core other than 0 then waits at a barrier that never opens.
            out += code(load_word(0, DEVICE, BARRIER))
            out += code(b_type(0x63, 0, HART, 0, 8), load_word(0, DEVICE, BARRIER))
        for engine, number in enumerate(self._started):
            if number:
                out += constant(2, self._ticket(engine, number))
                out += code(store_word(2, DEVICE, DMA_WAIT))
        out += code(store_word(SLOT, DEVICE, OUT))
        if self.local == L1:
            out += code(load_word(0, DEVICE, NEXT)) + constant(1, L1)
            out += code(store_word(1, DEVICE, OUT))
        return out + code(store_word(0, DEVICE, EXIT), jal(0, 0))

    def _transfer(self) -> bytes:
        """Core 0 moves some of the cores' regions among the memories, and may wait for it."""
        rng = self.rng
        lines, stride = rng.randrange(1, 5), rng.randrange(0, 64)
        length = rng.randrange(0, 200)
        limit = REGION * self.cores - lines * 256
        in_l1, in_l2, in_l3 = (base + rng.randrange(limit) for base in (L1, L2 + DATA, L3))
        ends = rng.choice(((in_l1, in_l2), (in_l2, in_l3), (in_l1, L1 + rng.randrange(limit))))
        source, target = rng.sample(ends, 2)
        engine = int(max(source, target) >= L3)
        self._started[engine] += 1
        out = b""
        for register, number in enumerate((source, target, length, lines, length + stride, length)):
            out += constant(1, number) + code(store_word(1, DEVICE, DMA + 4 * register))
        out += code(load_word(1, DEVICE, DMA_START))
        if rng.random() < 0.5:
            out += constant(1, self._ticket(engine, rng.randrange(1, self._started[engine] + 1)))
            out += code(store_word(1, DEVICE, DMA_WAIT))
        return code(b_type(0x63, 1, HART, 0, 4 + len(out))) + out

    @staticmethod
    def _ticket(engine: int, number: int) -> int:
        """Of an engine's transfer; engine 1 is the one that reaches L3."""
        return engine << 31 | number

    # ---- Control flow -------------------------------------------------------------------------

    def _block(self, address: int, depth: int) -> bytes:
        kinds = [self._line, self._line, self._branch, self._jump, self._jalr]
        if depth < 2:
            kinds += [self._loop]
        if depth == 0:
            kinds += [self._fence, self._csr_block]
            if self.isa != "rv32imc":
                kinds += [self._hardware_loop, self._hardware_loop]
        return self.rng.choice(kinds)(address, depth)

    def _line(self, address: int, depth: int) -> bytes:
        out = b""
        for _ in range(self.rng.randrange(1, 12)):
            out += self._instruction()
        return out

    def _skipped(self, address: int, depth: int) -> bytes:
        """What a branch may skip: pointers are where they were at its end."""
        out = self._block(address, depth + 1) if self.rng.random() < 0.4 else self._line(0, 0)
        return out + self._pointers()

    def _branch(self, address: int, depth: int) -> bytes:
        skipped = self._skipped(address + 4, depth)
        branches = EXTENSIONS[self.isa].branches
        if branches and self.rng.random() < 0.3:
            opcode, funct3 = self.rng.choice(branches)
            return (
                code(b_type(opcode, funct3, self._rs(), self.rng.randrange(32), 4 + len(skipped)))
                + skipped
            )
        if self.compressed and len(skipped) < 240 and self.rng.random() < 0.4:
            offset = 2 + len(skipped)
            near = self.rng.choice((10, 11, 12, 13, 14, 15)) - 8
            imm = (offset >> 8 & 1) << 12 | (offset >> 3 & 3) << 10 | (offset >> 6 & 3) << 5
            imm |= (offset >> 1 & 3) << 3 | (offset >> 5 & 1) << 2
            return code(self.rng.choice((0xC001, 0xE001)) | near << 7 | imm) + skipped
        funct3 = self.rng.choice((0, 1, 4, 5, 6, 7))
        second = self._rs() if self.rng.random() < 0.7 else 0
        return code(b_type(0x63, funct3, self._rs(), second, 4 + len(skipped))) + skipped

    def _jump(self, address: int, depth: int) -> bytes:
        skipped = self._line(0, 0)
        if self.compressed and self.rng.random() < 0.5:
            offset = 2 + len(skipped)
            imm = (offset >> 11 & 1) << 12 | (offset >> 4 & 1) << 11 | (offset >> 8 & 3) << 9
            imm |= (offset >> 10 & 1) << 8 | (offset >> 6 & 1) << 7 | (offset >> 7 & 1) << 6
            imm |= (offset >> 1 & 7) << 3 | (offset >> 5 & 1) << 2
            return (
                code((0x2001 if self.linking and self.rng.random() < 0.5 else 0xA001) | imm)
                + skipped
            )
        return code(jal(self.rng.choice((0, 1, 5)), 4 + len(skipped))) + skipped

    def _jalr(self, address: int, depth: int) -> bytes:
        """The target's register comes from an addition or a load, at once or some cycles before."""
        skipped = self._line(0, 0)
        between = b"".join(self._instruction() for _ in range(self.rng.randrange(3)))
        if self.rng.random() < 0.4:
            between = code(store_word(1, SLOT), load_word(1, SLOT)) + between
        last = (
            self.rng.choice((0x8082, 0x9082 if self.linking else 0x8082)) if self.compressed else 0
        )
        if not last or self.rng.random() < 0.5:
            last = i_type(0x67, 0, self.rng.choice((0, 1, 5)), 1, 0)
        odd = self.rng.randrange(2)  # bit 0 of the sum is dropped
        whole = 4 + len(between) + len(code(last)) + len(skipped)
        out = code(0x17 | 1 << 7, addi(1, 1, 4 + whole + odd)) + between + code(last)
        return out + skipped

    def _loop(self, address: int, depth: int) -> bytes:
        counter = (OUTER, INNER)[depth]
        body = self._pointers() + self._block(address + 12, depth + 1)
        if self.rng.random() < 0.5:
            body += self._line(0, 0)
        body += code(addi(counter, counter, -1))
        body += code(b_type(0x63, 1, counter, 0, -len(body)))
        return code(addi(counter, 0, self.rng.randrange(1, 5))) + body + self._pointers()

    def _hardware_loop(self, address: int, depth: int) -> bytes:
        """One loop, or an outer one around an inner one."""
        align = code(1) if address % 4 else b""
        if self.rng.random() < 0.5:
            return align + self._hardware(self.rng.randrange(2), self._straight(3))
        inner = self._straight(0) + self._hardware(0, self._straight(3))
        return align + self._hardware(1, inner + self._straight(2))

    def _hardware(self, loop: int, body: bytes) -> bytes:
        """A body with its setup: in one instruction, or in several."""
        rng, count = self.rng, self.rng.choice((0, 1, 2, 3, 7))
        body = self._pointers() + body
        if rng.random() < 0.3:  # an instruction that the setup's register waits for
            before = code(addi(COUNT, 0, count), store_word(COUNT, SLOT), load_word(COUNT, SLOT))
        else:
            before = code(addi(COUNT, 0, count))
        xcv, n = self.isa == "xcv", len(body)
        if xcv:
            op = lambda f, rs1, imm: i_type(0x2B, 4, 2 * f + loop, rs1, imm)  # noqa: E731
            start, end, number, counti, setupi, setup = 0, 2, 5, 4, 6, 7
            unit, last = 4, 0
        else:
            op = lambda f, rs1, imm: i_type(0x7B, f, loop, rs1, imm)  # noqa: E731
            start, end, number, counti, setupi, setup = 0, 1, 2, 3, 5, 4
            unit, last = 2, 4
        kind = rng.randrange(4)
        if kind == 0 and (4 + n - last) // unit < 32:
            return before + code(op(setupi, (4 + n - last) // unit, count)) + body
        if kind == 1:
            between = self._straight(0)
            distance = 4 + len(between)
            parts = [
                op(start, 0, (8 + distance) // unit),
                op(end, 0, (4 + distance + n - last) // unit),
            ]
            if rng.random() < 0.5:
                parts.append(op(counti, 0, count))
            else:
                parts.append(op(number, COUNT, 0))
            return before + code(*parts) + between + body
        return before + code(op(setup, COUNT, (4 + n - last) // unit)) + body

    def _straight(self, least: int) -> bytes:
        """Instructions of 32 bits without jumps."""
        out = b""
        for _ in range(least + self.rng.randrange(4)):
            out += self._wide()
        return out

    def _fence(self, address: int, depth: int) -> bytes:
        return code(self.rng.choice((0x0000000F, 0x0000100F, 0x0FF0000F))) + self._line(0, 0)

    def _csr_block(self, address: int, depth: int) -> bytes:
        out = b""
        for _ in range(self.rng.randrange(1, 4)):
            out += self._instruction() + self._csr()
        return out

    # ---- Instructions -------------------------------------------------------------------------

    def _rd(self) -> int:
        return 0 if self.rng.random() < 0.05 else self.rng.choice(DRAWN)

    def _rs(self) -> int:
        return self.rng.choice((0, *DRAWN, *DRAWN))

    def _instruction(self) -> bytes:
        if self.compressed and self.rng.random() < 0.35:
            return self._narrow()
        return self._wide()

    def _wide(self) -> bytes:
        kind = self.rng.random()
        if kind < 0.35:
            return self._memory()
        if kind < 0.55:
            return code(r_type(0x33, self.rng.randrange(8), 1, self._rd(), self._rs(), self._rs()))
        if kind < 0.75 and EXTENSIONS[self.isa].compute:
            return code(self._extension())
        return code(self._base())

    def _base(self) -> int:
        rng = self.rng
        kind = rng.random()
        if kind < 0.1:
            return rng.choice((0x17, 0x37)) | self._rd() << 7 | rng.getrandbits(20) << 12
        funct3 = rng.randrange(8)
        funct7 = 0x20 if funct3 in (0, 5) and rng.random() < 0.4 else 0
        if kind < 0.55:
            return r_type(0x33, funct3, funct7, self._rd(), self._rs(), self._rs())
        imm = rng.getrandbits(12)
        if funct3 in (1, 5):
            imm = (imm & 31) | (funct7 << 5 if funct3 == 5 else 0)
        return i_type(0x13, funct3, self._rd(), self._rs(), imm)

    def _extension(self) -> int:
        while True:
            opcode, funct3, funct7s = self.rng.choice(EXTENSIONS[self.isa].compute)
            rs2 = 0 if self.rng.random() < 0.2 else self._rs()
            rs2 = self.rng.randrange(32) if self.rng.random() < 0.2 else rs2
            word = r_type(opcode, funct3, self.rng.choice(funct7s), self._rd(), self._rs(), rs2)
            if self.legal(word):
                return word

    def _memory(self) -> bytes:
        """A load or store somewhere in a region, aligned or not; often its value is used at once."""
        rng, extension = self.rng, EXTENSIONS[self.isa]
        pointer = rng.choice(POINTERS)
        out = self._pointers() if self._drift > 400 else b""
        kind = rng.random()
        rd = self._rd()
        if extension.immediate and kind < 0.3:
            opcode, funct3 = rng.choice(extension.immediate)
            imm = rng.randrange(-40, 41)
            self._drift += 40
            if opcode == 0x0B:
                out += code(i_type(opcode, funct3, rd, pointer, imm))
            else:
                out += code(s_type(opcode, funct3, pointer, self._rs(), imm))
        elif extension.immediate and kind < 0.5:
            opcode, funct3, funct7s = rng.choice(extension.register)
            store = opcode in (0x2B, 0x23) and not (
                opcode == 0x2B and funct3 == 3 and funct7s[0] == 0
            )
            self._drift += 32
            funct7 = rng.choice(funct7s)
            if store:  # the index is where rd else is
                out += code(r_type(opcode, funct3, funct7, INDEX, pointer, self._rs()))
            else:
                out += code(r_type(opcode, funct3, funct7, rd, pointer, INDEX))
        elif kind < 0.8:
            imm = rng.randrange(-256, 256) & rng.choice((~0, ~3, ~3))
            out += code(i_type(0x03, rng.choice((0, 1, 2, 2, 4, 5)), rd, pointer, imm))
        else:
            imm = rng.randrange(-256, 256) & rng.choice((~0, ~3, ~3))
            out += code(s_type(0x23, rng.randrange(3), pointer, self._rs(), imm))
        if rng.random() < 0.4:
            out += code(r_type(0x33, rng.choice((0, 4, 6, 7)), 0, self._rd(), rd, self._rs()))
        return out

    def _narrow(self) -> bytes:
        """A compressed instruction other than a jump."""
        rng = self.rng
        near = lambda: rng.choice((10, 11, 12, 13, 14, 15)) - 8  # noqa: E731
        rd, imm = rng.choice(DRAWN), rng.getrandbits(5)
        top = rng.randrange(2) << 12
        kind = rng.randrange(13)
        if kind == 0:
            return code(0x0001 | top | rd << 7 | imm << 2)  # c.addi
        if kind == 1:
            return code(0x4001 | top | rd << 7 | imm << 2)  # c.li
        if kind == 2:
            return code(0x6001 | top | rd << 7 | (imm or 1) << 2)  # c.lui
        if kind == 3:
            return code(0x8001 | rng.randrange(2) << 10 | near() << 7 | imm << 2)  # c.srli, c.srai
        if kind == 4:
            return code(0x8801 | top | near() << 7 | imm << 2)  # c.andi
        if kind == 5:
            return code(0x8C01 | near() << 7 | rng.randrange(4) << 5 | near() << 2)
        if kind == 6:
            return code(0x0002 | rd << 7 | imm << 2)  # c.slli
        if kind == 7:
            return code(0x8002 | top | rd << 7 | rng.choice(DRAWN) << 2)  # c.mv, c.add
        if kind == 8:
            return code(0x4002 | rd << 7 | imm << 2)  # c.lwsp
        if kind == 9:
            return code(0xC002 | rng.randrange(16) << 9 | rng.choice(DRAWN) << 2)  # c.swsp
        if kind == 10:
            return code(0x0000 | 1 << 5 | rng.getrandbits(7) << 6 | near() << 2)  # c.addi4spn
        base = rng.choice((0, 1)) << 7 | rng.getrandbits(3) << 10 | rng.getrandbits(2) << 5
        return code((0x4000 if kind == 11 else 0xC000) | base | near() << 2)  # c.lw, c.sw

    def _csr(self) -> bytes:
        rng = self.rng
        loops = {"rv32imc": (), "xcv": range(0xCC0, 0xCC7), "xpulpv2": range(0x800, 0x807)}
        number = rng.choice((*READABLE, *(n for n in loops[self.isa] if n % 8 != 3)))
        if number in (0x301, 0xF12, 0xF13) and self.isa == "rv32imc":
            number = 0xF14  # which core it is, and that it has extensions, the RTL always says
        if number in WRITABLE and rng.random() < 0.6:
            funct3 = rng.choice((1, 2, 3, 5, 6, 7))
            return code(i_type(0x73, funct3, self._rd(), self._rs(), number))
        return code(i_type(0x73, rng.choice((2, 3, 6, 7)), self._rd(), 0, number))
