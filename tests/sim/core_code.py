"""RISC-V instructions as words, and the memory map of the simulated machine, for the cores' tests."""

from __future__ import annotations

import struct

START, L1, L2, L3 = 0x1C00_0080, 0x1000_0000, 0x1C00_0000, 0x8000_0000
DEVICES = 0x1A10_0000
EXIT, NEXT, OUT, MARK, BARRIER, DMA, DMA_START, DMA_WAIT = 0, 4, 12, 16, 32, 64, 88, 92


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
