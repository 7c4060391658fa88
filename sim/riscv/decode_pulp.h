/* Decoders of the extensions: XpulpV2 (RI5CY, GAP8, CV32E41P) and CORE-V's (CV32E40P).
 *
 * Written from `instruction_set_extensions.rst` of both cores; the few encodings that the cores
 * accept beyond it are illegal here. Fields that a core reads as a register although they hold an
 * immediate value are registers here too: it stalls for them.
 */
#ifndef HWGEN_DECODE_PULP_H
#define HWGEN_DECODE_PULP_H

#include "decode.h"

static inline Insn illegal(void) { return insn(OP_ILLEGAL, 0, 0, 0, 0); }

/* ---- Packed SIMD: the same layout in both, other numbers ---------------------------------- */

/* By bits 31..26. The first half of both tables is the same. */
static const uint8_t simd_kinds[2][64] = {
    {SIMD_ADD, SIMD_CMPEQ, SIMD_SUB, SIMD_CMPNE, SIMD_AVG, SIMD_CMPGT, SIMD_AVGU, SIMD_CMPGE,
     SIMD_MIN, SIMD_CMPLT, SIMD_MINU, SIMD_CMPLE, SIMD_MAX, SIMD_CMPGTU, SIMD_MAXU, SIMD_CMPGEU,
     SIMD_SRL, SIMD_CMPLTU, SIMD_SRA, SIMD_CMPLEU, SIMD_SLL, SIMD_CPLXMUL_R, SIMD_OR, SIMD_CPLXCONJ,
     SIMD_XOR, SIMD_SUB_DIV, SIMD_AND, SIMD_SUBROTMJ, SIMD_ABS, SIMD_ADD_DIV, SIMD_EXTRACT, SIMD_NONE,
     SIMD_DOTUP, SIMD_NONE, SIMD_DOTUSP, SIMD_NONE, SIMD_EXTRACTU, SIMD_NONE, SIMD_DOTSP, SIMD_NONE,
     SIMD_SDOTUP, SIMD_NONE, SIMD_SDOTUSP, SIMD_NONE, SIMD_INSERT, SIMD_NONE, SIMD_SDOTSP, SIMD_NONE,
     SIMD_SHUFFLE, SIMD_NONE, SIMD_SHUFFLE2, SIMD_NONE, SIMD_PACKLO_H, SIMD_NONE, SIMD_PACKHI_B,
     SIMD_NONE, SIMD_PACKLO_B, SIMD_NONE, SIMD_SHUFFLE, SIMD_NONE, SIMD_SHUFFLE, SIMD_NONE,
     SIMD_SHUFFLE, SIMD_NONE},
    {SIMD_ADD, SIMD_CMPEQ, SIMD_SUB, SIMD_CMPNE, SIMD_AVG, SIMD_CMPGT, SIMD_AVGU, SIMD_CMPGE,
     SIMD_MIN, SIMD_CMPLT, SIMD_MINU, SIMD_CMPLE, SIMD_MAX, SIMD_CMPGTU, SIMD_MAXU, SIMD_CMPGEU,
     SIMD_SRL, SIMD_CMPLTU, SIMD_SRA, SIMD_CMPLEU, SIMD_SLL, SIMD_CPLXMUL_R, SIMD_OR, SIMD_CPLXCONJ,
     SIMD_XOR, SIMD_SUBROTMJ, SIMD_AND, SIMD_ADD_DIV, SIMD_ABS, SIMD_SUB_DIV, SIMD_NONE, SIMD_NONE,
     SIMD_DOTUP, SIMD_NONE, SIMD_DOTUSP, SIMD_NONE, SIMD_DOTSP, SIMD_NONE, SIMD_SDOTUP, SIMD_NONE,
     SIMD_SDOTUSP, SIMD_NONE, SIMD_SDOTSP, SIMD_NONE, SIMD_NONE, SIMD_NONE, SIMD_EXTRACT, SIMD_NONE,
     SIMD_SHUFFLE, SIMD_NONE, SIMD_SHUFFLE, SIMD_NONE, SIMD_SHUFFLE, SIMD_NONE, SIMD_SHUFFLE,
     SIMD_NONE, SIMD_SHUFFLE2, SIMD_NONE, SIMD_NONE, SIMD_NONE, SIMD_PACKLO_H, SIMD_NONE,
     SIMD_PACKLO_B, SIMD_NONE}};

static inline int simd_is_unsigned(uint32_t kind) {
    return kind == SIMD_AVGU || kind == SIMD_MINU || kind == SIMD_MAXU || kind == SIMD_DOTUP ||
           kind == SIMD_SDOTUP || kind >= SIMD_CMPGTU;
}

/* An element's place (extract, insert): bit 0 of the immediate value lies at 25, bit 1 at 20. */
static inline Insn decode_place(Insn i, uint32_t w) {
    i.amount = (uint8_t)(bits(w, 25, 25) | bits(w, 20, 20) << 1);
    if (bits(w, 24, 21) || (!i.bytes && i.amount > 1)) i.op = OP_ILLEGAL;
    if (i.kind == SIMD_INSERT) i.rs3 = i.rd;
    return i;
}

/* Shuffles by an immediate value: two bits a byte, the top byte's in the operation code. */
static inline Insn decode_shuffle(Insn i, uint32_t w, uint32_t variant) {
    i.imm = i.bytes ? (int32_t)(variant << 24 | bits(w, 24, 23) << 16 | bits(w, 22, 21) << 8 |
                                bits(w, 20, 20) << 1 | bits(w, 25, 25))
                    : (int32_t)(bits(w, 20, 20) << 16 | bits(w, 25, 25));
    if (!i.bytes && (variant || bits(w, 24, 21))) i.op = OP_ILLEGAL;
    return i;
}

static inline Insn decode_complex(Insn i, uint32_t w) {
    const uint32_t f3 = bits(w, 14, 12);
    const int has_plain = i.kind != SIMD_ADD_DIV && i.kind != SIMD_SUB_DIV;
    if (i.kind == SIMD_CPLXMUL_R) {
        i.rs3 = i.rd;
        if (bits(w, 25, 25)) i.kind = SIMD_CPLXMUL_I;
    } else if (bits(w, 25, 25))
        i.op = OP_ILLEGAL;
    if (i.kind == SIMD_CPLXCONJ && (f3 || i.rs2)) i.op = OP_ILLEGAL;
    if (f3 & 1 || (!f3 && !has_plain)) i.op = OP_ILLEGAL;
    i.amount = (uint8_t)(f3 >> 1);
    return i;
}

static inline Insn decode_simd(uint32_t w, int xcv) {
    static const uint8_t forms[4] = {FORM_REGISTER, 0xff, FORM_SCALAR, FORM_IMMEDIATE};
    const uint32_t code = bits(w, 31, 26), f3 = bits(w, 14, 12), top = bits(w, 25, 25);
    Insn i = insn(OP_SIMD, bits(w, 11, 7), bits(w, 19, 15), bits(w, 24, 20), 0);
    i.kind = simd_kinds[xcv][code];
    i.bytes = f3 & 1;
    i.form = forms[f3 >> 1];
    switch (i.kind) {
    case SIMD_NONE: return illegal();
    case SIMD_CPLXMUL_R:
    case SIMD_CPLXCONJ:
    case SIMD_SUBROTMJ:
    case SIMD_ADD_DIV:
    case SIMD_SUB_DIV:
        i.form = FORM_REGISTER;
        return decode_complex(i, w);
    case SIMD_EXTRACT:
    case SIMD_EXTRACTU:
    case SIMD_INSERT:
        if (xcv) { /* funct3 says which of them */
            static const uint8_t kinds[4] = {SIMD_EXTRACT, SIMD_EXTRACTU, SIMD_INSERT, SIMD_NONE};
            i.kind = kinds[f3 >> 1];
            if (i.kind == SIMD_NONE) return illegal();
        } else {
            if (i.form != FORM_IMMEDIATE) return illegal();
            i.rs2 = 0;
        }
        i.form = FORM_REGISTER;
        return decode_place(i, w);
    case SIMD_SHUFFLE:
        if (i.form == FORM_SCALAR || i.form == 0xff) return illegal();
        if (i.form == FORM_IMMEDIATE) {
            const uint32_t first = xcv ? 0x30 : 0x38; /* code of variant 0, less 2 a variant */
            return decode_shuffle(i, w, code == 0x30 ? 0 : (code - first) / 2);
        }
        if (code != 0x30 || top) return illegal();
        return i;
    case SIMD_SHUFFLE2:
        if (i.form != FORM_REGISTER || top) return illegal();
        i.rs3 = i.rd;
        return i;
    case SIMD_PACKLO_H:
        if (f3 != 0) return illegal();
        if (top) i.kind = SIMD_PACKHI_H;
        return i;
    case SIMD_PACKLO_B:
    case SIMD_PACKHI_B:
        if (f3 != 1 || (top && !xcv)) return illegal();
        if (top) i.kind = SIMD_PACKHI_B;
        i.rs3 = i.rd;
        return i;
    case SIMD_ABS:
        if (i.form != FORM_REGISTER || i.rs2 || top) return illegal();
        return i;
    default: break;
    }
    if (i.form == 0xff || (i.form != FORM_IMMEDIATE && top)) return illegal();
    if (i.form == FORM_IMMEDIATE) {
        const uint32_t raw = bits(w, 24, 20) << 1 | top;
        const uint32_t value = simd_is_unsigned(i.kind) ? raw : (uint32_t)extend(raw, 6);
        i.imm = (int32_t)(i.bytes ? (value & 0xff) * 0x01010101u : (value & 0xffff) * 0x00010001u);
        i.rs2 = 0;
    }
    if (i.kind >= SIMD_SDOTUP && i.kind <= SIMD_SDOTSP) i.rs3 = i.rd;
    if (i.form == FORM_REGISTER) {
        if (i.kind == SIMD_SDOTSP) i.op = i.bytes ? OP_SDOTSP_B : OP_SDOTSP_H;
        if (i.kind == SIMD_SDOTUSP && i.bytes) i.op = OP_SDOTUSP_B;
        if (i.kind == SIMD_SDOTUP && i.bytes) i.op = OP_SDOTUP_B;
        if (i.kind == SIMD_DOTSP && i.bytes) i.op = OP_DOTSP_B;
    }
    return i;
}

/* ---- Shared parts ------------------------------------------------------------------------- */

static inline Insn make(int op, uint32_t kind, uint32_t w) {
    Insn i = insn(op, bits(w, 11, 7), bits(w, 19, 15), bits(w, 24, 20), 0);
    i.kind = (uint16_t)kind;
    return i;
}

/* One operand: the other's field is 0. */
static inline Insn make_unary(uint32_t kind, uint32_t w) {
    return bits(w, 24, 20) ? illegal() : make(OP_ALU, kind, w);
}

static inline Insn make_clip(uint32_t kind, uint32_t w) {
    Insn i = make(OP_ALU, kind, w);
    i.imm = (int32_t)(((1u << bits(w, 24, 20)) - 1) >> 1);
    i.rs2 = 0;
    i.form = FORM_IMMEDIATE;
    return i;
}

/* Bit fields: width - 1 in 29..25, position in 24..20. */
static inline Insn make_field(uint32_t kind, uint32_t w) {
    Insn i = make(OP_ALU, kind, w);
    i.imm = (int32_t)bits(w, 29, 20);
    i.rs2 = 0;
    i.form = FORM_IMMEDIATE;
    if (kind == ALU_INSERT || kind == ALU_BITREV) i.rs3 = i.rd; /* bitrev: it only stalls */
    return i;
}

static inline Insn make_field_register(uint32_t kind, uint32_t w) {
    Insn i = make(OP_ALU, kind, w);
    if (kind == ALU_INSERT) i.rs3 = i.rd;
    return i;
}

static inline Insn make_norm(uint32_t kind, uint32_t w) {
    Insn i = make(OP_NORM, kind, w);
    i.amount = (uint8_t)bits(w, 29, 25);
    if (kind & NORM_REGISTER) i.rs3 = i.rd;
    return i;
}

static inline Insn make_half(uint32_t kind, uint32_t w) {
    Insn i = make(OP_HALF, kind, w);
    i.amount = (uint8_t)bits(w, 29, 25);
    if (kind & HALF_ADD) i.rs3 = i.rd;
    return i;
}

static inline Insn make_multiply(int op, uint32_t w) {
    Insn i = make(op, 0, w);
    i.rs3 = i.rd;
    return i;
}

static inline Insn make_branch(int op, uint32_t w) {
    Insn i = insn(op, 0, bits(w, 19, 15), 0, imm_b(w));
    i.amount = (uint8_t)extend(bits(w, 24, 20), 5);
    return i;
}

/* A load or store whose second address operand is a register: rs2, or rd of a store. */
static inline Insn make_indexed(int op, int post, uint32_t w) {
    Insn i = make(op + (post ? 3 : 2), 0, w);
    if (op >= OP_SB) {
        i.rs3 = i.rd;
        i.rd = 0;
    }
    return i;
}

/* ---- XpulpV2 ------------------------------------------------------------------------------ */

static inline Insn decode_xpulpv2_op(uint32_t w) {
    static const uint8_t fields[8] = {ALU_EXTRACT, ALU_EXTRACTU, ALU_INSERT, ALU_BCLR, ALU_BSET,
                                      ALU_BITREV, 0, 0};
    static const uint8_t pairs[8] = {0, 0, ALU_SLET, ALU_SLETU, ALU_MIN, ALU_MINU, ALU_MAX,
                                     ALU_MAXU};
    static const uint8_t singles[8] = {ALU_FF1, ALU_FL1, ALU_CLB, ALU_CNT, ALU_EXTHS, ALU_EXTHZ,
                                       ALU_EXTBS, ALU_EXTBZ};
    const uint32_t f3 = bits(w, 14, 12), f7 = bits(w, 31, 25);
    if (f7 >= 0x60) return f3 < 6 ? make_field(fields[f3], w) : illegal();
    switch (f7) {
    case 0x40: return f3 < 5 ? make_field_register(fields[f3], w) : illegal();
    case 0x02:
        if (f3 == 0) return make_unary(ALU_ABS, w);
        return f3 >= 2 ? make(OP_ALU, pairs[f3], w) : illegal();
    case 0x04: return f3 == 5 ? make(OP_ALU, ALU_ROR, w) : illegal();
    case 0x08: return make_unary(singles[f3], w);
    case 0x0a:
        if (f3 == 1) return make_clip(ALU_CLIP, w);
        if (f3 == 2) return make_clip(ALU_CLIPU, w);
        if (f3 == 5) return make(OP_ALU, ALU_CLIP, w);
        if (f3 == 6) return make(OP_ALU, ALU_CLIPU, w);
        return illegal();
    case 0x21: return f3 < 2 ? make_multiply(f3 ? OP_MSU : OP_MAC, w) : illegal();
    default: return decode_op(w);
    }
}

static inline Insn decode_xpulpv2_mul(uint32_t w) {
    const uint32_t f3 = bits(w, 14, 12), top = bits(w, 31, 31), next = bits(w, 30, 30);
    const uint32_t round = f3 >> 2;
    if ((f3 & 3) < 2)
        return make_half((next ? HALF_HIGH : 0) | (top ? HALF_SIGNED : 0) |
                             (round ? HALF_ROUND : 0) | (f3 & 1 ? HALF_ADD : 0), w);
    if (next && bits(w, 29, 25)) return illegal();
    return make_norm((f3 & 1 ? NORM_SUB : 0) | (top ? NORM_UNSIGNED : 0) |
                         (round ? NORM_ROUND : 0) | (next ? NORM_REGISTER : 0), w);
}

static inline Insn decode_xpulpv2_load(uint32_t w, int post) {
    static const uint8_t ops[8] = {OP_LB, OP_LH, OP_LW, 0, OP_LBU, OP_LHU, 0, 0};
    const uint32_t f3 = bits(w, 14, 12);
    if (ops[f3]) return insn(ops[f3] + post, bits(w, 11, 7), bits(w, 19, 15), 0, imm_i(w));
    if (f3 != 7) return illegal();
    switch (bits(w, 31, 25)) {
    case 0x00: return make_indexed(OP_LB, post, w);
    case 0x20: return make_indexed(OP_LBU, post, w);
    case 0x08: return make_indexed(OP_LH, post, w);
    case 0x28: return make_indexed(OP_LHU, post, w);
    case 0x10: return make_indexed(OP_LW, post, w);
    default: return illegal();
    }
}

static inline Insn decode_xpulpv2_store(uint32_t w, int post) {
    static const uint8_t ops[4] = {OP_SB, OP_SH, OP_SW, 0};
    const uint32_t f3 = bits(w, 14, 12);
    const int op = ops[f3 & 3];
    if (!op || (f3 >= 4 && bits(w, 31, 25))) return illegal();
    if (f3 >= 4) return make_indexed(op, post, w);
    return insn(op + post, 0, bits(w, 19, 15), bits(w, 24, 20), imm_s(w));
}

/* The end that the instruction names is the last instruction of the body; ours is behind it. */
static inline Insn decode_xpulpv2_loop(uint32_t w) {
    const uint32_t f3 = bits(w, 14, 12), number = bits(w, 7, 7), rs1 = bits(w, 19, 15);
    const int32_t wide = (int32_t)bits(w, 31, 20), narrow = (int32_t)rs1;
    Insn i = insn(OP_ILLEGAL, 0, 0, 0, 0);
    i.kind = (uint16_t)number;
    i.form = FORM_IMMEDIATE;
    if (bits(w, 11, 8)) return i;
    switch (f3) {
    case 0:
    case 1:
        i.op = f3 ? OP_LOOP_END : OP_LOOP_START;
        i.imm = 2 * wide + (f3 ? 4 : 0);
        if (rs1) i.op = OP_ILLEGAL;
        break;
    case 2:
        i.op = wide ? OP_ILLEGAL : OP_LOOP_COUNT;
        i.form = FORM_REGISTER;
        i.rs1 = (uint8_t)rs1;
        break;
    case 3:
        i.op = rs1 ? OP_ILLEGAL : OP_LOOP_COUNT;
        i.kind = (uint16_t)(number + 2 * (uint32_t)wide);
        break;
    case 4:
        i.op = OP_LOOP_SETUP;
        i.form = FORM_REGISTER;
        i.rs1 = (uint8_t)rs1;
        i.imm = 2 * wide + 4;
        break;
    case 5:
        i.op = OP_LOOP_SETUP;
        i.kind = (uint16_t)(number + 2 * (uint32_t)wide);
        i.imm = 2 * narrow + 4;
        break;
    default: break;
    }
    return i;
}

static inline Insn decode_xpulpv2(uint32_t w) {
    const uint32_t f3 = bits(w, 14, 12);
    switch (bits(w, 6, 0)) {
    case 0x33: return decode_xpulpv2_op(w);
    case 0x5b: return decode_xpulpv2_mul(w);
    case 0x57: return decode_simd(w, 0);
    case 0x03: return decode_xpulpv2_load(w, 0);
    case 0x0b: return decode_xpulpv2_load(w, 1);
    case 0x23: return decode_xpulpv2_store(w, 0);
    case 0x2b: return decode_xpulpv2_store(w, 1);
    case 0x7b: return decode_xpulpv2_loop(w);
    case 0x63:
        if (f3 == 2 || f3 == 3) return make_branch(f3 == 2 ? OP_BEQIMM : OP_BNEIMM, w);
        return decode_base(w);
    default: return decode_base(w);
    }
}

/* ---- CORE-V ------------------------------------------------------------------------------- */

static inline Insn decode_xcv_custom0(uint32_t w) {
    static const uint8_t ops[8] = {OP_LB_POST, OP_LH_POST, OP_LW_POST, 0, OP_LBU_POST, OP_LHU_POST,
                                   0, 0};
    const uint32_t f3 = bits(w, 14, 12);
    if (f3 >= 6) return make_branch(f3 == 6 ? OP_BEQIMM : OP_BNEIMM, w);
    if (!ops[f3]) return illegal();
    return insn(ops[f3], bits(w, 11, 7), bits(w, 19, 15), 0, imm_i(w));
}

/* Plane A of custom-1: by funct7. */
static inline Insn decode_xcv_register(uint32_t w) {
    static const uint8_t loads[8] = {OP_LB, OP_LH, OP_LW, 0, OP_LBU, OP_LHU, 0, 0};
    static const uint8_t stores[4] = {OP_SB, OP_SH, OP_SW, 0};
    static const uint8_t fields[8] = {ALU_EXTRACT, ALU_EXTRACTU, ALU_INSERT, 0xff, ALU_BCLR,
                                      ALU_BSET, 0xff, 0xff};
    static const uint8_t bit_counts[4] = {ALU_FF1, ALU_FL1, ALU_CLB, ALU_CNT};
    static const uint8_t pairs[8] = {0, ALU_SLET, ALU_SLETU, ALU_MIN, ALU_MINU, ALU_MAX, ALU_MAXU,
                                     0xff};
    static const uint8_t extensions[4] = {ALU_EXTHS, ALU_EXTHZ, ALU_EXTBS, ALU_EXTBZ};
    const uint32_t f7 = bits(w, 31, 25), low = f7 & 7;
    const int post = !(f7 & 4);
    if (f7 < 0x10) {
        const int op = loads[(f7 >> 1 & 4) | (f7 & 3)];
        return op ? make_indexed(op, post, w) : illegal();
    }
    if (f7 < 0x18) return stores[f7 & 3] ? make_indexed(stores[f7 & 3], post, w) : illegal();
    if (f7 < 0x20) return fields[low] != 0xff ? make_field_register(fields[low], w) : illegal();
    if (f7 == 0x20) return make(OP_ALU, ALU_ROR, w);
    if (f7 <= 0x24) return make_unary(bit_counts[f7 - 0x21], w);
    if (f7 < 0x28) return illegal();
    if (f7 == 0x28) return make_unary(ALU_ABS, w);
    if (f7 < 0x30) return pairs[low] != 0xff ? make(OP_ALU, pairs[low], w) : illegal();
    if (f7 < 0x34) return make_unary(extensions[f7 - 0x30], w);
    if (f7 < 0x38) return illegal();
    if (f7 < 0x3a) return make_clip(f7 & 1 ? ALU_CLIPU : ALU_CLIP, w);
    if (f7 < 0x3c) return make(OP_ALU, f7 & 1 ? ALU_CLIPU : ALU_CLIP, w);
    if (f7 < 0x40) return illegal();
    if (f7 < 0x48)
        return make_norm((f7 & 4 ? NORM_SUB : 0) | (f7 & 1 ? NORM_UNSIGNED : 0) |
                             (f7 & 2 ? NORM_ROUND : 0) | NORM_REGISTER, w);
    if (f7 < 0x4a) return make_multiply(f7 & 1 ? OP_MSU : OP_MAC, w);
    return illegal();
}

/* Plane B of custom-1: hardware loops by bits 11..8. The end lies behind the body. */
static inline Insn decode_xcv_loop(uint32_t w) {
    const uint32_t number = bits(w, 7, 7), rs1 = bits(w, 19, 15), code = bits(w, 11, 8);
    const int32_t wide = (int32_t)bits(w, 31, 20);
    Insn i = insn(OP_ILLEGAL, 0, 0, 0, 0);
    const int from_register = code & 1;
    i.kind = (uint16_t)number;
    i.form = from_register ? FORM_REGISTER : FORM_IMMEDIATE;
    if (from_register) i.rs1 = (uint8_t)rs1;
    switch (code >> 1) {
    case 0:
    case 1:
        i.op = code >> 1 ? OP_LOOP_END : OP_LOOP_START;
        i.imm = 4 * wide;
        break;
    case 2:
        i.op = OP_LOOP_COUNT;
        if (!from_register) i.kind = (uint16_t)(number + 2 * (uint32_t)wide);
        break;
    case 3:
        i.op = OP_LOOP_SETUP;
        i.imm = 4 * (from_register ? wide : (int32_t)rs1);
        if (!from_register) i.kind = (uint16_t)(number + 2 * (uint32_t)wide);
        return i;
    default: return i;
    }
    if (from_register ? wide : (int32_t)rs1) i.op = OP_ILLEGAL;
    return i;
}

static inline Insn decode_xcv_custom2(uint32_t w) {
    const uint32_t f3 = bits(w, 14, 12), top = bits(w, 31, 30);
    const uint32_t high = top & 1, round = top >> 1;
    static const uint8_t fields[8] = {ALU_EXTRACT, ALU_EXTRACTU, ALU_INSERT, 0xff, ALU_BCLR,
                                      ALU_BSET, 0xff, ALU_BITREV};
    if (f3 < 2) {
        const uint8_t kind = fields[4 * f3 + top];
        if (kind == 0xff || (kind == ALU_BITREV && bits(w, 29, 27))) return illegal();
        return make_field(kind, w);
    }
    if (f3 < 4)
        return make_norm((f3 & 1 ? NORM_SUB : 0) | (high ? NORM_UNSIGNED : 0) |
                             (round ? NORM_ROUND : 0), w);
    return make_half((high ? HALF_HIGH : 0) | (f3 & 1 ? 0 : HALF_SIGNED) |
                         (round ? HALF_ROUND : 0) | (f3 & 2 ? HALF_ADD : 0), w);
}

static inline Insn decode_xcv(uint32_t w) {
    static const uint8_t stores[3] = {OP_SB_POST, OP_SH_POST, OP_SW_POST};
    const uint32_t f3 = bits(w, 14, 12);
    switch (bits(w, 6, 0)) {
    case 0x0b: return decode_xcv_custom0(w);
    case 0x2b:
        if (f3 < 3) return insn(stores[f3], 0, bits(w, 19, 15), bits(w, 24, 20), imm_s(w));
        if (f3 == 3) return decode_xcv_register(w);
        return f3 == 4 ? decode_xcv_loop(w) : illegal();
    case 0x5b: return decode_xcv_custom2(w);
    case 0x7b: return decode_simd(w, 1);
    default: return decode_base(w);
    }
}

/* An instruction of 32 bits on a core with the extensions `isa`. */
static inline Insn decode(uint32_t w, uint32_t isa) {
    if (isa == ISA_XPULPV2) return decode_xpulpv2(w);
    return isa == ISA_XCV ? decode_xcv(w) : decode_base(w);
}

#endif
