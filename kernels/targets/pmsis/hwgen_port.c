/*
 * Transfers of GAP8's cluster behind ticket numbers. The state below is one for all models of a
 * program, since they share the DMA engine.
 */
#include "hwgen_port.h"

#ifdef HWGEN_EXTERNAL_RAM
#include "bsp/ram.h"
#endif

enum {
    /*
     * Descriptors are used in a ring. Each holds a counter of the engine until it is waited for;
     * GAP8 has 8 (pmsis/chips/gap8/perf.h), and a core that asks for a ninth stalls for ever.
     */
    DMA_RING = 8,
    /*
     * Bytes of a transfer and of a stride: the command has 16 bits for them, and from 2^15 on the
     * FreeRTOS driver falls back to interrupts. A multiple of 4 keeps later pieces aligned.
     */
    DMA_BYTES = 32764,
    RAM_RING = 4
};

/* Numbers of transfers: those up to `finished` are complete, those after it are in the ring. */
static struct {
    pi_cl_dma_cmd_t commands[DMA_RING];
    unsigned started;
    unsigned finished;
} dma;

static void finish_dma(void)
{
    pi_cl_dma_cmd_wait(&dma.commands[dma.finished % DMA_RING]);
    dma.finished++;
}

/* One command of the engine; addresses are what the API takes, integers. */
static void start_dma(uintptr_t l2, uintptr_t l1, uint32_t bytes, uint32_t length, uint32_t stride,
                      pi_cl_dma_dir_e direction)
{
    if (dma.started - dma.finished == DMA_RING) {
        finish_dma();
    }
    pi_cl_dma_cmd_t *const command = &dma.commands[dma.started % DMA_RING];
    if (bytes == length) {
        pi_cl_dma_cmd(l2, l1, bytes, direction, command);
    } else {
        pi_cl_dma_cmd_2d(l2, l1, bytes, stride, length, direction, command);
    }
    dma.started++;
}

/* A transfer in as few commands as the engine's limits allow. */
static unsigned copy(uintptr_t l2, uintptr_t l1, uint32_t length, uint32_t lines, uint32_t stride,
                     pi_cl_dma_dir_e direction)
{
    hwgen_ordered();
    if (stride == length) {
        length *= lines;
        lines = 1;
    }
    if (length > 0 && length <= DMA_BYTES && stride <= DMA_BYTES) {
        const uint32_t most = DMA_BYTES / length;
        while (lines > 0) {
            const uint32_t n = lines < most ? lines : most;
            start_dma(l2, l1, n * length, length, stride, direction);
            l2 += (uintptr_t)n * stride;
            l1 += (uintptr_t)n * length;
            lines -= n;
        }
    } else {
        for (; lines > 0; lines--) {
            for (uint32_t at = 0; at < length; at += DMA_BYTES) {
                const uint32_t n = length - at < DMA_BYTES ? length - at : DMA_BYTES;
                start_dma(l2 + at, l1 + at, n, n, n, direction);
            }
            l2 += stride;
            l1 += length;
        }
    }
    return dma.started;
}

unsigned hwgen_dma_in(void *l1, const void *l2, uint32_t length, uint32_t lines,
                      uint32_t l2_stride)
{
    return copy((uintptr_t)l2, (uintptr_t)l1, length, lines, l2_stride, PI_CL_DMA_DIR_EXT2LOC);
}

unsigned hwgen_dma_out(void *l2, const void *l1, uint32_t length, uint32_t lines,
                       uint32_t l2_stride)
{
    return copy((uintptr_t)l2, (uintptr_t)l1, length, lines, l2_stride, PI_CL_DMA_DIR_LOC2EXT);
}

/* Tickets wrap around: one lies in the ring if it is among those started after `finished`. */
void hwgen_dma_wait(unsigned ticket)
{
    while (ticket - dma.finished - 1u < dma.started - dma.finished) {
        finish_dma();
    }
    hwgen_ordered();
}

#ifdef HWGEN_EXTERNAL_RAM
struct pi_device *hwgen_ram;

static struct {
    pi_cl_ram_req_t requests[RAM_RING];
    unsigned started;
    unsigned finished;
} ram;

static void finish_ram(void)
{
    pi_cl_ram_read_wait(&ram.requests[ram.finished % RAM_RING]);
    ram.finished++;
}

unsigned hwgen_l3_read(void *l2, uint32_t l3, uint32_t bytes)
{
    hwgen_ordered();
    if (bytes == 0) { /* the API does not say when such a read would end */
        return ram.started;
    }
    if (ram.started - ram.finished == RAM_RING) {
        finish_ram();
    }
    pi_cl_ram_read(hwgen_ram, l3, l2, bytes, &ram.requests[ram.started % RAM_RING]);
    return ++ram.started;
}

void hwgen_l3_wait(unsigned ticket)
{
    while (ticket - ram.finished - 1u < ram.started - ram.finished) {
        finish_ram();
    }
    hwgen_ordered();
}
#endif

#ifdef HWGEN_PROFILE
struct hwgen_point hwgen_points[HWGEN_POINTS];
int hwgen_point_count;
#endif
