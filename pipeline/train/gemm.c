/* pipeline/train/gemm.c - see gemm.h.
 *
 * The kernels compute rows . weight^T with both operands k-major. A panel of f32 is [k][nr], so the
 * transposed weight of the gradients is packed by copying nr neighbours of each row: no transpose
 * of the large operand. Only the output gradients, a small part of the traffic, are turned. How
 * panels of bf16 look is the kernel's own business: a panel's weights are rounded, turned where
 * they have to be, and given to its pack. */
#include "pipeline/train/gemm.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/threads.h"

enum { TILE_COLUMNS = 512, PANELS_PER_TASK = 8, TURNED_ROWS = 16, MOST_COLUMNS = 64 };

typedef struct product {
    ws_train_gemm *g;
    size_t m, n, k;
    const float *x; /* rows [m][k] */
    size_t ld_x;
    const float *w; /* [n][k], or [k][n] when `turned` */
    size_t ld_w;
    int turned;
    const float *bias;
    float *y;
    size_t ld_y;
    int accumulate;
    size_t panels, row_tiles, column_tiles, columns;
} product;

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* Bytes between the prepared rows of two tiles. */
static size_t tile_bytes(const wsam_gemm_kernel *kernel, size_t k)
{
    return ws_align64(kernel->prepared_bytes(kernel->rows, k));
}

/* Panels [p0, p1) of the transpose of w [k][n]. */
static void pack_turned(const product *p, size_t p0, size_t p1)
{
    const size_t nr = p->g->kernel->nr, panel = ws_align64(p->k * nr * sizeof(float));
    for (size_t q = p0; q < p1; q++) {
        float *to = (void *)(p->g->packed + q * panel);
        const size_t left = p->n - q * nr, columns = left < nr ? left : nr;
        for (size_t i = 0; i < p->k; i++, to += nr) {
            memcpy(to, p->w + i * p->ld_w + q * nr, columns * sizeof *to);
            if (columns < nr)
                memset(to + columns, 0, (nr - columns) * sizeof *to);
        }
    }
}

/* Columns [q*nr, q*nr + columns) of w [k][n], rounded, into to[columns][k]: some rows at a time, so
 * that both sides stay in the cache. */
static void turn_rounded(const product *p, size_t q, size_t columns, uint16_t *to)
{
    uint16_t some[TURNED_ROWS][MOST_COLUMNS];
    const float *from = p->w + q * p->g->kernel->nr;
    for (size_t i = 0; i < p->k; i += TURNED_ROWS) {
        const size_t rows = p->k - i < TURNED_ROWS ? p->k - i : TURNED_ROWS;
        for (size_t a = 0; a < rows; a++)
            p->g->kernels->vector.f32_to_bf16(columns, from + (i + a) * p->ld_w, some[a]);
        for (size_t c = 0; c < columns; c++)
            for (size_t a = 0; a < rows; a++)
                to[c * p->k + i + a] = some[a][c];
    }
}

/* Panels [p0, p1) in bf16. */
static void pack_rounded(const product *p, size_t p0, size_t p1, int worker)
{
    const wsam_gemm_kernel *kernel = p->g->kernel;
    const size_t panel = kernel->packed_bytes(kernel->nr, p->k);
    uint16_t *rounded = p->g->panels + (size_t)worker * p->g->panel_values;
    for (size_t q = p0; q < p1; q++) {
        const size_t left = p->n - q * kernel->nr, columns = left < kernel->nr ? left : kernel->nr;
        if (p->turned)
            turn_rounded(p, q, columns, rounded);
        else
            p->g->kernels->vector.f32_to_bf16(columns * p->k, p->w + q * kernel->nr * p->k,
                                              rounded);
        kernel->pack(columns, p->k, WSAM_BF16, rounded, NULL, 0, 1, p->g->packed + q * panel);
    }
}

/* First the panels, some per task, then the rows, a tile per task. */
static void pack_task(void *arg, int task, int worker)
{
    const product *p = arg;
    const wsam_gemm_kernel *kernel = p->g->kernel;
    const size_t groups = divide_up(p->panels, PANELS_PER_TASK), t = (size_t)task;
    if (t < groups) {
        const size_t p0 = t * PANELS_PER_TASK;
        const size_t p1 = p0 + PANELS_PER_TASK < p->panels ? p0 + PANELS_PER_TASK : p->panels;
        if (p->g->panels)
            pack_rounded(p, p0, p1, worker);
        else if (p->turned)
            pack_turned(p, p0, p1);
        else
            kernel->pack(p->n, p->k, WSAM_F32, p->w, NULL, p0, p1, p->g->packed);
        return;
    }
    const size_t row = (t - groups) * kernel->rows;
    const wsam_rows rows = {.data = p->x + row * p->ld_x, .ld = p->ld_x};
    const size_t m = p->m - row < kernel->rows ? p->m - row : kernel->rows;
    kernel->prepare(m, p->k, &rows, p->g->rows + (t - groups) * tile_bytes(kernel, p->k));
}

/* Neighbouring tasks share columns: a packed strip stays in the cache while the rows pass. */
static void run_task(void *arg, int task, int worker)
{
    const product *p = arg;
    const wsam_gemm_kernel *kernel = p->g->kernel;
    const size_t tile = (size_t)task % p->row_tiles, strip = (size_t)task / p->row_tiles;
    const size_t row = tile * kernel->rows, n0 = strip * p->columns;
    const size_t m = p->m - row < kernel->rows ? p->m - row : kernel->rows;
    const size_t n1 = n0 + p->columns < p->n ? n0 + p->columns : p->n;
    float *y = p->y + row * p->ld_y;
    const wsam_epilogue epilogue = {
        .bias = p->bias, .residual = p->accumulate ? y : NULL, .ld_residual = p->ld_y};
    (void)worker;
    kernel->run(m, p->n, p->k, n0, n1, p->g->rows + tile * tile_bytes(kernel, p->k), p->g->packed,
                &epilogue, y, p->ld_y);
}

static void multiply(product *p)
{
    const wsam_gemm_kernel *kernel = p->g->kernel;
    p->panels = divide_up(p->n, kernel->nr);
    p->row_tiles = divide_up(p->m, kernel->rows);
    p->columns = TILE_COLUMNS / kernel->nr * kernel->nr;
    p->column_tiles = divide_up(p->n, p->columns);
    ws_parallel_for(p->g->threads, (int)(divide_up(p->panels, PANELS_PER_TASK) + p->row_tiles),
                    pack_task, p);
    ws_parallel_for(p->g->threads, (int)(p->row_tiles * p->column_tiles), run_task, p);
}

void ws_gemm_forward(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *x, const float *w,
                     const float *bias, float *y)
{
    product p = {.g = g,
                 .m = m,
                 .n = n,
                 .k = k,
                 .x = x,
                 .ld_x = k,
                 .w = w,
                 .ld_w = k,
                 .bias = bias,
                 .y = y,
                 .ld_y = n};
    multiply(&p);
}

void ws_gemm_inputs(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *dy, const float *w,
                    float *dx)
{
    product p = {.g = g,
                 .m = m,
                 .n = k,
                 .k = n,
                 .x = dy,
                 .ld_x = n,
                 .w = w,
                 .ld_w = k,
                 .turned = 1,
                 .y = dx,
                 .ld_y = k};
    multiply(&p);
}

typedef struct turning {
    size_t rows, n;
    const float *x;
    float *out;
} turning;

/* out[n][rows] of x [rows][n], in squares of 16 that fit a few cache lines each: a strip of them.
 */
static void turn_task(void *arg, int task, int worker)
{
    enum { SIDE = 16 };
    const turning *t = arg;
    const size_t j = (size_t)task * SIDE;
    (void)worker;
    for (size_t i = 0; i < t->rows; i += SIDE)
        for (size_t b = j; b < t->n && b < j + SIDE; b++)
            for (size_t a = i; a < t->rows && a < i + SIDE; a++)
                t->out[b * t->rows + a] = t->x[a * t->n + b];
}

void ws_gemm_weights(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *dy,
                     const float *x, float *dw)
{
    for (size_t from = 0; from < m; from += WS_GRADIENT_BLOCK) {
        const size_t block = m - from < WS_GRADIENT_BLOCK ? m - from : WS_GRADIENT_BLOCK;
        turning t = {block, n, dy + from * n, g->turned};
        ws_parallel_for(g->threads, (int)divide_up(n, 16), turn_task, &t);
        product p = {.g = g,
                     .m = n,
                     .n = k,
                     .k = block,
                     .x = g->turned,
                     .ld_x = block,
                     .w = x + from * k,
                     .ld_w = k,
                     .turned = 1,
                     .y = dw,
                     .ld_y = k,
                     .accumulate = 1};
        multiply(&p);
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for one product of m rows with an n x k weight. */
static void make_room(ws_train_gemm *g, size_t m, size_t n, size_t k)
{
    const size_t tiles = divide_up(m, g->kernel->rows);
    g->rows_bytes = larger(g->rows_bytes, tiles * tile_bytes(g->kernel, k));
    g->packed_bytes = larger(g->packed_bytes, g->kernel->packed_bytes(n, k));
    g->panel_values = larger(g->panel_values,
                             ws_align64(g->kernel->nr * k * sizeof(uint16_t)) / sizeof(uint16_t));
}

wsam_status ws_train_gemm_init_as(ws_train_gemm *g, const wsam_kernels *kernels, wsam_type type,
                                  int threads, size_t m, size_t layers, const size_t (*shapes)[2],
                                  wsam_error *error)
{
    const int bf16 = type == WSAM_BF16;
    *g = (ws_train_gemm){.kernels = kernels,
                         .kernel = bf16 ? &kernels->gemm_bf16 : &kernels->gemm_f32,
                         .threads = threads};
    for (size_t i = 0; i < layers; i++) {
        const size_t n = shapes[i][0], k = shapes[i][1];
        make_room(g, m, n, k);
        make_room(g, m, k, n);
        make_room(g, n, k, WS_GRADIENT_BLOCK);
        g->turned_bytes = larger(g->turned_bytes, n * WS_GRADIENT_BLOCK * sizeof(float));
    }
    g->rows = ws_alloc64(g->rows_bytes);
    g->packed = ws_alloc64(g->packed_bytes);
    g->turned = ws_alloc64(g->turned_bytes);
    g->panels = bf16 ? ws_alloc64((size_t)threads * g->panel_values * sizeof *g->panels) : NULL;
    if (g->rows && g->packed && g->turned && (g->panels || !bf16))
        return WSAM_OK;
    ws_train_gemm_free(g);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for products of %zu RoIs", m);
}

wsam_status ws_train_gemm_init(ws_train_gemm *g, const wsam_kernels *kernels, int threads, size_t m,
                               size_t layers, const size_t (*shapes)[2], wsam_error *error)
{
    return ws_train_gemm_init_as(g, kernels, WSAM_F32, threads, m, layers, shapes, error);
}

void ws_train_gemm_free(ws_train_gemm *g)
{
    free(g->rows);
    free(g->packed);
    free(g->turned);
    free(g->panels);
    memset(g, 0, sizeof *g);
}
