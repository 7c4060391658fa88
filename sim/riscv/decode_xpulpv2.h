/* Decoder of XpulpV2, the extension of RI5CY, GAP8 and CV32E41P: `instruction_set_extensions.rst`
 * of CV32E41P.
 */
#ifndef HWGEN_DECODE_XPULPV2_H
#define HWGEN_DECODE_XPULPV2_H

#include "decode_parts.h"

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

#endif
