/* runtime/lower/packs.c - constants and packed weights, each made once per model. Weight bytes are
 * read in pieces of a few panels, so that a packed model never coexists with an unpacked copy. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "kernels/gemm.h"
#include "kernels/winograd.h"
#include "runtime/program.h"
#include "runtime/run/threads.h"

typedef struct pack {
    const ws_tensor_def *tensor;
    const wsam_gemm_kernel *kernel; /* NULL: plain f32 */
    int side;                       /* of Winograd's tiles; 0: the weight as it is */
    void *data;
} pack;

typedef struct block {
    struct block *next;
} block;

struct ws_packs {
    const ws_file *file;
    const wsam_kernels *kernels;
    int threads;
    uint64_t bytes, max_memory;
    pack *packs;
    size_t n, capacity;
    block *blocks; /* every allocation, for freeing */
    pthread_mutex_t lock;
};

ws_packs *ws_packs_new(const ws_file *file, const wsam_kernels *kernels, int threads,
                       uint64_t max_memory)
{
    ws_packs *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->file = file;
    p->kernels = kernels;
    p->threads = threads;
    p->max_memory = max_memory;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void ws_packs_free(ws_packs *p)
{
    if (!p)
        return;
    for (block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    pthread_mutex_destroy(&p->lock);
    free(p->packs);
    free(p);
}

uint64_t ws_packs_bytes(ws_packs *p)
{
    pthread_mutex_lock(&p->lock);
    const uint64_t bytes = p->bytes;
    pthread_mutex_unlock(&p->lock);
    return bytes;
}

/* The list node takes the 64 bytes in front of the data. The lock is held. */
static wsam_status allocate(ws_packs *p, size_t bytes, void **out, wsam_error *error)
{
    *out = NULL;
    if (p->max_memory && (bytes > p->max_memory || p->bytes > p->max_memory - bytes))
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "%s: weights need more than the memory limit of %llu bytes", p->file->path,
                       (unsigned long long)p->max_memory);
    block *b = bytes < SIZE_MAX - 128 ? ws_alloc_large(bytes + 64) : NULL;
    if (!b)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for weights", p->file->path);
    b->next = p->blocks;
    p->blocks = b;
    p->bytes += bytes;
    *out = (char *)b + 64;
    return WSAM_OK;
}

wsam_status ws_packs_alloc(ws_packs *p, size_t bytes, void **out, wsam_error *error)
{
    pthread_mutex_lock(&p->lock);
    const wsam_status status = allocate(p, bytes, out, error);
    pthread_mutex_unlock(&p->lock);
    return status;
}

static void *find(const ws_packs *p, const ws_tensor_def *t, const wsam_gemm_kernel *kernel,
                  int side)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->packs[i].tensor == t && p->packs[i].kernel == kernel && p->packs[i].side == side)
            return p->packs[i].data;
    return NULL;
}

static wsam_status remember(ws_packs *p, const ws_tensor_def *t, const wsam_gemm_kernel *kernel,
                            int side, void *data, wsam_error *error)
{
    pack *grown = ws_grow(p->packs, p->n, &p->capacity, sizeof *grown);
    if (!grown)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for weights");
    p->packs = grown;
    p->packs[p->n++] = (pack){t, kernel, side, data};
    return WSAM_OK;
}

/* ---- f32 constants ---- */

static void widen(const ws_packs *p, size_t n, float *values)
{
    enum { CHUNK = 4096 };
    uint16_t chunk[CHUNK];
    /* the bf16 values lie in the upper half of `values`: widening forward never overtakes them */
    const char *from = (const char *)values + n * sizeof *chunk;
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t now = n - i < CHUNK ? n - i : CHUNK;
        memcpy(chunk, from + i * sizeof *chunk, now * sizeof *chunk);
        p->kernels->vector.bf16_to_f32(now, chunk, values + i);
    }
}

static wsam_status load_f32(ws_packs *p, const ws_tensor_def *t, const float **out,
                            wsam_error *error)
{
    const size_t n = ws_tensor_elements(t);
    void *values;
    wsam_status status = allocate(p, n * sizeof(float), &values, error);
    if (status)
        return status;
    char *to = (char *)values + (t->type == WSAM_BF16 ? n * sizeof(uint16_t) : 0);
    status = ws_weight_file_tensor(p->file, t, 0, to, (size_t)t->bytes, error);
    if (!status && t->type == WSAM_BF16)
        widen(p, n, values);
    if (!status)
        status = remember(p, t, NULL, 0, values, error);
    ws_weight_file_release(p->file, t);
    *out = values;
    return status;
}

wsam_status ws_packs_f32(ws_packs *p, const ws_tensor_def *t, const float **out, wsam_error *error)
{
    *out = NULL;
    if (!t)
        return WSAM_OK;
    pthread_mutex_lock(&p->lock);
    *out = find(p, t, NULL, 0);
    const wsam_status status = *out ? WSAM_OK : load_f32(p, t, out, error);
    pthread_mutex_unlock(&p->lock);
    return status;
}

/* ---- products ---- */

enum { PANELS_PER_PIECE = 8 };

typedef struct pack_job {
    ws_packs *p;
    const ws_tensor_def *t;
    const wsam_gemm_kernel *kernel;
    size_t n, k, piece_rows;
    const float *scales;
    void *packed;
    char *staging;
    size_t staging_stride;
    wsam_status *status;
    wsam_error *errors;
} pack_job;

/* Reads the rows of a few panels and packs them. `pack` counts panels from the weight's first row,
 * so a piece is packed as a weight of its own and lands at its place. */
static void pack_piece(void *arg, int task, int worker)
{
    const pack_job *j = arg;
    const size_t row = (size_t)task * j->piece_rows, nr = j->kernel->nr;
    const size_t rows = j->n - row < j->piece_rows ? j->n - row : j->piece_rows;
    const size_t row_bytes = (size_t)(j->t->bytes / j->n);
    char *staging = j->staging + (size_t)worker * j->staging_stride;
    if (j->status[worker])
        return;
    j->status[worker] = ws_weight_file_tensor(j->p->file, j->t, row * row_bytes, staging,
                                              rows * row_bytes, &j->errors[worker]);
    if (j->status[worker])
        return;
    char *to = (char *)j->packed + row / nr * ws_gemm_panel_bytes(j->kernel, j->k);
    j->kernel->pack(rows, j->k, j->t->type, staging, j->scales ? j->scales + row : NULL, 0,
                    (rows + nr - 1) / nr, to);
}

static wsam_status run_pack_job(pack_job *j, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    const int workers = j->p->threads;
    const size_t pieces = (j->n + j->piece_rows - 1) / j->piece_rows;
    j->staging_stride = ws_align64((size_t)(j->t->bytes / j->n) * j->piece_rows);
    j->staging = ws_alloc64(j->staging_stride * (size_t)workers);
    j->status = calloc((size_t)workers, sizeof *j->status);
    j->errors = calloc((size_t)workers, sizeof *j->errors);
    if (!j->staging || !j->status || !j->errors)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory to pack weights");
    else
        ws_parallel_for(workers, (int)pieces, pack_piece, j);
    for (int i = 0; !status && i < workers; i++)
        if (j->status[i])
            status = ws_fail(error, j->status[i], "%s", j->errors[i].message);
    free(j->staging);
    free(j->status);
    free(j->errors);
    return status;
}

static wsam_status pack_weight(ws_packs *p, const ws_tensor_def *t, size_t n, size_t k,
                               const wsam_gemm_kernel *kernel, const void **out, wsam_error *error)
{
    pack_job j = {.p = p, .t = t, .kernel = kernel, .n = n, .k = k};
    float *scales = NULL;
    j.piece_rows = PANELS_PER_PIECE * kernel->nr;
    wsam_status status = allocate(p, kernel->packed_bytes(n, k), &j.packed, error);
    if (status)
        return status;
    if (t->type == WSAM_S8) {
        scales = malloc(n * sizeof *scales);
        status = scales ? ws_weight_file_scales(p->file, t, scales, error)
                        : ws_fail(error, WSAM_ERR_MEMORY, "no memory to pack weights");
        j.scales = scales;
    }
    if (!status)
        status = run_pack_job(&j, error);
    if (!status)
        status = remember(p, t, kernel, 0, j.packed, error);
    free(scales);
    ws_weight_file_release(p->file, t);
    *out = j.packed;
    return status;
}

wsam_status ws_packs_product(ws_packs *p, const ws_tensor_def *t, wsam_type as, size_t n, size_t k,
                             ws_product *product, wsam_error *error)
{
    const wsam_gemm_kernel *kernel = ws_select_gemm(p->kernels, as);
    wsam_status status = WSAM_OK;
    product->kernel = kernel;
    product->n = n;
    product->k = k;
    pthread_mutex_lock(&p->lock);
    product->packed = find(p, t, kernel, 0);
    if (!product->packed)
        status = pack_weight(p, t, n, k, kernel, &product->packed, error);
    pthread_mutex_unlock(&p->lock);
    return status;
}

/* ---- Winograd's points of a weight ---- */

typedef struct points_job {
    const void *weight;
    const float *scales; /* s8: of the weight's rows; NULL: f32 */
    int side;
    size_t n, c;
    const wsam_gemm_kernel *kernel;
    char *staging; /* [workers] of a point, and of the scales of its rows */
    size_t staging_stride;
    char *packed;
} points_job;

static void pack_point(void *arg, int point, int worker)
{
    const points_job *j = arg;
    void *staging = j->staging + (size_t)worker * j->staging_stride;
    float *scales = (float *)staging + j->n * j->c;
    if (j->scales)
        ws_winograd_weight_s8(j->side, j->n, j->c, j->weight, j->scales, point, staging, scales);
    else
        ws_winograd_weight(j->side, j->n, j->c, j->weight, point, staging);
    j->kernel->pack(j->n, j->c, j->scales ? WSAM_S8 : WSAM_F32, staging, j->scales ? scales : NULL,
                    0, ws_panels(j->n, j->kernel->nr),
                    j->packed + (size_t)point * j->kernel->packed_bytes(j->n, j->c));
}

/* The weight and its scales, into memory of their size. */
static wsam_status read_weight(const ws_packs *p, const ws_tensor_def *t, void *weight,
                               float *scales, wsam_error *error)
{
    const wsam_status status =
        ws_weight_file_tensor(p->file, t, 0, weight, (size_t)t->bytes, error);
    return status || t->type != WSAM_S8 ? status : ws_weight_file_scales(p->file, t, scales, error);
}

static wsam_status pack_points(ws_packs *p, const ws_tensor_def *t, int side, size_t n, size_t c,
                               const wsam_gemm_kernel *kernel, const void **out, wsam_error *error)
{
    const size_t points = ws_winograd_points(side);
    void *weight = ws_alloc64((size_t)t->bytes), *packed = NULL;
    float *scales = ws_alloc64(n * sizeof *scales);
    points_job j = {.weight = weight, .side = side, .n = n, .c = c, .kernel = kernel};
    j.scales = t->type == WSAM_S8 ? scales : NULL;
    j.staging_stride = ws_align64((n * c + n) * sizeof(float));
    j.staging = ws_alloc64((size_t)p->threads * j.staging_stride);
    wsam_status status = weight && scales && j.staging
                             ? allocate(p, points * kernel->packed_bytes(n, c), &packed, error)
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory to pack weights");
    if (!status)
        status = read_weight(p, t, weight, scales, error);
    j.packed = packed;
    if (!status)
        ws_parallel_for(p->threads, (int)points, pack_point, &j);
    if (!status)
        status = remember(p, t, kernel, side, packed, error);
    free(weight);
    free(scales);
    free(j.staging);
    ws_weight_file_release(p->file, t);
    *out = packed;
    return status;
}

wsam_status ws_packs_winograd(ws_packs *p, const ws_tensor_def *t, int side, size_t n, size_t c,
                              ws_product *product, wsam_error *error)
{
    const wsam_gemm_kernel *kernel = ws_select_gemm(p->kernels, t->type);
    wsam_status status = WSAM_OK;
    product->kernel = kernel;
    product->n = n;
    product->k = c;
    product->side = side;
    pthread_mutex_lock(&p->lock);
    product->packed = find(p, t, kernel, side);
    if (!product->packed)
        status = pack_points(p, t, side, n, c, kernel, &product->packed, error);
    pthread_mutex_unlock(&p->lock);
    return status;
}
