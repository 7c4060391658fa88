/*
 * Sparse weights behind bitmaps, where the bytes of weights matter more than time.
 *
 *     hwgen_bitmap_<x>_1x1(acc, bias, w, x, groups)
 *
 *     acc[0] = bias[0] + the sum over the kept inputs k of w[k] * x[k]
 *
 * <x> is u8 or s8, the type of the data. w begins with a halfword for every group of 16 inputs, low
 * byte first, the lowest bit for the first of them: set if its weight is kept. The kept weights
 * follow, a byte each.
 */
#ifndef HWGEN_BITMAP_H
#define HWGEN_BITMAP_H

#include <stdint.h>

static inline void hwgen_bitmap_u8_1x1(int32_t *acc, const int32_t *bias, const void *w,
                                       const void *x, int32_t groups)
{
    const uint8_t *map = w;
    const int8_t *v = (const int8_t *)w + 2 * groups;
    const uint8_t *y = x;
    int32_t sum = bias[0];
    for (int32_t i = 0; i < groups; i++) {
        const uint8_t *z = y + 16 * i;
        for (uint32_t bits = map[2 * i] | (uint32_t)map[2 * i + 1] << 8; bits != 0; bits >>= 1) {
            if ((bits & 1u) != 0) {
                sum += *v++ * *z;
            }
            z++;
        }
    }
    acc[0] = sum;
}

static inline void hwgen_bitmap_s8_1x1(int32_t *acc, const int32_t *bias, const void *w,
                                       const void *x, int32_t groups)
{
    const uint8_t *map = w;
    const int8_t *v = (const int8_t *)w + 2 * groups;
    const int8_t *y = x;
    int32_t sum = bias[0];
    for (int32_t i = 0; i < groups; i++) {
        const int8_t *z = y + 16 * i;
        for (uint32_t bits = map[2 * i] | (uint32_t)map[2 * i + 1] << 8; bits != 0; bits >>= 1) {
            if ((bits & 1u) != 0) {
                sum += *v++ * *z;
            }
            z++;
        }
    }
    acc[0] = sum;
}

#endif
