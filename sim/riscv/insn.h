/* Decoded instructions of the instruction-set simulator. */
#ifndef HWGEN_INSN_H
#define HWGEN_INSN_H

#include <stdint.h>

enum Isa { ISA_RV32IMC = 0, ISA_XPULPV2 = 1, ISA_XCV = 2 };

/* Loads and stores come in four addressing modes, in this order: offset from an immediate or
 * register, the base register unchanged or set to the sum after the access. */
#define FOUR_MODES(name) name, name##_POST, name##_REG, name##_REG_POST

enum Op {
    OP_UNKNOWN = 0, /* not decoded yet: the state of an empty cache */
    OP_ILLEGAL,
    OP_LUI, OP_AUIPC, OP_JAL, OP_JALR,
    OP_BEQ, OP_BNE, OP_BLT, OP_BGE, OP_BLTU, OP_BGEU, OP_BEQIMM, OP_BNEIMM,
    FOUR_MODES(OP_LB), FOUR_MODES(OP_LH), FOUR_MODES(OP_LW), FOUR_MODES(OP_LBU), FOUR_MODES(OP_LHU),
    FOUR_MODES(OP_SB), FOUR_MODES(OP_SH), FOUR_MODES(OP_SW),
    OP_ADDI, OP_SLTI, OP_SLTIU, OP_XORI, OP_ORI, OP_ANDI, OP_SLLI, OP_SRLI, OP_SRAI,
    OP_ADD, OP_SUB, OP_SLL, OP_SLT, OP_SLTU, OP_XOR, OP_SRL, OP_SRA, OP_OR, OP_AND,
    OP_MUL, OP_MULH, OP_MULHSU, OP_MULHU, OP_DIV, OP_DIVU, OP_REM, OP_REMU,
    OP_FENCE, OP_FENCE_I, OP_ECALL, OP_EBREAK, OP_WFI, OP_MRET,
    OP_CSRRW, OP_CSRRS, OP_CSRRC, OP_CSRRWI, OP_CSRRSI, OP_CSRRCI,
    /* Extensions. `kind` says which: enum Alu, enum Simd; those that kernels live on stand alone. */
    OP_MAC, OP_MSU, OP_MULHALF, OP_ALU, OP_SIMD,
    OP_DOTSP_B, OP_SDOTSP_B, OP_SDOTUSP_B, OP_SDOTUP_B, OP_SDOTSP_H,
    OP_LOOP_START, OP_LOOP_END, OP_LOOP_COUNT, OP_LOOP_SETUP
};

/* Extension operations on whole registers; `imm` is the second operand where `rs2` is 0. */
enum Alu {
    ALU_ABS, ALU_SLET, ALU_SLETU, ALU_MIN, ALU_MINU, ALU_MAX, ALU_MAXU, ALU_ROR,
    ALU_FF1, ALU_FL1, ALU_CLB, ALU_CNT, ALU_EXTHS, ALU_EXTHZ, ALU_EXTBS, ALU_EXTBZ,
    ALU_CLIP, ALU_CLIPU, ALU_CLIPR, ALU_CLIPUR,
    ALU_ADDN, ALU_ADDUN, ALU_ADDRN, ALU_ADDURN, ALU_SUBN, ALU_SUBUN, ALU_SUBRN, ALU_SUBURN,
    ALU_ADDNR, ALU_ADDUNR, ALU_ADDRNR, ALU_ADDURNR, ALU_SUBNR, ALU_SUBUNR, ALU_SUBRNR, ALU_SUBURNR,
    ALU_EXTRACT, ALU_EXTRACTU, ALU_INSERT, ALU_BCLR, ALU_BSET, ALU_BITREV,
    ALU_EXTRACTR, ALU_EXTRACTUR, ALU_INSERTR, ALU_BCLRR, ALU_BSETR
};

enum { FLAG_LOOP_ENDS = 1 };

typedef struct {
    uint32_t word;    /* the instruction; a compressed one in the lower half */
    int32_t imm;
    uint16_t op;
    uint16_t kind;    /* enum Alu, enum Simd, CSR number, or loop number */
    uint8_t rd, rs1, rs2, rs3; /* rs3: rd as an operand. 0 where not used */
    uint8_t size;     /* bytes: 2 or 4 */
    uint8_t amount;   /* shifts, positions, widths of bit fields (kind's own) */
    uint8_t width;
    uint8_t form;     /* of SIMD operations */
} Insn;

#endif
