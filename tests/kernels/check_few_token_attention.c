/* tests/kernels/check_few_token_attention.c - what stands between the products of few-token
 * attention, every level against C. */
#include "kernels/few_token_attention.h"
#include "tests/kernels/check.h"

static float *input(check *t, size_t n)
{
    float *x = check_alloc(t, n * sizeof *x);
    check_floats(t, x, n, CHECK_NORMAL);
    return x;
}

static float *copy(check *t, const float *x, size_t n)
{
    float *y = check_alloc(t, n * sizeof *y);
    for (size_t i = 0; i < n; i++)
        y[i] = x[i];
    return y;
}

static void check_softmax(check *t, size_t tokens, size_t heads)
{
    const size_t m = 5, n = tokens * heads, ld = n + 3;
    float *want = input(t, m * ld), *got = copy(t, want, m * ld);
    t->c->tokens->softmax_groups_f32(m, tokens, heads, want, ld);
    t->isa->tokens->softmax_groups_f32(m, tokens, heads, got, ld);
    check_floats_close(t, "softmax over tokens", want, got, m * ld, 1e-6f, 1e-5f);
    check_done(t, "softmax over tokens");
}

static void check_columns(check *t, size_t m, size_t n)
{
    const size_t ld = n + 2;
    float *want = input(t, m * ld), *got = copy(t, want, m * ld);
    float *top = input(t, n), *top_got = copy(t, top, n);
    float *sum = input(t, n), *sum_got = copy(t, sum, n);
    t->c->tokens->column_max_f32(m, n, want, ld, top);
    t->isa->tokens->column_max_f32(m, n, got, ld, top_got);
    check_equal(t, "column maxima", top, top_got, n * sizeof *top);
    t->c->tokens->exp_columns_f32(m, n, want, ld, top, sum);
    t->isa->tokens->exp_columns_f32(m, n, got, ld, top, sum_got);
    check_floats_close(t, "exp of columns", want, got, m * ld, 1e-6f, 1e-5f);
    check_floats_close(t, "sums of columns", sum, sum_got, n, 1e-4f, 1e-5f);
    check_done(t, "columns");
}

static void check_mix(check *t, size_t m, size_t n, size_t width)
{
    const size_t ldp = n + 1, ldx = width + 2, ldo = width + 4;
    const float *p = input(t, m * ldp), *x = input(t, m * ldx);
    float *want = check_alloc(t, n * ldo * sizeof *want);
    float *got = check_alloc(t, n * ldo * sizeof *got);
    t->c->tokens->mix_rows_f32(m, n, width, p, ldp, x, ldx, want, ldo);
    t->isa->tokens->mix_rows_f32(m, n, width, p, ldp, x, ldx, got, ldo);
    check_rows_close(t, "mix of rows", want, got, n, width, ldo, 1e-4f, 1e-5f);
    t->isa->tokens->mix_rows_bf16(m, n, width, p, ldp, x, ldx, got, ldo);
    /* m products of operands of about 1 with a relative error of 2^-8 */
    check_rows_close(t, "mix of rows, bf16", want, got, n, width, ldo, 0.01f * (float)m, 1e-2f);
    check_done(t, "mix of rows");
}

/* `form`: bit 0 with a scale of each row, bit 1 with rows to add. */
static ws_head_rows head_rows(check *t, size_t m, size_t width, int form)
{
    ws_head_rows r = {.table = input(t, m * (width + 1)), .ld = width + 1};
    if (form & 1) {
        r.scale = input(t, 3 * m);
        r.ld_scale = 3;
    }
    if (form & 2) {
        r.add = input(t, m * (width + 2));
        r.ld_add = width + 2;
    }
    return r;
}

static void check_heads(check *t, size_t m, size_t tokens, size_t heads, int form)
{
    const size_t width = 16 * heads, n = tokens * heads, ld = n + 3;
    const ws_head_rows rows = head_rows(t, m, width, form);
    const float *q = input(t, tokens * width), *p = input(t, m * ld);
    float *want = input(t, m * ld), *got = copy(t, want, m * ld);
    float *mix = check_alloc(t, tokens * width * sizeof *mix);
    float *mix_got = check_alloc(t, tokens * width * sizeof *mix_got);
    t->c->tokens->head_scores_f32(m, tokens, heads, width, &rows, q, want, ld);
    t->isa->tokens->head_scores_f32(m, tokens, heads, width, &rows, q, got, ld);
    check_floats_close(t, "scores by heads", want, got, m * ld, 1e-4f, 1e-5f);
    t->c->tokens->head_mix_f32(m, tokens, heads, width, p, ld, &rows, mix);
    t->isa->tokens->head_mix_f32(m, tokens, heads, width, p, ld, &rows, mix_got);
    check_floats_close(t, "mix by heads", mix, mix_got, tokens * width, 1e-4f, 1e-5f);
    mix = check_alloc(t, m * width * sizeof *mix);
    mix_got = check_alloc(t, m * width * sizeof *mix_got);
    t->c->tokens->head_spread_f32(m, tokens, heads, width, p, ld, q, mix);
    t->isa->tokens->head_spread_f32(m, tokens, heads, width, p, ld, q, mix_got);
    check_floats_close(t, "spread by heads", mix, mix_got, m * width, 1e-4f, 1e-5f);
    check_done(t, "heads");
}

static void check_moments(check *t, size_t m, size_t n)
{
    const float *x = input(t, m * (n + 1)), *other = input(t, m * n), *scale = input(t, 2 * m);
    float *want = check_alloc(t, 2 * m * sizeof *want), *got = check_alloc(t, 2 * m * sizeof *got);
    float *scaled = check_alloc(t, m * n * sizeof *scaled);
    float *scaled_got = check_alloc(t, m * n * sizeof *scaled_got);
    t->c->tokens->row_moments_f32(m, n, x, n + 1, 1e-5f, want, want + m);
    t->isa->tokens->row_moments_f32(m, n, x, n + 1, 1e-5f, got, got + m);
    check_floats_close(t, "moments of rows", want, got, 2 * m, 1e-5f, 1e-4f);
    t->c->tokens->row_dots_f32(m, n, x, n + 1, other, n, want);
    t->isa->tokens->row_dots_f32(m, n, x, n + 1, other, n, got);
    check_floats_close(t, "products of rows", want, got, m, 1e-4f, 1e-4f);
    t->c->tokens->scale_rows_f32(m, n, x, n + 1, scale, 2, scaled, n);
    t->isa->tokens->scale_rows_f32(m, n, x, n + 1, scale, 2, scaled_got, n);
    check_equal(t, "scaled rows", scaled, scaled_got, m * n * sizeof *scaled);
    check_done(t, "rows");
}

typedef struct timed {
    const ws_token_kernels *k;
    const float *p, *x;
    float *out;
} timed;

static void time_mix_bf16(void *arg)
{
    const timed *a = arg;
    a->k->mix_rows_bf16(448, 56, 256, a->p, 56, a->x, 256, a->out, 256);
}

static void time_mix(void *arg)
{
    const timed *a = arg;
    a->k->mix_rows_f32(512, 56, 256, a->p, 56, a->x, 256, a->out, 256);
}

static void time_scores(void *arg)
{
    const timed *a = arg;
    const ws_head_rows rows = {.table = a->x, .ld = 128};
    a->k->head_scores_f32(448, 7, 8, 128, &rows, a->p, a->out, 56);
}

static void time_head_mix(void *arg)
{
    const timed *a = arg;
    const ws_head_rows rows = {.table = a->x, .ld = 128};
    a->k->head_mix_f32(448, 7, 8, 128, a->p, 56, &rows, a->out);
}

void check_few_token_attention(check *t)
{
    static const size_t tokens[] = {1, 2, 7, 11}, heads[] = {1, 4, 8, 17};
    static const size_t counts[] = {1, 5, 8, 56, 63}, widths[] = {1, 9, 16, 64, 128, 147, 256};
    if (!check_new(t, "tokens", t->isa->tokens->name, t->isa->tokens, sizeof *t->isa->tokens))
        return;
    if (t->bench) {
        timed a = {t->isa->tokens, input(t, 512 * 56), input(t, 512 * 256), NULL};
        a.out = check_alloc(t, 56 * 256 * sizeof(float));
        check_bench(t, "mix 512x56x256", time_mix, &a, 2.0 * 512 * 56 * 256, WS_PEAK_F32);
        check_bench(t, "mix 448x56x256, bf16", time_mix_bf16, &a, 2.0 * 448 * 56 * 256,
                    WS_PEAK_BF16);
        a.out = check_alloc(t, 448 * 56 * sizeof(float));
        check_bench(t, "scores by heads 448x7x8x16", time_scores, &a, 2.0 * 448 * 7 * 128,
                    WS_PEAK_F32);
        check_bench(t, "mix by heads 448x7x8x16", time_head_mix, &a, 2.0 * 448 * 7 * 128,
                    WS_PEAK_F32);
        check_done(t, "bench");
        return;
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            check_softmax(t, tokens[i], heads[j]);
            check_heads(t, 1 + 2 * (size_t)j, tokens[i], heads[j], i);
            check_heads(t, 6, tokens[i], 16, i);
            check_moments(t, 3, 4 * tokens[i] * heads[j]);
        }
    for (int i = 0; i < 5; i++) {
        check_columns(t, 1 + 6 * (size_t)i, counts[i]);
        for (int j = 0; j < 7; j++)
            check_mix(t, 1 + 9 * (size_t)i, counts[i], widths[j]);
    }
    check_mix(t, 300, 70, 290); /* more than one block of each */
}
