/*
 * Linear feedback shift registers, which draw masks of connections.
 *
 * A step shifts the state left by one; the XOR of the bits t - 1 of all taps t enters. An input of a
 * layer is `leap` steps, and it is kept if the state is below the threshold. For tests: a model
 * holds what registers have drawn, and no register.
 */
#ifndef HWGEN_LFSR_H
#define HWGEN_LFSR_H

#include <stdint.h>

enum { HWGEN_LFSR_MOST = 24 }; /* bits of a state */

typedef struct {
    int width;                      /* bits of a state, 3 to 24 */
    uint32_t taps;                  /* bit t - 1 is set for tap t */
    uint32_t threshold;             /* 2 to 2^width */
    uint32_t jump[HWGEN_LFSR_MOST]; /* what becomes of each bit of a state in `leap` steps */
} hwgen_lfsr;

/* The state after `state`. */
static inline uint32_t hwgen_lfsr_step(const hwgen_lfsr *r, uint32_t state)
{
    uint32_t feedback = state & r->taps;
    for (int shift = 16; shift > 0; shift /= 2) {
        feedback ^= feedback >> shift;
    }
    return (state << 1 | (feedback & 1u)) & ((1u << r->width) - 1u);
}

static inline hwgen_lfsr hwgen_lfsr_make(int width, uint32_t taps, uint32_t leap, uint32_t threshold)
{
    hwgen_lfsr r = {width, taps, threshold, {0}};
    for (int bit = 0; bit < width; bit++) {
        uint32_t state = 1u << bit;
        for (uint32_t i = 0; i < leap; i++) {
            state = hwgen_lfsr_step(&r, state);
        }
        r.jump[bit] = state;
    }
    return r;
}

/* The state of the next input. Steps are linear: a state goes where the XOR of its bits goes. */
static inline uint32_t hwgen_lfsr_advance(const hwgen_lfsr *r, uint32_t state)
{
    uint32_t next = 0;
    for (int bit = 0; bit < r->width; bit++) {
        if ((state >> bit & 1u) != 0) {
            next ^= r->jump[bit];
        }
    }
    return next;
}

/* Whether the input of this state is kept. */
static inline int hwgen_lfsr_keeps(const hwgen_lfsr *r, uint32_t state)
{
    return state < r->threshold;
}

#endif
