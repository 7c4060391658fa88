/*
 * A stand-in for the PMSIS headers of the GAP SDK: enough to compile hwgen's GAP8 programs on a
 * host and to run them on POSIX threads. Not GreenWaves' code, and not a model of GAP8's timing.
 *
 * The cores of the team are threads, so that sanitizers see their races. Transfers are made at a
 * moment that the environment chooses, see transfers.c; memory starts with, and returns to, a pattern.
 * What would hang or corrupt memory on the chip ends the program with a message.
 *
 * Addresses are uintptr_t where the SDK has uint32_t: pointers of a host do not fit into 32 bits.
 * Signatures are those of pmsis_api, as far as hwgen calls them.
 */
#ifndef HWGEN_STUB_PMSIS_H
#define HWGEN_STUB_PMSIS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* One transfer: `lines` lines of `length` bytes. */
struct stub_transfer {
    unsigned char *to;
    const unsigned char *from;
    size_t length, lines, to_stride, from_stride;
    struct stub_engine *engine;
    atomic_int done;
};

struct pi_device {
    void *config;
};

void pi_open_from_conf(struct pi_device *device, void *conf);

int pmsis_kickoff(void *arg);
_Noreturn void pmsis_exit(int code);

/* Fabric controller to cluster: pmsis/cluster/cluster_sync/fc_to_cl_delegate.h */
struct pi_cluster_conf {
    int id;
};

struct pi_cluster_task {
    void (*entry)(void *);
    void *arg;
    void *stacks;
    uint32_t stack_size;
    uint32_t slave_stack_size;
    int nb_cores;
};

void pi_cluster_conf_init(struct pi_cluster_conf *conf);
int pi_cluster_open(struct pi_device *device);
int pi_cluster_close(struct pi_device *device);
struct pi_cluster_task *pi_cluster_task(struct pi_cluster_task *task, void (*entry)(void *),
                                        void *arg);
int pi_cluster_send_task_to_cl(struct pi_device *device, struct pi_cluster_task *task);

/* The team: pmsis/cluster/cluster_team/cl_team.h */
uint32_t pi_core_id(void);
int pi_cl_cluster_nb_cores(void);
int pi_cl_team_nb_cores(void);
void pi_cl_team_fork(int nb_cores, void (*entry)(void *), void *arg);
void pi_cl_team_barrier(void);

/* The cluster's DMA engine: pmsis/cluster/dma/cl_dma.h */
typedef enum { PI_CL_DMA_DIR_LOC2EXT = 0, PI_CL_DMA_DIR_EXT2LOC = 1 } pi_cl_dma_dir_e;

typedef struct pi_cl_dma_cmd_s {
    struct stub_transfer transfer;
} pi_cl_dma_cmd_t;

void pi_cl_dma_cmd(uintptr_t ext, uintptr_t loc, uint32_t size, pi_cl_dma_dir_e dir,
                   pi_cl_dma_cmd_t *cmd);
void pi_cl_dma_cmd_2d(uintptr_t ext, uintptr_t loc, uint32_t size, uint32_t stride,
                      uint32_t length, pi_cl_dma_dir_e dir, pi_cl_dma_cmd_t *cmd);
void pi_cl_dma_cmd_wait(pi_cl_dma_cmd_t *cmd);

/* Memory: pmsis/rtos/malloc/{cl_l1_malloc,l2_malloc}.h. Aligned to 4 bytes, and no better. */
void *pi_cl_l1_malloc(struct pi_device *device, uint32_t size);
void pi_cl_l1_free(struct pi_device *device, void *chunk, int size);
void *pi_l2_malloc(uint32_t size);
void pi_l2_free(void *chunk, uint32_t size);

/* Performance counters: pmsis/drivers/perf.h. Cycles are nanoseconds of the host here. */
typedef enum { PI_PERF_CYCLES = 16, PI_PERF_ACTIVE_CYCLES = 0, PI_PERF_INSTR = 1 } pi_perf_event_e;

void pi_perf_conf(unsigned events);
void pi_perf_reset(void);
void pi_perf_start(void);
void pi_perf_stop(void);
unsigned int pi_perf_read(int id);

#endif
