/*
 * Memory of the stand-in for the GAP SDK, see pmsis.h. Chunks start 4 bytes off the host's
 * alignment, as they may on the chip.
 */
#include <string.h>

#include "stub.h"

enum { CHUNKS = 64, OFFSET = 4 };

struct heap {
    unsigned char *chunks[CHUNKS];
    uint32_t sizes[CHUNKS];
    uint32_t used, bytes;
};

static struct heap l1 = {.bytes = STUB_L1_BYTES}, l2 = {.bytes = STUB_L2_BYTES};

static void *take(struct heap *heap, uint32_t size)
{
    if (size > heap->bytes - heap->used) {
        return NULL;
    }
    int i = 0;
    while (heap->chunks[i] != NULL) {
        if (++i == CHUNKS) {
            stub_fail("more chunks of memory than the stub can hold");
        }
    }
    unsigned char *const block = malloc((size_t)size + OFFSET);
    if (block == NULL) {
        return NULL;
    }
    memset(block, STUB_FRESH, (size_t)size + OFFSET);
    heap->chunks[i] = block + OFFSET;
    heap->sizes[i] = size;
    heap->used += size;
    return block + OFFSET;
}

static void give(struct heap *heap, void *chunk, uint32_t size)
{
    for (int i = 0; i < CHUNKS; i++) {
        if (chunk != NULL && heap->chunks[i] == chunk && heap->sizes[i] == size) {
            memset(chunk, STUB_FREED, size);
            free(heap->chunks[i] - OFFSET);
            heap->chunks[i] = NULL;
            heap->used -= size;
            return;
        }
    }
    stub_fail("frees memory that was not allocated with this size");
}

int stub_in_l1(uintptr_t address, size_t bytes)
{
    for (int i = 0; i < CHUNKS; i++) {
        const uintptr_t at = address - (uintptr_t)l1.chunks[i];
        if (l1.chunks[i] != NULL && at < l1.sizes[i] && bytes <= l1.sizes[i] - at) {
            return 1;
        }
    }
    return 0;
}

uint32_t stub_l1_used(void)
{
    return l1.used;
}

void *pi_cl_l1_malloc(struct pi_device *device, uint32_t size)
{
    (void)device;
    return take(&l1, size);
}

void pi_cl_l1_free(struct pi_device *device, void *chunk, int size)
{
    (void)device;
    give(&l1, chunk, (uint32_t)size);
}

void *pi_l2_malloc(uint32_t size)
{
    return take(&l2, size);
}

void pi_l2_free(void *chunk, uint32_t size)
{
    give(&l2, chunk, size);
}
