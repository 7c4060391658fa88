/* The devices of machine.h: host, profile points, barrier, registers of the DMA engines. */
#ifndef HWGEN_DEVICES_H
#define HWGEN_DEVICES_H

#include "dma.h"

/* Grants a device access; a load reads `value`. */
static inline void device_reply(MachinePort *port, uint32_t value) {
    port->data = value;
    port->granted = 1;
    port->active = 0;
    port->waited = 0;
}

static inline void device_mark(Machine *m, uint32_t core, uint32_t id) {
    MachineStatus *status = &m->status;
    if (status->mark_count == m->mark_room) {
        const uint64_t room = m->mark_room ? 2 * m->mark_room : 256;
        MachineMark *marks = (MachineMark *)realloc(m->marks, (size_t)room * sizeof *marks);
        if (!marks) {
            machine_stop(m, core, "no memory is left for profile points");
            return;
        }
        status->marks = m->marks = marks;
        m->mark_room = room;
    }
    MachineMark *mark = &m->marks[status->mark_count++];
    mark->core = core;
    mark->id = id;
    mark->cycle = status->cycle;
    mark->instructions = status->instructions[core];
}

/* Text beyond MACHINE_TEXT bytes is dropped. */
static inline void device_print(Machine *m, uint32_t character) {
    MachineStatus *status = &m->status;
    if (status->printed_bytes == m->printed_room) {
        const uint64_t room = m->printed_room ? 2 * m->printed_room : 256;
        char *printed = room <= MACHINE_TEXT ? (char *)realloc(m->printed, (size_t)room) : NULL;
        if (!printed) return;
        status->printed = m->printed = printed;
        m->printed_room = room;
    }
    m->printed[status->printed_bytes++] = (char)(character & 0xff);
}

/* Copies the current sample to the program, or the program's output to the host. */
static inline void device_sample(Machine *m, uint32_t core, uint32_t address, int output) {
    const MachineConfig *config = &m->config;
    MachineStatus *status = &m->status;
    const uint32_t size = output ? config->output_bytes : config->input_bytes;
    uint8_t *memory = machine_memory(m, address, size, 1);
    if (!size) return;
    if (!memory) {
        machine_stop(m, core, "%u bytes of a sample's %s at 0x%08x do not lie in memory",
                     (unsigned)size, output ? "output" : "input", (unsigned)address);
    } else if (output) {
        if (status->given >= status->taken)
            machine_stop(m, core, "output %u is handed in before sample %u has been begun",
                         (unsigned)status->given, (unsigned)status->given);
        else
            memcpy(config->outputs + (size_t)status->given++ * size, memory, size);
    } else if (!status->taken) {
        machine_stop(m, core, "an input is asked for before the first sample has been begun");
    } else {
        memcpy(memory, config->samples + (size_t)(status->taken - 1) * size, size);
    }
}

/* Enqueues the drafted transfer, unless its engine's queue is full: then the load waits. */
static inline void device_start_transfer(Machine *m, uint32_t core) {
    const Transfer *t = &m->draft;
    const uint32_t engine = dma_engine(t);
    DmaEngine *dma = &m->dma[engine];
    if (dma->enqueued - dma->complete == MACHINE_QUEUE) return;
    for (int side = 0; side < 2; ++side) {
        const uint32_t address = side ? t->destination : t->source;
        const uint64_t stride = side ? t->destination_stride : t->source_stride;
        const uint64_t bytes = t->lines ? stride * (t->lines - 1) + t->length : 0;
        if (!t->length || !t->lines) continue;
        if (bytes > UINT32_MAX || !machine_memory(m, address, (uint32_t)bytes, 1)) {
            machine_stop(m, core,
                         "a DMA transfer's %s, %u lines of %u bytes at 0x%08x, %u bytes apart, "
                         "does not lie in memory",
                         side ? "destination" : "source", (unsigned)t->lines, (unsigned)t->length,
                         (unsigned)address, (unsigned)stride);
            return;
        }
    }
    if (engine == DMA_L3 && t->length && t->lines &&
        t->source - MACHINE_L2 >= m->config.l2_bytes &&
        t->destination - MACHINE_L2 >= m->config.l2_bytes) {
        machine_stop(m, core,
                     "a DMA transfer from 0x%08x to 0x%08x: the other side of one from or to L3 "
                     "must be in L2",
                     (unsigned)t->source, (unsigned)t->destination);
        return;
    }
    /* Who had a bank last matters against a rival only, and a core that is alone has none before:
       engines need not track it then. */
    if (m->config.cores == 1 && !dma_busy(m)) memset(m->last, 1, sizeof m->last);
    dma->queue[dma->enqueued++ % MACHINE_QUEUE] = *t;
    device_reply(&m->ports[core], dma_ticket(engine, dma->enqueued));
}

/* Has the ticket's transfer been completed? Stops the run if it has not even been started. */
static inline int device_wait(Machine *m, uint32_t core, uint32_t ticket) {
    const int external = (ticket & MACHINE_TICKET_L3) != 0;
    const DmaEngine *dma = &m->dma[external ? DMA_L3 : DMA_L1];
    const uint32_t number = ticket & ~MACHINE_TICKET_L3;
    if (number > dma->enqueued)
        machine_stop(m, core, "waits for DMA transfer %u%s, and %u have been started",
                     (unsigned)number, external ? " of L3" : "", (unsigned)dma->enqueued);
    return !dma_pending(dma, number);
}

static inline void device_store(Machine *m, uint32_t core, uint32_t offset) {
    MachinePort *port = &m->ports[core];
    Transfer *draft = &m->draft;
    const uint32_t value = port->data;
    switch (offset) {
    case DEVICE_EXIT:
        if (m->status.state == STATE_RUNNING) m->status.state = STATE_EXITED;
        m->status.exit_code = value;
        break;
    case DEVICE_IN: device_sample(m, core, value, 0); break;
    case DEVICE_OUT: device_sample(m, core, value, 1); break;
    case DEVICE_MARK: device_mark(m, core, value); break;
    case DEVICE_PUTC: device_print(m, value); break;
    case DEVICE_DMA_SRC: draft->source = value; break;
    case DEVICE_DMA_DST: draft->destination = value; break;
    case DEVICE_DMA_LENGTH: draft->length = value; break;
    case DEVICE_DMA_LINES: draft->lines = value; break;
    case DEVICE_DMA_SRC_STRIDE: draft->source_stride = value; break;
    case DEVICE_DMA_DST_STRIDE: draft->destination_stride = value; break;
    case DEVICE_DMA_WAIT:
        if (!device_wait(m, core, value)) return;
        break;
    default: machine_stop(m, core, "no device can be written at 0x%08x", (unsigned)port->address);
    }
    device_reply(port, 0);
}

static inline void device_load(Machine *m, uint32_t core, uint32_t offset) {
    MachinePort *port = &m->ports[core];
    switch (offset) {
    case DEVICE_NEXT:
        if (m->status.taken < m->config.count) {
            ++m->status.taken;
            device_reply(port, 1);
        } else
            device_reply(port, 0);
        break;
    case DEVICE_CORES: device_reply(port, m->config.cores); break;
    case DEVICE_DMA_START: device_start_transfer(m, core); break;
    default: machine_stop(m, core, "no device can be read at 0x%08x", (unsigned)port->address);
    }
}

/* Serves a request outside L1 and L2, or lets it wait. 1 if it is for the barrier. */
static inline uint32_t machine_device(Machine *m, uint32_t core) {
    MachinePort *port = &m->ports[core];
    const uint32_t offset = port->address - MACHINE_DEVICES;
    uint32_t first = 0, bytes = 0;
    if (offset < 0x100) {
        if (port->enable != 15)
            machine_stop(m, core, "devices take aligned words only; access at 0x%08x",
                         (unsigned)port->address);
        else if (port->write)
            device_store(m, core, offset);
        else if (offset == DEVICE_BARRIER)
            return 1;
        else
            device_load(m, core, offset);
        return 0;
    }
    for (uint32_t k = 0; k < 4; ++k) {
        if (!bytes && !(port->enable >> k & 1)) ++first;
        bytes += port->enable >> k & 1;
    }
    machine_stop(m, core, "%s of %u byte%s at 0x%08x outside memory%s",
                 port->write ? "store" : "load", (unsigned)bytes, bytes == 1 ? "" : "s",
                 (unsigned)(port->address + first),
                 port->address - MACHINE_L3 < m->config.l3_bytes
                     ? " (in L3, which only the DMA engine reaches)"
                     : "");
    return 0;
}

#endif
