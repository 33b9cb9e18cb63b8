/* bench/kernel_gemm.c - products, ours and oneDNN's. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernel_cases.h"

const ws_onednn_type bench_onednn_types[N_TYPES] = {WS_ONEDNN_F32, WS_ONEDNN_BF16, WS_ONEDNN_U8S8};

void *bench_buffer(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!p) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    memset(p, 0, bytes);
    return p;
}

float *bench_floats(size_t n)
{
    float *x = bench_buffer(n * sizeof *x);
    uint32_t s = 12345;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (float)((int)(s >> 24) - 128) / 64.0f;
    }
    return x;
}

const wsam_gemm_kernel *bench_gemm_of(const bench_case *c)
{
    const wsam_kernels *t = c->config->kernels;
    return c->type == 0 ? &t->gemm_f32 : (c->type == 1 ? &t->gemm_bf16 : &t->gemm_s8);
}

int8_t *bench_s8(size_t n)
{
    int8_t *x = bench_buffer(n);
    uint32_t s = 54321;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (int8_t)((int)((s >> 16) % 255) - 127);
    }
    return x;
}

/* What one product needs, ours or oneDNN's. */
typedef struct operands {
    float *a, *out, *scale, *bias, *norm;
    void *weight;
} operands;

static operands open_operands(const bench_case *c)
{
    operands o = {.a = bench_floats(c->m * c->k),
                  .out = bench_buffer(c->m * c->n * sizeof(float)),
                  .scale = bench_buffer(c->n * sizeof(float)),
                  .bias = bench_floats(c->n),
                  .norm = bench_floats(c->k),
                  .weight = c->type == 2 ? (void *)bench_s8(c->n * c->k)
                                         : (void *)bench_floats(c->n * c->k)};
    for (size_t i = 0; i < c->n; i++)
        o.scale[i] = 0.01f;
    return o;
}

static void close_operands(operands *o)
{
    free(o->a), free(o->out), free(o->scale), free(o->bias), free(o->norm), free(o->weight);
}

/* A few rows are cut into columns too, so that every thread has work. */
typedef struct tasks {
    size_t block, blocks, width, parts; /* rows and columns of a task, and how many there are */
} tasks;

static tasks cut(const bench_case *c, const wsam_gemm_kernel *g)
{
    tasks t = {.block = g->rows, .width = c->n, .parts = 1};
    t.blocks = (c->m + t.block - 1) / t.block;
    if (t.blocks < 4) {
        t.width = (256 + g->nr - 1) / g->nr * g->nr;
        t.parts = (c->n + t.width - 1) / t.width;
    }
    return t;
}

static wsam_rows rows_of(const bench_case *c, const operands *o, size_t row)
{
    const wsam_rows r = {.data = o->a + row * c->k,
                         .ld = c->k,
                         .norm_weight = c->norm ? o->norm : NULL,
                         .norm_bias = c->norm ? o->norm : NULL,
                         .norm_eps = 1e-6f};
    return r;
}

/* A thread has the same rows in every repetition, as oneDNN's have: lines of the result that the
 * other core wrote last are fetched from its cache, up to a quarter of the time of small products.
 */
static void run_products(const bench_case *c, const operands *o, const void *packed, char *prepared,
                         size_t prepared_bytes)
{
    const wsam_gemm_kernel *g = bench_gemm_of(c);
    const wsam_epilogue epilogue = {.bias = o->bias, .act = c->act};
    const tasks t = cut(c, g);
#pragma omp parallel for num_threads(c->config->threads) schedule(static)
    for (size_t task = 0; task < t.blocks * t.parts; task++) {
        const size_t b = task / t.parts, n0 = task % t.parts * t.width, row = b * t.block;
        const size_t rows = c->m - row < t.block ? c->m - row : t.block;
        const size_t n1 = c->n - n0 < t.width ? c->n : n0 + t.width;
        const size_t slot = c->way == WAY_READY ? b : (size_t)omp_get_thread_num();
        void *mine = prepared + prepared_bytes * slot;
        const wsam_rows source = rows_of(c, o, row);
        if (c->way == WAY_FUSED)
            g->prepare(rows, c->k, &source, mine);
        g->run(rows, c->n, c->k, n0, n1, mine, packed, &epilogue, o->out + row * c->n, c->n);
    }
}

void bench_gemm(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    const wsam_gemm_kernel *g = bench_gemm_of(c);
    operands o = open_operands(c);
    void *packed = bench_buffer(g->packed_bytes(c->n, c->k));
    g->pack(c->n, c->k, c->type == 2 ? WSAM_S8 : WSAM_F32, o.weight, o.scale, 0,
            (c->n + g->nr - 1) / g->nr, packed);
    const tasks t = cut(c, g);
    const size_t bytes = (g->prepared_bytes(t.block, c->k) + 63) / 64 * 64;
    const size_t slots = c->way == WAY_READY ? t.blocks : (size_t)c->config->threads;
    char *prepared = bench_buffer(bytes * slots);
    for (size_t b = 0; c->way == WAY_READY && b < t.blocks; b++) {
        const size_t row = b * t.block, rows = c->m - row < t.block ? c->m - row : t.block;
        const wsam_rows source = rows_of(c, &o, row);
        g->prepare(rows, c->k, &source, prepared + bytes * b);
    }
    while (gbench_keep_running(state))
        run_products(c, &o, packed, prepared, bytes);
    close_operands(&o);
    free(packed), free(prepared);
}

/* ---- oneDNN ---- */

void bench_primitives(gbench_state *state, ws_onednn_op *const *ops, int n, float *a, float *out,
                      size_t row_bytes)
{
    wsam_error error = {0};
    size_t bytes = 64;
    int last = 0;
    for (int i = 0; i < n; i++)
        if (ops[i]) {
            bytes += ws_onednn_scratch_bytes(ops[i]);
            last = i;
        }
    void *scratch = bench_buffer(bytes),
         *rows[2] = {bench_buffer(row_bytes), bench_buffer(row_bytes)};
    while (!error.message[0] && gbench_keep_running(state)) {
        const void *from = a;
        for (int i = 0, made = 0; i < n; i++) {
            if (!ops[i])
                continue;
            void *to = i == last ? out : rows[made++ % 2];
            if (ws_onednn_run(ops[i], from, to, scratch, &error))
                break;
            from = to;
        }
    }
    if (error.message[0])
        gbench_skip(state, error.message);
    free(scratch), free(rows[0]), free(rows[1]);
}

/* LayerNorm, reorder into the product's type, product: those that the case has. */
static wsam_status create_onednn(const bench_case *c, const operands *o, ws_onednn_op *ops[3],
                                 wsam_error *error)
{
    const ws_onednn_type type = bench_onednn_types[c->type];
    const int threads = c->config->threads, passes = c->way == WAY_PASSES;
    const ws_onednn_gemm_desc desc = {.type = type,
                                      .m = c->m,
                                      .n = c->n,
                                      .k = c->k,
                                      .weight = o->weight,
                                      .column_scale = c->type == WS_PEAK_S8 ? o->scale : NULL,
                                      .bias = o->bias,
                                      .act = c->act,
                                      .threads = threads};
    wsam_status status = WSAM_OK;
    if (passes && c->norm)
        status =
            ws_onednn_norm_create(c->m, c->k, o->norm, o->norm, 1e-6f, threads, &ops[0], error);
    if (!status && passes && c->type != WS_PEAK_F32)
        status = ws_onednn_rows_create(type, c->m, c->k, threads, &ops[1], error);
    return status ? status : ws_onednn_gemm_create(&desc, &ops[2], error);
}

void bench_gemm_onednn(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    operands o = open_operands(c);
    ws_onednn_op *ops[3] = {NULL};
    wsam_error error = {0};
    if (create_onednn(c, &o, ops, &error))
        gbench_skip(state, error.message);
    else
        bench_primitives(state, ops, 3, o.a, o.out, c->m * c->k * sizeof(float));
    for (int i = 0; i < 3; i++)
        ws_onednn_free(ops[i]);
    close_operands(&o);
}
