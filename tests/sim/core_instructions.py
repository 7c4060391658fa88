"""Random RISC-V instructions, for programs that compare cores: fields are drawn blindly."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.sim.core_code import addi, code, i_type, r_type, s_type

# Registers with a purpose; the others are drawn.
HART = 3  # number of the core
SLOT = 19  # pointer to the core's dump
OWN, SHARED, LOCAL = 20, 21, 22  # pointers to regions; they do not change
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
class Instructions:
    """Draws instructions that go on to the next one.

    Attributes
    ----------
    rng
        Source of all choices.
    isa
        As of a machine.
    legal
        Does the instruction exist?
    compressed
        Draw compressed instructions.
    """

    rng: random.Random
    isa: str
    legal: Callable[[int], bool]
    compressed: bool = True
    _drift: int = field(default=0, init=False)  # of the pointers, at most

    def _pointers(self) -> bytes:
        self._drift = 0
        return code(*(addi(p, o, 0) for p, o in zip(POINTERS, (OWN, SHARED, LOCAL), strict=True)))

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
