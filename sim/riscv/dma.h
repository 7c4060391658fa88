/* The DMA engine of machine.h: one transfer after another, lines of bytes, beat by beat.
 *
 * A transfer takes `dma_setup` cycles (and `l3_setup` more with L3), then moves up to `dma_bytes`
 * a cycle (`l3_bytes_per_cycle` with L3). A beat ends with the line and with the last whole word
 * of L1 that fits; it needs the bank of every word of L1 that it touches, against the cores.
 */
#ifndef HWGEN_DMA_H
#define HWGEN_DMA_H

#include "state.h"

static inline int dma_busy(const Machine *m) { return m->dma.enqueued != m->dma.complete; }

/* Adds the words of L1 among `bytes` at `address` to what the beat needs. */
static inline void dma_need(Machine *m, uint32_t address, uint32_t bytes) {
    const uint32_t in_l1 = address - MACHINE_L1;
    if (in_l1 >= m->config.l1_bytes) return;
    for (uint32_t word = in_l1 / 4; word <= (in_l1 + bytes - 1) / 4; ++word)
        m->dma.words[m->dma.claims++] = word;
}

/* The bytes of a beat that begins at `address`: no more than `rate` needs in whole words. */
static inline uint32_t dma_fit(const Machine *m, uint32_t address, uint32_t rate, uint32_t bytes) {
    const uint32_t room = ((rate + 3) & ~3u) - (address & 3);
    return address - MACHINE_L1 < m->config.l1_bytes && bytes > room ? room : bytes;
}

/* States which banks the engine needs in this cycle. */
static inline void dma_claim(Machine *m, Arbitration *round) {
    DmaEngine *dma = &m->dma;
    const Transfer *t = &dma->queue[dma->complete % MACHINE_QUEUE];
    if (!dma_busy(m)) return;
    const int slow = t->source >= MACHINE_L3 || t->destination >= MACHINE_L3;
    const uint32_t rate = slow ? m->config.l3_bytes_per_cycle : m->config.dma_bytes;
    if (!dma->begun) {
        dma->begun = 1;
        dma->line = dma->offset = 0;
        dma->setup_left = m->config.dma_setup + (slow ? m->config.l3_setup : 0);
    }
    if (dma->setup_left) return;
    if (!dma->beat && t->length && dma->line < t->lines) {
        const uint32_t source = t->source + dma->line * t->source_stride + dma->offset;
        const uint32_t destination =
            t->destination + dma->line * t->destination_stride + dma->offset;
        const uint32_t left = t->length - dma->offset;
        dma->beat = dma_fit(m, source, rate, left < rate ? left : rate);
        dma->beat = dma_fit(m, destination, rate, dma->beat);
        dma_need(m, source, dma->beat);
        dma_need(m, destination, dma->beat);
    }
    for (uint32_t i = 0; i < dma->claims; ++i)
        machine_claim(m, round, 0, dma->words[i], m->config.cores);
}

/* Takes the banks that were granted and moves the beat once it has had them all. */
static inline void dma_move(Machine *m, Arbitration *round) {
    DmaEngine *dma = &m->dma;
    const Transfer *t = &dma->queue[dma->complete % MACHINE_QUEUE];
    uint32_t lost = 0;
    if (!dma_busy(m) || !dma->begun) return; /* begun by a load in this very cycle */
    ++m->status.dma_cycles;
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
        m->status.dma_bytes += dma->beat;
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
