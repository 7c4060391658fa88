/*
 * Transfers of random shapes, from one byte to more than a command of the engine holds, many under
 * way at a time: every byte must arrive where it should, and no other may change.
 */
#include <string.h>

#include "hwgen_port.h"

enum { L1_BYTES = 56000, L2_BYTES = 200000, ROUNDS = 60, AT_ONCE = 12 };

static unsigned char source[L2_BYTES], target[L2_BYTES], model_target[L2_BYTES];
static unsigned char model_l1[L1_BYTES];
static unsigned char *l1;
static unsigned random_state = 1;
static int count;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 8) % below;
}

static void expect(const void *found, const void *right, size_t bytes, const char *what)
{
    if (memcmp(found, right, bytes) != 0) {
        printf("%s differs after %d transfers\n", what, count);
        exit(1);
    }
}

/* Some transfers between parts of L1 that do not overlap, then a wait for the last. */
static void round_of(int inwards)
{
    uint32_t from = draw(8);
    uint32_t free_l2 = 0;
    unsigned ticket = 0;
    for (int i = 0; i < AT_ONCE; i++) {
        const uint32_t kind = draw(4);
        const uint32_t length = kind == 0 ? 1 + draw(40000) : 1 + draw(300);
        const uint32_t lines = kind == 1 ? 1 : draw(60);
        const uint32_t gap = kind == 2 ? 0 : kind == 3 ? draw(40000) : draw(100);
        const uint32_t stride = length + gap;
        if (from + length * lines > L1_BYTES || free_l2 + stride * (lines + 1) > L2_BYTES) {
            continue;
        }
        if (inwards) {
            ticket = hwgen_dma_in(l1 + from, source + free_l2, length, lines, stride);
        } else {
            ticket = hwgen_dma_out(target + free_l2, l1 + from, length, lines, stride);
        }
        for (uint32_t line = 0; line < lines; line++) {
            unsigned char *const here = model_l1 + from + line * length;
            const uint32_t there = free_l2 + line * stride;
            memcpy(inwards ? here : model_target + there, inwards ? source + there : here, length);
        }
        from += length * lines;
        free_l2 += stride * (lines + 1);
        count++;
    }
    hwgen_dma_wait(ticket);
    hwgen_dma_wait(ticket); /* complete already */
    expect(l1, model_l1, L1_BYTES, "L1");
    expect(target, model_target, L2_BYTES, "L2");
}

static void transfers(void *argument)
{
    (void)argument;
    hwgen_dma_wait(0); /* nothing was started */
    for (int i = 0; i < ROUNDS; i++) {
        round_of(i % 3 != 2);
    }
    hwgen_dma_wait(hwgen_dma_in(l1, source, 0, 3, 5)); /* nothing to copy */
    hwgen_dma_wait(hwgen_dma_in(l1, source, 3, 0, 5));
    hwgen_dma_wait(hwgen_dma_out(target, l1, 0, 3, 5));
    hwgen_dma_wait(hwgen_dma_out(NULL, NULL, 3, 0, 5));
    hwgen_dma_wait(0);
    expect(l1, model_l1, L1_BYTES, "L1");
    expect(target, model_target, L2_BYTES, "L2");
}

int main(void)
{
    struct pi_device cluster;
    struct pi_cluster_task task;
    for (int i = 0; i < L2_BYTES; i++) {
        source[i] = (unsigned char)draw(256);
    }
    l1 = pi_cl_l1_malloc(&cluster, L1_BYTES);
    memcpy(model_l1, l1, L1_BYTES);
    pi_cluster_send_task_to_cl(&cluster, pi_cluster_task(&task, transfers, NULL));
    printf("%d transfers\n", count);
    return 0;
}
