/* What machine.h works on: the memories, the ports of the cores, what goes in and comes out. */
#ifndef HWGEN_STATE_H
#define HWGEN_STATE_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE_L1 0x10000000u
#define MACHINE_DEVICES 0x1A100000u
#define MACHINE_L2 0x1C000000u
#define MACHINE_L3 0x80000000u
#define MACHINE_START 0x1C000080u /* every core's first instruction */
#define MACHINE_TICKET_L3 0x80000000u /* set in tickets of the engine of L3 */

enum { MACHINE_CORES = 64, MACHINE_BANKS = 64, MACHINE_QUEUE = 16, MACHINE_TEXT = 1 << 20 };

/* Offsets of the devices' registers. */
enum Device {
    DEVICE_EXIT = 0x00,      /* w: exit code; ends the run */
    DEVICE_NEXT = 0x04,      /* r: 1 and goes to the next sample, or 0: none is left */
    DEVICE_IN = 0x08,        /* w: address; the host copies the sample's input there, in no time */
    DEVICE_OUT = 0x0C,       /* w: address; the host takes the sample's output from there */
    DEVICE_MARK = 0x10,      /* w: id of a profile point */
    DEVICE_PUTC = 0x14,      /* w: character */
    DEVICE_CORES = 0x18,     /* r: number of cores */
    DEVICE_BARRIER = 0x20,   /* r: 0, granted to all cores in the cycle in which the last asks */
    DEVICE_DMA_SRC = 0x40,   /* w */
    DEVICE_DMA_DST = 0x44,   /* w */
    DEVICE_DMA_LENGTH = 0x48, /* w: bytes a line */
    DEVICE_DMA_LINES = 0x4C, /* w */
    DEVICE_DMA_SRC_STRIDE = 0x50, /* w: bytes from line to line */
    DEVICE_DMA_DST_STRIDE = 0x54, /* w */
    /* r: gives the transfer to the engine of L3 if either address is there, else to that of L1;
       its ticket, which counts from 1 (or MACHINE_TICKET_L3 + 1); waits while the queue is full */
    DEVICE_DMA_START = 0x58,
    DEVICE_DMA_WAIT = 0x5C /* w: ticket; granted when that transfer is complete; of 0: at once */
};

/* DMA engines. */
enum { DMA_L1, DMA_L3, DMA_ENGINES };

enum State { STATE_RUNNING = 0, STATE_EXITED = 1, STATE_STOPPED = 2 };

/* Field by field the ctypes structure of machine.py. */
typedef struct {
    const uint8_t *samples; /* count * input_bytes */
    uint8_t *outputs;       /* count * output_bytes */
    uint32_t count, input_bytes, output_bytes;
    uint32_t isa; /* 0 rv32imc, 1 xpulpv2, 2 xcv */
    uint32_t cores, banks, l1_bytes, l2_bytes, l3_bytes, l2_wait;
    uint32_t dma_setup, dma_bytes, l3_setup, l3_bytes_per_cycle;
} MachineConfig;

typedef struct {
    uint32_t core, id;
    uint64_t cycle, instructions; /* both before the marking store */
} MachineMark;

/* Field by field the ctypes structure of machine.py. */
typedef struct {
    uint64_t cycle;
    uint32_t state, exit_code;
    uint32_t taken, given; /* samples that the program has begun; outputs that it has handed in */
    /* Of a run that was STOPPED. The engine fills `pc` and `instruction` in. */
    uint32_t core, pc, instruction;
    char message[200];
    const MachineMark *marks;
    const char *printed;
    uint64_t mark_count, printed_bytes;
    /* Of each DMA engine: cycles in which it worked, bytes it moved. */
    uint64_t dma_cycles[DMA_ENGINES], dma_bytes[DMA_ENGINES];
    /* A core: instructions it retired (kept by the engine), cycles it lost a bank to another,
       cycles it waited for memory beyond L1, for the barrier or for a DMA engine, and its pc
       (kept by the engine; for messages). */
    uint64_t instructions[MACHINE_CORES], conflicts[MACHINE_CORES], waits[MACHINE_CORES];
    uint32_t pcs[MACHINE_CORES];
} MachineStatus;

/* What a core wants of its data bus, and what it got. */
typedef struct {
    uint32_t address; /* of the word */
    uint32_t data;    /* in lanes: byte k of the word is bits 8k.. */
    uint32_t enable;  /* bit k: byte k of the word */
    uint32_t waited;
    uint8_t write, active, granted;
} MachinePort;

typedef struct {
    uint32_t source, destination, length, lines, source_stride, destination_stride;
} Transfer;

typedef struct {
    Transfer queue[MACHINE_QUEUE];
    uint64_t enqueued, complete; /* transfers */
    uint32_t begun;              /* the transfer at the head is in work */
    uint32_t setup_left;         /* cycles before it moves bytes */
    uint32_t line, offset;       /* its next byte */
    uint32_t beat;               /* bytes of the beat in work, 0: none */
    uint32_t claims;             /* words of L1 that the beat still needs */
    uint32_t words[2 * MACHINE_BANKS];
} DmaEngine;

typedef struct {
    MachineConfig config;
    MachineStatus status;
    uint8_t *l1, *l2, *l3;
    MachinePort ports[MACHINE_CORES];
    Transfer draft; /* what has been written to the DMA engines' registers */
    DmaEngine dma[DMA_ENGINES];
    uint8_t last[2][MACHINE_BANKS]; /* who was granted last, of L1 and L2; number `cores`: DMA */
    MachineMark *marks;
    char *printed;
    uint64_t mark_room, printed_room;
} Machine;

/* Ends the run with a message, unless it has ended. */
static inline void machine_stop(Machine *m, uint32_t core, const char *format, ...) {
    va_list arguments;
    if (m->status.state != STATE_RUNNING) return;
    m->status.state = STATE_STOPPED;
    m->status.core = core;
    m->status.pc = m->status.pcs[core];
    va_start(arguments, format);
    (void)vsnprintf(m->status.message, sizeof m->status.message, format, arguments);
    va_end(arguments);
}

static inline void machine_close(Machine *m) {
    free(m->l1);
    free(m->l2);
    free(m->l3);
    free(m->marks);
    free(m->printed);
    memset(m, 0, sizeof *m);
}

/* 0 if there is not enough memory. Sizes of memories must be multiples of 4. */
static inline int machine_open(Machine *m, const MachineConfig *config) {
    memset(m, 0, sizeof *m);
    m->config = *config;
    memset(m->last, (int)config->cores, sizeof m->last); /* core 0 comes first */
    /* calloc(0) may return NULL; a spare word also lets an engine read past the end. */
    m->l1 = (uint8_t *)calloc((size_t)config->l1_bytes + 4, 1);
    m->l2 = (uint8_t *)calloc((size_t)config->l2_bytes + 4, 1);
    m->l3 = (uint8_t *)calloc((size_t)config->l3_bytes + 4, 1);
    if (m->l1 && m->l2 && m->l3) return 1;
    machine_close(m);
    return 0;
}

/* `size` bytes at `address` in L1 or L2 (or L3 where `all` is set), or NULL. */
static inline uint8_t *machine_memory(const Machine *m, uint32_t address, uint32_t size, int all) {
    const uint32_t in_l1 = address - MACHINE_L1, in_l2 = address - MACHINE_L2;
    const uint32_t in_l3 = address - MACHINE_L3;
    if (in_l2 < m->config.l2_bytes && size <= m->config.l2_bytes - in_l2) return m->l2 + in_l2;
    if (in_l1 < m->config.l1_bytes && size <= m->config.l1_bytes - in_l1) return m->l1 + in_l1;
    if (all && in_l3 < m->config.l3_bytes && size <= m->config.l3_bytes - in_l3)
        return m->l3 + in_l3;
    return NULL;
}

/* Puts a part of the program into memory; 0 if it does not fit there. */
static inline int machine_load(Machine *m, uint32_t address, const uint8_t *bytes, uint32_t size) {
    uint8_t *memory = machine_memory(m, address, size, 1);
    if (!memory) return size == 0;
    memcpy(memory, bytes, size);
    return 1;
}

static inline uint32_t machine_word(const uint8_t *memory) {
    return (uint32_t)memory[0] | (uint32_t)memory[1] << 8 | (uint32_t)memory[2] << 16 |
           (uint32_t)memory[3] << 24;
}

/* The instruction word at a multiple of 4, for a core's fetch; 0 (no instruction) outside memory. */
static inline uint32_t machine_fetch(const Machine *m, uint32_t address) {
    const uint8_t *memory = machine_memory(m, address & ~3u, 4, 0);
    return memory ? machine_word(memory) : 0;
}

/* States what core `core` asks of its data bus in this cycle; see the protocol above.
 * `enable` has a bit for each byte of the word at `address & ~3`; `data` lies in those lanes. */
static inline void machine_request(Machine *m, uint32_t core, uint32_t address, int write,
                                   uint32_t enable, uint32_t data) {
    MachinePort *port = &m->ports[core];
    port->address = address & ~3u;
    port->write = write != 0;
    port->enable = enable & 15u;
    port->data = data;
    port->active = 1;
    port->granted = 0;
}

/* Who gets which bank in a cycle. */
typedef struct {
    uint8_t winner[2][MACHINE_BANKS]; /* requester + 1, or 0: nobody */
} Arbitration;

/* Requester `who` wants the bank of word `word` (a word number); the next after the bank's last
 * winner wins. */
static inline void machine_claim(const Machine *m, Arbitration *round, uint32_t memory,
                                 uint32_t word, uint32_t who) {
    const uint32_t bank = word % m->config.banks, requesters = m->config.cores + 1;
    const uint32_t last = m->last[memory][bank], rival = round->winner[memory][bank];
    const uint32_t distance = (who + requesters - last - 1) % requesters;
    if (!rival || distance < (rival - 1 + requesters - last - 1) % requesters)
        round->winner[memory][bank] = (uint8_t)(who + 1);
}

#endif
