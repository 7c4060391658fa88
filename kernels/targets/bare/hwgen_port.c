/*
 * The team of cores of the simulated machine, and the functions that compilers expect of a C
 * library without an operating system.
 */
#include "hwgen_port.h"

#include <stddef.h>

/* A word that may lie over variables of any type. */
typedef uint32_t __attribute__((may_alias)) hwgen_word;

/* What the team is to run; written by core 0 before a barrier, read by the others after it. */
static struct {
    void (*function)(void *);
    void *argument;
} hwgen_task;

void hwgen_fork(void (*function)(void *), void *argument)
{
    hwgen_task.function = function;
    hwgen_task.argument = argument;
    hwgen_barrier();
    function(argument);
    hwgen_barrier();
}

/* Where cores 1, 2, ... spend the program's life: asleep at the barrier between tasks. */
_Noreturn void hwgen_team(void);
_Noreturn void hwgen_team(void)
{
    for (;;) {
        hwgen_barrier();
        hwgen_task.function(hwgen_task.argument);
        hwgen_barrier();
    }
}

/* Symbols of the link script: their addresses are what they say. */
extern unsigned char __stack_top[], __stack_bytes[];
enum { GUARD_WORDS = 8 };
static const uint32_t GUARD = 0x5AFE57ACu;

static hwgen_word *end_of_stack(int core)
{
    return (hwgen_word *)((uintptr_t)__stack_top -
                          (uintptr_t)__stack_bytes * ((uintptr_t)core + 1));
}

void hwgen_guard_stacks(void)
{
    const int cores = hwgen_cores();
    for (int core = 0; core < cores; core++) {
        for (int i = 0; i < GUARD_WORDS; i++) {
            end_of_stack(core)[i] = GUARD;
        }
    }
}

int hwgen_stacks_hold(void)
{
    const int cores = hwgen_cores();
    for (int core = 0; core < cores; core++) {
        for (int i = 0; i < GUARD_WORDS; i++) {
            if (end_of_stack(core)[i] != GUARD) {
                return 0;
            }
        }
    }
    return 1;
}

/* hwgen_ordered() in a loop keeps compilers from replacing it by a call of the function itself. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (((uintptr_t)t | (uintptr_t)f) % sizeof(uint32_t) == 0) {
        for (; bytes >= sizeof(uint32_t); bytes -= sizeof(uint32_t)) {
            *(hwgen_word *)t = *(const hwgen_word *)f;
            t += sizeof(uint32_t);
            f += sizeof(uint32_t);
            hwgen_ordered();
        }
    }
    for (; bytes > 0; bytes--) {
        *t++ = *f++;
        hwgen_ordered();
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((uintptr_t)t - (uintptr_t)f >= bytes) { /* ahead of the source, or apart from it */
        return memcpy(to, from, bytes);
    }
    while (bytes > 0) {
        bytes--;
        t[bytes] = f[bytes];
        hwgen_ordered();
    }
    return to;
}

void *memset(void *to, int value, size_t bytes);
void *memset(void *to, int value, size_t bytes)
{
    unsigned char *t = to;
    const uint32_t byte = (unsigned char)value;
    if ((uintptr_t)t % sizeof(uint32_t) == 0) {
        for (; bytes >= sizeof(uint32_t); bytes -= sizeof(uint32_t)) {
            *(hwgen_word *)t = byte * 0x01010101u;
            t += sizeof(uint32_t);
            hwgen_ordered();
        }
    }
    for (; bytes > 0; bytes--) {
        *t++ = (unsigned char)byte;
        hwgen_ordered();
    }
    return to;
}
