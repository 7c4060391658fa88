/* The DMA engines of machine.h: one moves bytes among L1 and L2, the other between L2 and L3.
 *
 * An engine does one transfer after another, lines of bytes, beat by beat; both work at the same
 * time. A transfer takes `dma_setup` cycles, then moves up to `dma_bytes` a cycle (with L3,
 * `l3_setup` and `l3_bytes_per_cycle`). A beat ends with the line and with the last whole word of
 * L1 that fits; it needs the bank of every word of L1 that it touches, against the cores. L2 has
 * room for it beside them.
 */
#ifndef HWGEN_DMA_H
#define HWGEN_DMA_H

#include "state.h"

/* The engine that does a transfer. */
static inline uint32_t dma_engine(const Transfer *t) {
    return t->source >= MACHINE_L3 || t->destination >= MACHINE_L3 ? DMA_L3 : DMA_L1;
}

/* The ticket of an engine's transfer, which are numbered from 1; it wraps around. */
static inline uint32_t dma_ticket(uint32_t engine, uint64_t number) {
    const uint32_t top = engine == DMA_L3 ? MACHINE_TICKET_L3 : 0;
    return top | ((uint32_t)number & ~MACHINE_TICKET_L3);
}

/* Is the transfer with that number, as it is in the ticket, in the queue? */
static inline int dma_pending(const DmaEngine *dma, uint32_t number) {
    const uint32_t later = ((uint32_t)dma->enqueued - number) & ~MACHINE_TICKET_L3;
    return later < dma->enqueued - dma->complete;
}

static inline int dma_busy(const Machine *m) {
    int busy = 0;
    for (uint32_t engine = 0; engine < DMA_ENGINES; ++engine)
        busy |= m->dma[engine].enqueued != m->dma[engine].complete;
    return busy;
}

/* Adds the words of L1 among `bytes` at `address` to what the beat needs. */
static inline void dma_need(const Machine *m, DmaEngine *dma, uint32_t address, uint32_t bytes) {
    const uint32_t in_l1 = address - MACHINE_L1;
    if (in_l1 >= m->config.l1_bytes) return;
    for (uint32_t word = in_l1 / 4; word <= (in_l1 + bytes - 1) / 4; ++word)
        dma->words[dma->claims++] = word;
}

/* The bytes of a beat that begins at `address`: no more than `rate` needs in whole words. */
static inline uint32_t dma_fit(const Machine *m, uint32_t address, uint32_t rate, uint32_t bytes) {
    const uint32_t room = ((rate + 3) & ~3u) - (address & 3);
    return address - MACHINE_L1 < m->config.l1_bytes && bytes > room ? room : bytes;
}

/* States which banks an engine needs in this cycle. */
static inline void dma_claim(Machine *m, uint32_t engine, Arbitration *round) {
    DmaEngine *dma = &m->dma[engine];
    const Transfer *t = &dma->queue[dma->complete % MACHINE_QUEUE];
    const uint32_t rate = engine == DMA_L3 ? m->config.l3_bytes_per_cycle : m->config.dma_bytes;
    if (dma->enqueued == dma->complete) return;
    if (!dma->begun) {
        dma->begun = 1;
        dma->line = dma->offset = 0;
        dma->setup_left = engine == DMA_L3 ? m->config.l3_setup : m->config.dma_setup;
    }
    if (dma->setup_left) return;
    if (!dma->beat && t->length && dma->line < t->lines) {
        const uint32_t source = t->source + dma->line * t->source_stride + dma->offset;
        const uint32_t destination =
            t->destination + dma->line * t->destination_stride + dma->offset;
        const uint32_t left = t->length - dma->offset;
        dma->beat = dma_fit(m, source, rate, left < rate ? left : rate);
        dma->beat = dma_fit(m, destination, rate, dma->beat);
        dma_need(m, dma, source, dma->beat);
        dma_need(m, dma, destination, dma->beat);
    }
    for (uint32_t i = 0; i < dma->claims; ++i)
        machine_claim(m, round, 0, dma->words[i], m->config.cores);
}

/* Takes the banks that were granted and moves the beat once it has had them all. */
static inline void dma_move(Machine *m, uint32_t engine, Arbitration *round) {
    DmaEngine *dma = &m->dma[engine];
    const Transfer *t = &dma->queue[dma->complete % MACHINE_QUEUE];
    uint32_t lost = 0;
    if (dma->enqueued == dma->complete) return;
    ++m->status.dma_cycles[engine];
    if (dma->setup_left) {
        if (--dma->setup_left || (t->length && t->lines)) return;
    }
    for (uint32_t i = 0; i < dma->claims; ++i) {
        const uint32_t bank = dma->words[i] % m->config.banks;
        if (round->winner[0][bank] == m->config.cores + 1) {
            round->winner[0][bank] = 0; /* one word a bank and cycle */
            m->last[0][bank] = (uint8_t)m->config.cores;
        } else
            dma->words[lost++] = dma->words[i];
    }
    dma->claims = lost;
    if (lost) return;
    if (dma->beat) {
        const uint32_t source = t->source + dma->line * t->source_stride + dma->offset;
        const uint32_t destination =
            t->destination + dma->line * t->destination_stride + dma->offset;
        memmove(machine_memory(m, destination, dma->beat, 1),
                machine_memory(m, source, dma->beat, 1), dma->beat);
        m->status.dma_bytes[engine] += dma->beat;
        dma->offset += dma->beat;
        dma->beat = 0;
        if (dma->offset == t->length) {
            dma->offset = 0;
            ++dma->line;
        }
    }
    if (!t->length || dma->line == t->lines) {
        ++dma->complete;
        dma->begun = 0;
    }
}

#endif
