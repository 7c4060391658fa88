/* The machine around the cores: memories, banks, devices, DMA engines, host.
 *
 * One model for two engines: iss.c (instruction-set simulator) and the harness of the verilated
 * cores. C99 that is C++ as well; everything is static inline.
 *
 * Protocol of a cycle, the same as OBI's: an engine calls machine_request() for every core whose
 * data request is up, then machine_cycle() once. A port whose `granted` is set then has been
 * served: a store is done, a load's word is in `data` (the core gets it in the next cycle, as
 * rdata with rvalid). Any other request is to be repeated unchanged in the next cycle.
 * An engine whose only core meets no DMA may instead touch memory through machine_memory() and
 * set `status.cycle` itself, and need use the protocol for devices only.
 *
 *   0x10000000  L1: `banks` word-interleaved banks, one access a bank and cycle, round robin
 *   0x1A100000  devices, aligned words only (Device below)
 *   0x1C000000  L2: code, constants, data; banked like L1, after `l2_wait` cycles
 *   0x80000000  L3: its DMA engine's and the host's only
 */
#ifndef HWGEN_MACHINE_H
#define HWGEN_MACHINE_H

#include "state.h"

#include "devices.h"
#include "dma.h"

/* Serves a load or store that has been granted. */
static inline void machine_access(MachinePort *port, uint8_t *memory) {
    if (port->write) {
        for (uint32_t k = 0; k < 4; ++k)
            if (port->enable >> k & 1) memory[k] = (uint8_t)(port->data >> (8 * k));
    } else {
        port->data = machine_word(memory);
    }
    port->granted = 1;
    port->active = 0;
    port->waited = 0;
}

/* One cycle: grants what can be granted, moves the DMA engines' bytes, counts the cycle. */
static inline void machine_cycle(Machine *m) {
    const uint32_t cores = m->config.cores, banks = m->config.banks;
    Arbitration round;
    uint32_t barrier = 0;
    memset(&round, 0, sizeof round);
    for (uint32_t core = 0; core < cores; ++core) {
        MachinePort *port = &m->ports[core];
        const uint32_t in_l1 = port->address - MACHINE_L1, in_l2 = port->address - MACHINE_L2;
        if (!port->active) continue;
        if (in_l1 < m->config.l1_bytes)
            machine_claim(m, &round, 0, in_l1 / 4, core);
        else if (in_l2 < m->config.l2_bytes) {
            if (port->waited >= m->config.l2_wait) machine_claim(m, &round, 1, in_l2 / 4, core);
        } else
            barrier += machine_device(m, core);
    }
    for (uint32_t engine = 0; engine < DMA_ENGINES; ++engine) dma_claim(m, engine, &round);
    for (uint32_t core = 0; core < cores; ++core) {
        MachinePort *port = &m->ports[core];
        const uint32_t in_l1 = port->address - MACHINE_L1, in_l2 = port->address - MACHINE_L2;
        if (!port->active) continue;
        if (in_l1 < m->config.l1_bytes) {
            if (round.winner[0][in_l1 / 4 % banks] == core + 1) {
                m->last[0][in_l1 / 4 % banks] = (uint8_t)core;
                machine_access(port, m->l1 + in_l1);
            } else
                ++m->status.conflicts[core];
        } else if (in_l2 < m->config.l2_bytes) {
            if (port->waited < m->config.l2_wait) {
                ++port->waited;
                ++m->status.waits[core];
            } else if (round.winner[1][in_l2 / 4 % banks] == core + 1) {
                m->last[1][in_l2 / 4 % banks] = (uint8_t)core;
                machine_access(port, m->l2 + in_l2);
            } else
                ++m->status.conflicts[core];
        } else if (barrier == cores) {
            device_reply(port, 0);
        } else
            ++m->status.waits[core];
    }
    for (uint32_t engine = 0; engine < DMA_ENGINES; ++engine) dma_move(m, engine, &round);
    ++m->status.cycle;
}

#endif
