/* tests/kernels/check_gemm.c - the three GEMM families against their C versions.
 *
 * Bounds. s32 sums, the quantized rows and their scales: equal in every bit. Floats: both sides sum
 * k products in f32 in some rounding, so |want - got| <= (k + 8) 2^-23 sum|a||b| + 2^-20 (1 +
 * |want|), the second term for bias, activation and residual. Where a LayerNorm stands in front its
 * rounding differs by a few ulp, which may also move a value across a rounding step of bf16 (2^-8)
 * or s8 (1/127 of the row's maximum): the first factor is widened by that. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernels/check.h"

typedef enum gemm_type { GEMM_F32, GEMM_BF16, GEMM_S8, GEMM_TYPES } gemm_type;

/* A product with everything around it. Pointers are guarded memory, freed by check_done. */
typedef struct problem {
    gemm_type type;
    size_t m, n, k, ldc;
    float *rows, *add, *norm_weight, *norm_bias;
    void *weight; /* f32 for the float types */
    float *scale, *bias, *residual;
    int use_add, use_norm, use_bias, use_residual;
    wsam_act act;
} problem;

static const wsam_gemm_kernel *kernel_of(const wsam_kernels *table, gemm_type type)
{
    return type == GEMM_F32 ? &table->gemm_f32
                            : (type == GEMM_BF16 ? &table->gemm_bf16 : &table->gemm_s8);
}

static wsam_rows rows_of(const problem *p, size_t row)
{
    wsam_rows r = {.data = p->rows + row * (p->k + 3), .ld = p->k + 3};
    if (p->use_add) {
        r.add = p->add + row * (p->k + 1);
        r.ld_add = p->k + 1;
    }
    if (p->use_norm) {
        r.norm_weight = p->norm_weight;
        r.norm_bias = p->norm_bias;
        r.norm_eps = 1e-6f;
    }
    return r;
}

static wsam_epilogue epilogue_of(const problem *p, size_t row)
{
    wsam_epilogue e = {.act = p->act};
    if (p->use_bias)
        e.bias = p->bias;
    if (p->use_residual) {
        e.residual = p->residual + row * (p->n + 2);
        e.ld_residual = p->n + 2;
    }
    return e;
}

static void make_problem(check *t, problem *p, gemm_type type, size_t m, size_t n, size_t k,
                         check_kind kind)
{
    const check_kind around = kind == CHECK_ZERO ? CHECK_ZERO : CHECK_NORMAL;
    *p = (problem){.type = type, .m = m, .n = n, .k = k, .ldc = n + 5};
    p->rows = check_alloc(t, m * (k + 3) * sizeof(float));
    p->add = check_alloc(t, m * (k + 1) * sizeof(float));
    p->norm_weight = check_alloc(t, k * sizeof(float));
    p->norm_bias = check_alloc(t, k * sizeof(float));
    p->scale = check_alloc(t, n * sizeof(float));
    p->bias = check_alloc(t, n * sizeof(float));
    p->residual = check_alloc(t, m * (n + 2) * sizeof(float));
    p->weight = check_alloc(t, n * k * (type == GEMM_S8 ? 1 : sizeof(float)));
    check_floats(t, p->rows, m * (k + 3), kind);
    check_floats(t, p->add, m * (k + 1), around);
    check_floats(t, p->norm_weight, k, CHECK_NORMAL);
    check_floats(t, p->norm_bias, k, CHECK_NORMAL);
    check_floats(t, p->bias, n, CHECK_NORMAL);
    check_floats(t, p->residual, m * (n + 2), CHECK_NORMAL);
    for (size_t j = 0; j < n; j++)
        p->scale[j] = 0.001f * (float)check_int(t, 1, 100);
    if (type != GEMM_S8) {
        check_floats(t, p->weight, n * k, CHECK_NORMAL);
        return;
    }
    int8_t *w = p->weight;
    for (size_t i = 0; i < n * k; i++)
        w[i] =
            (int8_t)(kind == CHECK_EXTREME ? 127 - 254 * check_int(t, 0, 1)
                                           : (kind == CHECK_ONE ? 127 : check_int(t, -127, 127)));
}

static void *packed_of(check *t, const problem *p, const wsam_gemm_kernel *g)
{
    void *packed = check_alloc(t, g->packed_bytes(p->n, p->k));
    const size_t panels = (p->n + g->nr - 1) / g->nr, middle = panels / 2;
    const wsam_type type = p->type == GEMM_S8 ? WSAM_S8 : WSAM_F32;
    g->pack(p->n, p->k, type, p->weight, p->scale, middle, panels, packed);
    g->pack(p->n, p->k, type, p->weight, p->scale, 0, middle, packed);
    return packed;
}

static void *prepared_of(check *t, const problem *p, const wsam_gemm_kernel *g, size_t row,
                         size_t m)
{
    void *prepared = check_alloc(t, g->prepared_bytes(m, p->k));
    const wsam_rows rows = rows_of(p, row);
    g->prepare(m, p->k, &rows, prepared);
    return prepared;
}

static float *run_whole(check *t, const problem *p, const wsam_gemm_kernel *g)
{
    float *c = check_alloc(t, p->m * p->ldc * sizeof *c);
    const wsam_epilogue e = epilogue_of(p, 0);
    g->run(p->m, p->n, p->k, 0, p->n, prepared_of(t, p, g, 0, p->m), packed_of(t, p, g), &e, c,
           p->ldc);
    return c;
}

/* ---- floats ---- */

/* Sum over |a||b| for row i, column j, from the C kernel's own view of the rows: the row maximum is
 * enough of a bound for a test and needs no second product. */
static float magnitude(const problem *p, size_t i, size_t j)
{
    double sum = 0.0;
    for (size_t q = 0; q < p->k; q++) {
        double a = p->rows[i * (p->k + 3) + q], w;
        if (p->use_add)
            a += p->add[i * (p->k + 1) + q];
        if (p->use_norm) /* |normalized| <= sqrt(k), but a typical value stands for it */
            a = 4.0 * fabs(p->norm_weight[q]) + fabs(p->norm_bias[q]);
        w = p->type == GEMM_S8 ? p->scale[j] * ((const int8_t *)p->weight)[j * p->k + q]
                               : ((const float *)p->weight)[j * p->k + q];
        sum += fabs(a) * fabs(w);
    }
    return (float)sum;
}

static void compare_floats(check *t, const problem *p, const char *what, const float *want,
                           const float *got)
{
    const float step = p->type == GEMM_BF16 ? 0x1p-8f : (p->type == GEMM_S8 ? 1.0f / 127 : 1e-6f);
    const float factor = (float)(p->k + 8) * 0x1p-23f + (p->use_norm ? step : 0.0f);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            const size_t at = i * p->ldc + j;
            const float bound = factor * magnitude(p, i, j) + 0x1p-20f * (1.0f + fabsf(want[at]));
            if ((isfinite(want[at]) && fabsf(want[at] - got[at]) <= bound) ||
                (isnan(want[at]) && isnan(got[at])))
                continue;
            check_report(t, 0, what, "row %zu column %zu is %.9g, want %.9g within %.2g", i, j,
                         (double)got[at], (double)want[at], (double)bound);
            return;
        }
    check_rows_close(t, what, got, got, p->m, p->n, p->ldc, 0.0f, 0.0f); /* the gaps */
}

static void check_case(check *t, gemm_type type, size_t m, size_t n, size_t k, check_kind kind,
                       int variant)
{
    problem p;
    char what[96];
    make_problem(t, &p, type, m, n, k, kind);
    p.use_add = variant & 1;
    p.use_norm = variant >> 1 & 1;
    p.use_bias = variant != 0;
    p.use_residual = variant >> 2 & 1;
    p.act = (wsam_act)(variant % 4);
    snprintf(what, sizeof what, "%zux%zux%zu %s variant %d", m, k, n, check_kind_name(kind),
             variant);
    const float *want = run_whole(t, &p, kernel_of(t->c, type));
    const float *got = run_whole(t, &p, kernel_of(t->isa, type));
    compare_floats(t, &p, what, want, got);
    check_done(t, what);
}

/* ---- independence of the split ---- */

static void run_split(check *t, const problem *p, const wsam_gemm_kernel *g, float *c)
{
    const void *packed = packed_of(t, p, g);
    for (size_t row = 0; row < p->m;) {
        size_t rows = (size_t)check_int(t, 1, 17);
        rows = rows < p->m - row ? rows : p->m - row;
        const void *prepared = prepared_of(t, p, g, row, rows);
        const wsam_epilogue e = epilogue_of(p, row);
        for (size_t n0 = 0; n0 < p->n;) {
            size_t n1 = n0 + g->nr * (size_t)check_int(t, 1, 2);
            n1 = n1 < p->n ? n1 : p->n;
            g->run(rows, p->n, p->k, n0, n1, prepared, packed, &e, c + row * p->ldc, p->ldc);
            n0 = n1;
        }
        row += rows;
    }
}

static void check_independence(check *t, gemm_type type, size_t m, size_t n, size_t k)
{
    problem p;
    const wsam_gemm_kernel *g = kernel_of(t->isa, type);
    make_problem(t, &p, type, m, n, k, CHECK_OUTLIER);
    p.use_add = p.use_norm = p.use_bias = p.use_residual = 1;
    p.act = WSAM_ACT_GELU;
    const float *whole = run_whole(t, &p, g);
    float *parts = check_alloc(t, m * p.ldc * sizeof *parts);
    run_split(t, &p, g, parts);
    check_equal(t, "rows and columns split at random", whole, parts, m * p.ldc * sizeof *parts);
    for (size_t i = 0; i < m; i++) /* the residual may be the output */
        memcpy(parts + i * p.ldc, p.residual + i * (n + 2), n * sizeof *parts);
    const wsam_epilogue e = {.bias = p.bias, .act = p.act, .residual = parts, .ld_residual = p.ldc};
    g->run(m, n, k, 0, n, prepared_of(t, &p, g, 0, m), packed_of(t, &p, g), &e, parts, p.ldc);
    check_equal(t, "residual in place", whole, parts, m * p.ldc * sizeof *parts);
    check_done(t, "independence");
}

/* A NaN makes its own row NaN and leaves the others alone. */
static void check_nan(check *t, gemm_type type)
{
    problem p;
    const wsam_gemm_kernel *g = kernel_of(t->isa, type);
    make_problem(t, &p, type, 9, 40, 67, CHECK_NORMAL);
    const float *clean = run_whole(t, &p, g);
    p.rows[4 * (p.k + 3) + 66] = NAN;
    const float *got = run_whole(t, &p, g);
    int ok = 1;
    for (size_t i = 0; i < p.m; i++)
        for (size_t j = 0; j < p.n; j++)
            ok &= i == 4 ? isnan(got[i * p.ldc + j])
                         : memcmp(got + i * p.ldc + j, clean + i * p.ldc + j, sizeof *got) == 0;
    check_true(t, "NaN stays in its row", ok);
    check_done(t, "NaN");
}

/* Weights stored as bf16 give what the same values in f32 give. */
static void check_bf16_weights(check *t, gemm_type type, size_t n, size_t k)
{
    problem p;
    const wsam_gemm_kernel *g = kernel_of(t->isa, type);
    make_problem(t, &p, type, 5, n, k, CHECK_NORMAL);
    uint16_t *halves = check_alloc(t, n * k * sizeof *halves);
    float *c = check_alloc(t, p.m * p.ldc * sizeof *c);
    t->isa->vector.f32_to_bf16(n * k, p.weight, halves);
    t->isa->vector.bf16_to_f32(n * k, halves, p.weight);
    const float *want = run_whole(t, &p, g);
    void *packed = check_alloc(t, g->packed_bytes(n, k));
    g->pack(n, k, WSAM_BF16, halves, NULL, 0, (n + g->nr - 1) / g->nr, packed);
    const wsam_epilogue e = epilogue_of(&p, 0);
    g->run(p.m, n, k, 0, n, prepared_of(t, &p, g, 0, p.m), packed, &e, c, p.ldc);
    check_equal(t, "weights stored as bf16", want, c, p.m * p.ldc * sizeof *c);
    check_done(t, "weights stored as bf16");
}

/* ---- s8 ---- */

static int32_t *run_sums(check *t, const problem *p, const wsam_gemm_kernel *g)
{
    int32_t *c = check_alloc(t, p->m * p->ldc * sizeof *c);
    g->run_s32(p->m, p->n, p->k, 0, p->n, prepared_of(t, p, g, 0, p->m), packed_of(t, p, g), c,
               p->ldc);
    return c;
}

static void check_sums(check *t, size_t m, size_t n, size_t k, check_kind kind)
{
    problem p;
    char what[96];
    make_problem(t, &p, GEMM_S8, m, n, k, kind);
    snprintf(what, sizeof what, "sums %zux%zux%zu %s", m, k, n, check_kind_name(kind));
    const int32_t *want = run_sums(t, &p, &t->c->gemm_s8), *got = run_sums(t, &p, &t->isa->gemm_s8);
    check_equal(t, what, want, got, m * p.ldc * sizeof *want);
    check_done(t, what);
}

/* With the identity as weight and scales of 1 the sums are the quantized rows, and sum * scale
 * shows the row scales. */
static void check_quantization(check *t, size_t m, size_t k, check_kind kind, int add)
{
    problem p;
    char what[96];
    make_problem(t, &p, GEMM_S8, m, k, k, kind);
    p.use_add = add;
    int8_t *w = p.weight;
    memset(w, 0, k * k);
    for (size_t j = 0; j < k; j++) {
        w[j * k + j] = 1;
        p.scale[j] = 1.0f;
    }
    snprintf(what, sizeof what, "quantized %zux%zu %s add %d", m, k, check_kind_name(kind), add);
    const size_t bytes = m * p.ldc * sizeof(float);
    check_equal(t, what, run_sums(t, &p, &t->c->gemm_s8), run_sums(t, &p, &t->isa->gemm_s8), bytes);
    if (kind != CHECK_NAN) /* bits of a NaN are free */
        check_equal(t, what, run_whole(t, &p, &t->c->gemm_s8), run_whole(t, &p, &t->isa->gemm_s8),
                    bytes);
    check_done(t, what);
}

/* ---- the family ---- */

/* Odd sizes around the tiles (1 to 16 rows, 8 to 48 columns), k groups, vectors and k blocks. */
static const size_t sizes[][3] = {
    {1, 1, 1},     {1, 16, 3},    {2, 33, 5},    {3, 31, 64},   {4, 8, 7},      {5, 47, 19},
    {6, 16, 32},   {7, 100, 65},  {8, 24, 48},   {12, 36, 17},  {13, 96, 130},  {14, 32, 256},
    {15, 64, 33},  {16, 49, 129}, {29, 40, 100}, {64, 72, 70},  {70, 33, 21},   {71, 130, 66},
    {9, 40, 1100}, {3, 20, 3073}, {130, 17, 9},  {17, 65, 768}, {1, 130, 2047},
};
enum { N_SIZES = sizeof sizes / sizeof sizes[0], VARIANTS = 8 };

static void check_type(check *t, gemm_type type)
{
    for (int s = 0; s < N_SIZES; s++)
        for (int v = 0; v < VARIANTS; v++)
            check_case(t, type, sizes[s][0], sizes[s][1], sizes[s][2], CHECK_NORMAL, v);
    for (check_kind kind = CHECK_ZERO; kind < CHECK_NAN; kind++)
        for (int v = 0; v < 2; v++)
            check_case(t, type, 17, 50, 67, kind, v);
    if (type != GEMM_S8) {
        check_bf16_weights(t, type, 45, 67);
        check_bf16_weights(t, type, 64, 32);
    }
    check_nan(t, type);
    check_independence(t, type, 71, 200, 150);
    check_independence(t, type, 33, 65, 2100);
}

/* ---- rows and results in bf16: the bits of widening before and rounding after ---- */

static void check_narrow_rows(check *t, gemm_type type, size_t m, size_t n, size_t k)
{
    problem p;
    char what[64];
    const wsam_gemm_kernel *g = kernel_of(t->isa, type);
    make_problem(t, &p, type, m, n, k, CHECK_NORMAL);
    const size_t bytes = g->prepared_bytes(m, k), ld = k + 3;
    uint16_t *narrow = check_alloc(t, m * ld * sizeof *narrow);
    void *want = check_alloc(t, bytes), *got = check_alloc(t, bytes);
    snprintf(what, sizeof what, "bf16 rows %zux%zu", m, k);
    t->c->vector.f32_to_bf16(m * ld, p.rows, narrow);
    if (m > 1)
        memset(narrow + ld, 0, k * sizeof *narrow); /* a row of zeros */
    t->c->vector.bf16_to_f32(m * ld, narrow, p.rows);
    const wsam_rows rows = rows_of(&p, 0);
    memset(want, 0, bytes);
    memset(got, 0, bytes);
    g->prepare(m, k, &rows, want);
    g->prepare_narrow(m, k, narrow, ld, got);
    check_equal(t, what, want, got, bytes);
    check_done(t, what);
}

/* Rows one by one, of two products, where all at once put them. */
static void check_single_rows(check *t, const wsam_gemm_kernel *g, size_t m, size_t k)
{
    const size_t ld = k + 3, bytes = g->prepared_bytes(m, k);
    float *x = check_alloc(t, 2 * m * ld * sizeof *x);
    char *want = check_alloc(t, bytes), *got = check_alloc(t, 2 * bytes);
    char what[64];
    snprintf(what, sizeof what, "single rows %zux%zu", m, k);
    check_floats(t, x, 2 * m * ld, CHECK_NORMAL);
    memset(got, 0, 2 * bytes);
    for (size_t i = 0; i < m; i++)
        g->prepare_row(m, k, i, 2, x + i * ld, m * ld, got, bytes);
    for (size_t p = 0; p < 2; p++) {
        const wsam_rows rows = {x + p * m * ld, ld, NULL, 0, NULL, NULL, 0};
        memset(want, 0, bytes);
        g->prepare(m, k, &rows, want);
        check_equal(t, what, want, got + p * bytes, bytes);
    }
    check_done(t, what);
}

/* `use` says what of residual, relu and an activation there is. */
static void check_narrow_result(check *t, size_t m, size_t n, size_t k, int use)
{
    problem p;
    char what[64];
    const wsam_gemm_kernel *g = &t->isa->gemm_s8;
    make_problem(t, &p, GEMM_S8, m, n, k, CHECK_NORMAL);
    const size_t values = m * p.ldc;
    uint16_t *residual = check_alloc(t, values * sizeof *residual);
    uint16_t *want = check_alloc(t, values * sizeof *want);
    float *sum = check_alloc(t, values * sizeof *sum),
          *wide = check_alloc(t, values * sizeof *wide);
    const void *prepared = prepared_of(t, &p, g, 0, m), *packed = packed_of(t, &p, g);
    snprintf(what, sizeof what, "bf16 result %zux%zux%zu, %d", m, k, n, use);
    check_floats(t, wide, values, CHECK_NORMAL);
    t->c->vector.f32_to_bf16(values, wide, residual);
    t->c->vector.bf16_to_f32(values, residual, wide);
    const wsam_epilogue narrow = {p.bias, use & 4 ? WSAM_ACT_GELU : WSAM_ACT_NONE, NULL, 0};
    wsam_epilogue e = narrow;
    e.residual = use & 1 ? wide : NULL;
    e.ld_residual = p.ldc;
    memcpy(sum, wide, values * sizeof *sum); /* what lies between rows stays */
    g->run(m, n, k, 0, n, prepared, packed, &e, sum, p.ldc);
    for (size_t i = 0; use & 2 && i < m; i++)
        t->c->vector.act_f32(WSAM_ACT_RELU, n, sum + i * p.ldc, sum + i * p.ldc);
    t->c->vector.f32_to_bf16(values, sum, want);
    const wsam_narrow_result in_place = {residual, p.ldc, use & 1 ? residual : NULL, p.ldc,
                                         (use & 2) != 0};
    g->run_narrow(m, n, k, 0, n, prepared, packed, &narrow, &in_place);
    check_equal(t, what, want, residual, values * sizeof *want);
    check_done(t, what);
}

static void check_narrow(check *t, gemm_type type)
{
    const wsam_gemm_kernel *g = kernel_of(t->isa, type);
    for (int s = 0; s < N_SIZES; s++) {
        if (g->prepare_narrow)
            check_narrow_rows(t, type, sizes[s][0], sizes[s][1], sizes[s][2]);
        if (g->prepare_row)
            check_single_rows(t, g, sizes[s][0], sizes[s][2]);
        for (int use = 0; g->run_narrow && use < 8; use++)
            check_narrow_result(t, sizes[s][0], sizes[s][1], sizes[s][2], use);
    }
}

static void check_s8_integers(check *t)
{
    for (int s = 0; s < N_SIZES; s++)
        for (check_kind kind = CHECK_NORMAL; kind <= CHECK_ONE; kind++)
            check_sums(t, sizes[s][0], sizes[s][1], sizes[s][2], kind);
    for (check_kind kind = CHECK_NORMAL; kind < CHECK_KINDS; kind++)
        for (size_t k = 1; k < 200; k = k * 2 + 1)
            for (int add = 0; add < 2; add++)
                check_quantization(t, 19, k, kind, add);
}

/* ---- timing: one block of 64 rows, as a task of the runtime ---- */

typedef struct timing {
    const wsam_gemm_kernel *g;
    const problem *p;
    wsam_rows rows;
    wsam_epilogue epilogue;
    void *prepared, *packed;
    float *c;
} timing;

static void time_run(void *arg)
{
    const timing *x = arg;
    x->g->run(x->p->m, x->p->n, x->p->k, 0, x->p->n, x->prepared, x->packed, &x->epilogue, x->c,
              x->p->ldc);
}

static void time_prepare(void *arg)
{
    const timing *x = arg;
    x->g->prepare(x->p->m, x->p->k, &x->rows, x->prepared);
}

static void bench_shape(check *t, gemm_type type, size_t m, size_t n, size_t k)
{
    problem p;
    char what[64];
    make_problem(t, &p, type, m, n, k, CHECK_NORMAL);
    const wsam_gemm_kernel *g = kernel_of(t->isa, type);
    timing x = {.g = g, .p = &p, .packed = packed_of(t, &p, g)};
    x.c = check_alloc(t, m * p.ldc * sizeof *x.c);
    x.prepared = prepared_of(t, &p, g, 0, m);
    x.rows = rows_of(&p, 0);
    p.use_bias = 1;
    x.epilogue = epilogue_of(&p, 0);
    const double ops = 2.0 * (double)m * (double)n * (double)k;
    snprintf(what, sizeof what, "%zux%zux%zu", m, k, n);
    check_bench(t, what, time_run, &x, ops, (int)type);
    x.epilogue.act = WSAM_ACT_GELU;
    snprintf(what, sizeof what, "%zux%zux%zu GELU", m, k, n);
    check_bench(t, what, time_run, &x, ops, (int)type);
    snprintf(what, sizeof what, "prepare %zux%zu", m, k);
    check_bench(t, what, time_prepare, &x, (double)(m * k * sizeof(float)), CHECK_BYTES);
    p.use_norm = 1;
    x.rows = rows_of(&p, 0);
    snprintf(what, sizeof what, "prepare %zux%zu LayerNorm", m, k);
    check_bench(t, what, time_prepare, &x, (double)(m * k * sizeof(float)), CHECK_BYTES);
    check_done(t, what);
}

static void check_kernels(check *t)
{
    static const size_t shapes[][3] = {{64, 768, 768}, {64, 768, 3072}, {64, 128, 256},
                                       {64, 576, 192}, {7, 2048, 256},  {1, 768, 768}};
    for (int type = 0; type < GEMM_TYPES; type++) {
        const wsam_gemm_kernel *g = kernel_of(t->isa, (gemm_type)type);
        if (!check_new(t, "gemm", g->name, g, sizeof *g))
            continue;
        for (size_t s = 0; t->bench && s < sizeof shapes / sizeof shapes[0]; s++)
            bench_shape(t, (gemm_type)type, shapes[s][0], shapes[s][1], shapes[s][2]);
        if (t->bench)
            continue;
        check_type(t, (gemm_type)type);
        if (type == GEMM_S8)
            check_s8_integers(t);
        check_narrow(t, (gemm_type)type);
    }
}

void check_gemm(check *t)
{
    check_kernels(t);
#if defined(__x86_64__)
    if (strcmp(t->isa->isa, "avx512vnni") == 0) {
        const wsam_kernels *isa = t->isa;
        wsam_kernels twin = *isa;
        twin.gemm_s8 = check_avxvnni_in_evex();
        t->isa = &twin;
        check_kernels(t);
        t->isa = isa;
    }
#endif
}
