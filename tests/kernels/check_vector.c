/* tests/kernels/check_vector.c - norms, activations and element-wise kernels of every level against
 * C, and the transcendental ones against libm in double. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernels/check.h"

static const size_t sizes[] = {1, 3, 7, 16, 17, 64, 100, 160, 768, 1031};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static float *input(check *t, size_t n, check_kind kind)
{
    float *x = check_alloc(t, n * sizeof *x);
    check_floats(t, x, n, kind);
    return x;
}

static void check_norms(check *t, size_t c)
{
    static const check_kind kinds[] = {CHECK_NORMAL, CHECK_ZERO, CHECK_EXTREME, CHECK_OUTLIER};
    const size_t m = 3, ld = c + 5;
    for (size_t i = 0; i < 4; i++) {
        const float *x = input(t, m * ld, kinds[i]), *w = input(t, c, CHECK_NORMAL);
        const float *b = input(t, c, CHECK_NORMAL);
        float *want = check_alloc(t, m * ld * sizeof *want),
              *got = check_alloc(t, m * ld * sizeof *got);
        double a[2], d[2];
        t->c->vector.layer_norm_f32(m, c, x, ld, w, b, 1e-6f, want, ld);
        t->isa->vector.layer_norm_f32(m, c, x, ld, w, b, 1e-6f, got, ld);
        check_rows_close(t, "layer_norm", want, got, m, c, ld, 2e-4f, 2e-4f);
        t->c->vector.scale_shift_f32(m, c, x, w, b, want);
        t->isa->vector.scale_shift_f32(m, c, x, w, b, got);
        check_floats_close(t, "scale_shift", want, got, m * c, 1e-4f, 1e-5f);
        t->c->vector.moments_f32(m * c, x, 0.5f, a);
        t->isa->vector.moments_f32(m * c, x, 0.5f, d);
        check_true(t, "moments",
                   fabs(a[0] - d[0]) <= 1e-4 * (1.0 + fabs(a[1])) &&
                       fabs(a[1] - d[1]) <= 1e-5 * (1.0 + fabs(a[1])));
        check_done(t, "norms");
    }
}

static double exact(wsam_act act, double x)
{
    if (act == WSAM_ACT_GELU)
        return 0.5 * x * erfc(-x / sqrt(2.0));
    if (act == WSAM_ACT_SIGMOID)
        return 1.0 / (1.0 + exp(-x));
    return x > 0.0 ? x : 0.0;
}

static void check_activations(check *t, size_t n)
{
    static const wsam_act acts[] = {WSAM_ACT_GELU, WSAM_ACT_RELU, WSAM_ACT_SIGMOID};
    for (int i = 0; i < 3; i++) {
        float *x = input(t, n, CHECK_NORMAL);
        float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
        for (size_t j = 0; j < n; j++) {
            x[j] *= j % 5 == 0 ? 40.0f : 3.0f;
            want[j] = (float)exact(acts[i], x[j]);
        }
        t->isa->vector.act_f32(acts[i], n, x, got);
        check_floats_close(t, "activation", want, got, n, 3e-7f, 3e-7f);
        t->isa->vector.act_f32(acts[i], n, x, x); /* in place */
        check_equal(t, "activation in place", got, x, n * sizeof *x);
        x[0] = NAN;
        t->isa->vector.act_f32(acts[i], 1, x, got);
        check_true(t, "activation of NaN", isnan(got[0]));
        check_done(t, "activations");
    }
}

static void check_exponentials(check *t, size_t n)
{
    float *x = input(t, n, CHECK_NORMAL);
    float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
    float *cosine = check_alloc(t, n * sizeof *cosine),
          *cos_want = check_alloc(t, n * sizeof *cos_want);
    for (size_t j = 0; j < n; j++) {
        x[j] *= 20.0f;
        want[j] = (float)exp((double)x[j]);
    }
    t->isa->vector.exp_f32(n, x, got);
    check_floats_close(t, "exp", want, got, n, 1e-30f, 4e-7f);
    t->c->vector.softmax_f32(1, n, x, n, want, n);
    t->isa->vector.softmax_f32(1, n, x, n, got, n);
    check_floats_close(t, "softmax", want, got, n, 1e-6f, 2e-6f);
    for (size_t j = 0; j < n; j++) {
        x[j] *= 50.0f;
        want[j] = (float)sin((double)x[j]);
        cos_want[j] = (float)cos((double)x[j]);
    }
    t->isa->vector.sincos_f32(n, x, got, cosine);
    check_floats_close(t, "sin", want, got, n, 2e-7f, 2e-7f);
    check_floats_close(t, "cos", cos_want, cosine, n, 2e-7f, 2e-7f);
    check_done(t, "exponentials");
}

/* Where the result leaves the range of f32. */
static void check_exp_limits(check *t)
{
    static const float x[] = {88.0f,  88.5f,   88.7f,    88.8f,     200.0f,
                              -86.0f, -200.0f, INFINITY, -INFINITY, NAN};
    enum { N = sizeof x / sizeof x[0] };
    float want[N], got[N];
    for (int j = 0; j < N; j++)
        want[j] = (float)exp((double)x[j]);
    t->isa->vector.exp_f32(N, x, got);
    check_floats_close(t, "exp at its limits", want, got, N, 1e-38f, 4e-7f);
}

static void check_elements(check *t, size_t n)
{
    const float *a = input(t, n, CHECK_NORMAL), *b = input(t, n, CHECK_NORMAL);
    float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
    uint16_t *h = check_alloc(t, n * sizeof *h), *g = check_alloc(t, n * sizeof *g);
    t->c->vector.add_f32(n, a, b, want);
    t->isa->vector.add_f32(n, a, b, got);
    check_equal(t, "add", want, got, n * sizeof *got);
    t->c->vector.mul_f32(n, a, b, want);
    t->isa->vector.mul_f32(n, a, b, got);
    check_equal(t, "mul", want, got, n * sizeof *got);
    t->c->vector.dot_rows_f32(1, n, a, n, b, want);
    t->isa->vector.dot_rows_f32(1, n, a, n, b, got);
    check_floats_close(t, "dot_rows", want, got, 1, 1e-3f, 1e-4f);
    for (int kind = 0; kind < CHECK_KINDS; kind++) {
        const float *x = input(t, n, (check_kind)kind);
        t->c->vector.f32_to_bf16(n, x, h);
        t->isa->vector.f32_to_bf16(n, x, g);
        check_equal(t, check_kind_name((check_kind)kind), h, g, n * sizeof *h);
    }
    t->c->vector.bf16_to_f32(n, h, want);
    t->isa->vector.bf16_to_f32(n, h, got);
    check_equal(t, "bf16_to_f32", want, got, n * sizeof *got);
    check_done(t, "elements");
}

/* Any sides, rows further apart than they are long; what lies between stays as it is. */
static void check_transpose(check *t, size_t m)
{
    for (int i = 0; i < N_SIZES; i++) {
        const size_t k = sizes[i] < 200 ? sizes[i] : 37, ldx = k + 3, ldy = m + 5;
        const float *x = input(t, m * ldx, CHECK_EXTREME);
        float *want = check_alloc(t, k * ldy * sizeof *want);
        float *got = check_alloc(t, k * ldy * sizeof *got);
        memset(want, 0x55, k * ldy * sizeof *want);
        memset(got, 0x55, k * ldy * sizeof *got);
        for (size_t p = 0; p < m * k; p++)
            want[p % k * ldy + p / k] = x[p / k * ldx + p % k];
        t->isa->vector.transpose_f32(m, k, x, ldx, got, ldy);
        check_equal(t, "transpose", want, got, k * ldy * sizeof *got);
        check_done(t, "transpose");
    }
}

typedef struct timed {
    const wsam_vector_kernels *v;
    size_t n;
    const float *x;
    float *y;
} timed;

static void time_gelu(void *arg)
{
    const timed *a = arg;
    a->v->act_f32(WSAM_ACT_GELU, a->n, a->x, a->y);
}

static void time_exp(void *arg)
{
    const timed *a = arg;
    a->v->exp_f32(a->n, a->x, a->y);
}

static void time_norm(void *arg)
{
    const timed *a = arg;
    a->v->layer_norm_f32(a->n / 768, 768, a->x, 768, a->x, a->x, 1e-6f, a->y, 768);
}

void check_vector(check *t)
{
    if (!check_new(t, "vector", t->isa->vector.name, &t->isa->vector, sizeof t->isa->vector))
        return;
    if (t->bench) {
        timed a = {&t->isa->vector, 768 * 8, input(t, 768 * 8, CHECK_NORMAL), NULL};
        a.y = check_alloc(t, a.n * sizeof *a.y);
        check_bench(t, "gelu", time_gelu, &a, 4.0 * (double)a.n, CHECK_BYTES);
        check_bench(t, "exp", time_exp, &a, 4.0 * (double)a.n, CHECK_BYTES);
        check_bench(t, "layer_norm 768", time_norm, &a, 4.0 * (double)a.n, CHECK_BYTES);
        check_done(t, "bench");
        return;
    }
    check_exp_limits(t);
    for (int i = 0; i < N_SIZES; i++) {
        check_norms(t, sizes[i]);
        check_activations(t, sizes[i]);
        check_exponentials(t, sizes[i]);
        check_elements(t, sizes[i]);
        check_transpose(t, sizes[i]);
    }
}
