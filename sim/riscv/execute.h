/* What one instruction does, and how many cycles it takes.
 *
 * A core's time is the cycle in which an instruction is in the EX stage, where data requests
 * leave, branches are decided, results appear. The rules are those of `pipeline.rst` of CV32E40P
 * and CV32E41P and of their controllers (load_stall_o, jr_stall_o, csr_status_i).
 */
#ifndef HWGEN_EXECUTE_H
#define HWGEN_EXECUTE_H

#include "core.h"
#include "simd.h"

enum { JUMP_CYCLES = 2, BRANCH_CYCLES = 3, MULH_CYCLES = 5, CSR_CYCLES = 4, FENCE_CYCLES = 4 };

static inline int is_load(const Insn *i) { return i->op >= OP_LB && i->op < OP_SB; }
static inline int is_store(const Insn *i) { return i->op >= OP_SB && i->op < OP_SB + 12; }
static inline int addressing(const Insn *i) { return (i->op - OP_LB) & 3; }
static inline int is_post(const Insn *i) {
    return (is_load(i) || is_store(i)) && (addressing(i) & 1);
}
static inline int changes_pc(const Insn *i) { return i->op >= OP_JAL && i->op <= OP_BNEIMM; }

/* Bytes of a load or store. */
static inline uint32_t access_bytes(const Insn *i) {
    static const uint8_t bytes[8] = {1, 2, 4, 1, 2, 1, 2, 4};
    return bytes[(i->op - OP_LB) / 4];
}

/* Is a register written in EX? It may be x0. */
static inline int writes_early(const Insn *i) {
    if (is_load(i) || is_store(i)) return is_post(i);
    return !(i->op >= OP_BEQ && i->op <= OP_BNEIMM) && !(i->op >= OP_FENCE && i->op <= OP_MRET) &&
           i->op < OP_LOOP_START;
}

static inline uint32_t early_target(const Insn *i) { return is_post(i) ? i->rs1 : i->rd; }

/* Cycles for which what came before holds the instruction up in ID. */
static inline uint32_t delay(const Core *c, const Insn *i) {
    uint32_t cycles = 0;
    if (c->after & AFTER_LOAD) {
        const uint32_t r = c->loaded;
        if ((r && (r == i->rs1 || r == i->rs2 || r == i->rs3)) ||
            (r == early_target(i) && writes_early(i) && i->op != OP_JAL && i->op != OP_JALR))
            cycles = 1; /* a jump's target is fetched meanwhile */
    }
    if ((c->after & AFTER_JUMP) && (c->pc & 2) && i->size == 4) ++cycles;
    return cycles;
}

/* Cycles for which a jalr waits for its register, which it needs in ID. */
static inline uint32_t jalr_delay(const Core *c, const Insn *i) {
    const Insn *p = c->previous;
    uint32_t cycles = 0;
    if (!i->rs1) return 0;
    if (c->loaded == i->rs1 && c->ready < c->loaded_at + 3)
        cycles = (uint32_t)(c->loaded_at + 3 - c->ready);
    if (!cycles && p && writes_early(p) && early_target(p) == i->rs1 && !changes_pc(p) && !(p->op >= OP_CSRRW && csr_flushes(p->kind)))
        cycles = 1;
    return cycles;
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
    if (is_load(i)) {
        c->x[i->rd] = loaded_value(i, word);
        c->loaded = i->rd;
        c->loaded_at = at;
        c->after = AFTER_LOAD;
    }
    c->x[0] = 0;
    c->ready = at + 1;
    ++c->retired;
    c->previous = i;
    c->pc += i->size;
}

#endif
