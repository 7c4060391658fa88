/*
 * Depthwise convolution: the taps of one column of the window, for one channel, are the bytes of a
 * word, so that one instruction multiplies them. The image is channels-last; hwgen_stack turns
 * some of its rows into such words.
 */
#ifndef HWGEN_DEPTHWISE_H
#define HWGEN_DEPTHWISE_H

#include <stdint.h>

#include "hwgen_memory.h"
#include "hwgen_runtime.h"

/*
 * Four numbers of 8 bits, of which count are used, the others being zero in the weights; and
 * whether there are registers enough for several outputs at once.
 */
#if defined(HWGEN_ASSEMBLY) || defined(HWGEN_GREENWAVES)

#define HWGEN_TAPS_ARE_WORDS 1

typedef uint32_t hwgen_taps;

static inline hwgen_taps hwgen_taps_u8(const void *p)
{
    return hwgen_load(p);
}

static inline hwgen_taps hwgen_taps_s8(const void *p)
{
    return hwgen_load(p);
}

/* acc + x[first] * w[0] + x[first + 1] * w[1] + ..., count products */
static inline int32_t hwgen_dot_taps_u8(
    int32_t acc, hwgen_taps x, hwgen_taps w, int first, int count)
{
    (void)count;
    return hwgen_sdot_u8_s8(acc, x, w << (8 * first));
}

static inline int32_t hwgen_dot_taps_s8(
    int32_t acc, hwgen_taps x, hwgen_taps w, int first, int count)
{
    (void)count;
    return hwgen_sdot_s8_s8(acc, x, w << (8 * first));
}

#else

#define HWGEN_TAPS_ARE_WORDS 0

typedef struct hwgen_taps {
    int32_t tap[4];
} hwgen_taps;

static inline hwgen_taps hwgen_taps_u8(const void *p)
{
    const uint8_t *b = p;
    return (hwgen_taps){{b[0], b[1], b[2], b[3]}};
}

static inline hwgen_taps hwgen_taps_s8(const void *p)
{
    const int8_t *b = p;
    return (hwgen_taps){{b[0], b[1], b[2], b[3]}};
}

static inline int32_t hwgen_dot_taps_u8(
    int32_t acc, hwgen_taps x, hwgen_taps w, int first, int count)
{
    HWGEN_UNROLL
    for (int i = 0; i < count; i++) {
        acc += x.tap[first + i] * w.tap[i];
    }
    HWGEN_KEEP_1(acc);
    return acc;
}

static inline int32_t hwgen_dot_taps_s8(
    int32_t acc, hwgen_taps x, hwgen_taps w, int first, int count)
{
    return hwgen_dot_taps_u8(acc, x, w, first, count);
}

#endif

/*
 * Stacks four rows of an image, of n pixels: byte j of word 4 * i + k of `to` is channel k of pixel
 * i in row `row` + j, zero outside of the image. Pixels are `step` bytes apart and rows `pitch`;
 * the image has `height` rows, and 1 to 4 channels are wanted.
 */
#if defined(HWGEN_ASSEMBLY)
HWGEN_APART void hwgen_stack_words(uint8_t *to, const uint8_t *image, int32_t row, int32_t height,
                                   int32_t pitch, int32_t step, int32_t n)
{
    static const uint32_t zero = 0;
    const uintptr_t outside = (uintptr_t)&zero;
    uintptr_t p0 = (uintptr_t)image + (uintptr_t)(row * pitch);
    uintptr_t p1 = p0 + (uintptr_t)pitch, p2 = p1 + (uintptr_t)pitch, p3 = p2 + (uintptr_t)pitch;
    int32_t s0 = step, s1 = step, s2 = step, s3 = step;
    if (row < 0 || row + 4 > height) {
        if (row < 0 || row >= height) {
            p0 = outside;
            s0 = 0;
        }
        if (row + 1 < 0 || row + 1 >= height) {
            p1 = outside;
            s1 = 0;
        }
        if (row + 2 < 0 || row + 2 >= height) {
            p2 = outside;
            s2 = 0;
        }
        if (row + 3 < 0 || row + 3 >= height) {
            p3 = outside;
            s3 = 0;
        }
    }
    uint32_t a = (uint32_t)n, b, c, d, e, f;
    __asm__ volatile(
        ".balign 4\n.option push\n.option norvc\n"
        HWGEN_LOOP("%[a]", 18)
        HWGEN_P_LW_R("%[a]", "%[p0]", "%[s0]")
        HWGEN_P_LW_R("%[b]", "%[p1]", "%[s1]")
        HWGEN_P_LW_R("%[c]", "%[p2]", "%[s2]")
        HWGEN_P_LW_R("%[d]", "%[p3]", "%[s3]")
        HWGEN_PV_PACK("%[e]", "%[b]", "%[a]")   /* a0 a1 b0 b1 */
        HWGEN_PV_PACK("%[f]", "%[d]", "%[c]")   /* c0 c1 d0 d1 */
        HWGEN_PV_PACK_H("%[a]", "%[b]", "%[a]") /* a2 a3 b2 b3 */
        HWGEN_PV_PACK_H("%[c]", "%[d]", "%[c]") /* c2 c3 d2 d3 */
        "mv %[b], %[e]\n"
        "mv %[d], %[a]\n"
        HWGEN_PV_SHUFFLE2_B("%[b]", "%[f]", "%[even]") /* a0 b0 c0 d0 */
        HWGEN_PV_SHUFFLE2_B("%[e]", "%[f]", "%[odd]")  /* a1 b1 c1 d1 */
        HWGEN_PV_SHUFFLE2_B("%[d]", "%[c]", "%[even]") /* a2 b2 c2 d2 */
        HWGEN_PV_SHUFFLE2_B("%[a]", "%[c]", "%[odd]")  /* a3 b3 c3 d3 */
        HWGEN_P_SW("%[b]", "4", "%[to]")
        HWGEN_P_SW("%[e]", "4", "%[to]")
        HWGEN_P_SW("%[d]", "4", "%[to]")
        HWGEN_P_SW("%[a]", "4", "%[to]")
        ".option pop\n"
        : [a] "+&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f),
          [p0] "+&r"(p0), [p1] "+&r"(p1), [p2] "+&r"(p2), [p3] "+&r"(p3), [to] "+&r"(to)
        : [s0] "r"(s0), [s1] "r"(s1), [s2] "r"(s2), [s3] "r"(s3),
          [even] "r"(0x06040200u), [odd] "r"(0x07050301u)
        : "memory");
}
#endif

HWGEN_APART void hwgen_stack_bytes(uint8_t *to, const uint8_t *image, int32_t row, int32_t height,
                                   int32_t pitch, int32_t step, int32_t n, int32_t channels)
{
    for (int j = 0; j < 4; j++) {
        if (row + j < 0 || row + j >= height) {
            for (int32_t i = 0; i < 16 * n; i += 4) {
                to[i + j] = 0;
            }
            continue;
        }
        const uint8_t *p = image + (row + j) * pitch;
        uint8_t *q = to + j;
        for (int32_t i = 0; i < n; i++, p += step, q += 16) {
            if (channels == 4) {
                q[0] = p[0];
                q[4] = p[1];
                q[8] = p[2];
                q[12] = p[3];
            } else {
                for (int32_t k = 0; k < channels; k++) {
                    q[4 * k] = p[k];
                }
            }
        }
    }
}

static inline void hwgen_stack(uint8_t *to, const void *image, int32_t row, int32_t height,
                               int32_t pitch, int32_t step, int32_t n, int32_t channels)
{
#if defined(HWGEN_ASSEMBLY)
    if (channels == 4) {
        hwgen_stack_words(to, image, row, height, pitch, step, n);
        return;
    }
#endif
    hwgen_stack_bytes(to, image, row, height, pitch, step, n, channels);
}

#endif
