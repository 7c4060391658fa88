/* Hardware loops: their registers, the jump back, and the rules that a core does not check.
 *
 * From `corev_hw_loop.rst` of both cores. A violation ends the run: CV32E41P raises an exception
 * for some of them, CV32E40P does something undefined.
 */
#ifndef HWGEN_LOOPS_H
#define HWGEN_LOOPS_H

#include "core.h"
#include "decoder.h"

enum { LOOP_START_SET = 1, LOOP_STOP_SET = 2, SHORTEST_LOOP = 3 };

/* What a body must not hold, or NULL. `number`: the loop's own registers are off limits, too. */
static inline const char *misfit(const Insn *i, uint32_t number) {
    if (i->op >= OP_JAL && i->op <= OP_BNEIMM) return "a jump or branch";
    if (i->op == OP_FENCE || i->op == OP_FENCE_I) return "a fence";
    if (i->op == OP_WFI || i->op == OP_ECALL) return "a privileged instruction";
    if (i->op >= OP_LOOP_START && i->op <= OP_LOOP_SETUP && (i->kind & 1u) == number)
        return "a change of the loop's own registers";
    return NULL;
}

/* Stops the core unless loop `number` may run as it is set up. */
static inline void check_loop(Iss *s, Core *c, const Insn *at, uint32_t number) {
    Loop *loop = &c->loops[number];
    const Loop *other = &c->loops[1 - number];
    Checked *known = &s->checked[(loop->start >> 2 ^ loop->stop << 3 ^ number) % CHECKED_LOOPS];
    loop->pending = 0;
    if (other->count) {
        const Loop *inner = &c->loops[0], *outer = &c->loops[1];
        if (outer->start <= inner->start && inner->start < outer->stop &&
            outer->stop < inner->stop + 8)
            core_stop(s, c, at, "hardware loop 1 must end two instructions or more after loop 0");
        else if (inner->start < outer->start && outer->start < inner->stop)
            core_stop(s, c, at, "of nested hardware loops the inner one must be loop 0");
    }
    if (known->start == loop->start && known->stop == loop->stop && known->number == number)
        return;
    if ((loop->start | loop->stop) & 3) {
        core_stop(s, c, at, "hardware loop %u must start and end at multiples of 4, not 0x%08x "
                            "and 0x%08x", (unsigned)number, (unsigned)loop->start,
                  (unsigned)loop->stop);
        return;
    }
    if (loop->stop < loop->start + 4 * SHORTEST_LOOP) {
        core_stop(s, c, at, "hardware loop %u must have 3 instructions or more, and runs from "
                            "0x%08x to 0x%08x", (unsigned)number, (unsigned)loop->start,
                  (unsigned)loop->stop);
        return;
    }
    for (uint32_t pc = loop->start; pc < loop->stop; pc += 4) {
        const uint8_t *code = machine_memory(&s->machine, pc, 4, 0);
        const uint32_t word = code ? machine_word(code) : 0;
        const Insn i = decode(word, s->isa);
        const char *what = (word & 3) != 3 ? "a compressed instruction" : misfit(&i, number);
        if (what) {
            core_stop(s, c, at, "hardware loop %u from 0x%08x to 0x%08x must not hold %s, as at "
                                "0x%08x", (unsigned)number, (unsigned)loop->start,
                      (unsigned)loop->stop, what, (unsigned)pc);
            return;
        }
    }
    known->start = loop->start;
    known->stop = loop->stop;
    known->number = number;
}

/* Runs an instruction that sets registers of a loop. */
static inline void set_loop(Iss *s, Core *c, const Insn *i) {
    const uint32_t number = i->kind & 1, value = c->x[i->rs1];
    const uint32_t target = i->form == FORM_REGISTER ? value : c->pc + (uint32_t)i->imm;
    const uint32_t count = i->form == FORM_REGISTER ? value : (uint32_t)i->kind >> 1;
    Loop *loop = &c->loops[number];
    if (s->isa == ISA_XCV && i->op != OP_LOOP_COUNT) {
        if (loop->count)
            core_stop(s, c, i, "hardware loop %u must not move while its count is %u",
                      (unsigned)number, (unsigned)loop->count);
        if (i->form == FORM_IMMEDIATE && c->pc & 2)
            core_stop(s, c, i, "instructions that set a hardware loop up must lie at multiples of "
                               "4");
    }
    switch (i->op) {
    case OP_LOOP_START:
        loop->start = target;
        loop->pending |= LOOP_START_SET;
        break;
    case OP_LOOP_END:
        loop->stop = target;
        loop->pending |= LOOP_STOP_SET;
        break;
    case OP_LOOP_COUNT:
        loop->count = count;
        loop->ended = 0;
        break;
    default: /* OP_LOOP_SETUP */
        loop->start = c->pc + 4;
        loop->stop = c->pc + (uint32_t)i->imm;
        loop->count = count;
        loop->ended = 0;
        loop->pending = LOOP_START_SET | LOOP_STOP_SET;
        break;
    }
    /* Until start and end are both new, they may belong to two loops. */
    if (loop->count && (loop->pending == (LOOP_START_SET | LOOP_STOP_SET) || !loop->pending))
        check_loop(s, c, i, number);
    c->looping = c->loops[0].count || c->loops[1].count;
}

/* After an instruction: goes back to the start of a body that ends here. Costs no cycle. */
static inline void loop_back(Iss *s, Core *c, const Insn *i) {
    if (c->after & AFTER_JUMP) return;
    for (uint32_t number = 0; number < 2; ++number) {
        Loop *loop = &c->loops[number];
        if (!loop->count || c->pc != loop->stop) continue;
        if (loop->pending) check_loop(s, c, i, number);
        if (--loop->count) {
            c->pc = loop->start;
            break;
        }
        loop->ended = s->isa == ISA_XPULPV2;
    }
    c->looping = c->loops[0].count || c->loops[1].count;
}

/* A jump must not lead into a body that has not been entered at its start. */
static inline void check_jump(Iss *s, Core *c, const Insn *i, uint32_t target) {
    for (uint32_t number = 0; number < 2; ++number) {
        const Loop *loop = &c->loops[number];
        if (!loop->count) continue;
        if (c->pc >= loop->start && c->pc < loop->stop)
            core_stop(s, c, i, "jump to 0x%08x from inside hardware loop %u", (unsigned)target,
                      (unsigned)number);
        else if (target > loop->start && target < loop->stop)
            core_stop(s, c, i, "jump to 0x%08x into hardware loop %u, which starts at 0x%08x",
                      (unsigned)target, (unsigned)number, (unsigned)loop->start);
    }
}

#endif
