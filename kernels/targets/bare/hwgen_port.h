/*
 * What hwgen's simulated machine gives to emitted C: a team of cores, a DMA engine between L1 and
 * L2, and another one for external memory, which work at the same time. The instruction-set
 * simulator and the cores' RTL both stand behind these registers.
 */
#ifndef HWGEN_PORT_H
#define HWGEN_PORT_H

#include <stdint.h>

/* Memory that a variable lies in, where that is not L2. */
#define HWGEN_L1 __attribute__((section(".l1")))
#define HWGEN_L3 __attribute__((section(".l3")))

/* Registers of the machine, one word each; those marked * answer when they can. */
enum {
    HWGEN_EXIT = 0x00,           /* w  result: ends the run */
    HWGEN_HOST_NEXT = 0x04,      /* r  1: the next sample is there; 0: there is none */
    HWGEN_HOST_IN = 0x08,        /* w  address: the sample's input is stored there */
    HWGEN_HOST_OUT = 0x0C,       /* w  address: the sample's output is taken from there */
    HWGEN_MARK = 0x10,           /* w  id: a profile point */
    HWGEN_PUTC = 0x14,           /* w  a character for people */
    HWGEN_CORES = 0x18,          /* r  cores of the team */
    HWGEN_BARRIER = 0x20,        /* r* 0, when every core has asked */
    HWGEN_DMA_SOURCE = 0x40,     /* w  address */
    HWGEN_DMA_TARGET = 0x44,     /* w  address */
    HWGEN_DMA_LENGTH = 0x48,     /* w  bytes of a line */
    HWGEN_DMA_LINES = 0x4C,      /* w */
    HWGEN_DMA_SOURCE_STRIDE = 0x50, /* w  bytes from line to line */
    HWGEN_DMA_TARGET_STRIDE = 0x54, /* w  bytes from line to line */
    HWGEN_DMA_START = 0x58,      /* r* ticket of the transfer, when its engine's queue has room */
    HWGEN_DMA_WAIT = 0x5C        /* w* ticket: when that transfer is complete; 0: at once */
};

static inline volatile uint32_t *hwgen_register(int offset)
{
    return (volatile uint32_t *)((uintptr_t)0x1A100000 + (uintptr_t)offset);
}

/* Profile points around an inference, beside those of hwgen_mark(), and a result of a program. */
#define HWGEN_BEGIN 0xFFFFFFFFu
#define HWGEN_END 0xFFFFFFFEu
#define HWGEN_STACK_OVERFLOW 100

/* The compiler moves no access to memory across this; the cores keep the program's order. */
static inline void hwgen_ordered(void)
{
    __asm__ volatile("" ::: "memory");
}

/* This core's number in the team, and the team's size. */
static inline int hwgen_core(void)
{
    int core;
    __asm__("csrr %0, mhartid" : "=r"(core));
    return core;
}

static inline int hwgen_cores(void)
{
    return (int)*hwgen_register(HWGEN_CORES);
}

/* Waits until every core of the team is here. */
static inline void hwgen_barrier(void)
{
    hwgen_ordered();
    (void)*hwgen_register(HWGEN_BARRIER);
    hwgen_ordered();
}

/* Runs a function on every core of the team, the caller being core 0, and waits for all. */
void hwgen_fork(void (*function)(void *), void *argument);

static inline unsigned hwgen_dma(const volatile void *target, uint32_t target_stride,
                                 const volatile void *source, uint32_t source_stride,
                                 uint32_t length, uint32_t lines)
{
    hwgen_ordered();
    *hwgen_register(HWGEN_DMA_SOURCE) = (uint32_t)(uintptr_t)source;
    *hwgen_register(HWGEN_DMA_TARGET) = (uint32_t)(uintptr_t)target;
    *hwgen_register(HWGEN_DMA_LENGTH) = length;
    *hwgen_register(HWGEN_DMA_LINES) = lines;
    *hwgen_register(HWGEN_DMA_SOURCE_STRIDE) = source_stride;
    *hwgen_register(HWGEN_DMA_TARGET_STRIDE) = target_stride;
    return *hwgen_register(HWGEN_DMA_START);
}

/*
 * Starts a copy of `lines` lines of `length` bytes, `l2_stride` bytes apart in L2 and without
 * gaps in L1; returns its ticket. Only core 0 may.
 */
static inline unsigned hwgen_dma_in(void *l1, const void *l2, uint32_t length, uint32_t lines,
                                    uint32_t l2_stride)
{
    return hwgen_dma(l1, length, l2, l2_stride, length, lines);
}

static inline unsigned hwgen_dma_out(void *l2, const void *l1, uint32_t length, uint32_t lines,
                                     uint32_t l2_stride)
{
    return hwgen_dma(l2, l2_stride, l1, length, length, lines);
}

/* Waits until that transfer and all before it are complete; ticket 0 stands for none. */
static inline void hwgen_dma_wait(unsigned ticket)
{
    *hwgen_register(HWGEN_DMA_WAIT) = ticket;
    hwgen_ordered();
}

/*
 * Starts a copy of bytes at an address of external memory into L2; returns its ticket. It neither
 * waits for the transfers above nor do they wait for it.
 */
static inline unsigned hwgen_l3_read(void *l2, uint32_t l3, uint32_t bytes)
{
    return hwgen_dma(l2, bytes, (const void *)(uintptr_t)l3, bytes, bytes, 1);
}

/* Waits until that copy and all before it are complete; ticket 0 stands for none. */
static inline void hwgen_l3_wait(unsigned ticket)
{
    hwgen_dma_wait(ticket);
}

/* Fills the ends of all stacks, before the first fork; later says whether they are as they were. */
void hwgen_guard_stacks(void);
int hwgen_stacks_hold(void);

/* A profile point: the simulator notes core, cycle and instruction count. */
static inline void hwgen_mark(int id)
{
#ifdef HWGEN_PROFILE
    hwgen_ordered();
    *hwgen_register(HWGEN_MARK) = (uint32_t)id;
    hwgen_ordered();
#else
    (void)id;
#endif
}

#endif
