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
    /* Extensions. `kind` says which; those that kernels live on stand alone. */
    OP_MAC, OP_MSU, OP_HALF, OP_NORM, OP_ALU, OP_SIMD,
    OP_DOTSP_B, OP_SDOTSP_B, OP_SDOTUSP_B, OP_SDOTUP_B, OP_SDOTSP_H,
    OP_LOOP_START, OP_LOOP_END, OP_LOOP_COUNT, OP_LOOP_SETUP
};

/* Kinds of OP_ALU: on whole registers, second operand `imm` where `form` is FORM_IMMEDIATE.
 * That of bit fields is position + 32 * (width - 1). */
enum Alu {
    ALU_ABS, ALU_SLET, ALU_SLETU, ALU_MIN, ALU_MINU, ALU_MAX, ALU_MAXU, ALU_ROR,
    ALU_FF1, ALU_FL1, ALU_CLB, ALU_CNT, ALU_EXTHS, ALU_EXTHZ, ALU_EXTBS, ALU_EXTBZ,
    ALU_CLIP, ALU_CLIPU, ALU_CLIPR, ALU_CLIPUR, /* CORE-V's with a register drop its sign */
    ALU_EXTRACT, ALU_EXTRACTU, ALU_INSERT, ALU_BCLR, ALU_BSET, ALU_BITREV
};

/* Kinds of OP_SIMD: on four bytes or two halfwords. */
enum Simd {
    SIMD_ADD, SIMD_SUB, SIMD_AVG, SIMD_AVGU, SIMD_MIN, SIMD_MINU, SIMD_MAX, SIMD_MAXU,
    SIMD_SRL, SIMD_SRA, SIMD_SLL, SIMD_OR, SIMD_XOR, SIMD_AND, SIMD_ABS,
    SIMD_EXTRACT, SIMD_EXTRACTU, SIMD_INSERT,
    SIMD_DOTUP, SIMD_DOTUSP, SIMD_DOTSP, SIMD_SDOTUP, SIMD_SDOTUSP, SIMD_SDOTSP,
    SIMD_SHUFFLE, SIMD_SHUFFLE2, SIMD_PACKLO_H, SIMD_PACKHI_H, SIMD_PACKLO_B, SIMD_PACKHI_B,
    SIMD_CMPEQ, SIMD_CMPNE, SIMD_CMPGT, SIMD_CMPGE, SIMD_CMPLT, SIMD_CMPLE,
    SIMD_CMPGTU, SIMD_CMPGEU, SIMD_CMPLTU, SIMD_CMPLEU,
    SIMD_CPLXMUL_R, SIMD_CPLXMUL_I, SIMD_CPLXCONJ, SIMD_SUBROTMJ, SIMD_ADD_DIV, SIMD_SUB_DIV,
    SIMD_NONE
};

/* What OP_NORM (add or subtract, then shift) and OP_HALF (multiply halfwords, then shift) do. */
enum { NORM_SUB = 1, NORM_UNSIGNED = 2, NORM_ROUND = 4, NORM_REGISTER = 8 };
enum { HALF_HIGH = 1, HALF_SIGNED = 2, HALF_ROUND = 4, HALF_ADD = 8 };

/* The second operand: a register, its lowest element in all places, or `imm` (SIMD: in all). */
enum { FORM_REGISTER = 0, FORM_SCALAR = 1, FORM_IMMEDIATE = 2 };

enum { NO_REGISTER = 0xff };

typedef struct {
    uint32_t word; /* the instruction; a compressed one in the lower half */
    int32_t imm;
    uint16_t op;
    uint16_t kind; /* of the operation; CSR number; loop number + 2 * count */
    uint8_t rd, rs1, rs2, rs3; /* rs3: rd as an operand. 0 where not used */
    uint8_t size;   /* bytes: 2 or 4 */
    uint8_t amount; /* of a shift; complex numbers: log2 of the divisor; beqimm: the constant */
    uint8_t form;
    uint8_t bytes;  /* SIMD on bytes, not halfwords */
    uint8_t early;  /* the register that it writes in EX, which may be x0; or NO_REGISTER */
} Insn;

#endif
