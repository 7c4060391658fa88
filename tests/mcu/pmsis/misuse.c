/* What would hang GAP8 or corrupt its memory; -D<NAME> chooses. The stub must tell. */
#include "pmsis.h"

static unsigned char in_l2[4096];
static unsigned char *l1;
static pi_cl_dma_cmd_t commands[9];

static void on_every_core(void *argument)
{
    (void)argument;
#ifdef OTHER_CORE
    if (pi_core_id() == 3) {
        pi_cl_dma_cmd((uintptr_t)in_l2, (uintptr_t)l1, 4, PI_CL_DMA_DIR_EXT2LOC, commands);
    }
#endif
#ifdef LEFT_TEAM
    if (pi_core_id() != 3) {
        pi_cl_team_barrier();
    }
#endif
}

static void on_core_0(void *argument)
{
    (void)argument;
    uintptr_t to = (uintptr_t)l1;
    uint32_t bytes = 4;
    int transfers = 0;
#ifdef NEVER_WAITED
    transfers = 1;
#endif
#ifdef OUTSIDE_L1
    to += 4096 - 3;
    transfers = 1;
#endif
#ifdef NINTH
    transfers = 9;
#endif
#ifdef TOO_LONG
    bytes = 1 << 15;
    transfers = 1;
#endif
#ifdef NO_TEAM
    pi_cl_team_barrier();
#endif
    for (int i = 0; i < transfers; i++) {
        pi_cl_dma_cmd((uintptr_t)in_l2, to, bytes, PI_CL_DMA_DIR_EXT2LOC, &commands[i]);
    }
#ifdef WAITED_TWICE
    pi_cl_dma_cmd((uintptr_t)in_l2, to, bytes, PI_CL_DMA_DIR_EXT2LOC, &commands[0]);
    pi_cl_dma_cmd_wait(&commands[0]);
    pi_cl_dma_cmd_wait(&commands[0]);
#endif
    pi_cl_team_fork(8, on_every_core, NULL);
}

int main(void)
{
    struct pi_device cluster;
    struct pi_cluster_task task;
    l1 = pi_cl_l1_malloc(&cluster, 4096);
    pi_cluster_task(&task, on_core_0, NULL);
#ifdef STACKS
    task.stack_size = 52 * 1024 + 10000;
#endif
    pi_cluster_send_task_to_cl(&cluster, &task);
    return 0;
}
