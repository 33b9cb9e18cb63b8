/* runtime/training_gemm.c - see gemm.h.
 *
 * The kernels compute rows . weight^T with both operands k-major. k is cut into blocks, so that the
 * rows of a tile and the panels of a strip of columns stay in L2 together (128 and 512 KB): with
 * 328 RoIs and 9408 inputs whole rows and panels, 1 MB each and more, came from L3 for every
 * product of two. A strip's panels are packed where they are needed, just before all rows pass
 * them: packed weights never go to memory, and a strip of the weight gradient is read and written
 * once for all its blocks.
 *
 * A panel of f32 is [k][nr]: the weight of the forward product is turned into it in squares that
 * stay in registers, straight from the weight's rows (copying them first and gathering single
 * values cost 13 % of that product), and the transposed weight of the gradients is packed by
 * copying nr neighbours of each row. How panels of bf16 look is the kernel's own business: a
 * panel's weights are rounded, turned where they have to be, and given to its pack. */
#include "runtime/training_gemm.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/gemm.h"
#include "runtime/run/threads.h"

enum { STRIP_COLUMNS = 256, LEAST_STRIP = 128, K_BLOCK = 512, TURNED_ROWS = 16, MOST_COLUMNS = 64 };

typedef struct product {
    ws_train_gemm *g;
    size_t m, n, k, block;
    const float *x; /* rows [m][k], or [k][m] when `x_turned` */
    const float *w; /* [n][k], or [k][n] when `turned` */
    int x_turned, turned;
    const float *bias;
    float *y; /* [m][n] */
    int accumulate;
    size_t blocks, row_tiles;
    size_t columns, strips; /* of a strip, whole panels */
    size_t parts;           /* of the rows; each packs the strip for itself */
} product;

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A block of k inputs: equal parts, whole vectors. */
static size_t block_of(size_t k)
{
    const size_t each = divide_up(k, divide_up(k, K_BLOCK));
    return smaller(divide_up(each, 16) * 16, k);
}

/* Bytes between the prepared rows of two tiles. */
static size_t tile_bytes(const wsam_gemm_kernel *kernel, size_t block)
{
    return ws_align64(kernel->prepared_bytes(kernel->rows, block));
}

static size_t strip_panels(const wsam_gemm_kernel *kernel)
{
    return divide_up(STRIP_COLUMNS, kernel->nr);
}

/* Of a worker: a strip's panels, then the rounded weights that a panel of bf16 is made from. */
static size_t panels_bytes(const wsam_gemm_kernel *kernel, size_t block)
{
    return ws_align64(strip_panels(kernel) * ws_align64(kernel->packed_bytes(kernel->nr, block)));
}

static size_t worker_bytes(const wsam_gemm_kernel *kernel, size_t block)
{
    return panels_bytes(kernel, block) + ws_align64(kernel->nr * block * sizeof(uint16_t));
}

/* ---- panels: columns [j, j + columns) of the weight, inputs [k0, k0 + k) ---- */

typedef struct part {
    size_t j, columns, k0, k;
} part;

static void pack_turned(const product *p, const part *a, float *to)
{
    const size_t nr = p->g->kernel->nr;
    for (size_t i = 0; i < a->k; i++, to += nr) {
        memcpy(to, p->w + (a->k0 + i) * p->n + a->j, a->columns * sizeof *to);
        if (a->columns < nr)
            memset(to + a->columns, 0, (nr - a->columns) * sizeof *to);
    }
}

static void pack_straight(const product *p, const part *a, float *to)
{
    const size_t nr = p->g->kernel->nr;
    if (a->columns < nr)
        memset(to, 0, a->k * nr * sizeof *to);
    p->g->kernels->vector.transpose_f32(a->columns, a->k, p->w + a->j * p->k + a->k0, p->k, to, nr);
}

/* Turned and rounded, to[columns][k]: some rows at a time, so that both sides stay in the cache. */
static void turn_rounded(const product *p, const part *a, uint16_t *to)
{
    uint16_t some[TURNED_ROWS][MOST_COLUMNS];
    const float *from = p->w + a->k0 * p->n + a->j;
    for (size_t i = 0; i < a->k; i += TURNED_ROWS) {
        const size_t rows = smaller(a->k - i, TURNED_ROWS);
        for (size_t r = 0; r < rows; r++)
            p->g->kernels->vector.f32_to_bf16(a->columns, from + (i + r) * p->n, some[r]);
        for (size_t c = 0; c < a->columns; c++)
            for (size_t r = 0; r < rows; r++)
                to[c * a->k + i + r] = some[r][c];
    }
}

static void pack_rounded(const product *p, const part *a, uint16_t *rounded, void *to)
{
    if (p->turned)
        turn_rounded(p, a, rounded);
    for (size_t c = 0; c < a->columns && !p->turned; c++)
        p->g->kernels->vector.f32_to_bf16(a->k, p->w + (a->j + c) * p->k + a->k0,
                                          rounded + c * a->k);
    p->g->kernel->pack(a->columns, a->k, WSAM_BF16, rounded, NULL, 0, 1, to);
}

static void pack_strip(const product *p, part a, char *panels, uint16_t *rounded)
{
    const wsam_gemm_kernel *kernel = p->g->kernel;
    const size_t panel = ws_gemm_panel_bytes(kernel, a.k), end = a.j + a.columns;
    for (; a.j < end; a.j += kernel->nr, panels += panel) {
        a.columns = smaller(end - a.j, kernel->nr);
        if (p->g->bf16)
            pack_rounded(p, &a, rounded, panels);
        else if (p->turned)
            pack_turned(p, &a, (float *)(void *)panels);
        else
            pack_straight(p, &a, (float *)(void *)panels);
    }
}

/* ---- tasks ---- */

static char *prepared_rows(const product *p, size_t block, size_t tile)
{
    return p->g->rows + (block * p->row_tiles + tile) * tile_bytes(p->g->kernel, p->block);
}

/* The rows of a tile, of all blocks. */
static void prepare_task(void *arg, int task, int worker)
{
    const product *p = arg;
    const wsam_gemm_kernel *kernel = p->g->kernel;
    const size_t row = (size_t)task * kernel->rows, m = smaller(p->m - row, kernel->rows);
    float *turned = (float *)(void *)(p->g->panels + (size_t)worker * p->g->worker_bytes);
    for (size_t b = 0; b < p->blocks; b++) {
        const size_t k0 = b * p->block, k = smaller(p->k - k0, p->block);
        wsam_rows rows = {.data = p->x + row * p->k + k0, .ld = p->k};
        if (p->x_turned) {
            p->g->kernels->vector.transpose_f32(k, m, p->x + k0 * p->m + row, p->m, turned, k);
            rows = (wsam_rows){.data = turned, .ld = k};
        }
        kernel->prepare(m, k, &rows, prepared_rows(p, b, (size_t)task));
    }
}

/* A strip of columns, of some rows: block after block added up in the result. */
static void run_task(void *arg, int task, int worker)
{
    const product *p = arg;
    const wsam_gemm_kernel *kernel = p->g->kernel;
    const size_t of = (size_t)task % p->parts;
    const size_t t0 = p->row_tiles * of / p->parts, t1 = p->row_tiles * (of + 1) / p->parts;
    char *panels = p->g->panels + (size_t)worker * p->g->worker_bytes;
    uint16_t *rounded = (uint16_t *)(void *)(panels + panels_bytes(kernel, p->block));
    part a = {.j = (size_t)task / p->parts * p->columns};
    a.columns = smaller(p->n - a.j, p->columns);
    for (size_t b = 0; b < p->blocks; b++) {
        a.k0 = b * p->block;
        a.k = smaller(p->k - a.k0, p->block);
        pack_strip(p, a, panels, rounded);
        for (size_t tile = t0; tile < t1; tile++) {
            const size_t row = tile * kernel->rows, m = smaller(p->m - row, kernel->rows);
            float *y = p->y + row * p->n + a.j;
            const int adds = b > 0 || p->accumulate;
            const wsam_epilogue epilogue = {.bias = p->bias && b == 0 ? p->bias + a.j : NULL,
                                            .residual = adds ? y : NULL,
                                            .ld_residual = p->n};
            kernel->run(m, a.columns, a.k, 0, a.columns, prepared_rows(p, b, tile), panels,
                        &epilogue, y, p->n);
        }
    }
}

static void multiply(product *p)
{
    const wsam_gemm_kernel *kernel = p->g->kernel;
    const size_t threads = (size_t)p->g->threads;
    p->blocks = divide_up(p->k, p->block);
    p->row_tiles = divide_up(p->m, kernel->rows);
    p->columns = divide_up(STRIP_COLUMNS, kernel->nr) * kernel->nr;
    /* Four tasks a thread to share: narrower strips, then, of few columns, strips cut by rows. */
    if (p->n < 4 * threads * p->columns)
        p->columns = divide_up(LEAST_STRIP, kernel->nr) * kernel->nr;
    p->strips = divide_up(p->n, p->columns);
    p->parts = threads > 1 ? smaller(divide_up(2 * threads, p->strips), p->row_tiles) : 1;
    ws_parallel_for(p->g->threads, (int)p->row_tiles, prepare_task, p);
    ws_parallel_for(p->g->threads, (int)(p->strips * p->parts), run_task, p);
}

void ws_training_gemm_forward(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *x,
                              const float *w, const float *bias, float *y)
{
    product p = {
        .g = g, .m = m, .n = n, .k = k, .block = block_of(k), .x = x, .w = w, .bias = bias, .y = y};
    multiply(&p);
}

void ws_training_gemm_inputs(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *dy,
                             const float *w, float *dx)
{
    product p = {.g = g,
                 .m = m,
                 .n = k,
                 .k = n,
                 .block = block_of(n),
                 .x = dy,
                 .w = w,
                 .turned = 1,
                 .y = dx};
    multiply(&p);
}

void ws_training_gemm_weights(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *dy,
                              const float *x, float *dw)
{
    product p = {.g = g,
                 .m = n,
                 .n = k,
                 .k = m,
                 .block = smaller(m, WS_GRADIENT_BLOCK),
                 .x = dy,
                 .w = x,
                 .x_turned = 1,
                 .turned = 1,
                 .y = dw,
                 .accumulate = 1};
    multiply(&p);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for one product of m rows of k inputs in blocks. */
static void make_room(ws_train_gemm *g, size_t m, size_t k, size_t block)
{
    const size_t tiles = divide_up(m, g->kernel->rows) * divide_up(k, block);
    g->rows_bytes = larger(g->rows_bytes, tiles * tile_bytes(g->kernel, block));
    g->worker_bytes = larger(g->worker_bytes, worker_bytes(g->kernel, block));
    g->worker_bytes = larger(g->worker_bytes, ws_align64(g->kernel->rows * block * sizeof(float)));
}

wsam_status ws_training_gemm_init_as(ws_train_gemm *g, const wsam_kernels *kernels, wsam_type type,
                                     int threads, size_t m, size_t layers,
                                     const size_t (*shapes)[2], wsam_error *error)
{
    const int bf16 = type == WSAM_BF16;
    *g = (ws_train_gemm){.kernels = kernels,
                         .kernel = bf16 ? &kernels->gemm_bf16 : &kernels->gemm_f32,
                         .threads = threads,
                         .bf16 = bf16};
    for (size_t i = 0; i < layers; i++) {
        const size_t n = shapes[i][0], k = shapes[i][1];
        make_room(g, m, k, block_of(k));
        make_room(g, m, n, block_of(n));
        make_room(g, n, m, WS_GRADIENT_BLOCK);
    }
    g->rows = ws_alloc64(g->rows_bytes);
    g->panels = ws_alloc64((size_t)threads * g->worker_bytes);
    if (g->rows && g->panels)
        return WSAM_OK;
    ws_training_gemm_free(g);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for products of %zu RoIs", m);
}

wsam_status ws_training_gemm_init(ws_train_gemm *g, const wsam_kernels *kernels, int threads,
                                  size_t m, size_t layers, const size_t (*shapes)[2],
                                  wsam_error *error)
{
    return ws_training_gemm_init_as(g, kernels, WSAM_F32, threads, m, layers, shapes, error);
}

void ws_training_gemm_free(ws_train_gemm *g)
{
    free(g->rows);
    free(g->panels);
    memset(g, 0, sizeof *g);
}
