/*
 * Programs and the cores of the stand-in for the GAP SDK, see pmsis.h. The environment variable
 * HWGEN_STUB_CORES is the number of the cluster's cores, 1 to 8; 8 if not set.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "stub.h"

void stub_fail(const char *what)
{
    fprintf(stderr, "pmsis stub: %s\n", what);
    abort();
}

void stub_nap(long nanoseconds)
{
    const struct timespec time = {0, nanoseconds};
    nanosleep(&time, NULL);
}

/* Programs. */

int pmsis_kickoff(void *arg)
{
    ((void (*)(void))(uintptr_t)arg)();
    return 0;
}

void pmsis_exit(int code)
{
    exit(code);
}

void pi_open_from_conf(struct pi_device *device, void *conf)
{
    device->config = conf;
}

/* The team. */

static _Thread_local int core;
static int team = STUB_CORES; /* cores of the last fork */
static int forked;            /* whether a fork is under way */
static int waiting, left;     /* cores at the barrier, and out of the forked function */
static unsigned generation;   /* of the barrier */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_here = PTHREAD_COND_INITIALIZER;

struct worker {
    int core;
    void (*entry)(void *);
    void *arg;
};

uint32_t pi_core_id(void)
{
    return (uint32_t)core;
}

int pi_cl_cluster_nb_cores(void)
{
    const char *const cores = getenv("HWGEN_STUB_CORES");
    const int n = cores == NULL ? STUB_CORES : atoi(cores);
    if (n < 1 || n > STUB_CORES) {
        stub_fail("HWGEN_STUB_CORES must be 1 to 8");
    }
    return n;
}

int pi_cl_team_nb_cores(void)
{
    return team;
}

static void leave(void)
{
    pthread_mutex_lock(&lock);
    left++;
    if (waiting > 0) {
        stub_fail("a core has left the forked function, and others wait for it at a barrier");
    }
    pthread_mutex_unlock(&lock);
}

static void *work(void *argument)
{
    const struct worker *const worker = argument;
    core = worker->core;
    worker->entry(worker->arg);
    leave();
    return NULL;
}

void pi_cl_team_fork(int nb_cores, void (*entry)(void *), void *arg)
{
    if (core != 0 || forked) {
        stub_fail("only core 0 may fork, and not within a fork");
    }
    if (nb_cores < 0 || nb_cores > pi_cl_cluster_nb_cores()) {
        stub_fail("a team must not have more cores than the cluster");
    }
    team = nb_cores > 0 ? nb_cores : team;
    forked = 1;
    left = 0;
    pthread_t threads[STUB_CORES];
    struct worker workers[STUB_CORES];
    for (int i = 1; i < team; i++) {
        workers[i] = (struct worker){i, entry, arg};
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            stub_fail("no thread for a core");
        }
    }
    entry(arg);
    leave();
    for (int i = 1; i < team; i++) {
        pthread_join(threads[i], NULL);
    }
    forked = 0;
}

void pi_cl_team_barrier(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STUB_PATIENCE;
    pthread_mutex_lock(&lock);
    if (!forked || left > 0) {
        stub_fail("a core waits at a barrier that the others do not come to");
    }
    const unsigned now = generation;
    if (++waiting == team) {
        waiting = 0;
        generation++;
        pthread_cond_broadcast(&all_here);
    }
    while (generation == now) {
        if (pthread_cond_timedwait(&all_here, &lock, &until) == ETIMEDOUT && generation == now) {
            stub_fail("a core waits at a barrier for ever");
        }
    }
    pthread_mutex_unlock(&lock);
}

/* Tasks of the cluster. */

void pi_cluster_conf_init(struct pi_cluster_conf *conf)
{
    conf->id = 0;
}

int pi_cluster_open(struct pi_device *device)
{
    (void)device;
    return 0;
}

int pi_cluster_close(struct pi_device *device)
{
    (void)device;
    if (stub_l1_used() > 0) {
        stub_fail("the cluster is closed while its memory is allocated");
    }
    return 0;
}

struct pi_cluster_task *pi_cluster_task(struct pi_cluster_task *task, void (*entry)(void *),
                                        void *arg)
{
    *task = (struct pi_cluster_task){.entry = entry, .arg = arg};
    return task;
}

int pi_cluster_send_task_to_cl(struct pi_device *device, struct pi_cluster_task *task)
{
    (void)device;
    if (stub_l1_used() + task->stack_size + (STUB_CORES - 1) * task->slave_stack_size > STUB_L1_BYTES) {
        stub_fail("the stacks do not fit into L1");
    }
    task->entry(task->arg);
    stub_expect_idle();
    return 0;
}

/* Time. */

void pi_perf_conf(unsigned events)
{
    (void)events;
}

void pi_perf_reset(void)
{
}

void pi_perf_start(void)
{
}

void pi_perf_stop(void)
{
}

unsigned int pi_perf_read(int id)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return id == PI_PERF_CYCLES ? (unsigned)(now.tv_sec * 1000000000LL + now.tv_nsec) : 0;
}
