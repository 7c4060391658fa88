/*
 * Copying and clearing memory: by words, in hardware loops where the core has them.
 */
#ifndef HWGEN_MEMORY_H
#define HWGEN_MEMORY_H

#include <stdint.h>

#include "hwgen_simd.h"

/* Copies n bytes that do not overlap; fastest from and to multiples of 4. */
static inline void hwgen_copy(void *to, const void *from, int32_t n)
{
    uint8_t *restrict d = to;
    const uint8_t *restrict s = from;
#if defined(HWGEN_ASSEMBLY)
    if (n >= 8) {
        uint32_t pairs = (uint32_t)n / 8, t;
        __asm__ volatile(
            ".balign 4\n.option push\n.option norvc\n"
            HWGEN_LOOP("%[pairs]", 4)
            HWGEN_P_LW("%[pairs]", "4", "%[s]")
            HWGEN_P_LW("%[t]", "4", "%[s]")
            HWGEN_P_SW("%[pairs]", "4", "%[d]")
            HWGEN_P_SW("%[t]", "4", "%[d]")
            ".option pop\n"
            : [pairs] "+&r"(pairs), [t] "=&r"(t), [s] "+&r"(s), [d] "+&r"(d)
            :
            : "memory");
    }
    n %= 8;
#endif
    for (; n >= 4; n -= 4, d += 4, s += 4) {
        hwgen_store(d, hwgen_load(s));
    }
    for (int32_t i = 0; i < n; i++) {
        d[i] = s[i];
    }
}

/* Clears n bytes. */
static inline void hwgen_zero(void *to, int32_t n)
{
    uint8_t *d = to;
#if defined(HWGEN_ASSEMBLY)
    if (n >= 16) {
        const uint32_t fours = (uint32_t)n / 16;
        __asm__ volatile(
            ".balign 4\n.option push\n.option norvc\n"
            HWGEN_LOOP("%[fours]", 4)
            HWGEN_P_SW("x0", "4", "%[d]")
            HWGEN_P_SW("x0", "4", "%[d]")
            HWGEN_P_SW("x0", "4", "%[d]")
            HWGEN_P_SW("x0", "4", "%[d]")
            ".option pop\n"
            : [d] "+&r"(d)
            : [fours] "r"(fours)
            : "memory");
    }
    n %= 16;
#endif
    for (; n >= 4; n -= 4, d += 4) {
        hwgen_store(d, 0);
    }
    for (int32_t i = 0; i < n; i++) {
        d[i] = 0;
    }
}

#endif
