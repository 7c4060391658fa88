/* What the extensions' instructions compute: packed SIMD, bit fields, halfword products.
 *
 * From `instruction_set_extensions.rst` of CV32E40P and CV32E41P; where that leaves room, from
 * their cv32e4xp_alu.sv and cv32e4xp_mult.sv.
 */
#ifndef HWGEN_SIMD_H
#define HWGEN_SIMD_H

#include "decode.h"

/* ---- Operations on whole registers -------------------------------------------------------- */

static inline uint32_t leading_zeros(uint32_t value) {
    uint32_t n = 0;
    if (!value) return 32;
    while (!(value & 0x80000000u)) {
        value <<= 1;
        ++n;
    }
    return n;
}

static inline uint32_t count_ones(uint32_t value) {
    uint32_t n = 0;
    for (; value; value &= value - 1) ++n;
    return n;
}

static inline uint32_t arithmetic_right(uint32_t value, uint32_t amount) {
    return (uint32_t)((int32_t)value >> amount);
}

/* Digits of 1, 2 or 3 bits in the opposite order. */
static inline uint32_t reverse_digits(uint32_t value, uint32_t radix) {
    const uint32_t width = radix == 1 ? 2 : radix == 2 ? 3 : 1;
    uint32_t result = 0;
    for (uint32_t k = 0; k < 32 / width; ++k)
        result |= (value >> (32 - width * (k + 1)) & ((1u << width) - 1)) << (width * k);
    return result;
}

/* To -limit - 1 to limit, or to 0 to limit. */
static inline uint32_t clip(uint32_t a, uint32_t limit, int is_signed) {
    const int32_t sa = (int32_t)a, high = (int32_t)limit;
    const int64_t low = is_signed ? -(int64_t)high - 1 : 0;
    return sa <= low ? (uint32_t)low : sa < high ? a : limit;
}

static inline uint32_t alu(uint32_t kind, uint32_t a, uint32_t b, uint32_t d) {
    const int32_t sa = (int32_t)a, sb = (int32_t)b;
    const uint32_t position = b & 31, ones = 0xffffffffu >> (31 - (b >> 5 & 31));
    const uint32_t mask = ones << position;
    switch (kind) {
    case ALU_ABS: return sa < 0 ? 0 - a : a;
    case ALU_SLET: return sa <= sb;
    case ALU_SLETU: return a <= b;
    case ALU_MIN: return sa < sb ? a : b;
    case ALU_MINU: return a < b ? a : b;
    case ALU_MAX: return sa > sb ? a : b;
    case ALU_MAXU: return a > b ? a : b;
    case ALU_ROR: return a >> (b & 31) | a << (-b & 31);
    case ALU_FF1: return a ? 31 - leading_zeros(a & (0 - a)) : 32;
    case ALU_FL1: return a ? 31 - leading_zeros(a) : 32;
    case ALU_CLB: return a ? leading_zeros(sa < 0 ? ~a : a) - 1 : 0;
    case ALU_CNT: return count_ones(a);
    case ALU_EXTHS: return (uint32_t)extend(a, 16);
    case ALU_EXTHZ: return a & 0xffff;
    case ALU_EXTBS: return (uint32_t)extend(a, 8);
    case ALU_EXTBZ: return a & 0xff;
    case ALU_CLIP: return clip(a, b, 1);
    case ALU_CLIPU: return clip(a, b, 0);
    case ALU_CLIPR: return clip(a, b & 0x7fffffff, 1);
    case ALU_CLIPUR: return clip(a, b & 0x7fffffff, 0);
    case ALU_EXTRACT:
        a = arithmetic_right(a, position);
        return a & ((ones >> 1) + 1) ? a | ~ones : a & ones;
    case ALU_EXTRACTU: return a >> position & ones;
    case ALU_INSERT: return (a << position & mask) | (d & ~mask);
    case ALU_BCLR: return a & ~mask;
    case ALU_BSET: return a | mask;
    default: return reverse_digits(a << position, b >> 5 & 3); /* ALU_BITREV */
    }
}

/* Add or subtract, round, shift right. */
static inline uint32_t norm(uint32_t kind, uint32_t a, uint32_t b, uint32_t amount) {
    uint32_t sum = kind & NORM_SUB ? a - b : a + b;
    if (kind & NORM_ROUND) sum += (1u << amount) >> 1;
    return kind & NORM_UNSIGNED ? sum >> amount : arithmetic_right(sum, amount);
}

/* Multiply two halfwords, add, round, shift right. */
static inline uint32_t half_product(uint32_t kind, uint32_t a, uint32_t b, uint32_t d,
                                    uint32_t amount) {
    if (kind & HALF_HIGH) {
        a >>= 16;
        b >>= 16;
    }
    if (kind & HALF_SIGNED) {
        a = (uint32_t)extend(a, 16);
        b = (uint32_t)extend(b, 16);
    } else {
        a &= 0xffff;
        b &= 0xffff;
    }
    uint32_t sum = a * b + (kind & HALF_ADD ? d : 0);
    if (kind & HALF_ROUND) sum += (1u << amount) >> 1;
    return kind & HALF_SIGNED ? arithmetic_right(sum, amount) : sum >> amount;
}

/* ---- Packed elements ---------------------------------------------------------------------- */

static inline uint32_t dot_b(uint32_t a, uint32_t b, int a_signed, int b_signed) {
    uint32_t sum = 0;
    for (int k = 0; k < 32; k += 8) {
        const int32_t x = a_signed ? (int8_t)(a >> k) : (uint8_t)(a >> k);
        const int32_t y = b_signed ? (int8_t)(b >> k) : (uint8_t)(b >> k);
        sum += (uint32_t)(x * y);
    }
    return sum;
}

static inline uint32_t dot_h(uint32_t a, uint32_t b, int a_signed, int b_signed) {
    uint32_t sum = 0;
    for (int k = 0; k < 32; k += 16) {
        const int64_t x = a_signed ? (int16_t)(a >> k) : (uint16_t)(a >> k);
        const int64_t y = b_signed ? (int16_t)(b >> k) : (uint16_t)(b >> k);
        sum += (uint32_t)(x * y);
    }
    return sum;
}

/* An element of a result that has one a lane: x, y as two's complement, ux, uy unsigned. */
static inline uint32_t lane(uint32_t kind, int width, int32_t x, int32_t y, uint32_t ux,
                            uint32_t uy) {
    const uint32_t amount = uy & (uint32_t)(width - 1);
    switch (kind) {
    case SIMD_ADD: return ux + uy;
    case SIMD_SUB: return ux - uy;
    case SIMD_AVG: return (uint32_t)(extend(ux + uy, width) >> 1);
    case SIMD_AVGU: return ((ux + uy) & (0xffffffffu >> (32 - width))) >> 1;
    case SIMD_MIN: return x < y ? ux : uy;
    case SIMD_MINU: return ux < uy ? ux : uy;
    case SIMD_MAX: return x > y ? ux : uy;
    case SIMD_MAXU: return ux > uy ? ux : uy;
    case SIMD_SRL: return ux >> amount;
    case SIMD_SRA: return (uint32_t)(x >> amount);
    case SIMD_SLL: return ux << amount;
    case SIMD_OR: return ux | uy;
    case SIMD_XOR: return ux ^ uy;
    case SIMD_AND: return ux & uy;
    case SIMD_ABS: return x < 0 ? 0 - ux : ux;
    case SIMD_CMPEQ: return ux == uy ? 0xffffffffu : 0;
    case SIMD_CMPNE: return ux != uy ? 0xffffffffu : 0;
    case SIMD_CMPGT: return x > y ? 0xffffffffu : 0;
    case SIMD_CMPGE: return x >= y ? 0xffffffffu : 0;
    case SIMD_CMPLT: return x < y ? 0xffffffffu : 0;
    case SIMD_CMPLE: return x <= y ? 0xffffffffu : 0;
    case SIMD_CMPGTU: return ux > uy ? 0xffffffffu : 0;
    case SIMD_CMPGEU: return ux >= uy ? 0xffffffffu : 0;
    case SIMD_CMPLTU: return ux < uy ? 0xffffffffu : 0;
    default: return ux <= uy ? 0xffffffffu : 0; /* SIMD_CMPLEU */
    }
}

static inline uint32_t lanes(uint32_t kind, int width, uint32_t a, uint32_t b) {
    const uint32_t ones = 0xffffffffu >> (32 - width);
    uint32_t result = 0;
    for (int k = 0; k < 32; k += width) {
        const uint32_t ux = a >> k & ones, uy = b >> k & ones;
        result |= (lane(kind, width, extend(ux, width), extend(uy, width), ux, uy) & ones) << k;
    }
    return result;
}

/* Element `index[k]` of `a` at place k; of `d` where bit `select` of index[k] is 0. */
static inline uint32_t shuffle(int width, uint32_t a, uint32_t b, uint32_t d, int two) {
    const uint32_t ones = 0xffffffffu >> (32 - width), last = 32 / (uint32_t)width - 1;
    uint32_t result = 0;
    for (int k = 0; k < 32; k += width) {
        const uint32_t index = b >> k;
        const uint32_t from = two && !(index & (last + 1)) ? d : a;
        result |= (from >> ((index & last) * (uint32_t)width) & ones) << k;
    }
    return result;
}

/* Complex numbers: real part in the lower half, imaginary part in the upper. */
static inline uint32_t complex_op(uint32_t kind, uint32_t a, uint32_t b, uint32_t d,
                                  uint32_t amount) {
    const int32_t ar = extend(a, 16), ai = (int32_t)a >> 16, br = extend(b, 16);
    const int32_t bi = (int32_t)b >> 16;
    int32_t high, low;
    switch (kind) {
    case SIMD_CPLXMUL_R:
        low = (int32_t)(uint32_t)((int64_t)ar * br - (int64_t)ai * bi) >> (15 + amount);
        return (d & 0xffff0000u) | ((uint32_t)low & 0xffff);
    case SIMD_CPLXMUL_I:
        high = (int32_t)(uint32_t)((int64_t)ar * bi + (int64_t)ai * br) >> (15 + amount);
        return (uint32_t)high << 16 | (d & 0xffff);
    case SIMD_CPLXCONJ: return (uint32_t)-ai << 16 | (a & 0xffff);
    case SIMD_SUBROTMJ:
        high = extend((uint32_t)(br - ar), 16);
        low = extend((uint32_t)(ai - bi), 16);
        break;
    case SIMD_ADD_DIV:
        high = extend((uint32_t)(ai + bi), 16);
        low = extend((uint32_t)(ar + br), 16);
        break;
    default: /* SIMD_SUB_DIV */
        high = extend((uint32_t)(ai - bi), 16);
        low = extend((uint32_t)(ar - br), 16);
        break;
    }
    return (uint32_t)(high >> amount) << 16 | ((uint32_t)(low >> amount) & 0xffff);
}

/* a: rs1, b: the second operand in all its places, d: rd. */
static inline uint32_t simd(const Insn *i, uint32_t a, uint32_t b, uint32_t d) {
    const int width = i->bytes ? 8 : 16;
    const uint32_t ones = i->bytes ? 0xff : 0xffff;
    const uint32_t place = i->amount * (uint32_t)width;
    switch (i->kind) {
    case SIMD_EXTRACT: return (uint32_t)extend(a >> place, width);
    case SIMD_EXTRACTU: return a >> place & ones;
    case SIMD_INSERT: return (d & ~(ones << place)) | (a & ones) << place;
    case SIMD_DOTUP: return i->bytes ? dot_b(a, b, 0, 0) : dot_h(a, b, 0, 0);
    case SIMD_DOTUSP: return i->bytes ? dot_b(a, b, 0, 1) : dot_h(a, b, 0, 1);
    case SIMD_DOTSP: return i->bytes ? dot_b(a, b, 1, 1) : dot_h(a, b, 1, 1);
    case SIMD_SDOTUP: return d + (i->bytes ? dot_b(a, b, 0, 0) : dot_h(a, b, 0, 0));
    case SIMD_SDOTUSP: return d + (i->bytes ? dot_b(a, b, 0, 1) : dot_h(a, b, 0, 1));
    case SIMD_SDOTSP: return d + (i->bytes ? dot_b(a, b, 1, 1) : dot_h(a, b, 1, 1));
    case SIMD_SHUFFLE: return shuffle(width, a, b, d, 0);
    case SIMD_SHUFFLE2: return shuffle(width, a, b, d, 1);
    case SIMD_PACKLO_H: return a << 16 | (b & 0xffff);
    case SIMD_PACKHI_H: return (a & 0xffff0000u) | b >> 16;
    case SIMD_PACKLO_B: return (d & 0xffff0000u) | (a & 0xff) << 8 | (b & 0xff);
    case SIMD_PACKHI_B: return (d & 0xffff) | (a & 0xff) << 24 | (b & 0xff) << 16;
    case SIMD_CPLXMUL_R:
    case SIMD_CPLXMUL_I:
    case SIMD_CPLXCONJ:
    case SIMD_SUBROTMJ:
    case SIMD_ADD_DIV:
    case SIMD_SUB_DIV: return complex_op(i->kind, a, b, d, i->amount);
    default: return lanes(i->kind, width, a, b);
    }
}

#endif
