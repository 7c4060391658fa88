/*
 * Integer arithmetic of emitted C: the same operations that the golden model is defined by,
 * without undefined or implementation-defined behaviour.
 */
#ifndef HWGEN_RUNTIME_H
#define HWGEN_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "hwgen_simd.h"

_Static_assert(sizeof(int) >= 4, "emitted C counts and multiplies in int, which must have 32 bits");

/* Stays a function of its own: it has all registers, profiles and traps name it. */
#if defined(__GNUC__)
#define HWGEN_APART __attribute__((noinline)) static
#else
#define HWGEN_APART static
#endif

/* Becomes a part of who calls it, so that what its pointers point to can stay in registers. */
#if defined(__GNUC__)
#define HWGEN_INSIDE __attribute__((always_inline)) static inline
#else
#define HWGEN_INSIDE static inline
#endif

/* Compiled for several processors, of which the one that runs it is chosen at the start. */
#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__clang__) && !defined(__AVX2__) && \
    !defined(__SANITIZE_ADDRESS__)
#define HWGEN_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define HWGEN_CLONES
#endif

/* Before a loop that must vanish, so that what it indexes can stay in registers. */
#if defined(__clang__)
#define HWGEN_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define HWGEN_UNROLL _Pragma("GCC unroll 16")
#else
#define HWGEN_UNROLL
#endif

/* Before a loop of which N rounds shall stand behind each other. */
#if defined(__clang__)
#define HWGEN_UNROLL_BY(N) HWGEN_PRAGMA(clang loop unroll_count(N))
#elif defined(__GNUC__)
#define HWGEN_UNROLL_BY(N) HWGEN_PRAGMA(GCC unroll N)
#else
#define HWGEN_UNROLL_BY(N)
#endif
#define HWGEN_PRAGMA(TEXT) _Pragma(#TEXT)

/* The buffer at a byte offset of the arena. */
static inline void *hwgen_at(void *arena, size_t offset)
{
    return (unsigned char *)arena + offset;
}

/* Arithmetic shift, as hwgen_shift_right_i32. */
static inline int64_t hwgen_shift_right_i64(int64_t x, int shift)
{
    return x >= 0 ? x >> shift : ~(~x >> shift);
}

/* x / 2^shift, rounded to nearest, ties up; x + 2^(shift - 1) must fit the type. */
static inline int64_t hwgen_round_shift_i64(int64_t x, int shift)
{
    return shift > 0 ? hwgen_shift_right_i64(x + ((int64_t)1 << (shift - 1)), shift) : x;
}

/* The high half of the 64-bit product. */
static inline int32_t hwgen_mul_high(int32_t x, int32_t y)
{
    return (int32_t)hwgen_shift_right_i64((int64_t)x * y, 32);
}

/*
 * x * m / 2^shift, rounded to nearest, ties up; x and m fit 16 signed bits, shift is 1 to 31.
 * One instruction of DSP cores where the compiler knows the shift.
 */
static inline int32_t hwgen_scale_i16(int32_t x, int32_t m, int shift)
{
#if defined(HWGEN_ASSEMBLY)
    if (__builtin_constant_p(shift)) {
        int32_t y;
        __asm__(HWGEN_P_MULSRN("%0", "%1", "%2", "%3") : "=r"(y) : "r"(x), "r"(m), "i"(shift));
        return y;
    }
#elif defined(HWGEN_GREENWAVES)
    if (__builtin_constant_p(shift)) {
        return __builtin_pulp_mulsRN(x, m, (unsigned)shift, 1u << (shift - 1));
    }
#endif
    return hwgen_round_shift_i32(x * m, shift);
}

/*
 * x * f / 2^(16 + shift), rounded to nearest, ties up; both halves of m are the factor f, which
 * is 0 or more, shift is 1 to 31. Two products of 16 bits on DSP cores, which have no fast one of
 * 64 bits.
 */
static inline int32_t hwgen_scale_i32(int32_t x, int32_t m, int shift)
{
#if defined(HWGEN_ASSEMBLY)
    if (__builtin_constant_p(shift)) {
        int32_t y;
        __asm__(HWGEN_P_MULUN("%0", "%1", "%2", "16") HWGEN_P_MACHHSRN("%0", "%1", "%2", "%3")
                : "=&r"(y) : "r"(x), "r"(m), "i"(shift));
        return y;
    }
#elif defined(HWGEN_GREENWAVES)
    if (__builtin_constant_p(shift)) {
        const int low = (int)__builtin_pulp_muluN((uint32_t)x, (uint32_t)m, 16);
        return __builtin_pulp_machhsRN(x, m, low, (unsigned)shift, 1u << (shift - 1));
    }
#endif
    return hwgen_round_shift_i32(hwgen_mul_high(x, m & 0x7fff0000), shift);
}

/* table[x - first]: one instruction of DSP cores. */
static inline int32_t hwgen_entry_s8(const int8_t *table, int32_t first, int32_t x)
{
#if defined(HWGEN_ASSEMBLY)
    int32_t y;
    __asm__(HWGEN_P_LB_RR("%0", "%1", "%2")
            : "=r"(y)
            : "r"((uintptr_t)table - (uint32_t)first), "r"(x), "m"(*(const char(*)[256])table));
    return y;
#else
    return table[x - first];
#endif
}

static inline int32_t hwgen_entry_u8(const uint8_t *table, int32_t first, int32_t x)
{
#if defined(HWGEN_ASSEMBLY)
    int32_t y;
    __asm__(HWGEN_P_LBU_RR("%0", "%1", "%2")
            : "=r"(y)
            : "r"((uintptr_t)table - (uint32_t)first), "r"(x), "m"(*(const char(*)[256])table));
    return y;
#else
    return table[x - first];
#endif
}

/* Entry x of a table, counted from where `zero` points to. */
static inline int32_t hwgen_entry_s16(const int16_t *zero, int32_t x)
{
#if defined(HWGEN_ASSEMBLY)
    int32_t y;
    __asm__(HWGEN_P_LH_RR("%0", "%1", "%2") : "=r"(y) : "r"(zero), "r"(2 * x), "m"(*zero));
    return y;
#else
    return zero[x];
#endif
}

static inline int64_t hwgen_min_i64(int64_t x, int64_t hi)
{
    return x < hi ? x : hi;
}

static inline int64_t hwgen_max_i64(int64_t x, int64_t lo)
{
    return x > lo ? x : lo;
}

/* The bounds are literals: one instruction where they are those of an integer type. */
static inline int32_t hwgen_clip_i32(int32_t x, int32_t lo, int32_t hi)
{
    if (lo == 0) {
        return hwgen_clip_unsigned(x, hi);
    }
    if (lo == -hi - 1) {
        return hwgen_clip_signed(x, hi);
    }
    return hwgen_min_i32(hwgen_max_i32(x, lo), hi);
}

static inline int64_t hwgen_clip_i64(int64_t x, int64_t lo, int64_t hi)
{
    return hwgen_min_i64(hwgen_max_i64(x, lo), hi);
}

/*
 * Packed weights: field i of a byte counts from the lowest bits, and a row of weights fills its
 * bytes in that order. s4 and s2 are two's complement; of b1, 0 is +1 and 1 is -1.
 */
static inline int32_t hwgen_field_s4(uint8_t byte, unsigned i)
{
    return (int32_t)(((unsigned)byte >> (4 * i) & 0xfu) ^ 0x8u) - 8;
}

static inline int32_t hwgen_field_s2(uint8_t byte, unsigned i)
{
    return (int32_t)(((unsigned)byte >> (2 * i) & 0x3u) ^ 0x2u) - 2;
}

/* 0 or a power of two up to 64: a sign, and how far 64 is shifted to the right. */
static inline int32_t hwgen_field_p4(uint8_t byte, unsigned i)
{
    static const int8_t powers[16] = {64, 32, 16, 8, 4, 2, 1, 0, -64, -32, -16, -8, -4, -2, -1, 0};
    return powers[(unsigned)byte >> (4 * i) & 0xfu];
}

static inline int32_t hwgen_field_b1(uint8_t byte, unsigned i)
{
    return 1 - 2 * (int32_t)((unsigned)byte >> i & 0x1u);
}

/* Weight i of a row. */
static inline int32_t hwgen_weight_s4(const uint8_t *row, int i)
{
    return hwgen_field_s4(row[(unsigned)i / 2], (unsigned)i % 2);
}

static inline int32_t hwgen_weight_s2(const uint8_t *row, int i)
{
    return hwgen_field_s2(row[(unsigned)i / 4], (unsigned)i % 4);
}

static inline int32_t hwgen_weight_b1(const uint8_t *row, int i)
{
    return hwgen_field_b1(row[(unsigned)i / 8], (unsigned)i % 8);
}

#endif
