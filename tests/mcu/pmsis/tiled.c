/*
 * Two tiled layers, written by hand in the shape of emitted ones, for tests of the port:
 *   blur   y[r][c] = clip((z[r][c-1] + 2 z[r][c] + z[r][c+1]) / 64), z[r][c] = scales[c] x[r][c]
 *   columns   out[c] = clip(sum_r weights[r][c] y[r][c] / 256)
 * blur takes tiles of rows, columns tiles of columns (lines with a stride, in L2). Statements
 * that carry a comment "mutation: <name>" are what a test takes out or changes.
 */
#include "tiled.h"

#include "hwgen_port.h"
#include "hwgen_runtime.h"

enum { ROWS = 24, COLUMNS = 32 };
enum { TILE_ROWS = 5, ROW_TILES = (ROWS + TILE_ROWS - 1) / TILE_ROWS };
enum { TILE_COLUMNS = 6, COLUMN_TILES = (COLUMNS + TILE_COLUMNS - 1) / TILE_COLUMNS };

static const int8_t scales[COLUMNS] = {
    3, -5, 7, 11, -13, 17, 19, -23, 29, 31, -37, 41, 43, -47, 53, 59,
    -61, 67, 71, -73, 79, 83, -89, 97, 101, -103, 107, 109, -113, 127, 2, -1,
};

#ifndef HWGEN_EXTERNAL_RAM
#include "tiled_weights.h"
#endif

struct blur {
    const int8_t *x; /* L2 */
    int8_t *y;       /* L2 */
    struct {         /* L1 */
        int32_t z[TILE_ROWS][COLUMNS];
        int8_t x[2][TILE_ROWS][COLUMNS];
        int8_t y[2][TILE_ROWS][COLUMNS];
        int8_t scales[COLUMNS];
    } *l1;
};

struct columns {
    const int8_t *x;       /* L2 */
    const int8_t *weights; /* L2 */
    int8_t *y;             /* L2 */
    struct {               /* L1 */
        int8_t x[2][ROWS * TILE_COLUMNS];
        int8_t weights[2][ROWS * TILE_COLUMNS];
        int8_t y[2][TILE_COLUMNS];
    } *l1;
};

static int8_t narrow(int32_t x, int shift)
{
    return (int8_t)hwgen_clip_i32(hwgen_round_shift_i32(x, shift), -128, 127);
}

static int size_of_tile(int tile, int of_tile, int all)
{
    return (int)hwgen_min_i32(of_tile, all - tile * of_tile);
}

static void blur(void *argument)
{
    const struct blur *const job = argument;
    const int core = hwgen_core();
    const int cores = hwgen_cores();
    unsigned in[2] = {0, 0};
    unsigned out = 0;
    if (core == 0) {
        hwgen_dma_in(job->l1->scales, scales, COLUMNS, 1, COLUMNS);
        in[0] = hwgen_dma_in(job->l1->x[0], job->x, TILE_ROWS * COLUMNS, 1, 0);
    }
    for (int t = 0; t < ROW_TILES; t++) {
        const int now = t % 2;
        const int rows = size_of_tile(t, TILE_ROWS, ROWS);
        if (core == 0) {
            if (t + 1 < ROW_TILES) {
                const int next = 1 - now; /* mutation: one buffer */
                const int next_rows = size_of_tile(t + 1, TILE_ROWS, ROWS);
                in[1 - now] = hwgen_dma_in(job->l1->x[next], job->x + (t + 1) * TILE_ROWS * COLUMNS,
                                           (uint32_t)(next_rows * COLUMNS), 1, 0);
            }
            /* Ends the output of tile t - 2 too, which was started before. */
            hwgen_dma_wait(in[now]); /* mutation: wait of the input */
        }
        hwgen_barrier(); /* mutation: barrier before a tile */
        for (int c = core; c < COLUMNS; c += cores) {
            for (int r = 0; r < rows; r++) {
                job->l1->z[r][c] = job->l1->x[now][r][c] * job->l1->scales[c];
            }
        }
        hwgen_barrier(); /* mutation: barrier within a tile */
        for (int c = core; c < COLUMNS; c += cores) {
            for (int r = 0; r < rows; r++) {
                const int32_t *const z = job->l1->z[r];
                const int32_t sum = z[(c + COLUMNS - 1) % COLUMNS] + 2 * z[c] + z[(c + 1) % COLUMNS];
                job->l1->y[now][r][c] = narrow(sum, 6);
            }
        }
        hwgen_barrier(); /* mutation: barrier after a tile */
        if (core == 0) {
            out = hwgen_dma_out(job->y + t * TILE_ROWS * COLUMNS, job->l1->y[now],
                                (uint32_t)(rows * COLUMNS), 1, 0);
        }
    }
    if (core == 0) {
        hwgen_dma_wait(out); /* mutation: wait of the output */
    }
}

static unsigned start_columns(const struct columns *job, int tile)
{
    const uint32_t width = (uint32_t)size_of_tile(tile, TILE_COLUMNS, COLUMNS);
    const int from = tile * TILE_COLUMNS;
    hwgen_dma_in(job->l1->x[tile % 2], job->x + from, width, ROWS, COLUMNS);
    return hwgen_dma_in(job->l1->weights[tile % 2], job->weights + from, width, ROWS, COLUMNS);
}

static void columns(void *argument)
{
    const struct columns *const job = argument;
    const int core = hwgen_core();
    const int cores = hwgen_cores();
    unsigned in[2] = {0, 0};
    unsigned out = 0;
    if (core == 0) {
        in[0] = start_columns(job, 0);
    }
    for (int t = 0; t < COLUMN_TILES; t++) {
        const int now = t % 2;
        const int width = size_of_tile(t, TILE_COLUMNS, COLUMNS);
        if (core == 0) {
            if (t + 1 < COLUMN_TILES) {
                in[1 - now] = start_columns(job, t + 1);
            }
            hwgen_dma_wait(in[now]); /* mutation: wait of lines */
        }
        hwgen_barrier();
        for (int c = core; c < width; c += cores) {
            int32_t sum = 0;
            for (int r = 0; r < ROWS; r++) {
                sum += job->l1->weights[now][r * width + c] * job->l1->x[now][r * width + c];
            }
            job->l1->y[now][c] = narrow(sum, 8);
        }
        hwgen_barrier();
        if (core == 0) {
            out = hwgen_dma_out(job->y + t * TILE_COLUMNS, job->l1->y[now], (uint32_t)width, 1, 0);
        }
    }
    if (core == 0) {
        hwgen_dma_wait(out);
    }
}

#ifdef HWGEN_EXTERNAL_RAM
int tiled_run(const tiled_in_t *in, tiled_out_t *out, void *arena, void *l1, uint32_t l3)
#else
int tiled_run(const tiled_in_t *in, tiled_out_t *out, void *arena, void *l1)
#endif
{
    int8_t *const blurred = hwgen_at(arena, 0);
#ifdef HWGEN_EXTERNAL_RAM
    int8_t *const weights = hwgen_at(arena, ROWS * COLUMNS);
    hwgen_l3_wait(hwgen_l3_read(weights, l3, 0)); /* nothing to copy */
    const unsigned read = hwgen_l3_read(weights, l3, ROWS * COLUMNS);
#endif
    _Static_assert(sizeof *((struct blur *)0)->l1 <= TILED_L1_BYTES, "L1 of blur");
    _Static_assert(sizeof *((struct columns *)0)->l1 <= TILED_L1_BYTES, "L1 of columns");
    struct blur first = {.x = in, .y = blurred, .l1 = l1};
    hwgen_mark(0);
    hwgen_fork(blur, &first);
#ifdef HWGEN_EXTERNAL_RAM
    hwgen_l3_wait(read); /* mutation: wait of the weights */
#endif
    struct columns second = {.x = blurred, .weights = weights, .y = out, .l1 = l1};
    hwgen_mark(1);
    hwgen_fork(columns, &second);
    hwgen_mark(2);
    return 0;
}
