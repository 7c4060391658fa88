/*
 * Tests of masks: what a table of weights keeps is compared with what shift registers draw.
 *
 * Whatever the form of a table, what it says of the positions of a row is marked first.
 */
#ifndef HWGEN_MASKS_H
#define HWGEN_MASKS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hwgen_lfsr.h"

enum {
    HWGEN_DROPPED,
    HWGEN_KEPT,
    HWGEN_EITHER, /* a weight of zero, which may be kept or lie between those that are */
    HWGEN_DAMAGED
};

/*
 * A layer under a mask. Of the `length` positions of a row, `run` from every multiple of `pitch` on
 * are inputs, the others lie between them.
 */
typedef struct {
    const char *layer;
    hwgen_lfsr lfsr;
    const uint32_t *seeds; /* one an output */
    int32_t length, run, pitch;
} hwgen_mask;

/* Marks what a list keeps: a row of one channel as hwgen_gather.h reads it, of `bytes` bytes. */
static inline void hwgen_mark_list(uint8_t *marks, int32_t length, const uint8_t *row, int32_t bytes)
{
    memset(marks, HWGEN_DROPPED, (size_t)length);
    const int32_t steps = row[2] | row[3] << 8;
    int32_t at = row[0] | row[1] << 8;
    int distance = -1; /* to this position; nothing comes behind one of 0 */
    int is_sound = 4 + 8 * steps <= bytes;
    for (int32_t i = 0; i < 4 * steps && is_sound; i++) {
        const uint8_t *const step = row + 4 + 8 * (i / 4);
        const int is_zero = step[4 + i % 4] == 0, ahead = step[i % 4];
        if (distance == 0) {
            is_sound = is_zero && ahead == 0;
        } else if (at >= length) {
            is_sound = 0;
        } else {
            marks[at] = distance == 255 && is_zero ? HWGEN_EITHER : HWGEN_KEPT;
            at += ahead;
            distance = ahead;
        }
    }
    if (!is_sound || distance != 0) {
        memset(marks, HWGEN_DAMAGED, (size_t)length);
    }
}

/* Marks what a bitmap keeps: a row as hwgen_bitmap.h reads it, of `bytes` bytes. */
static inline void hwgen_mark_bitmap(uint8_t *marks, int32_t length, const uint8_t *row,
                                     int32_t bytes)
{
    const int32_t map_bytes = (length + 15) / 16 * 2;
    int32_t count = 0;
    for (int32_t at = 0; at < 8 * map_bytes; at++) {
        const int is_kept = row[at / 8] >> at % 8 & 1;
        count += is_kept;
        if (at < length) {
            marks[at] = is_kept ? HWGEN_KEPT : HWGEN_DROPPED;
        } else if (is_kept) {
            count = bytes; /* a weight of no input */
        }
    }
    if (map_bytes + count > bytes) {
        memset(marks, HWGEN_DAMAGED, (size_t)length);
    }
}

/*
 * How many outputs of the layer are wrong, which were `wrong` before this one. Names the first
 * position that differs in the first of them.
 */
static inline int hwgen_mask_check(const hwgen_mask *m, int output, const uint8_t *marks, int wrong)
{
    static const char *const says[] = {
        [HWGEN_DROPPED] = "drops it", [HWGEN_KEPT] = "keeps it", [HWGEN_DAMAGED] = "is damaged"};
    uint32_t state = m->seeds[output];
    int input = 0;
    for (int32_t at = 0; at < m->length; at++) {
        const int is_input = at % m->pitch < m->run;
        const int is_kept = is_input && hwgen_lfsr_keeps(&m->lfsr, state);
        if (marks[at] != HWGEN_EITHER && marks[at] != (is_kept ? HWGEN_KEPT : HWGEN_DROPPED)) {
            if (wrong == 0) {
                fprintf(stderr, "%s: mask: output %d, %s %d: the shift register %s, the table %s\n",
                        m->layer, output, is_input ? "input" : "gap before input", input,
                        says[is_kept], says[marks[at]]);
            }
            return wrong + 1;
        }
        if (is_input) {
            state = hwgen_lfsr_advance(&m->lfsr, state);
            input++;
        }
    }
    return wrong;
}

#endif
