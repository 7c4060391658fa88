/* Decoder of CORE-V's extension of CV32E40P, version 1.3 and later: its
 * `instruction_set_extensions.rst`.
 */
#ifndef HWGEN_DECODE_XCV_H
#define HWGEN_DECODE_XCV_H

#include "decode_parts.h"

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
    if (f7 < 0x3c) return make(OP_ALU, f7 & 1 ? ALU_CLIPUR : ALU_CLIPR, w);
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

#endif
