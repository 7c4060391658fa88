/* State of a core of the instruction-set simulator, its control and status registers, its traps. */
#ifndef HWGEN_CORE_H
#define HWGEN_CORE_H

#include "decode.h"
#include "machine.h"

/* What the instruction before was: a load; a jump, taken branch or fence; a jalr that wrote the
 * register of its target; one that took several cycles in EX. */
enum { AFTER_LOAD = 1, AFTER_JUMP = 2, AFTER_OWN_JALR = 4, AFTER_WAIT = 8 };

typedef struct {
    uint32_t start, stop; /* addresses of the first instruction and of the one after the last */
    uint32_t count;
    uint32_t pending;     /* which of start and stop was set since the body was checked */
    uint32_t ended;       /* 1: has run out, and reads as 1; CV32E41P does not count the last round */
} Loop;

typedef struct {
    uint32_t x[32];
    uint32_t pc, number;
    uint64_t ready;   /* cycle in which the next instruction enters the EX stage */
    uint64_t free;    /* the first cycle in which the instruction before does not occupy EX */
    uint64_t offered; /* the first cycle in which fetch and ID would have let it enter EX */
    uint64_t retired;
    uint32_t after;   /* AFTER_..., of the instruction before */
    uint32_t issued;  /* `ready` is that of the instruction at the pc; it waits for that cycle */
    uint32_t loaded;  /* register of the last load */
    uint64_t returned[32]; /* the first cycle in which a jalr may use a loaded register */
    uint32_t written; /* register that the instruction before wrote in EX */
    Loop loops[2];
    uint32_t looping; /* a loop's count is not 0 */
    /* A load or store that waits for its grant; NULL: none. */
    const Insn *access;
    Insn held; /* a copy of it, which a fence.i of another core leaves alone */
    uint32_t address, first_word, second;
    /* Registers of Zicsr. Counters hold what they showed at `..._since`. */
    uint32_t mstatus, mtvec, mscratch, mepc, mcause, mie, inhibit;
    uint64_t cycles, cycles_since, instructions, instructions_since;
} Core;

enum { CHUNK_BYTES = 4096, CHECKED_LOOPS = 64 };

/* A hardware loop whose body keeps the rules. */
typedef struct {
    uint32_t start, stop, number;
} Checked;

typedef struct {
    Machine machine;
    uint32_t isa;
    Core cores[MACHINE_CORES];
    Insn **code[2]; /* decoded instructions of L2 and L1 by chunk, one a halfword */
    uint32_t chunks[2];
    Checked checked[CHECKED_LOOPS];
} Iss;

/* Ends the run at an instruction. */
#define core_stop(s, c, i, ...)                                      \
    do {                                                             \
        (s)->machine.status.pcs[(c)->number] = (c)->pc;              \
        (s)->machine.status.instruction = (i)->word;                 \
        machine_stop(&(s)->machine, (c)->number, __VA_ARGS__);       \
    } while (0)

/* ---- Control and status registers, as of control_status_registers.rst of both cores ------- */

static inline uint64_t core_cycles(const Core *c) {
    return c->inhibit & 1 ? c->cycles : c->cycles + (c->ready - c->cycles_since);
}

static inline uint64_t core_instructions(const Core *c) {
    return c->inhibit & 4 ? c->instructions
                          : c->instructions + (c->retired - c->instructions_since);
}

/* Does an access flush the pipeline? */
static inline int csr_flushes(uint32_t isa, uint32_t number) {
    return number == 0x300 || number == 0x305 || number == 0x341 || number == 0x342 ||
           number == (isa == ISA_XCV ? 0xcd1 : 0xcc1) || (number >= 0x320 && number <= 0x33f) ||
           (number >= 0xb00 && number <= 0xb9f) || (number >= 0xc00 && number <= 0xc9f);
}

/* 0 if there is no such register. */
static inline int csr_read(const Iss *s, const Core *c, uint32_t number, uint32_t *value) {
    const uint32_t loops = s->isa == ISA_XCV ? 0xcc0 : 0x800;
    const uint32_t in_loops = number - loops;
    if (s->isa != ISA_RV32IMC && in_loops < 7 && in_loops != 3) {
        const Loop *loop = &c->loops[in_loops / 4];
        const uint32_t last = s->isa == ISA_XCV || !loop->stop ? 0 : 4;
        *value = in_loops % 4 == 0   ? loop->start
                 : in_loops % 4 == 1 ? loop->stop - last
                                     : loop->count + loop->ended;
        return 1;
    }
    /* uhartid, privlv (machine mode), zfinx */
    const uint32_t user = number - (s->isa == ISA_XCV ? 0xcd0 : 0xcc0);
    if (user < (s->isa == ISA_XCV ? 3 : 2)) {
        *value = user == 0 ? c->number : user == 1 ? 3 : 0;
        return 1;
    }
    switch (number) {
    case 0x300: *value = c->mstatus; return 1;
    case 0x301: *value = s->isa == ISA_RV32IMC ? 0x40001104 : 0x40801104; return 1;
    case 0x304: *value = c->mie; return 1;
    case 0x305: *value = c->mtvec; return 1;
    case 0x320: *value = c->inhibit; return 1;
    case 0x340: *value = c->mscratch; return 1;
    case 0x341: *value = c->mepc; return 1;
    case 0x342: *value = c->mcause; return 1;
    case 0x343: case 0x344: *value = 0; return 1;
    case 0xb00: case 0xc00: *value = (uint32_t)core_cycles(c); return 1;
    case 0xb80: case 0xc80: *value = (uint32_t)(core_cycles(c) >> 32); return 1;
    case 0xb02: case 0xc02: *value = (uint32_t)core_instructions(c); return 1;
    case 0xb82: case 0xc82: *value = (uint32_t)(core_instructions(c) >> 32); return 1;
    case 0xf11: *value = 0x602; return 1;
    case 0xf12: *value = s->isa == ISA_XPULPV2 ? 0x28 : 4; return 1;
    case 0xf13: *value = s->isa == ISA_XCV; return 1;
    case 0xf14: *value = c->number; return 1;
    default: break;
    }
    *value = 0; /* counters of events that are not there */
    return (number >= 0x323 && number <= 0x33f) || (number >= 0xb03 && number <= 0xb1f) ||
           (number >= 0xb83 && number <= 0xb9f) || (number >= 0xc03 && number <= 0xc1f) ||
           (number >= 0xc83 && number <= 0xc9f);
}

/* Brings the counters to the end of this instruction's first cycle, which counts as before, except
 * that a counter does not count while it is written. */
static inline void core_count(Core *c, int cycles_written, int instructions_written) {
    c->cycles = core_cycles(c) + (!(c->inhibit & 1) && !cycles_written);
    c->instructions = core_instructions(c) + (!(c->inhibit & 4) && !instructions_written);
    c->cycles_since = c->ready + 1;
    c->instructions_since = c->retired + 1;
}

/* A write counts from the next cycle and instruction on. 0 if the register is read-only. */
static inline int csr_write(Core *c, uint32_t number, uint32_t value) {
    if (number >= 0xc00) return 0;
    switch (number) {
    case 0x300: c->mstatus = (value & 0x88) | 0x1800; break;
    case 0x304: c->mie = value & 0xffff0888u; break;
    case 0x305: c->mtvec = value & 0xffffff01u; break;
    case 0x340: c->mscratch = value; break;
    case 0x341: c->mepc = value & ~1u; break;
    case 0x342: c->mcause = value & 0x8000001fu; break;
    case 0x320: case 0xb00: case 0xb02: case 0xb80: case 0xb82:
        core_count(c, (number | 0x80) == 0xb80, (number | 0x80) == 0xb82);
        if (number == 0x320) c->inhibit = value & 5;
        if (number == 0xb00) c->cycles = (c->cycles & ~0xffffffffull) | value;
        if (number == 0xb02) c->instructions = (c->instructions & ~0xffffffffull) | value;
        if (number == 0xb80) c->cycles = (c->cycles & 0xffffffff) | (uint64_t)value << 32;
        if (number == 0xb82) c->instructions = (c->instructions & 0xffffffff) | (uint64_t)value << 32;
        break;
    default: break;
    }
    return 1;
}

#endif
