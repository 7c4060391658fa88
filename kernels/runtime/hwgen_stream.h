/*
 * Weights that lie in external memory and come slice by slice: while a slice is on its way from
 * L2 to L1 or in use, the next one is read into the other half of a buffer in L2.
 */
#ifndef HWGEN_STREAM_H
#define HWGEN_STREAM_H

#include "hwgen_tile.h"

typedef struct hwgen_stream {
    unsigned char *halves[2];
    uint32_t l3;                 /* address of the layer's weights */
    const hwgen_move *next, *end; /* the slice that is being read, and the end of all */
    uint32_t half;               /* into which */
    unsigned ticket;
} hwgen_stream;

/* Reads the slice at `next`, or the first one behind it that must be moved. */
static inline void hwgen_stream_read(hwgen_stream *stream)
{
    while (stream->next < stream->end && !stream->next->fresh) {
        stream->next++;
    }
    if (stream->next < stream->end) {
        stream->ticket = hwgen_l3_read(stream->halves[stream->half],
                                       stream->l3 + stream->next->offset, stream->next->length);
    }
}

static inline hwgen_stream hwgen_stream_begin(unsigned char *buffer, uint32_t half_bytes,
                                              uint32_t l3, const hwgen_move *moves, int count)
{
    hwgen_stream stream = {{buffer, buffer + half_bytes}, l3, moves, moves + count, 0, 0};
    hwgen_stream_read(&stream);
    return stream;
}

/* Starts the transfer of a slice to L1 and the reading of the next; `ticket` if it is not fresh. */
static inline unsigned hwgen_stream_in(void *l1, hwgen_stream *stream, const hwgen_move *move,
                                       unsigned ticket)
{
    if (move->fresh) {
        hwgen_l3_wait(stream->ticket);
        ticket = hwgen_dma_in(l1, stream->halves[stream->half], move->length, 1, move->length);
        stream->half ^= 1;
        stream->next++;
        hwgen_stream_read(stream);
    }
    return ticket;
}

#endif
