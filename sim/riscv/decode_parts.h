/* Parts that the decoders of XpulpV2 and of CORE-V share: fields that both lay out alike. */
#ifndef HWGEN_DECODE_PARTS_H
#define HWGEN_DECODE_PARTS_H

#include "decode_simd.h"

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

#endif
