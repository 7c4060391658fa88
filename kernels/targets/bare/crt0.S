/*
 * Start of a program on the simulated machine (see hwgen_port.h). Every core begins at _start:
 * core 0 clears .bss, runs main and ends the run with its result; the others join the team.
 * A trap ends the run with 128 + its cause.
 */
    .equ .Ldevices, 0x1A100000
    .equ .Lexit, 0x00

    .section .vectors, "ax", @progbits
    .globl hwgen_trap
    .type hwgen_trap, @function
hwgen_trap: /* at a multiple of 256: mtvec keeps no lower bits */
    csrr a0, mcause
    addi a0, a0, 128
    j hwgen_exit
    .size hwgen_trap, . - hwgen_trap

    .section .start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la t0, hwgen_trap
    csrw mtvec, t0
    csrw mcountinhibit, zero /* cycle and instruction counters run */

    /* The stacks lie one below the other, core 0's on top. */
    csrr t0, mhartid
    la sp, __stack_top
    lui t1, %hi(__stack_bytes)
    addi t1, t1, %lo(__stack_bytes)
    mul t1, t0, t1
    sub sp, sp, t1
    bnez t0, hwgen_team

    la t0, __bss_start
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  call main
    .globl hwgen_exit
hwgen_exit: /* a0: result of the run */
    li t0, .Ldevices
    sw a0, .Lexit(t0)
3:  j 3b
    .size _start, . - _start
