/*
 * Weights that are stored in fewer bits than a byte and made into bytes before they are multiplied:
 * powers of two in four bits, and products of such with a basis.
 */
#ifndef HWGEN_REBUILD_H
#define HWGEN_REBUILD_H

#include <stdint.h>

#include "hwgen_runtime.h"

/*
 * Makes n bytes, n a multiple of 16, of n / 2 bytes. The low four bits of the bytes of a word are
 * four weights, their high ones the next four. Of a weight's four bits the highest is its sign, and
 * the others are how far 64 is shifted to the right: 64 to 1, and 0 for a shift of 7. from and to
 * are multiples of 4.
 */
static inline void hwgen_powers(uint8_t *to, const uint8_t *from, int32_t n)
{
#if defined(HWGEN_ASSEMBLY)
    uint32_t pairs = (uint32_t)n / 16, w, t, u;
/* A word: 64 or -64 by its signs, then shifted; once for the low bits, once for the high ones. */
#define HWGEN_POWERS_WORD(W)                                                                       \
    "slli %[t], " W ", 4\n"                                                                        \
    "srli %[u], " W ", 4\n"                                                                        \
    "and %[t], %[t], %[signs]\n"                                                                   \
    "or %[t], %[t], %[ones]\n" HWGEN_PV_SRA_B("%[t]", "%[t]", W) HWGEN_P_SW("%[t]", "4", "%[to]")  \
    "and %[t], " W ", %[signs]\n"                                                                  \
    "or %[t], %[t], %[ones]\n" HWGEN_PV_SRA_B("%[t]", "%[t]", "%[u]")                              \
    HWGEN_P_SW("%[t]", "4", "%[to]")
    __asm__ volatile(
        ".balign 4\n.option push\n.option norvc\n"
        HWGEN_LOOP("%[pairs]", 22)
        HWGEN_P_LW("%[pairs]", "4", "%[from]")
        HWGEN_P_LW("%[w]", "4", "%[from]")
        HWGEN_POWERS_WORD("%[pairs]")
        HWGEN_POWERS_WORD("%[w]")
        ".option pop\n"
        : [pairs] "+&r"(pairs), [w] "=&r"(w), [t] "=&r"(t), [u] "=&r"(u), [from] "+&r"(from),
          [to] "+&r"(to)
        : [signs] "r"(0x80808080u), [ones] "r"(0x40404040u)
        : "memory");
#undef HWGEN_POWERS_WORD
#elif defined(HWGEN_GREENWAVES)
    for (int32_t i = 0; i < n; i += 8, from += 4, to += 8) {
        const uint32_t w = hwgen_load(from);
        const uint32_t low = (w << 4 & 0x80808080u) | 0x40404040u;
        const uint32_t high = (w & 0x80808080u) | 0x40404040u;
        hwgen_store(to, hwgen_shift_right_each_s8(low, w));
        hwgen_store(to + 4, hwgen_shift_right_each_s8(high, w >> 4));
    }
#else
    for (int32_t i = 0; i < n; i += 8, from += 4, to += 8) {
        for (int j = 0; j < 4; j++) {
            to[j] = (uint8_t)hwgen_field_p4(from[j], 0);
            to[4 + j] = (uint8_t)hwgen_field_p4(from[j], 1);
        }
    }
#endif
}

/*
 * n weights of a channel, four at every multiple of stride from to on, zeros behind the last one.
 * Weight t of a run of size weights is the sum of the run's coefficients c times column t of the
 * basis b, which is a run of bytes; shifted and rounded, and clipped where any weight needs it.
 */
static inline void hwgen_basis_row(uint8_t *to, const uint8_t *c, const uint8_t *b, int size, int n,
                                   int shift, int stride, int clips)
{
#if defined(HWGEN_ASSEMBLY) || defined(HWGEN_GREENWAVES)
    if (size == 4) {
        const uint32_t b0 = hwgen_load(b), b1 = hwgen_load(b + 4);
        const uint32_t b2 = hwgen_load(b + 8), b3 = hwgen_load(b + 12);
        for (int k = 0; k < n; k += 4, c += 4, to += stride) {
            const uint32_t q = hwgen_load(c);
            int32_t w0 = hwgen_round_shift_i32(hwgen_dot_s8_s8(q, b0), shift);
            int32_t w1 = hwgen_round_shift_i32(hwgen_dot_s8_s8(q, b1), shift);
            int32_t w2 = hwgen_round_shift_i32(hwgen_dot_s8_s8(q, b2), shift);
            int32_t w3 = hwgen_round_shift_i32(hwgen_dot_s8_s8(q, b3), shift);
            if (clips != 0) {
                w0 = hwgen_clip_signed(w0, 127);
                w1 = hwgen_clip_signed(w1, 127);
                w2 = hwgen_clip_signed(w2, 127);
                w3 = hwgen_clip_signed(w3, 127);
            }
            hwgen_store(to, hwgen_pack(w0, w1, w2, w3));
        }
        if (n % 4 != 0) {
            hwgen_store(to - stride, hwgen_load(to - stride) & (0xffffffffu >> (32 - 8 * (n % 4))));
        }
        return;
    }
#endif
    const int8_t *q = (const int8_t *)c;
    const int8_t *const basis = (const int8_t *)b;
    if (n % 4 != 0) {
        hwgen_store(to + n / 4 * stride, 0);
    }
    for (int first = 0; first < n; first += size, q += size) {
        const int count = hwgen_min_i32(size, n - first);
        for (int t = 0; t < count; t++) {
            int32_t sum = 0;
            for (int s = 0; s < size; s++) {
                sum += q[s] * basis[size * t + s];
            }
            sum = hwgen_round_shift_i32(sum, shift);
            if (clips != 0) {
                sum = hwgen_clip_signed(sum, 127);
            }
            to[(first + t) / 4 * stride + (first + t) % 4] = (uint8_t)sum;
        }
    }
}

/*
 * A block of channels, their words in turn. from holds one basis, or one a channel, each up to a
 * whole word, then every channel's coefficients as hwgen_powers reads them; room is where those of
 * one channel become bytes.
 */
static inline void hwgen_basis(uint8_t *to, uint8_t *room, const uint8_t *from, int channels,
                               int bases, int size, int n, int shift, int clips)
{
    const int bytes = (size * size + 3) / 4 * 4;
    const int count = ((n + size - 1) / size * size + 15) / 16 * 16;
    const uint8_t *codes = from + bases * bytes;
    for (int o = 0; o < channels; o++) {
        hwgen_powers(room, codes, count);
        const uint8_t *const basis = from + (bases > 1 ? o * bytes : 0);
        hwgen_basis_row(to + 4 * o, room, basis, size, n, shift, 4 * channels, clips);
        codes += count / 2;
    }
}

#endif
