/* tests/kernels/check_attention.c - attention of every level against C: global, windowed with and
 * without pads, every bias, query grids other than key grids, odd head sizes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernels/check.h"

typedef struct problem {
    const wsam_attention_kernel *kernel;
    wsam_attention_shape shape;
    wsam_attention_io io;
    void *bias, *packed, *scratch;
} problem;

static const wsam_attention_shape shapes[] = {
    /* heads, head_dim, query grid, key grid, window, padded, bias, scale */
    {2, 64, 8, 8, 8, 8, 0, 0, WSAM_BIAS_SEPARABLE, 0.125f},
    {1, 64, 20, 20, 20, 20, 0, 0, WSAM_BIAS_SEPARABLE, 0.125f},
    {1, 80, 7, 9, 7, 9, 0, 0, WSAM_BIAS_SEPARABLE, 0.11f},
    {2, 64, 16, 16, 16, 16, 14, 1, WSAM_BIAS_SEPARABLE, 0.125f},
    {1, 80, 20, 15, 20, 15, 14, 1, WSAM_BIAS_SEPARABLE, 0.11f},
    {2, 32, 28, 28, 28, 28, 14, 0, WSAM_BIAS_SEPARABLE, 0.2f},
    {2, 32, 16, 16, 16, 16, 7, 1, WSAM_BIAS_TABLE, 0.17f},
    {3, 32, 14, 14, 14, 14, 7, 1, WSAM_BIAS_TABLE, 0.17f},
    {1, 32, 20, 17, 20, 17, 14, 1, WSAM_BIAS_TABLE, 0.17f},
    {2, 24, 9, 9, 9, 9, 7, 1, WSAM_BIAS_NONE, 0.2f},
    {2, 24, 9, 9, 9, 9, 7, 0, WSAM_BIAS_NONE, 0.2f},
    {3, 64, 1, 300, 1, 300, 0, 0, WSAM_BIAS_NONE, 0.125f},
    /* a last tile of keys that is half there, heads of an odd number of vectors */
    {1, 64, 1, 70, 1, 240, 0, 0, WSAM_BIAS_NONE, 0.125f},
    {2, 80, 1, 75, 1, 300, 0, 0, WSAM_BIAS_NONE, 0.11f},
    {8, 16, 1, 7, 1, 1030, 0, 0, WSAM_BIAS_NONE, 0.25f},
    {8, 16, 1, 130, 1, 7, 0, 0, WSAM_BIAS_NONE, 0.25f},
    {8, 32, 1, 7, 1, 7, 0, 0, WSAM_BIAS_NONE, 0.18f},
    {2, 8, 1, 1, 1, 1, 0, 0, WSAM_BIAS_NONE, 0.35f},
    {1, 40, 1, 65, 1, 33, 0, 0, WSAM_BIAS_NONE, 0.15f},
    {1, 56, 16, 32, 16, 32, 16, 0, WSAM_BIAS_SEPARABLE, 0.13f},
    {1, 96, 20, 17, 20, 17, 7, 1, WSAM_BIAS_SEPARABLE, 0.1f},
    {2, 72, 16, 20, 16, 20, 8, 0, WSAM_BIAS_NONE, 0.12f},
    {1, 32, 12, 12, 12, 12, 8, 0, WSAM_BIAS_TABLE, 0.17f},
    {3, 56, 10, 12, 10, 12, 4, 0, WSAM_BIAS_NONE, 0.13f},
    {2, 16, 65, 67, 65, 67, 4, 1, WSAM_BIAS_TABLE, 0.25f},
    {2, 96, 16, 16, 16, 16, 14, 1, WSAM_BIAS_SEPARABLE, 0.1f},
    {1, 72, 18, 16, 18, 16, 0, 0, WSAM_BIAS_SEPARABLE, 0.12f},
    /* tiles of keys within a row of the map, and rows in two blocks of keys */
    {2, 64, 9, 32, 9, 32, 0, 0, WSAM_BIAS_SEPARABLE, 0.125f},
    {1, 40, 5, 64, 5, 64, 0, 0, WSAM_BIAS_SEPARABLE, 0.15f},
    /* tiles of keys in two rows of the map, the demo segmenter's, and narrower */
    {2, 32, 10, 56, 10, 56, 0, 0, WSAM_BIAS_SEPARABLE, 0.17f},
    {1, 64, 15, 37, 15, 37, 0, 0, WSAM_BIAS_SEPARABLE, 0.125f},
    {1, 32, 9, 33, 9, 33, 0, 0, WSAM_BIAS_SEPARABLE, 0.17f},
};

static size_t side(int n)
{
    return (size_t)(2 * n - 1);
}

static float *floats(check *t, size_t n, float factor)
{
    float *x = check_alloc(t, n * sizeof *x);
    check_floats(t, x, n, CHECK_NORMAL);
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
    return x;
}

/* Inputs of a shape, with strides of their own. */
static problem make(check *t, const wsam_attention_shape *s)
{
    problem p = {.shape = *s};
    const size_t width = (size_t)s->heads * (size_t)s->head_dim;
    const size_t nq = (size_t)(s->q_h * s->q_w), nk = (size_t)(s->k_h * s->k_w);
    p.io.ld_q = 3 * width;
    p.io.ld_k = p.io.ld_v = width + 8;
    p.io.ld_out = width;
    p.io.q = floats(t, nq * p.io.ld_q, 1.0f);
    p.io.k = floats(t, nk * p.io.ld_k, 1.0f);
    p.io.v = floats(t, nk * p.io.ld_v, 1.0f);
    if (s->padded) {
        p.io.pad_k = floats(t, width, 1.0f);
        p.io.pad_v = floats(t, width, 1.0f);
    }
    return p;
}

static void run(check *t, problem *p, const wsam_attention_kernel *k, const float *rel, float *out)
{
    const wsam_attention_shape *s = &p->shape;
    void *bias = check_alloc(t, k->bias_bytes(s) + 64),
         *packed = check_alloc(t, k->packed_bytes(s) + 64);
    void *scratch = check_alloc(t, k->scratch_bytes(s) + 64);
    if (s->bias != WSAM_BIAS_NONE)
        k->prepare_bias(s, rel, rel, rel, bias);
    p->io.bias = bias;
    p->io.out = out;
    for (int i = 0; i < k->pack_tasks(s); i++)
        k->pack(s, &p->io, i, packed);
    for (int i = k->run_tasks(s); i-- > 0;) /* any order */
        k->run(s, &p->io, i, packed, scratch);
}

static void compare(check *t, const wsam_attention_kernel *c, const wsam_attention_kernel *k,
                    const wsam_attention_shape *s, float tolerance)
{
    char what[96];
    const int gh = s->window ? s->window : s->q_h, gw = s->window ? s->window : s->q_w;
    const size_t tables = s->bias == WSAM_BIAS_TABLE ? side(gh) * side(gw) * (size_t)s->heads
                                                     : (side(gh) + side(gw)) * (size_t)s->head_dim;
    const size_t n = (size_t)(s->q_h * s->q_w * s->heads * s->head_dim);
    problem p = make(t, s);
    const float *rel = floats(t, tables, 0.3f);
    float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
    snprintf(what, sizeof what, "%dx%d %dx%d of %dx%d window %d%s bias %d", s->heads, s->head_dim,
             s->q_h, s->q_w, s->k_h, s->k_w, s->window, s->padded ? " padded" : "", (int)s->bias);
    run(t, &p, c, rel, want);
    run(t, &p, k, rel, got);
    check_floats_close(t, what, want, got, n, tolerance, tolerance);
    check_done(t, what);
}

static void time_run(void *arg)
{
    const problem *p = arg;
    for (int i = 0; i < p->kernel->pack_tasks(&p->shape); i++)
        p->kernel->pack(&p->shape, &p->io, i, p->packed);
    for (int i = 0; i < p->kernel->run_tasks(&p->shape); i++)
        p->kernel->run(&p->shape, &p->io, i, p->packed, p->scratch);
}

static void bench(check *t, const wsam_attention_kernel *k, int peak)
{
    static const wsam_attention_shape real[] = {
        {1, 64, 64, 64, 64, 64, 0, 0, WSAM_BIAS_SEPARABLE, 0.125f},
        {1, 64, 64, 64, 64, 64, 14, 1, WSAM_BIAS_SEPARABLE, 0.125f},
        {1, 32, 64, 64, 64, 64, 7, 1, WSAM_BIAS_TABLE, 0.17f}};
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
        const wsam_attention_shape *s = &real[i];
        char what[64];
        problem p = make(t, s);
        const float *rel = floats(t, 200 * 200, 0.3f);
        p.kernel = k;
        p.bias = check_alloc(t, k->bias_bytes(s) + 64);
        p.packed = check_alloc(t, k->packed_bytes(s) + 64);
        p.scratch = check_alloc(t, k->scratch_bytes(s) + 64);
        k->prepare_bias(s, rel, rel, rel, p.bias);
        p.io.bias = p.bias;
        p.io.out = check_alloc(t, (size_t)(s->q_h * s->q_w) * p.io.ld_out * sizeof(float));
        const double keys =
            s->window ? 64.0 * 64.0 * s->window * s->window : 64.0 * 64.0 * 64.0 * 64.0;
        snprintf(what, sizeof what, "one head of %d, 64x64, window %d", s->head_dim, s->window);
        check_bench(t, what, time_run, &p, 4.0 * keys * s->head_dim, peak);
        check_done(t, what);
    }
}

void check_attention(check *t)
{
    const wsam_attention_kernel *kernels[2] = {&t->isa->attention_f32, &t->isa->attention_bf16};
    const wsam_attention_kernel *c[2] = {&t->c->attention_f32, &t->c->attention_bf16};
    for (int type = 0; type < 2; type++) {
        if (!check_new(t, "attention", kernels[type]->name, kernels[type], sizeof *kernels[type]))
            continue;
        if (t->bench) {
            bench(t, kernels[type], type ? WS_PEAK_BF16 : WS_PEAK_F32);
            continue;
        }
        /* f32: sums of a few hundred products of size 1; bf16: 8 bits of each operand */
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            compare(t, c[type], kernels[type], &shapes[i], type ? 2e-2f : 2e-5f);
    }
}
