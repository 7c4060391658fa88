/* A model of two tiled layers, written by hand in the shape of emitted ones; see tiled.c. */
#ifndef TILED_H
#define TILED_H

#include <stdint.h>

#define TILED_ARENA_BYTES 1536
#define TILED_ARENA_ALIGN 4
#define TILED_L1_BYTES 2048
#define TILED_L1_ALIGN 4
#define TILED_L3_BYTES 768

typedef int8_t tiled_in_t;
#define TILED_INPUT_SIZE 768

typedef int8_t tiled_out_t;
#define TILED_OUTPUT_SIZE 32

#ifdef HWGEN_EXTERNAL_RAM
int tiled_run(const tiled_in_t *in, tiled_out_t *out, void *arena, void *l1, uint32_t l3);
#else
int tiled_run(const tiled_in_t *in, tiled_out_t *out, void *arena, void *l1);
#endif

#endif
