/* Decoder of RV32IMC and Zicsr, from the RISC-V unprivileged ISA, version 20191213. */
#ifndef HWGEN_DECODE_H
#define HWGEN_DECODE_H

#include "insn.h"

#include <string.h>

/* Bits `high` down to `low` of a word. */
static inline uint32_t bits(uint32_t word, int high, int low) {
    return word >> low & (0xffffffffu >> (31 - high + low));
}

/* The lower `width` bits of a value, as a two's complement number. */
static inline int32_t extend(uint32_t value, int width) {
    return (int32_t)(value << (32 - width)) >> (32 - width);
}

static inline int32_t imm_i(uint32_t w) { return (int32_t)w >> 20; }
static inline int32_t imm_s(uint32_t w) {
    return extend(bits(w, 31, 25) << 5 | bits(w, 11, 7), 12);
}
static inline int32_t imm_b(uint32_t w) {
    return extend(bits(w, 31, 31) << 12 | bits(w, 7, 7) << 11 | bits(w, 30, 25) << 5 |
                      bits(w, 11, 8) << 1, 13);
}
static inline int32_t imm_j(uint32_t w) {
    return extend(bits(w, 31, 31) << 20 | bits(w, 19, 12) << 12 | bits(w, 20, 20) << 11 |
                      bits(w, 30, 21) << 1, 21);
}

static inline Insn insn(int op, uint32_t rd, uint32_t rs1, uint32_t rs2, int32_t imm) {
    Insn i;
    memset(&i, 0, sizeof i);
    i.op = (uint16_t)op;
    i.rd = (uint8_t)rd;
    i.rs1 = (uint8_t)rs1;
    i.rs2 = (uint8_t)rs2;
    i.imm = imm;
    return i;
}

static inline Insn decode_system(uint32_t w) {
    static const uint8_t csr[8] = {0, OP_CSRRW, OP_CSRRS, OP_CSRRC, 0, OP_CSRRWI, OP_CSRRSI,
                                   OP_CSRRCI};
    const uint32_t f3 = bits(w, 14, 12), rs1 = bits(w, 19, 15);
    Insn i = insn(OP_ILLEGAL, bits(w, 11, 7), f3 < 4 ? rs1 : 0, 0, (int32_t)rs1);
    if (csr[f3]) {
        i.op = csr[f3];
        i.kind = (uint16_t)(w >> 20);
        return i;
    }
    switch (w) {
    case 0x00000073: return insn(OP_ECALL, 0, 0, 0, 0);
    case 0x00100073: return insn(OP_EBREAK, 0, 0, 0, 0);
    case 0x10500073: return insn(OP_WFI, 0, 0, 0, 0);
    default: return insn(OP_ILLEGAL, 0, 0, 0, 0);
    }
}

static inline Insn decode_op(uint32_t w) {
    static const uint8_t base[8] = {OP_ADD, OP_SLL, OP_SLT, OP_SLTU, OP_XOR, OP_SRL, OP_OR, OP_AND};
    const uint32_t f3 = bits(w, 14, 12), f7 = bits(w, 31, 25);
    int op = OP_ILLEGAL;
    if (f7 == 0x00) op = base[f3];
    if (f7 == 0x01) op = OP_MUL + (int)f3;
    if (f7 == 0x20 && f3 == 0) op = OP_SUB;
    if (f7 == 0x20 && f3 == 5) op = OP_SRA;
    return insn(op, bits(w, 11, 7), bits(w, 19, 15), bits(w, 24, 20), 0);
}

static inline Insn decode_op_imm(uint32_t w) {
    static const uint8_t op[8] = {OP_ADDI, OP_SLLI, OP_SLTI, OP_SLTIU, OP_XORI, OP_SRLI, OP_ORI,
                                  OP_ANDI};
    const uint32_t f3 = bits(w, 14, 12), f7 = bits(w, 31, 25);
    Insn i = insn(op[f3], bits(w, 11, 7), bits(w, 19, 15), 0, imm_i(w));
    if (f3 != 1 && f3 != 5) return i;
    i.imm &= 31;
    if (f3 == 5 && f7 == 0x20)
        i.op = OP_SRAI;
    else if (f7 != 0)
        i.op = OP_ILLEGAL;
    return i;
}

/* An instruction of 32 bits without extensions. */
static inline Insn decode_base(uint32_t w) {
    static const uint8_t load[8] = {OP_LB, OP_LH, OP_LW, OP_ILLEGAL, OP_LBU, OP_LHU, OP_ILLEGAL,
                                    OP_ILLEGAL};
    static const uint8_t store[8] = {OP_SB, OP_SH, OP_SW, OP_ILLEGAL, OP_ILLEGAL, OP_ILLEGAL,
                                     OP_ILLEGAL, OP_ILLEGAL};
    static const uint8_t branch[8] = {OP_BEQ, OP_BNE, OP_ILLEGAL, OP_ILLEGAL, OP_BLT, OP_BGE,
                                      OP_BLTU, OP_BGEU};
    const uint32_t rd = bits(w, 11, 7), f3 = bits(w, 14, 12), rs1 = bits(w, 19, 15);
    const uint32_t rs2 = bits(w, 24, 20);
    switch (bits(w, 6, 0)) {
    case 0x37: return insn(OP_LUI, rd, 0, 0, (int32_t)(w & 0xfffff000u));
    case 0x17: return insn(OP_AUIPC, rd, 0, 0, (int32_t)(w & 0xfffff000u));
    case 0x6f: return insn(OP_JAL, rd, 0, 0, imm_j(w));
    case 0x67: return insn(f3 ? OP_ILLEGAL : OP_JALR, rd, rs1, 0, imm_i(w));
    case 0x63: return insn(branch[f3], 0, rs1, rs2, imm_b(w));
    case 0x03: return insn(load[f3], rd, rs1, 0, imm_i(w));
    case 0x23: return insn(store[f3], 0, rs1, rs2, imm_s(w));
    case 0x13: return decode_op_imm(w);
    case 0x33: return decode_op(w);
    case 0x0f: return insn(f3 == 0 ? OP_FENCE : f3 == 1 ? OP_FENCE_I : OP_ILLEGAL, 0, 0, 0, 0);
    case 0x73: return decode_system(w);
    default: return insn(OP_ILLEGAL, 0, 0, 0, 0);
    }
}

/* Compressed registers are x8 to x15. */
static inline uint32_t creg(uint32_t w, int low) { return 8 + bits(w, low + 2, low); }

static inline Insn decode_quadrant0(uint32_t w) {
    const uint32_t near = creg(w, 2), base = creg(w, 7);
    const int32_t word = (int32_t)(bits(w, 5, 5) << 6 | bits(w, 12, 10) << 3 | bits(w, 6, 6) << 2);
    const int32_t stack = (int32_t)(bits(w, 10, 7) << 6 | bits(w, 12, 11) << 4 |
                                    bits(w, 5, 5) << 3 | bits(w, 6, 6) << 2);
    switch (bits(w, 15, 13)) {
    case 0: return insn(stack ? OP_ADDI : OP_ILLEGAL, near, 2, 0, stack); /* c.addi4spn */
    case 2: return insn(OP_LW, near, base, 0, word);
    case 6: return insn(OP_SW, 0, base, near, word);
    default: return insn(OP_ILLEGAL, 0, 0, 0, 0);
    }
}

static inline int32_t cj_offset(uint32_t w) {
    return extend(bits(w, 12, 12) << 11 | bits(w, 8, 8) << 10 | bits(w, 10, 9) << 8 |
                      bits(w, 6, 6) << 7 | bits(w, 7, 7) << 6 | bits(w, 2, 2) << 5 |
                      bits(w, 11, 11) << 4 | bits(w, 5, 3) << 1, 12);
}

static inline Insn decode_quadrant1(uint32_t w) {
    static const uint8_t arithmetic[4] = {OP_SUB, OP_XOR, OP_OR, OP_AND};
    const uint32_t rd = bits(w, 11, 7), near = creg(w, 7), shift = bits(w, 6, 2);
    const int32_t imm = extend(bits(w, 12, 12) << 5 | bits(w, 6, 2), 6);
    const int32_t branch = extend(bits(w, 12, 12) << 8 | bits(w, 6, 5) << 6 | bits(w, 2, 2) << 5 |
                                      bits(w, 11, 10) << 3 | bits(w, 4, 3) << 1, 9);
    const int32_t stack = extend(bits(w, 12, 12) << 9 | bits(w, 4, 3) << 7 | bits(w, 5, 5) << 6 |
                                     bits(w, 2, 2) << 5 | bits(w, 6, 6) << 4, 10);
    switch (bits(w, 15, 13)) {
    case 0: return insn(OP_ADDI, rd, rd, 0, imm);
    case 1: return insn(OP_JAL, 1, 0, 0, cj_offset(w));
    case 2: return insn(OP_ADDI, rd, 0, 0, imm);
    case 3:
        if (imm == 0) return insn(OP_ILLEGAL, 0, 0, 0, 0);
        return rd == 2 ? insn(OP_ADDI, 2, 2, 0, stack)
                       : insn(OP_LUI, rd, 0, 0, (int32_t)((uint32_t)imm << 12));
    case 4:
        if (bits(w, 11, 10) == 2) return insn(OP_ANDI, near, near, 0, imm);
        if (bits(w, 12, 12)) return insn(OP_ILLEGAL, 0, 0, 0, 0); /* shift of 32 or more; RV64 */
        if (bits(w, 11, 10) == 3)
            return insn(arithmetic[bits(w, 6, 5)], near, near, creg(w, 2), 0);
        return insn(bits(w, 10, 10) ? OP_SRAI : OP_SRLI, near, near, 0, (int32_t)shift);
    case 5: return insn(OP_JAL, 0, 0, 0, cj_offset(w));
    case 6: return insn(OP_BEQ, 0, near, 0, branch);
    default: return insn(OP_BNE, 0, near, 0, branch);
    }
}

static inline Insn decode_quadrant2(uint32_t w) {
    const uint32_t rd = bits(w, 11, 7), rs2 = bits(w, 6, 2), top = bits(w, 12, 12);
    const int32_t load = (int32_t)(bits(w, 3, 2) << 6 | top << 5 | bits(w, 6, 4) << 2);
    const int32_t store = (int32_t)(bits(w, 8, 7) << 6 | bits(w, 12, 9) << 2);
    switch (bits(w, 15, 13)) {
    case 0: return insn(top ? OP_ILLEGAL : OP_SLLI, rd, rd, 0, (int32_t)rs2);
    case 2: return insn(rd ? OP_LW : OP_ILLEGAL, rd, 2, 0, load);
    case 4:
        if (rs2) return top ? insn(OP_ADD, rd, rd, rs2, 0) : insn(OP_ADD, rd, 0, rs2, 0);
        if (rd) return insn(OP_JALR, top, rd, 0, 0);
        return insn(top ? OP_EBREAK : OP_ILLEGAL, 0, 0, 0, 0);
    case 6: return insn(OP_SW, 0, 2, rs2, store);
    default: return insn(OP_ILLEGAL, 0, 0, 0, 0);
    }
}

/* A compressed instruction, as the instruction that it stands for. */
static inline Insn decode_compressed(uint32_t w) {
    switch (w & 3) {
    case 0: return decode_quadrant0(w);
    case 1: return decode_quadrant1(w);
    default: return decode_quadrant2(w);
    }
}

#endif
