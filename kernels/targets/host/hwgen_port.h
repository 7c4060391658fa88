/*
 * A team of one core on any machine: transfers are plain copies, complete at once, so that code
 * for a cluster with a DMA engine runs (and is watched by sanitizers) here.
 */
#ifndef HWGEN_PORT_H
#define HWGEN_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Memories that a variable lies in elsewhere; here all are one. */
#define HWGEN_L1
#define HWGEN_L3

/* This core's number in the team, and the team's size. */
static inline int hwgen_core(void)
{
    return 0;
}

static inline int hwgen_cores(void)
{
    return 1;
}

/* Waits until every core of the team is here. */
static inline void hwgen_barrier(void)
{
}

/* Runs a function on every core of the team, the caller being core 0, and waits for all. */
static inline void hwgen_fork(void (*function)(void *), void *argument)
{
    function(argument);
}

static inline void hwgen_copy_bytes(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
    }
}

/*
 * Copies `lines` lines of `length` bytes, `l2_stride` bytes apart in L2 and without gaps in L1;
 * returns a ticket.
 */
static inline unsigned hwgen_dma_in(void *l1, const void *l2, uint32_t length, uint32_t lines,
                                    uint32_t l2_stride)
{
    for (size_t i = 0; i < lines; i++) {
        hwgen_copy_bytes((unsigned char *)l1 + i * length,
                         (const unsigned char *)l2 + i * l2_stride, length);
    }
    return 0;
}

static inline unsigned hwgen_dma_out(void *l2, const void *l1, uint32_t length, uint32_t lines,
                                     uint32_t l2_stride)
{
    for (size_t i = 0; i < lines; i++) {
        hwgen_copy_bytes((unsigned char *)l2 + i * l2_stride,
                         (const unsigned char *)l1 + i * length, length);
    }
    return 0;
}

/* Waits until that transfer and all before it are complete; ticket 0 stands for none. */
static inline void hwgen_dma_wait(unsigned ticket)
{
    (void)ticket;
}

#ifdef HWGEN_EXTERNAL_RAM
/* The memory that external addresses count from; the application defines it. */
extern const unsigned char *hwgen_ram;

/* Copies bytes at an address of external memory into L2; returns a ticket. */
static inline unsigned hwgen_l3_read(void *l2, uint32_t l3, uint32_t bytes)
{
    hwgen_copy_bytes(l2, hwgen_ram + l3, bytes);
    return 0;
}

/* Waits until that copy and all before it are complete; ticket 0 stands for none. */
static inline void hwgen_l3_wait(unsigned ticket)
{
    (void)ticket;
}
#endif

/* A profile point; nothing measures here. */
static inline void hwgen_mark(int id)
{
    (void)id;
}

#endif
