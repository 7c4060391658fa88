/* What one instruction does to its core; loads and stores apart, which iss.c gives to the bus. */
#ifndef HWGEN_EXECUTE_H
#define HWGEN_EXECUTE_H

#include "loops.h"
#include "pipeline.h"

/* fence.i: what was decoded may have changed in memory. */
static void forget_code(Iss *s) {
    for (int memory = 0; memory < 2; ++memory)
        for (uint32_t k = 0; k < s->chunks[memory]; ++k) {
            free(s->code[memory][k]);
            s->code[memory][k] = NULL;
        }
}

static void run_csr(Iss *s, Core *c, const Insn *i) {
    const uint32_t operand = i->op >= OP_CSRRWI ? (uint32_t)i->imm : c->x[i->rs1];
    const int set = i->op == OP_CSRRS || i->op == OP_CSRRSI;
    const int clear = i->op == OP_CSRRC || i->op == OP_CSRRCI;
    uint32_t old;
    int fits = csr_read(s, c, i->kind, &old);
    if (fits && !((set || clear) && !i->imm)) /* imm: the number of the register, too */
        fits = csr_write(c, i->kind, set ? old | operand : clear ? old & ~operand : operand);
    if (!fits) {
        core_stop(s, c, i, "illegal access to control register 0x%03x", (unsigned)i->kind);
        return;
    }
    c->x[i->rd] = old;
    if (csr_flushes(s->isa, i->kind)) c->ready += CSR_CYCLES - 1;
}

static inline void jump(Iss *s, Core *c, const Insn *i, uint32_t target, uint64_t offered) {
    if (c->looping) {
        check_jump(s, c, i, target);
        if (s->machine.status.state != STATE_RUNNING) return;
    }
    ++c->retired;
    c->written = i->early;
    leave_to(c, target, offered);
}

/* The instruction keeps EX for some cycles. */
static inline void occupy(Core *c, uint32_t cycles) {
    c->offered = c->ready + 1;
    c->ready += cycles - 1;
    c->after = AFTER_WAIT;
}

/* Runs an instruction that neither loads nor stores. */
static inline void execute(Iss *s, Core *c, const Insn *i) {
    uint32_t *x = c->x;
    const uint32_t a = x[i->rs1], b = x[i->rs2], imm = (uint32_t)i->imm;
    const uint32_t next = c->pc + i->size;
    uint32_t result = 0;
    int taken = 0;
    switch (i->op) {
    case OP_LUI: result = imm; break;
    case OP_AUIPC: result = c->pc + imm; break;
    case OP_JAL:
        x[i->rd] = next;
        goto jumped;
    case OP_JALR:
        issue_jalr(c, i);
        x[i->rd] = next;
        x[0] = 0;
        jump(s, c, i, (a + imm) & ~1u, c->offered + JUMP_CYCLES);
        if (i->rs1 && i->rs1 == i->rd) c->after |= AFTER_OWN_JALR;
        return;
    case OP_BEQ: taken = a == b; goto branch;
    case OP_BNE: taken = a != b; goto branch;
    case OP_BLT: taken = (int32_t)a < (int32_t)b; goto branch;
    case OP_BGE: taken = (int32_t)a >= (int32_t)b; goto branch;
    case OP_BLTU: taken = a < b; goto branch;
    case OP_BGEU: taken = a >= b; goto branch;
    case OP_BEQIMM: taken = a == (uint32_t)(int8_t)i->amount; goto branch;
    case OP_BNEIMM: taken = a != (uint32_t)(int8_t)i->amount; goto branch;
    case OP_ADDI: result = a + imm; break;
    case OP_SLTI: result = (int32_t)a < i->imm; break;
    case OP_SLTIU: result = a < imm; break;
    case OP_XORI: result = a ^ imm; break;
    case OP_ORI: result = a | imm; break;
    case OP_ANDI: result = a & imm; break;
    case OP_SLLI: result = a << imm; break;
    case OP_SRLI: result = a >> imm; break;
    case OP_SRAI: result = (uint32_t)((int32_t)a >> imm); break;
    case OP_ADD: result = a + b; break;
    case OP_SUB: result = a - b; break;
    case OP_SLL: result = a << (b & 31); break;
    case OP_SLT: result = (int32_t)a < (int32_t)b; break;
    case OP_SLTU: result = a < b; break;
    case OP_XOR: result = a ^ b; break;
    case OP_SRL: result = a >> (b & 31); break;
    case OP_SRA: result = (uint32_t)((int32_t)a >> (b & 31)); break;
    case OP_OR: result = a | b; break;
    case OP_AND: result = a & b; break;
    case OP_MUL: result = a * b; break;
    case OP_MULH:
        result = (uint32_t)((uint64_t)((int64_t)(int32_t)a * (int32_t)b) >> 32);
        occupy(c, MULH_CYCLES);
        break;
    case OP_MULHSU:
        result = (uint32_t)((uint64_t)((int64_t)(int32_t)a * (int64_t)b) >> 32);
        occupy(c, MULH_CYCLES);
        break;
    case OP_MULHU:
        result = (uint32_t)((uint64_t)a * b >> 32);
        occupy(c, MULH_CYCLES);
        break;
    case OP_DIV:
    case OP_DIVU:
    case OP_REM:
    case OP_REMU:
        result = divide(i->op, a, b);
        occupy(c, division_cycles(b, i->op == OP_DIV || i->op == OP_REM));
        break;
    case OP_FENCE:
    case OP_FENCE_I:
        jump(s, c, i, next, c->ready + FENCE_CYCLES);
        if (i->op == OP_FENCE_I) forget_code(s);
        return;
    case OP_CSRRW:
    case OP_CSRRS:
    case OP_CSRRC:
    case OP_CSRRWI:
    case OP_CSRRSI:
    case OP_CSRRCI:
        run_csr(s, c, i);
        result = x[i->rd];
        break;
    case OP_MAC: result = x[i->rd] + a * b; break;
    case OP_MSU: result = x[i->rd] - a * b; break;
    case OP_HALF: result = half_product(i->kind, a, b, x[i->rd], i->amount); break;
    case OP_NORM:
        result = i->kind & NORM_REGISTER ? norm(i->kind, x[i->rd], a, b & 31)
                                         : norm(i->kind, a, b, i->amount);
        break;
    case OP_ALU: result = alu(i->kind, a, i->form == FORM_IMMEDIATE ? imm : b, x[i->rd]); break;
    case OP_SIMD:
        result = simd(i, a, i->form == FORM_REGISTER    ? b
                            : i->form == FORM_IMMEDIATE ? imm
                            : i->bytes                  ? (b & 0xff) * 0x01010101u
                                                        : (b & 0xffff) * 0x00010001u,
                      x[i->rd]);
        break;
    case OP_DOTSP_B: result = dot_b(a, b, 1, 1); break;
    case OP_SDOTSP_B: result = x[i->rd] + dot_b(a, b, 1, 1); break;
    case OP_SDOTUSP_B: result = x[i->rd] + dot_b(a, b, 0, 1); break;
    case OP_SDOTUP_B: result = x[i->rd] + dot_b(a, b, 0, 0); break;
    case OP_SDOTSP_H: result = x[i->rd] + dot_h(a, b, 1, 1); break;
    case OP_LOOP_START:
    case OP_LOOP_END:
    case OP_LOOP_COUNT:
    case OP_LOOP_SETUP: set_loop(s, c, i); break;
    case OP_ECALL: core_stop(s, c, i, "environment call"); return;
    case OP_EBREAK: core_stop(s, c, i, "breakpoint"); return;
    case OP_WFI: core_stop(s, c, i, "wfi: no interrupt would ever wake the core"); return;
    default: core_stop(s, c, i, "illegal instruction"); return;
    }
    x[i->rd] = result;
    x[0] = 0;
    ++c->retired;
    ++c->ready;
    c->written = i->early;
    c->pc = next;
    return;

branch:
    if (!taken) {
        ++c->retired;
        ++c->ready;
        c->written = i->early;
        c->pc = next;
        return;
    }
jumped:
    x[0] = 0;
    jump(s, c, i, c->pc + imm,
         i->op == OP_JAL ? c->offered + JUMP_CYCLES : c->ready + BRANCH_CYCLES);
}

#endif
