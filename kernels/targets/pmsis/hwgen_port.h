/*
 * What GAP8's cluster gives to emitted C, on the PMSIS API of the GAP SDK.
 *
 * Functions of the API that are used, and the SDK headers that declare them:
 *   pi_core_id                      pmsis/rtos/os_frontend_api/os.h
 *   pi_cl_cluster_nb_cores, pi_cl_team_fork, pi_cl_team_barrier
 *                                   pmsis/cluster/cluster_team/cl_team.h
 *   pi_cl_dma_cmd, pi_cl_dma_cmd_2d, pi_cl_dma_cmd_wait
 *                                   pmsis/cluster/dma/cl_dma.h
 *   pi_cl_ram_read, pi_cl_ram_read_wait      bsp/ram.h
 *   pi_perf_read                    pmsis/drivers/perf.h, pmsis/chips/gap8/perf.h
 *
 * Everything here is called on the cluster, where core 0 is the one that got the task.
 */
#ifndef HWGEN_PORT_H
#define HWGEN_PORT_H

#include <stdint.h>

#include "pmsis.h"

/* The compiler moves no access to memory across this; the cores keep the program's order. */
static inline void hwgen_ordered(void)
{
    __asm__ volatile("" ::: "memory");
}

/* This core's number in the team, and the team's size: all cores, or -DHWGEN_TEAM_CORES=n. */
static inline int hwgen_core(void)
{
    return (int)pi_core_id();
}

static inline int hwgen_cores(void)
{
#ifdef HWGEN_TEAM_CORES
    return HWGEN_TEAM_CORES;
#else
    return (int)pi_cl_cluster_nb_cores();
#endif
}

/* Waits until every core of the team is here. */
static inline void hwgen_barrier(void)
{
    hwgen_ordered();
    pi_cl_team_barrier();
    hwgen_ordered();
}

/* Runs a function on every core of the team, the caller being core 0, and waits for all. */
static inline void hwgen_fork(void (*function)(void *), void *argument)
{
    hwgen_ordered();
    pi_cl_team_fork(hwgen_cores(), function, argument);
    hwgen_ordered();
}

/*
 * Starts a copy of `lines` lines of `length` bytes, `l2_stride` bytes apart in L2 and without
 * gaps in L1; returns its ticket. Only core 0 may.
 */
unsigned hwgen_dma_in(void *l1, const void *l2, uint32_t length, uint32_t lines,
                      uint32_t l2_stride);
unsigned hwgen_dma_out(void *l2, const void *l1, uint32_t length, uint32_t lines,
                       uint32_t l2_stride);

/* Waits until that transfer and all before it are complete; ticket 0 stands for none. */
void hwgen_dma_wait(unsigned ticket);

#ifdef HWGEN_EXTERNAL_RAM
/* The opened RAM that external addresses mean; the application sets it before a model runs. */
extern struct pi_device *hwgen_ram;

/* Starts a copy of bytes at an address of external memory into L2; returns its ticket. */
unsigned hwgen_l3_read(void *l2, uint32_t l3, uint32_t bytes);

/* Waits until that copy and all before it are complete; ticket 0 stands for none. */
void hwgen_l3_wait(unsigned ticket);
#endif

#ifdef HWGEN_PROFILE
/* Profile points in the order in which core 0 passed them; later ones than fit are dropped. */
struct hwgen_point {
    int id;
    uint32_t cycles;
};
enum { HWGEN_POINTS = 256 };
extern struct hwgen_point hwgen_points[HWGEN_POINTS];
extern int hwgen_point_count;
#endif

/* A profile point: the time at which core 0 passes it. The application starts the counter. */
static inline void hwgen_mark(int id)
{
#ifdef HWGEN_PROFILE
    hwgen_ordered();
    if (hwgen_core() == 0 && hwgen_point_count < HWGEN_POINTS) {
        hwgen_points[hwgen_point_count].id = id;
        hwgen_points[hwgen_point_count].cycles = (uint32_t)pi_perf_read(PI_PERF_CYCLES);
        hwgen_point_count++;
    }
    hwgen_ordered();
#else
    (void)id;
#endif
}

#endif
