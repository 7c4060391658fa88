/*
 * Sharing a layer among the cores of a team, and moving its tiles between memories.
 */
#ifndef HWGEN_TILE_H
#define HWGEN_TILE_H

#include "hwgen_port.h"
#include "hwgen_runtime.h"

/* The items first, first + 1, ... end - 1. */
typedef struct hwgen_range {
    int first, end;
} hwgen_range;

/* This core's share of n items, in multiples of some items. */
static inline hwgen_range hwgen_part(int n, int multiple)
{
    const int cores = hwgen_cores();
    if (cores == 1) {
        return (hwgen_range){0, n};
    }
    const int groups = (n + multiple - 1) / multiple;
    const int each = (groups + cores - 1) / cores * multiple;
    const int first = hwgen_min_i32(hwgen_core() * each, n);
    return (hwgen_range){first, hwgen_min_i32(first + each, n)};
}

/* A core's share of pixels by blocks of channels. */
typedef struct hwgen_area {
    hwgen_range pixels, blocks;
} hwgen_area;

/* This core's: the cores share pixels in multiples of some and, where these are few, blocks. */
static inline hwgen_area hwgen_part_of_area(int pixels, int multiple, int blocks)
{
    const int cores = hwgen_cores();
    if (cores == 1) {
        return (hwgen_area){{0, pixels}, {0, blocks}};
    }
    const int groups = (pixels + multiple - 1) / multiple;
    const int rows = hwgen_min_i32(groups, cores);
    const int columns = cores / rows;
    const int row = hwgen_core() % rows;
    const int column = hwgen_core() / rows;
    const int tall = (groups + rows - 1) / rows * multiple;
    const int wide = (blocks + columns - 1) / columns;
    const int top = hwgen_min_i32(row * tall, pixels);
    const int left = hwgen_min_i32(column * wide, blocks);
    return (hwgen_area){{top, hwgen_min_i32(top + tall, pixels)},
                        {left, hwgen_min_i32(left + wide, blocks)}};
}

/* Every core of the team has done its share of a layer: a profile point. */
static inline void hwgen_layer_done(int number)
{
    hwgen_barrier();
    if (hwgen_core() == 0) {
        hwgen_mark(number);
    }
}

/* What a kernel computes of a layer: a box of the output, with the part of the input it needs. */
typedef struct hwgen_tile {
    int32_t rows, columns, channels; /* of the output */
    int32_t channel;                 /* number of the first one */
    int32_t height, width;           /* of the input */
    int32_t top, left;               /* padding before the input's first row and column */
} hwgen_tile;

/* A box of a tensor in slow memory, which is packed in fast memory. Sizes in bytes. */
typedef struct hwgen_move {
    uint32_t offset;               /* of the box in the tensor */
    uint32_t length, lines, stride; /* of a plane's lines */
    uint32_t planes, plane_stride;
    uint32_t buffer; /* which half of a ping-pong buffer holds it */
    uint32_t fresh;  /* 0: it is there already */
} hwgen_move;

/* Starts the transfers of a box; returns the last one's ticket, or `ticket` if there is none. */
static inline unsigned hwgen_move_in(void *l1, const void *l2, const hwgen_move *move,
                                     unsigned ticket)
{
    const unsigned char *from = (const unsigned char *)l2 + move->offset;
    unsigned char *to = l1;
    for (uint32_t i = 0; move->fresh && i < move->planes; i++) {
        ticket = hwgen_dma_in(to, from, move->length, move->lines, move->stride);
        to += move->length * move->lines;
        from += move->plane_stride;
    }
    return ticket;
}

static inline unsigned hwgen_move_out(void *l2, const void *l1, const hwgen_move *move)
{
    unsigned char *to = (unsigned char *)l2 + move->offset;
    const unsigned char *from = l1;
    unsigned ticket = 0;
    for (uint32_t i = 0; i < move->planes; i++) {
        ticket = hwgen_dma_out(to, from, move->length, move->lines, move->stride);
        from += move->length * move->lines;
        to += move->plane_stride;
    }
    return ticket;
}

#endif
