/* What the files of the stand-in for the GAP SDK share, see pmsis.h. */
#ifndef HWGEN_STUB_H
#define HWGEN_STUB_H

#include "bsp/ram.h"

enum {
    STUB_CORES = 8,
    STUB_L1_BYTES = 60000, /* of 64 KiB; the SDK's runtime keeps some, and its examples so much */
    STUB_L2_BYTES = 512 * 1024,
    STUB_RAM_BYTES = 8 * 1024 * 1024,
    STUB_PATIENCE = 30, /* seconds until a wait counts as for ever */
    STUB_FRESH = 0xA5,  /* memory that was never written */
    STUB_FREED = 0xDB
};

/* Ends the program with a message. */
_Noreturn void stub_fail(const char *what);

void stub_nap(long nanoseconds);

/* Whether some bytes lie within one allocated chunk of L1; how much of it is allocated. */
int stub_in_l1(uintptr_t address, size_t bytes);
uint32_t stub_l1_used(void);

/*
 * Engines, each of which makes its transfers in the order of their start. Between engines there
 * is no order.
 */
enum { STUB_QUEUE = 64 };

struct stub_engine {
    struct stub_transfer *queue[STUB_QUEUE];
    atomic_uint started; /* written by whoever starts transfers */
    unsigned performed;  /* written by whoever makes them */
    unsigned waited;     /* transfers whose end was waited for */
    int has_thread;
};

void stub_start(struct stub_engine *engine, struct stub_transfer *transfer);
void stub_wait(struct stub_transfer *transfer);

/* Starts a copy from external RAM to L2. */
void stub_read_ram(const unsigned char *from, void *to, uint32_t size, pi_cl_ram_req_t *req);

/* Fails if a transfer that was started has not been waited for. */
void stub_expect_idle(void);

#endif
