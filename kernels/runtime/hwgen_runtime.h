/*
 * Integer arithmetic of emitted C: the same operations that the golden model is defined by,
 * without undefined or implementation-defined behaviour.
 */
#ifndef HWGEN_RUNTIME_H
#define HWGEN_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(int) >= 4, "emitted C counts and multiplies in int, which must have 32 bits");

/* The buffer at a byte offset of the arena. */
static inline void *hwgen_at(void *arena, size_t offset)
{
    return (unsigned char *)arena + offset;
}

/* Arithmetic shift: C leaves >> of negative numbers to the compiler, ~x is never negative here. */
static inline int32_t hwgen_shift_right_i32(int32_t x, int shift)
{
    return x >= 0 ? x >> shift : ~(~x >> shift);
}

static inline int64_t hwgen_shift_right_i64(int64_t x, int shift)
{
    return x >= 0 ? x >> shift : ~(~x >> shift);
}

/* x / 2^shift, rounded to nearest, ties up; x + 2^(shift - 1) must fit the type. */
static inline int32_t hwgen_round_shift_i32(int32_t x, int shift)
{
    return shift > 0 ? hwgen_shift_right_i32(x + ((int32_t)1 << (shift - 1)), shift) : x;
}

static inline int64_t hwgen_round_shift_i64(int64_t x, int shift)
{
    return shift > 0 ? hwgen_shift_right_i64(x + ((int64_t)1 << (shift - 1)), shift) : x;
}

static inline int32_t hwgen_min_i32(int32_t x, int32_t hi)
{
    return x < hi ? x : hi;
}

static inline int64_t hwgen_min_i64(int64_t x, int64_t hi)
{
    return x < hi ? x : hi;
}

static inline int32_t hwgen_max_i32(int32_t x, int32_t lo)
{
    return x > lo ? x : lo;
}

static inline int64_t hwgen_max_i64(int64_t x, int64_t lo)
{
    return x > lo ? x : lo;
}

static inline int32_t hwgen_clip_i32(int32_t x, int32_t lo, int32_t hi)
{
    return hwgen_min_i32(hwgen_max_i32(x, lo), hi);
}

static inline int64_t hwgen_clip_i64(int64_t x, int64_t lo, int64_t hi)
{
    return hwgen_min_i64(hwgen_max_i64(x, lo), hi);
}

/* Weight i of a row of signed 4-bit weights, two a byte, the first in the low half. */
static inline int32_t hwgen_weight_s4(const uint8_t *row, int i)
{
    const unsigned at = (unsigned)i;
    const unsigned field = (unsigned)row[at / 2] >> (at % 2 * 4) & 0xfu;
    return (int32_t)(field ^ 0x8u) - 8;
}

/* Weight i of a row of signed 2-bit weights, four a byte, the first in the low bits. */
static inline int32_t hwgen_weight_s2(const uint8_t *row, int i)
{
    const unsigned at = (unsigned)i;
    const unsigned field = (unsigned)row[at / 4] >> (at % 4 * 2) & 0x3u;
    return (int32_t)(field ^ 0x2u) - 2;
}

/* Weight i of a row of weights in {-1, +1}, eight a byte, the first in the lowest bit; 1 is -1. */
static inline int32_t hwgen_weight_b1(const uint8_t *row, int i)
{
    const unsigned at = (unsigned)i;
    return 1 - 2 * (int32_t)((unsigned)row[at / 8] >> at % 8 & 1u);
}

#endif
