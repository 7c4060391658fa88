/* When an instruction enters the pipeline's EX stage, and what loads and stores leave behind.
 *
 * A core's time is the cycle in which an instruction is in the EX stage, where data requests
 * leave, branches are decided, results appear. The rules are those of `pipeline.rst` of CV32E40P
 * and CV32E41P and of their controllers (load_stall_o, jr_stall_o, csr_status_i).
 */
#ifndef HWGEN_PIPELINE_H
#define HWGEN_PIPELINE_H

#include "core.h"
#include "simd.h"

/* pipeline.rst gives a fence 2 cycles; the RTL empties its pipeline first. */
enum { JUMP_CYCLES = 2, BRANCH_CYCLES = 3, MULH_CYCLES = 5, CSR_CYCLES = 4, FENCE_CYCLES = 4 };

static inline int is_load(const Insn *i) { return i->op >= OP_LB && i->op < OP_SB; }
static inline int is_store(const Insn *i) { return i->op >= OP_SB && i->op < OP_SB + 12; }
static inline int addressing(const Insn *i) { return (i->op - OP_LB) & 3; }
static inline int is_post(const Insn *i) {
    return (is_load(i) || is_store(i)) && (addressing(i) & 1);
}

/* Bytes of a load or store. */
static inline uint32_t access_bytes(const Insn *i) {
    static const uint8_t bytes[8] = {1, 2, 4, 1, 2, 1, 2, 4};
    return bytes[(i->op - OP_LB) / 4];
}

/* The register that is written in EX: not the one that a load brings. */
static inline uint8_t early_register(const Insn *i) {
    if (is_load(i) || is_store(i)) return is_post(i) ? i->rs1 : NO_REGISTER;
    if (i->op >= OP_BEQ && i->op <= OP_BNEIMM) return NO_REGISTER;
    if (i->op >= OP_FENCE && i->op <= OP_MRET) return NO_REGISTER;
    return i->op < OP_LOOP_START ? i->rd : NO_REGISTER;
}

/* Finds the cycle in which an instruction enters EX after a jump. Beyond pipeline.rst: the aligner
 * joins the halves of a target only while ID waits for it; and while a jalr that has written its own
 * register is in EX, what is left of it in ID, unless the target is there already, stalls ID
 * (jr_stall_o of the controller). */
static inline void issue_target(Core *c, const Insn *i) {
    const uint32_t halves = (c->pc & 2) && i->size == 4;
    const uint32_t late = halves || c->offered > c->ready;
    if (c->ready < c->offered) c->ready = c->offered;
    c->ready += halves + (late && (c->after & AFTER_OWN_JALR));
    c->offered = c->ready;
}

/* The same after any instruction that left something behind. Who writes a register in EX waits for a
 * load into the same register, x0 too (load_stall_o; not in pipeline.rst). */
static inline void issue(Core *c, const Insn *i) {
    c->free = c->ready;
    if (c->after & AFTER_JUMP) {
        issue_target(c, i);
    } else if (c->after & AFTER_LOAD) {
        const uint32_t r = c->loaded;
        if ((r && (r == i->rs1 || r == i->rs2 || r == i->rs3)) || r == i->early) ++c->ready;
    }
    c->after = 0;
}

/* The same after an instruction that took a single cycle. */
static inline void issue_next(Core *c) { c->offered = c->free = c->ready; }

/* A jalr needs its register in ID, where neither EX nor a load can forward it to. */
static inline void issue_jalr(Core *c, const Insn *i) {
    if (i->rs1 && c->offered < c->returned[i->rs1]) c->offered = c->returned[i->rs1];
    if (i->rs1 && c->written == i->rs1 && c->offered <= c->free) c->offered = c->free + 1;
    if (c->ready < c->offered) c->ready = c->offered;
}

/* A jump is decided in ID: what holds it up there does not hold up the fetch of its target. */
static inline void leave_to(Core *c, uint32_t target, uint64_t offered) {
    c->pc = target;
    ++c->ready;
    c->offered = offered;
    c->after = AFTER_JUMP;
}

/* cv32e40p_alu_div.sv: a cycle to load, one a bit from the divisor's highest bit up, one to end. */
static inline uint32_t division_cycles(uint32_t divisor, int is_signed) {
    const int negative = is_signed && (divisor & 0x80000000u);
    return 3 + (negative ? leading_zeros(~divisor) - 1 : leading_zeros(divisor));
}

static inline uint32_t divide(int op, uint32_t a, uint32_t b) {
    if (b == 0) return op == OP_DIV || op == OP_DIVU ? 0xffffffffu : a;
    if (op == OP_DIVU) return a / b;
    if (op == OP_REMU) return a % b;
    if (a == 0x80000000u && b == 0xffffffffu) return op == OP_DIV ? a : 0;
    return (uint32_t)(op == OP_DIV ? (int32_t)a / (int32_t)b : (int32_t)a % (int32_t)b);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static inline uint32_t access_address(const Core *c, const Insn *i) {
    const uint32_t base = c->x[i->rs1];
    const uint32_t index = is_store(i) ? c->x[i->rs3] : c->x[i->rs2];
    switch (addressing(i)) {
    case 0: return base + (uint32_t)i->imm;
    case 2: return base + index;
    default: return base;
    }
}

/* The value that a load of `word`, its bytes from bit 0 on, puts into the register. */
static inline uint32_t loaded_value(const Insn *i, uint32_t word) {
    switch ((i->op - OP_LB) / 4) {
    case 0: return (uint32_t)extend(word, 8);
    case 1: return (uint32_t)extend(word, 16);
    case 2: return word;
    case 3: return word & 0xff;
    default: return word & 0xffff;
    }
}

/* Ends a load or store whose last bus access was granted in cycle `at`. */
static inline void finish_access(Core *c, const Insn *i, uint32_t word, uint64_t at) {
    if (is_post(i)) {
        const uint32_t index = is_store(i) ? c->x[i->rs3] : c->x[i->rs2];
        c->x[i->rs1] += addressing(i) == 1 ? (uint32_t)i->imm : index;
    }
    c->after = AFTER_WAIT;
    if (is_load(i)) {
        c->x[i->rd] = loaded_value(i, word);
        c->loaded = i->rd;
        c->returned[i->rd] = at + 3;
        c->after = AFTER_LOAD;
    }
    c->x[0] = 0;
    c->offered = c->ready + 1;
    c->ready = at + 1;
    ++c->retired;
    c->written = i->early;
    c->pc += i->size;
}

#endif
