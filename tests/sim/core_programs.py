"""Random programs for the simulated cores: every kind of instruction, every hazard between them.

A program loads random registers, runs random code, dumps its registers and hands the memory that it
worked on to the host.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from hwgen.sim.riscv.program import Program
from tests.sim.core_code import (
    BARRIER,
    DEVICES,
    DMA,
    DMA_START,
    DMA_WAIT,
    EXIT,
    L1,
    L2,
    L3,
    MARK,
    NEXT,
    OUT,
    START,
    addi,
    b_type,
    code,
    constant,
    i_type,
    jal,
    load_word,
    r_type,
    store_word,
)
from tests.sim.core_instructions import (
    COUNT,
    DEVICE,
    DRAWN,
    EXTENSIONS,
    HART,
    INDEX,
    INNER,
    LOCAL,
    OUTER,
    OWN,
    SHARED,
    SLOT,
    Instructions,
    value,
)

# Every core has REGION bytes of its own, here in L2, and in L1 as well where there is one.
REGION = 4096
TABLE, DATA = 0xC000, 0x10000
L1_BYTES = L2_BYTES = 0x20000


@dataclass
class Generator(Instructions):
    """Draws programs.

    Attributes
    ----------
    cores
        That run the program; more than one share the L1 and meet at barriers.
    linking
        Draw c.jal and c.jalr, too, with which CV32E41P links the wrong address.
    dma
        Core 0 starts transfers.
    """

    cores: int = 1
    linking: bool = True
    dma: bool = False
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
        """Anything; `depth` counts the blocks around it."""
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
            constant = self.rng.randrange(32)
            return code(b_type(opcode, funct3, self._rs(), constant, 4 + len(skipped))) + skipped
        if self.compressed and len(skipped) < 240 and self.rng.random() < 0.4:
            offset = 4 + len(skipped)
            near = self.rng.choice((10, 11, 12, 13, 14, 15)) - 8
            imm = (offset >> 8 & 1) << 12 | (offset >> 3 & 3) << 10 | (offset >> 6 & 3) << 5
            imm |= (offset >> 1 & 3) << 3 | (offset >> 5 & 1) << 2
            narrow = self.rng.choice((0xC001, 0xE001)) | near << 7 | imm
            return code(narrow, 0x0001) + skipped  # what is skipped counts on its place
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
            links = self.linking and self.rng.random() < 0.5
            return code((0x2001 if links else 0xA001) | imm) + skipped
        return code(jal(self.rng.choice((0, 1, 5)), 4 + len(skipped))) + skipped

    def _jalr(self, address: int, depth: int) -> bytes:
        """The target's register comes from an addition or a load, at once or some cycles before."""
        skipped = self._line(0, 0)
        between = b"".join(self._instruction() for _ in range(self.rng.randrange(3)))
        if self.rng.random() < 0.4:
            between = code(store_word(1, SLOT), load_word(1, SLOT)) + between
        last = 0x9082 if self.linking and self.rng.random() < 0.5 else 0x8082  # c.jalr, c.jr
        if not self.compressed or self.rng.random() < 0.5:
            last = i_type(0x67, 0, self.rng.choice((0, 1, 5)), 1, 0)
        odd = self.rng.randrange(2)  # bit 0 of the sum is dropped
        whole = 4 + len(between) + len(code(last)) + len(skipped)
        out = code(0x17 | 1 << 7, addi(1, 1, 4 + whole + odd)) + between + code(last)
        return out + skipped

    def _loop(self, address: int, depth: int) -> bytes:
        counter = (OUTER, INNER)[depth]
        body = self._pointers() + self._block(address + 16, depth + 1)
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
        if self.isa == "xcv":  # numbers of the instructions; the end is behind the last instruction
            start, end, number, counti, setupi, setup = 0, 2, 5, 4, 6, 7
            unit, last = 4, 0
        else:
            start, end, number, counti, setupi, setup = 0, 1, 2, 3, 5, 4
            unit, last = 2, 4

        def op(kind: int, rs1: int, imm: int) -> int:
            if self.isa == "xcv":
                return i_type(0x2B, 4, 2 * kind + loop, rs1, imm)
            return i_type(0x7B, kind, loop, rs1, imm)

        kind, distance = rng.randrange(4), (4 + len(body) - last) // unit
        if kind == 0 and distance < 32:
            return before + code(op(setupi, distance, count)) + body
        if kind == 1:
            between = self._straight(0)
            counts = rng.choice((op(counti, 0, count), op(number, COUNT, 0)))
            first = op(start, 0, (12 + len(between)) // unit)
            second = op(end, 0, (4 + len(between)) // unit + distance)
            return before + code(first, second, counts) + between + body
        return before + code(op(setup, COUNT, distance)) + body

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
