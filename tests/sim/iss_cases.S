/*
 * Small programs for tests of the simulated machine (test_iss*.py), one a label that begins with
 * case_. The first sample is the address of the one to run: all cores jump there, with the
 * devices' address in s0, the core's number in s1 and the address of `scratch` in s2.
 */
    .equ EXIT, 0x00
    .equ NEXT, 0x04
    .equ IN, 0x08
    .equ OUT, 0x0C
    .equ MARK, 0x10
    .equ PUTC, 0x14
    .equ CORES, 0x18
    .equ BARRIER, 0x20
    .equ DMA, 0x40
    .equ START, 0x58
    .equ WAIT, 0x5C
    .equ L1, 0x10000000

    .option norelax
    .section .text.start
    .globl _start
_start:
    li s0, 0x1A100000
    csrr s1, mhartid
    la s2, scratch
    bnez s1, 1f
    lw a0, NEXT(s0)
    la a0, chosen
    sw a0, IN(s0)
1:  lw x0, BARRIER(s0)
    la a0, chosen
    lw a0, 0(a0)
    csrw mcountinhibit, x0
    jr a0

/* Ends the run; the exit code is a0. */
end:
    sw a0, EXIT(s0)
    j .
/* The other cores wait for ever. */
end_core_0:
    bnez s1, 1f
    sw x0, EXIT(s0)
1:  lw x0, BARRIER(s0)
    j 1b

/* ---- Cycles: between two marks lie the cycles of the code between, and one. ---- */

    .macro timed name
    .balign 4
case_\name:
    .option push
    .option norvc
    nop
    sw x0, MARK(s0)
    .endm
    .macro done
    sw x0, MARK(s0)
    li a0, 0
    j end
    .option pop
    .endm

    timed nothing
    done
    timed alu
    addi a1, a1, 1
    add a2, a1, a1
    mul a3, a2, a1
    done
    timed load_use
    lw a1, 0(s2)
    add a2, a1, a1
    done
    timed load_apart
    lw a1, 0(s2)
    nop
    add a2, a1, a1
    done
    timed load_store
    lw a1, 0(s2)
    sw a1, 4(s2)
    done
    timed load_twice
    lw a1, 0(s2)
    lw a1, 4(s2)
    done
    timed load_misaligned
    lw a1, 1(s2)
    lhu a2, 2(s2)
    lh a3, 3(s2)
    done
    timed store_misaligned
    sw a1, 2(s2)
    sh a1, 1(s2)
    done
    timed branch_not_taken
    bne x0, x0, 1f
1:  done
    timed branch_taken
    beq x0, x0, 1f
    nop
1:  done
    timed branch_misaligned
    beq x0, x0, 1f
    .option rvc
    c.nop
    .option norvc
1:  done
    timed jump
    jal a1, 1f
    nop
1:  done
    timed jump_register
    la a1, 1f
    nop
    jr a1
    nop
1:  done
    timed jump_computed
    la a1, 1f
    jr a1
    nop
1:  done
    timed jump_loaded
    la a1, 1f
    sw a1, 0(s2)
    lw a1, 0(s2)
    jr a1
1:  done
    timed jump_loaded_apart
    la a1, 1f
    sw a1, 0(s2)
    lw a1, 0(s2)
    nop
    jr a1
1:  done
    timed multiply_high
    mulh a1, a2, a3
    mulhu a1, a2, a3
    mulhsu a1, a2, a3
    done
    .macro division name, value, operation
    timed div_\name
    li a1, \value
    li a2, 1000
    nop
    nop
    sw x0, MARK(s0)
    \operation a3, a2, a1
    done
    .endm
    division 0, 0, div
    division 1, 1, div
    division minus_1, -1, div
    division 7, 7, rem
    division minus_8, -8, rem
    division lowest, 0x80000000, div
    division unsigned_highest, 0x80000000, divu
    division unsigned_0, 0, remu
    division unsigned_255, 255, remu
    timed counter
    csrr a1, mcycle
    csrr a1, minstret
    done
    timed number
    csrr a1, mhartid
    csrr a1, misa
    done
    timed fence
    fence
    fence.i
    done

/* ---- Counters ---- */

case_counters: /* cycles and instructions of 10 nops; then with the counters off */
    .option push
    .option norvc
    csrr a1, mcycle
    csrr a2, minstret
    .rept 10
    nop
    .endr
    csrr a3, mcycle
    csrr a4, minstret
    csrwi mcountinhibit, 5
    csrr a5, minstret
    nop
    csrr a6, minstret
    csrwi minstret, 7
    csrr a7, minstret
    csrr t0, mcycleh
    sub a3, a3, a1
    sub a4, a4, a2
    sub a6, a6, a5
    sw a3, 0(s2)
    sw a4, 4(s2)
    sw a6, 8(s2)
    sw a7, 12(s2)
    sw t0, 16(s2)
    .option pop
give_scratch:
    sw s2, OUT(s0)
    li a0, 0
    j end

/* ---- What stops a core ---- */

case_ebreak: ebreak
case_ecall: ecall
case_wfi: wfi
case_illegal: .word 0x00053503 /* ld, which RV32 does not have */
case_illegal_compressed: .half 0
case_load_nowhere: lw a0, 16(x0)
case_load_end: /* the last bytes are outside */
    li a1, 0x1C100000
    lw a0, -2(a1)
case_store_nowhere:
    li a1, 0x1B000002
    sh a0, 0(a1)
case_load_l3:
    li a1, 0x80000000
    lbu a0, 3(a1)
case_jump_nowhere:
    li a1, 0x30000000
    jr a1
case_device_byte: lb a0, NEXT(s0)
case_device_unknown: lw a0, 0x30(s0)
case_device_read_only: sw a0, CORES(s0)
case_csr_unknown: csrr a0, 0x7ff
case_csr_read_only: csrw mhartid, a0
case_out_early:
    sw s2, OUT(s0)
    sw s2, OUT(s0)
case_wait_early:
    li a0, 3
    sw a0, WAIT(s0)
case_for_ever: j .
case_overwritten: /* an instruction changed in memory counts after fence.i */
    la a1, 1f
    li a2, 0x00700513 /* li a0, 7 */
    j 2f
1:  .word 0x00500513 /* li a0, 5 */
    j end
2:  sw a2, 0(a1)
    fence.i
    j 1b

/* ---- Hardware loops. Loop 1 around loop 0; last of each: its setup ---- */

    .macro xpulpv2_setup loop, count, bytes /* body of so many bytes behind this */
    .insn i 0x7b, 4, x\loop, \count, \bytes / 2
    .endm
    .macro hardware name
    .balign 4
case_\name:
    .option push
    .option norvc
    li a0, 0
    li a1, 10
    .endm

    hardware loop
    nop
    sw x0, MARK(s0)
    xpulpv2_setup 0, a1, 12
    addi a0, a0, 1
    addi a0, a0, 1
    addi a0, a0, 1
    sw x0, MARK(s0)
    j end
    .option pop
    hardware loop_nested
    li a2, 3
    xpulpv2_setup 1, a2, 28
    xpulpv2_setup 0, a1, 12
    addi a0, a0, 1
    nop
    nop
    addi a0, a0, 100
    nop
    nop
    j end
    .option pop
    hardware loop_in_parts /* start, end, count, each by itself */
    .insn i 0x7b, 0, x0, x0, 8
    .insn i 0x7b, 1, x0, x0, 12
    .insn i 0x7b, 2, x0, a1, 0
    addi a0, a0, 100
    addi a0, a0, 1
    nop
    nop
    addi a0, a0, 2
    j end
    .option pop
    hardware loop_immediate
    .insn i 0x7b, 5, x0, x6, 5 /* lp.setupi 5, 3 instructions behind */
    addi a0, a0, 1
    addi a0, a0, 1
    addi a0, a0, 1
    j end
    .option pop
    hardware loop_load /* hazards reach over the loop's end */
    sw x0, 0(s2)
    nop
    sw x0, MARK(s0)
    xpulpv2_setup 0, a1, 12
    addi a3, a4, 1
    nop
    lw a4, 0(s2)
    sw x0, MARK(s0)
    j end
    .option pop
    hardware loop_short
    xpulpv2_setup 0, a1, 8
    nop
    nop
    j end
    .option pop
    hardware loop_misaligned
    .option rvc
    c.nop
    .option norvc
    xpulpv2_setup 0, a1, 12
    nop
    nop
    nop
    j end
    .option pop
    hardware loop_compressed
    xpulpv2_setup 0, a1, 12
    nop
    .option rvc
    c.nop
    c.nop
    .option norvc
    nop
    j end
    .option pop
    hardware loop_branch
    xpulpv2_setup 0, a1, 16
    nop
    beqz a0, 1f
1:  nop
    nop
    j end
    .option pop
    hardware loop_same_end
    xpulpv2_setup 1, a1, 20
    xpulpv2_setup 0, a1, 16
    nop
    nop
    nop
    nop
    j end
    .option pop
    hardware loop_swapped
    xpulpv2_setup 0, a1, 28
    xpulpv2_setup 1, a1, 12
    nop
    nop
    nop
    nop
    nop
    nop
    j end
    .option pop
    hardware loop_own_count
    xpulpv2_setup 0, a1, 12
    nop
    .insn i 0x7b, 3, x0, x0, 4
    nop
    j end
    .option pop
    hardware loop_entered_inside
    .insn i 0x7b, 0, x0, x0, 8 /* lp.starti 16 bytes on */
    .insn i 0x7b, 1, x0, x0, 10
    .insn i 0x7b, 3, x0, x0, 4
    j 1f
    nop
1:  nop
    nop
    j end
    .option pop

/* The same in CORE-V's encoding, which names the end behind the body, in words. */

    hardware xcv_loop
    nop
    sw x0, MARK(s0)
    .insn i 0x2b, 4, x14, a1, 4
    addi a0, a0, 1
    addi a0, a0, 1
    addi a0, a0, 1
    sw x0, MARK(s0)
    j end
    .option pop
    hardware xcv_loop_nested
    li a2, 3
    .insn i 0x2b, 4, x15, a2, 8
    .insn i 0x2b, 4, x14, a1, 4
    addi a0, a0, 1
    nop
    nop
    addi a0, a0, 100
    nop
    nop
    j end
    .option pop
    hardware xcv_loop_registers /* cv.start, cv.end, cv.count of registers; what they read as */
    la a2, 1f
    addi a3, a2, 12
    .insn i 0x2b, 4, x2, a2, 0
    .insn i 0x2b, 4, x6, a3, 0
    .insn i 0x2b, 4, x10, a1, 0
    csrr a4, 0xcc0
    csrr a5, 0xcc1
    sub a5, a5, a4
    csrr a4, 0xcc2
1:  addi a0, a0, 1
    nop
    nop
    add a0, a0, a5
    add a0, a0, a4
    csrr a4, 0xcc2
    add a0, a0, a4
    j end
    .option pop
    hardware xcv_loop_moved
    .insn i 0x2b, 4, x14, a1, 4
    .insn i 0x2b, 4, x14, a1, 5
    nop
    nop
    nop
    nop
    j end
    .option pop
    hardware xcv_loop_setup_misaligned
    .option rvc
    c.nop
    .option norvc
    .insn i 0x2b, 4, x0, x0, 4
    j end
    .option pop

/* ---- Several cores ---- */

case_barrier: /* core n comes n * 100 cycles late; all pass at once */
    csrr a1, mcycle
    li a2, 100
    mul a2, a2, s1
    add a1, a1, a2
1:  csrr a2, mcycle
    blt a2, a1, 1b
    sw x0, MARK(s0)
    lw x0, BARRIER(s0)
    sw x0, MARK(s0)
    j end_core_0

    .macro from_l1 name, stride, step /* 64 loads of a core, `stride` bytes from core to core */
case_\name:
    .option push
    .option norvc
    li a1, L1
    li a2, \stride
    mul a2, a2, s1
    add a1, a1, a2
    lw x0, BARRIER(s0)
    sw x0, MARK(s0)
    .set k, 0
    .rept 64
    lw x0, k(a1)
    nop
    lw a3, k(a1)
    .set k, k + \step
    .endr
    sw x0, MARK(s0)
    lw x0, BARRIER(s0)
    j end_core_0
    .option pop
    .endm
    from_l1 same_bank, 64, 0
    from_l1 own_banks, 4, 0

case_add_up: /* every core adds its number to its own sum; core 0 adds the sums up */
    li a1, L1
    slli a2, s1, 2
    add a1, a1, a2
    lw x0, CORES(s0)
    addi a3, s1, 1
    sw a3, 0(a1)
    lw x0, BARRIER(s0)
    bnez s1, 1f
    li a1, L1
    lw a2, CORES(s0)
    li a0, 0
2:  lw a3, 0(a1)
    add a0, a0, a3
    addi a1, a1, 4
    addi a2, a2, -1
    bnez a2, 2b
    j end
1:  lw x0, BARRIER(s0)
    j 1b

/* ---- DMA: transfers come as samples of 8 words; 0 lines end them ---- */

case_dma: /* source, target, length, lines, source stride, target stride, -, - */
    lw a0, NEXT(s0)
    beqz a0, case_dma_end
    sw s2, IN(s0)
    sw x0, MARK(s0)
    .set k, 0
    .rept 6
    lw a0, k(s2)
    sw a0, DMA + k(s0)
    .set k, k + 4
    .endr
    lw a0, START(s0)
    sw a0, WAIT(s0)
    sw x0, MARK(s0)
    j case_dma
case_dma_end:
    li a1, L1
    sw a1, OUT(s0) /* first what L1 holds, then all after `scratch` */
    sw s2, OUT(s0)
    li a0, 0
    j end

case_dma_steps: /* a step a sample: a transfer as above and 0, or 1 and a ticket, or 2 and an address */
    .option push
    .option norvc
    lw a0, NEXT(s0)
    beqz a0, case_dma_end
    sw s2, IN(s0)
    lw a1, 24(s2)
    lw a2, 28(s2)
    bnez a1, 1f
    .set k, 0
    .rept 6
    lw a0, k(s2)
    sw a0, DMA + k(s0)
    .set k, k + 4
    .endr
    lw a2, START(s0)
    j 3f
1:  addi a1, a1, -1
    bnez a1, 2f
    sw a2, WAIT(s0)
    j 3f
2:  lbu a2, 0(a2)
3:  sw a2, MARK(s0) /* the ticket, or the byte */
    j case_dma_steps
    .option pop

case_dma_early: /* reads the last byte before, during and after a transfer */
    .option push
    .option norvc
    la a1, pattern
    sw a1, DMA(s0)
    li a2, L1
    sw a2, DMA + 4(s0)
    li a3, 64
    sw a3, DMA + 8(s0)
    li a3, 1
    sw a3, DMA + 12(s0)
    lw a4, START(s0)
    lbu t0, 0(a2) /* 1 cycle after START: nothing has come */
    .rept 15
    nop
    .endr
    lbu t1, 0(a2) /* 17: the first 8 bytes are there */
    lbu t2, 63(a2)
    sw a4, WAIT(s0)
    lbu t3, 63(a2)
    sb t0, 0(s2)
    sb t1, 1(s2)
    sb t2, 2(s2)
    sb t3, 3(s2)
    .option pop
    j give_scratch

case_dma_many: /* 20 transfers of nothing: the queue holds 16 */
    sw x0, DMA + 8(s0)
    sw x0, DMA + 12(s0)
    li a1, 20
1:  sw x0, MARK(s0)
    lw a2, START(s0)
    addi a1, a1, -1
    bnez a1, 1b
    sw a2, WAIT(s0)
    sw x0, MARK(s0)
    mv a0, a2
    j end

case_dma_rival: /* the DMA engine takes banks from a core that loads all the time */
    .option push
    .option norvc
    la a1, pattern
    sw a1, DMA(s0)
    li a2, L1 + 4096
    sw a2, DMA + 4(s0)
    li a3, 512
    sw a3, DMA + 8(s0)
    li a3, 1
    sw a3, DMA + 12(s0)
    li a1, L1
    lw a4, START(s0)
    .rept 16
    nop
    .endr
    .rept 64
    lw a5, 0(a1)
    .endr
    sw a4, WAIT(s0)
    li a0, 0
    j end
    .option pop

/* ---- Host ---- */

case_echo: /* hands every sample back, and prints what it got */
    sw s2, OUT(s0)
    lbu a0, 0(s2)
    sw a0, PUTC(s0)
    lw a0, NEXT(s0)
    sw s2, IN(s0)
    bnez a0, case_echo
    li a0, 42
    j end

    .balign 4
chosen: .zero 64
pattern:
    .set k, 0
    .rept 512
    .byte (k * 7 + 1) & 0xff
    .set k, k + 1
    .endr
scratch: .zero 64
