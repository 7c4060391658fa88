/*
 * Transfers of the stand-in for the GAP SDK, see pmsis.h. The environment says when they are made:
 *   HWGEN_STUB_DMA=late      when they are waited for: data that is read before is old
 *   HWGEN_STUB_DMA=early     when they are started: what is still in use is overwritten
 *   HWGEN_STUB_DMA=crossed   late, but those of the other direction first: nothing may rely on
 *                            an order between copies into L1 and out of it
 *   HWGEN_STUB_DMA=thread    at random, by a thread for each engine, for ThreadSanitizer
 * late if not set.
 *
 * The cluster's DMA engine counts as two, one into L1 and one out of it: the queues of MCHAN's two
 * directions are apart (pulp-platform/mchan, rtl/ctrl_unit/ctrl_unit.sv).
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <string.h>

#include "stub.h"

enum {
    COUNTERS = 8,            /* transfers of the DMA engine that may be under way at a time */
    TRANSFER_BYTES = 1 << 15 /* from here on, a command of the DMA engine does not hold them */
};

static struct stub_engine into_l1, out_of_l1, from_ram;
static struct stub_engine *const engines[] = {&into_l1, &out_of_l1, &from_ram};
enum { ENGINES = sizeof engines / sizeof engines[0] };

enum when { LATE, EARLY, CROSSED, THREAD };

static enum when when(void)
{
    const char *const found = getenv("HWGEN_STUB_DMA");
    if (found == NULL || strcmp(found, "late") == 0) {
        return LATE;
    }
    if (strcmp(found, "early") == 0) {
        return EARLY;
    }
    if (strcmp(found, "crossed") == 0) {
        return CROSSED;
    }
    if (strcmp(found, "thread") == 0) {
        return THREAD;
    }
    stub_fail("HWGEN_STUB_DMA must be late, early, crossed or thread");
}

static unsigned count_started(const struct stub_engine *engine)
{
    return atomic_load_explicit(&engine->started, memory_order_relaxed);
}

/* Makes the oldest transfer that is left. */
static void perform(struct stub_engine *engine)
{
    struct stub_transfer *const t = engine->queue[engine->performed % STUB_QUEUE];
    for (size_t line = 0; line < t->lines; line++) {
        memcpy(t->to + line * t->to_stride, t->from + line * t->from_stride, t->length);
    }
    engine->performed++;
    atomic_store_explicit(&t->done, 1, memory_order_release);
}

static void perform_all(struct stub_engine *engine)
{
    while (engine->performed != count_started(engine)) {
        perform(engine);
    }
}

/*
 * Nothing but `started` goes from cores to the engine, nothing but `done` comes back: a race
 * detector must not find any other order between them.
 */
static void *serve(void *argument)
{
    struct stub_engine *const engine = argument;
    unsigned random = 1;
    for (;;) {
        while (engine->performed
               == atomic_load_explicit(&engine->started, memory_order_acquire)) {
            stub_nap(10000);
        }
        random = random * 1103515245u + 12345u;
        stub_nap((long)(random >> 16) % 50000);
        perform(engine);
    }
    return NULL;
}

void stub_start(struct stub_engine *engine, struct stub_transfer *transfer)
{
    const unsigned number = count_started(engine);
    if (number - engine->waited >= STUB_QUEUE) {
        stub_fail("more transfers under way than the stub can hold");
    }
    transfer->engine = engine;
    atomic_init(&transfer->done, 0);
    engine->queue[number % STUB_QUEUE] = transfer;
    if (when() == THREAD && !engine->has_thread) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, engine) != 0 || pthread_detach(thread) != 0) {
            stub_fail("no thread for an engine");
        }
        engine->has_thread = 1;
    }
    atomic_store_explicit(&engine->started, number + 1, memory_order_release);
    if (when() == EARLY) {
        perform(engine);
    }
}

static void check_wait(const struct stub_engine *engine, const struct stub_transfer *transfer)
{
    int is_under_way = 0;
    for (unsigned i = engine->waited; i != count_started(engine); i++) {
        is_under_way |= engine->queue[i % STUB_QUEUE] == transfer;
    }
    if (!is_under_way) {
        stub_fail("waits for a transfer that was not started, or was waited for already");
    }
    if (engine->queue[engine->waited % STUB_QUEUE] != transfer) {
        stub_fail("waits for a transfer before an earlier one; the stub wants them in order");
    }
}

void stub_wait(struct stub_transfer *transfer)
{
    struct stub_engine *const engine = transfer->engine;
    if (engine == NULL) {
        stub_fail("waits for a transfer that was not started, or was waited for already");
    }
    check_wait(engine, transfer);
    if (when() == THREAD) {
        for (long left = STUB_PATIENCE * 100000L;
             !atomic_load_explicit(&transfer->done, memory_order_acquire); left--) {
            if (left == 0) {
                stub_fail("a transfer does not end");
            }
            stub_nap(10000);
        }
    } else {
        if (when() == CROSSED && engine != &from_ram) {
            perform_all(engine == &into_l1 ? &out_of_l1 : &into_l1);
        }
        while (!atomic_load_explicit(&transfer->done, memory_order_acquire)) {
            perform(engine);
        }
    }
    engine->waited++;
}

void stub_expect_idle(void)
{
    for (int i = 0; i < ENGINES; i++) {
        if (engines[i]->waited != count_started(engines[i])) {
            stub_fail("the task has ended, and a transfer was never waited for");
        }
    }
}

/* Commands of the cluster's DMA engine. */

static void start_dma(uintptr_t ext, uintptr_t loc, uint32_t size, uint32_t stride,
                      uint32_t length, pi_cl_dma_dir_e dir, pi_cl_dma_cmd_t *cmd)
{
    if (pi_core_id() != 0) {
        stub_fail("only core 0 starts transfers");
    }
    if (size == 0 || size >= TRANSFER_BYTES || stride >= TRANSFER_BYTES || length == 0
        || size % length != 0) {
        stub_fail("a command of the DMA engine does not hold this transfer");
    }
    if (!stub_in_l1(loc, size)) {
        stub_fail("a transfer must lie within a chunk of L1");
    }
    if (stub_in_l1(ext, 1)) {
        stub_fail("the DMA engine does not copy from L1 to L1");
    }
    const unsigned under_way = count_started(&into_l1) - into_l1.waited + count_started(&out_of_l1)
                               - out_of_l1.waited;
    if (under_way == COUNTERS) {
        stub_fail("a ninth transfer under way: the core would wait for a counter for ever");
    }
    struct stub_transfer *const t = &cmd->transfer;
    const int in = dir == PI_CL_DMA_DIR_EXT2LOC;
    t->to = (unsigned char *)(in ? loc : ext);
    t->from = (const unsigned char *)(in ? ext : loc);
    t->to_stride = in ? length : stride;
    t->from_stride = in ? stride : length;
    t->length = length;
    t->lines = size / length;
    stub_start(in ? &into_l1 : &out_of_l1, t);
}

void pi_cl_dma_cmd(uintptr_t ext, uintptr_t loc, uint32_t size, pi_cl_dma_dir_e dir,
                   pi_cl_dma_cmd_t *cmd)
{
    start_dma(ext, loc, size, size, size, dir, cmd);
}

void pi_cl_dma_cmd_2d(uintptr_t ext, uintptr_t loc, uint32_t size, uint32_t stride,
                      uint32_t length, pi_cl_dma_dir_e dir, pi_cl_dma_cmd_t *cmd)
{
    start_dma(ext, loc, size, stride, length, dir, cmd);
}

void pi_cl_dma_cmd_wait(pi_cl_dma_cmd_t *cmd)
{
    if (pi_core_id() != 0) {
        stub_fail("only core 0 waits for transfers");
    }
    stub_wait(&cmd->transfer);
}

/* Copies from external RAM, which the fabric controller makes for the cluster. */

void stub_read_ram(const unsigned char *from, void *to, uint32_t size, pi_cl_ram_req_t *req)
{
    if (pi_core_id() != 0) {
        stub_fail("only core 0 reads RAM");
    }
    if (stub_in_l1((uintptr_t)to, 1)) {
        stub_fail("external devices copy to L2 only");
    }
    struct stub_transfer *const t = &req->transfer;
    t->to = to;
    t->from = from;
    t->length = t->to_stride = t->from_stride = size;
    t->lines = 1;
    stub_start(&from_ram, t);
}

void pi_cl_ram_read_wait(pi_cl_ram_req_t *req)
{
    stub_wait(&req->transfer);
}
