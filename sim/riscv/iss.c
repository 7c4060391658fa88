/* Instruction-set simulator of RV32IMC cores with the XpulpV2 or the CORE-V extensions.
 *
 * An engine of engine.h. A single core without DMA traffic runs at full speed (run_alone);
 * otherwise all cores advance cycle by cycle through the arbitration of machine.h (run_together).
 */
#include "engine.h"

#include "execute.h"

/* The decoded instruction at the core's pc, or NULL: none can be there, and the run has ended. */
static const Insn *fetch(Iss *s, const Core *c) {
    const Machine *m = &s->machine;
    uint32_t offset = c->pc - MACHINE_L2;
    int memory = 0;
    if (offset >= m->config.l2_bytes) {
        offset = c->pc - MACHINE_L1;
        memory = 1;
        if (offset >= m->config.l1_bytes) {
            static const Insn nothing;
            core_stop(s, c, &nothing, "jump to 0x%08x outside memory", (unsigned)c->pc);
            return NULL;
        }
    }
    Insn **chunk = &s->code[memory][offset / CHUNK_BYTES];
    if (!*chunk) {
        *chunk = (Insn *)calloc(CHUNK_BYTES / 2, sizeof **chunk);
        if (!*chunk) {
            static const Insn nothing;
            core_stop(s, c, &nothing, "no memory is left for decoded instructions");
            return NULL;
        }
    }
    Insn *i = &(*chunk)[offset % CHUNK_BYTES / 2];
    if (i->op == OP_UNKNOWN) {
        const uint32_t word = machine_word((memory ? m->l1 : m->l2) + offset);
        *i = (word & 3) == 3 ? decode(word, s->isa) : decode_compressed(word & 0xffff);
        i->size = (word & 3) == 3 ? 4 : 2;
        i->word = i->size == 4 ? word : word & 0xffff;
        i->early = early_register(i);
    }
    return i;
}

/* ---- Loads and stores over the bus of machine.h ------------------------------------------- */

/* States the request for the word that the access is at. */
static void request(Iss *s, Core *c) {
    const Insn *i = c->access;
    const uint32_t bytes = access_bytes(i), shift = 8 * (c->address & 3);
    const uint64_t enable = (uint64_t)((1u << bytes) - 1) << (c->address & 3);
    const uint64_t data = (uint64_t)c->x[i->rs2] << shift;
    s->machine.status.pcs[c->number] = c->pc;
    s->machine.status.instructions[c->number] = c->retired;
    if (c->second)
        machine_request(&s->machine, c->number, (c->address & ~3u) + 4, is_store(i),
                        (uint32_t)(enable >> 4), (uint32_t)(data >> 32));
    else
        machine_request(&s->machine, c->number, c->address, is_store(i), (uint32_t)enable & 15,
                        (uint32_t)data);
}

static void begin_access(Iss *s, Core *c, const Insn *i) {
    c->held = *i;
    c->access = &c->held;
    c->address = access_address(c, i);
    c->second = 0;
    request(s, c);
}

/* After a cycle of the machine: takes what was granted in it. */
static void granted(Iss *s, Core *c) {
    const MachinePort *port = &s->machine.ports[c->number];
    const Insn *i = c->access;
    const uint32_t shift = 8 * (c->address & 3);
    const int crosses = (c->address & 3) + access_bytes(i) > 4;
    if (crosses && !c->second) {
        c->first_word = port->data;
        c->second = 1;
        request(s, c);
        return;
    }
    const uint64_t word = crosses ? (uint64_t)port->data << 32 | c->first_word : port->data;
    c->access = NULL;
    finish_access(c, i, (uint32_t)(word >> shift), s->machine.status.cycle - 1);
    if (c->looping) loop_back(s, c, i);
}

/* A load or store of a core that is alone: 1 if it could be done without the bus. */
static inline int access_alone(Iss *s, Core *c, const Insn *i) {
    Machine *m = &s->machine;
    const uint32_t address = access_address(c, i), bytes = access_bytes(i);
    const uint32_t in_l2 = address - MACHINE_L2, in_l1 = address - MACHINE_L1;
    const uint32_t last = bytes - 1;
    const uint32_t crosses = (address & 3) + last > 3;
    uint8_t *p;
    uint32_t word = 0, wait = 0;
    if (in_l2 < m->config.l2_bytes && in_l2 + last < m->config.l2_bytes) {
        p = m->l2 + in_l2;
        wait = m->config.l2_wait * (1 + crosses);
        m->status.waits[c->number] += wait;
    } else if (in_l1 < m->config.l1_bytes && in_l1 + last < m->config.l1_bytes)
        p = m->l1 + in_l1;
    else
        return 0;
    if (is_load(i)) {
        word = machine_word(p); /* memories have a spare word at their end */
    } else {
        const uint32_t data = c->x[i->rs2];
        for (uint32_t k = 0; k < bytes; ++k) p[k] = (uint8_t)(data >> (8 * k));
    }
    finish_access(c, i, word, c->ready + wait + crosses);
    return 1;
}

/* ---- Running ------------------------------------------------------------------------------ */

static void run_alone(Iss *s, uint64_t until) {
    Machine *m = &s->machine;
    Core *c = &s->cores[0];
    while (m->status.state == STATE_RUNNING && c->ready < until) {
        const Insn *i = fetch(s, c);
        if (!i) break;
        if (c->after)
            issue(c, i);
        else
            issue_next(c);
        if (i->op < OP_LB || i->op >= OP_SB + 12)
            execute(s, c, i);
        else if (!access_alone(s, c, i)) {
            m->status.cycle = c->ready;
            begin_access(s, c, i);
            return;
        }
        if (c->looping) loop_back(s, c, i);
    }
    m->status.cycle = c->ready;
}

static void run_together(Iss *s, uint64_t until) {
    Machine *m = &s->machine;
    const uint32_t cores = m->config.cores;
    while (m->status.state == STATE_RUNNING && m->status.cycle < until) {
        const uint64_t now = m->status.cycle;
        uint32_t waiting = 0;
        for (uint32_t k = 0; k < cores; ++k) {
            Core *c = &s->cores[k];
            if (c->access) {
                ++waiting;
                continue;
            }
            if (c->ready > now) continue;
            const Insn *i = fetch(s, c);
            if (!i) return;
            if (!c->issued) {
                if (c->after)
                    issue(c, i);
                else
                    issue_next(c);
                c->issued = 1;
                if (c->ready > now) continue;
            }
            c->issued = 0;
            if (i->op < OP_LB || i->op >= OP_SB + 12) {
                execute(s, c, i);
                if (m->status.state != STATE_RUNNING) return;
                if (c->looping) loop_back(s, c, i);
            } else {
                begin_access(s, c, i);
                ++waiting;
            }
        }
        machine_cycle(m);
        if (m->status.state == STATE_STOPPED) return;
        if (waiting)
            for (uint32_t k = 0; k < cores; ++k)
                if (s->cores[k].access && m->ports[k].granted) granted(s, &s->cores[k]);
        if (cores == 1 && !dma_busy(m) && !s->cores[0].access && !s->cores[0].issued) return;
    }
}

ENGINE_EXPORT void *hwgen_open(const MachineConfig *config) {
    Iss *s = (Iss *)calloc(1, sizeof *s);
    if (!s) return NULL;
    if (!machine_open(&s->machine, config)) {
        free(s);
        return NULL;
    }
    s->isa = config->isa;
    s->chunks[0] = config->l2_bytes / CHUNK_BYTES + 1;
    s->chunks[1] = config->l1_bytes / CHUNK_BYTES + 1;
    for (int memory = 0; memory < 2; ++memory)
        s->code[memory] = (Insn **)calloc(s->chunks[memory], sizeof(Insn *));
    if (!s->code[0] || !s->code[1]) {
        hwgen_close(s);
        return NULL;
    }
    for (uint32_t k = 0; k < config->cores; ++k) {
        Core *c = &s->cores[k];
        c->number = k;
        c->pc = MACHINE_START;
        c->mstatus = 0x1800;
        c->mtvec = 1; /* vectored */
        c->inhibit = 5;
    }
    return s;
}

ENGINE_EXPORT int hwgen_load(void *session, uint32_t address, const uint8_t *bytes, uint32_t size) {
    return machine_load(&((Iss *)session)->machine, address, bytes, size);
}

ENGINE_EXPORT const MachineStatus *hwgen_run(void *session, uint64_t cycles) {
    Iss *s = (Iss *)session;
    Machine *m = &s->machine;
    const uint64_t until = m->status.cycle + cycles;
    while (m->status.state == STATE_RUNNING && m->status.cycle < until) {
        if (m->config.cores == 1 && !s->cores[0].access && !dma_busy(m))
            run_alone(s, until);
        else
            run_together(s, until);
    }
    for (uint32_t k = 0; k < m->config.cores; ++k) {
        m->status.instructions[k] = s->cores[k].retired;
        m->status.pcs[k] = s->cores[k].pc;
    }
    if (m->status.state == STATE_STOPPED && s->cores[m->status.core].access)
        m->status.instruction = s->cores[m->status.core].access->word;
    return &m->status;
}

ENGINE_EXPORT void hwgen_close(void *session) {
    Iss *s = (Iss *)session;
    for (int memory = 0; memory < 2; ++memory) {
        if (s->code[memory])
            for (uint32_t k = 0; k < s->chunks[memory]; ++k) free(s->code[memory][k]);
        free(s->code[memory]);
    }
    machine_close(&s->machine);
    free(s);
}
