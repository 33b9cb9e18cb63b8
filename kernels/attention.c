/* kernels/attention.c - attention: C versions and the family's table.
 *
 * The C version computes one query at a time with all its scores in scratch. Pad keys of a window
 * share one key and one value vector, so their products are formed once and only their bias
 * differs. */
#include "kernels/attention.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/vector.h"

enum { QUERIES_PER_TASK = 64 };

/* ---- bias constants: rel_h then rel_w, or the table, as they are ---- */

static size_t rel_rows(int side)
{
    return (size_t)(2 * side - 1);
}

static size_t bias_bytes_c(const wsam_attention_shape *s)
{
    const size_t h = rel_rows(ws_bias_h(s)), w = rel_rows(ws_bias_w(s));
    switch (s->bias) {
    case WSAM_BIAS_SEPARABLE:
        return (h + w) * (size_t)s->head_dim * sizeof(float);
    case WSAM_BIAS_TABLE:
        return h * w * (size_t)s->heads * sizeof(float);
    case WSAM_BIAS_NONE:
        break;
    }
    return 0;
}

static void prepare_bias_c(const wsam_attention_shape *s, const float *rel_h, const float *rel_w,
                           const float *table, void *bias)
{
    const size_t h = rel_rows(ws_bias_h(s)) * (size_t)s->head_dim * sizeof(float);
    if (s->bias == WSAM_BIAS_SEPARABLE) {
        memcpy(bias, rel_h, h);
        memcpy((char *)bias + h, rel_w, bias_bytes_c(s) - h);
    } else if (s->bias == WSAM_BIAS_TABLE) {
        memcpy(bias, table, bias_bytes_c(s));
    }
}

/* ---- one query ---- */

/* What a query's loops need; `bf16` says whether operands are rounded. */
typedef struct query {
    const wsam_attention_shape *shape;
    const wsam_attention_io *io;
    ws_attention_block block;
    int head, y, x; /* position inside the block */
    int bf16;
    const float *q;
} query;

static float operand(float x, int bf16)
{
    return bf16 ? ws_f32_from_bf16(ws_bf16_from_f32(x)) : x;
}

static float dot(const float *a, const float *b, int n, int bf16)
{
    float sum = 0.0f;
    for (int i = 0; i < n; i++)
        sum += operand(a[i], bf16) * operand(b[i], bf16);
    return sum;
}

static float bias_of(const query *u, int ky, int kx)
{
    const wsam_attention_shape *s = u->shape;
    const int gh = ws_bias_h(s), gw = ws_bias_w(s), d = s->head_dim;
    const size_t iy = (size_t)(u->y - ky + gh - 1), ix = (size_t)(u->x - kx + gw - 1);
    const float *b = u->io->bias;
    if (s->bias == WSAM_BIAS_SEPARABLE)
        return dot(u->q, b + iy * (size_t)d, d, 0) +
               dot(u->q, b + (rel_rows(gh) + ix) * (size_t)d, d, 0);
    if (s->bias == WSAM_BIAS_TABLE)
        return b[((size_t)u->head * rel_rows(gh) + iy) * rel_rows(gw) + ix];
    return 0.0f;
}

/* Key (ky, kx) of the block: the token, or NULL for a pad. */
static const float *token(const query *u, const float *base, size_t ld, int ky, int kx)
{
    if (ky >= u->block.h || kx >= u->block.w)
        return NULL;
    const size_t t =
        (size_t)(u->block.y0 + ky) * (size_t)u->shape->k_w + (size_t)(u->block.x0 + kx);
    return base + t * ld + (size_t)u->head * (size_t)u->shape->head_dim;
}

/* Pad keys are the same for every query of a head: their product is computed once per query. */
static float score(const query *u, int ky, int kx, float pad_dot)
{
    const float *k = token(u, u->io->k, u->io->ld_k, ky, kx);
    const float product = k ? dot(u->q, k, u->shape->head_dim, u->bf16) : pad_dot;
    return u->shape->scale * product + bias_of(u, ky, kx);
}

/* In bf16 the weights are rounded as well as the values; the sum stays f32. */
static void accumulate(const query *u, float p, const float *v, float *out)
{
    for (int d = 0; d < u->shape->head_dim; d++)
        out[d] += operand(p, u->bf16) * operand(v[d], u->bf16);
}

/* softmax over the block's keys (side_h x side_w with padding, h x w without), times the values. */
static void attend(const query *u, float *scores, float *out)
{
    const wsam_attention_shape *s = u->shape;
    const size_t head = (size_t)u->head * (size_t)s->head_dim;
    const int rows = s->padded ? u->block.side_h : u->block.h;
    const int columns = s->padded ? u->block.side_w : u->block.w;
    const float pad = s->padded ? dot(u->q, u->io->pad_k + head, s->head_dim, u->bf16) : 0.0f;
    float top = -INFINITY, sum = 0.0f;
    for (int i = 0; i < rows * columns; i++) {
        scores[i] = score(u, i / columns, i % columns, pad);
        top = scores[i] > top ? scores[i] : top;
    }
    for (int d = 0; d < s->head_dim; d++)
        out[d] = 0.0f;
    for (int i = 0; i < rows * columns; i++) {
        const float p = expf(scores[i] - top);
        const float *v = token(u, u->io->v, u->io->ld_v, i / columns, i % columns);
        sum += p;
        accumulate(u, p, v ? v : u->io->pad_v + head, out);
    }
    for (int d = 0; d < s->head_dim; d++)
        out[d] /= sum;
}

/* ---- tasks ---- */

/* The C version packs nothing: it reads keys and values where they are. */
static size_t no_bytes(const wsam_attention_shape *s)
{
    (void)s;
    return 0;
}

static int no_tasks(const wsam_attention_shape *s)
{
    (void)s;
    return 0;
}

static void pack_nothing(const wsam_attention_shape *s, const wsam_attention_io *io, int task,
                         void *packed)
{
    (void)s;
    (void)io;
    (void)task;
    (void)packed;
}

/* The scores of one query. */
static size_t scratch_bytes_c(const wsam_attention_shape *s)
{
    const size_t keys =
        s->window ? (size_t)(s->window * s->window) : (size_t)s->k_h * (size_t)s->k_w;
    return keys * sizeof(float);
}

/* Query blocks of the grid (global), or one task per window, for every head. */
static int blocks_per_head(const wsam_attention_shape *s)
{
    return s->window ? ws_window_count(s)
                     : (s->q_h * s->q_w + QUERIES_PER_TASK - 1) / QUERIES_PER_TASK;
}

static int run_tasks_c(const wsam_attention_shape *s)
{
    return s->heads * blocks_per_head(s);
}

static void run_block(const wsam_attention_shape *s, const wsam_attention_io *io, int task,
                      void *scratch, int bf16)
{
    const int block = task % blocks_per_head(s);
    query u = {.shape = s, .io = io, .head = task / blocks_per_head(s), .bf16 = bf16};
    /* Without a window the whole grid is one. */
    u.block = ws_window(s, s->window ? block : 0);
    const ws_attention_block queries = u.block;
    if (!s->window) /* keys may be another grid than queries */
        u.block = (ws_attention_block){0, 0, s->k_h, s->k_w, s->k_h, s->k_w};
    const int first = s->window ? 0 : block * QUERIES_PER_TASK;
    const int count = queries.h * queries.w - first;
    const int n = s->window || count < QUERIES_PER_TASK ? count : QUERIES_PER_TASK;
    for (int i = first; i < first + n; i++) {
        u.y = i / queries.w;
        u.x = i % queries.w;
        const size_t t = (size_t)(queries.y0 + u.y) * (size_t)s->q_w + (size_t)(queries.x0 + u.x);
        const size_t head = (size_t)u.head * (size_t)s->head_dim;
        u.q = io->q + t * io->ld_q + head;
        attend(&u, scratch, io->out + t * io->ld_out + head);
    }
}

static void run_f32_c(const wsam_attention_shape *s, const wsam_attention_io *io, int task,
                      const void *packed, void *scratch)
{
    (void)packed;
    run_block(s, io, task, scratch, 0);
}

static void run_bf16_c(const wsam_attention_shape *s, const wsam_attention_io *io, int task,
                       const void *packed, void *scratch)
{
    (void)packed;
    run_block(s, io, task, scratch, 1);
}

static const wsam_attention_kernel attention_f32_c = {.name = "attention_f32_c",
                                                      .bias_bytes = bias_bytes_c,
                                                      .prepare_bias = prepare_bias_c,
                                                      .packed_bytes = no_bytes,
                                                      .pack_tasks = no_tasks,
                                                      .pack = pack_nothing,
                                                      .scratch_bytes = scratch_bytes_c,
                                                      .run_tasks = run_tasks_c,
                                                      .run = run_f32_c};

void ws_attention_init(wsam_kernels *table, unsigned features)
{
    table->attention_f32 = table->attention_bf16 = attention_f32_c;
    table->attention_bf16.name = "attention_bf16_c";
    table->attention_bf16.run = run_bf16_c;
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2)
        ws_attention_init_avx2(table);
    if (features & WS_CPU_AVX512)
        ws_attention_init_avx512(table);
    if (features & WS_CPU_AVX512BF16)
        ws_attention_init_avx512bf16(table);
#if defined(WS_AMX)
    if (features & WS_CPU_AMX)
        ws_attention_init_amx(table);
#endif
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON)
        ws_attention_init_neon(table);
    if (features & WS_CPU_I8MM)
        ws_attention_init_i8mm(table);
#endif
    (void)features;
}
