/* Decoder of packed SIMD: the same layout in XpulpV2 and CORE-V, other numbers.
 *
 * From `instruction_set_extensions.rst` of CV32E41P and CV32E40P; the few encodings that the cores
 * accept beyond it are illegal here. Fields that a core reads as a register although they hold an
 * immediate value are registers here too: it stalls for them.
 */
#ifndef HWGEN_DECODE_SIMD_H
#define HWGEN_DECODE_SIMD_H

#include "decode.h"

static inline Insn illegal(void) { return insn(OP_ILLEGAL, 0, 0, 0, 0); }

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
        const int shifts = i.kind == SIMD_SRL || i.kind == SIMD_SRA || i.kind == SIMD_SLL;
        /* CV32E40P checks that a shift is shorter than the lane, by the field's upper bits. */
        if (xcv && shifts && bits(w, 24, i.bytes ? 22 : 23)) return illegal();
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

#endif
