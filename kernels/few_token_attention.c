/* kernels/few_token_attention.c - attention between a few tokens and many rows: what stands between
 * its products. The C versions, and which kernel runs at which level. */
#include "kernels/few_token_attention.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu.h"

/* Over the tokens of one head, whose scores stand `heads` apart: a row of scores is [token][head],
 * so that the heads of a token are neighbours and fill a vector. The top comes off first: no
 * exponential overflows, and the largest is 1. */
static void softmax_head(size_t tokens, size_t heads, float *s)
{
    float top = s[0], sum = 0.0f;
    for (size_t t = 1; t < tokens; t++)
        top = s[t * heads] > top ? s[t * heads] : top;
    for (size_t t = 0; t < tokens; t++)
        sum += s[t * heads] = expf(s[t * heads] - top);
    for (size_t t = 0; t < tokens; t++)
        s[t * heads] *= 1.0f / sum;
}

static void softmax_groups_c(size_t m, size_t tokens, size_t heads, float *s, size_t lds)
{
    for (size_t i = 0; i < m; i++)
        for (size_t h = 0; h < heads; h++)
            softmax_head(tokens, heads, s + i * lds + h);
}

/* Token to image goes the other way: a softmax down the image's rows, of which a task sees some.
 * So it is cut in three: tops of all rows, then exponentials and their sums, then the division,
 * which the caller does on the few results. */
static void column_max_c(size_t m, size_t n, const float *s, size_t lds, float *top)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            top[j] = s[i * lds + j] > top[j] ? s[i * lds + j] : top[j];
}

/* `top` is that of all rows, not of these m: sums of several calls add up. */
static void exp_columns_c(size_t m, size_t n, float *s, size_t lds, const float *top, float *sum)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            sum[j] += s[i * lds + j] = expf(s[i * lds + j] - top[j]);
}

/* out = p^T x. The columns are few (tokens times heads, 7 x 8 for one point), the rows many (64 x
 * 64 cells): the sum runs down the rows, and p is read once per column. */
static void mix_rows_c(size_t m, size_t n, size_t width, const float *p, size_t ldp, const float *x,
                       size_t ldx, float *out, size_t ldo)
{
    for (size_t j = 0; j < n; j++)
        for (size_t c = 0; c < width; c++) {
            float sum = 0.0f;
            for (size_t i = 0; i < m; i++)
                sum += p[i * ldp + j] * x[i * ldx + c];
            out[j * ldo + c] = sum;
        }
}

/* A row of an image kept as table, scale and addend: never written out, since 4096 rows of 128
 * floats would be 2 MB per prompt and product. Column c belongs to head c % heads. */
static float head_row(const ws_head_rows *r, size_t i, size_t column)
{
    const float x = r->table[i * r->ld + column], scale = r->scale ? r->scale[i * r->ld_scale] : 1;
    return scale * x + (r->add ? r->add[i * r->ld_add + column] : 0.0f);
}

void ws_few_token_scores_c(size_t m, size_t tokens, size_t heads, size_t width,
                           const ws_head_rows *rows, const float *q, float *s, size_t lds)
{
    for (size_t i = 0; i < m; i++) {
        memset(s + i * lds, 0, tokens * heads * sizeof *s);
        for (size_t c = 0; c < width; c++)
            for (size_t t = 0; t < tokens; t++)
                s[i * lds + t * heads + c % heads] += head_row(rows, i, c) * q[t * width + c];
    }
}

void ws_few_token_mix_c(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                        size_t ldp, const ws_head_rows *rows, float *out)
{
    memset(out, 0, tokens * width * sizeof *out);
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < width; c++)
            for (size_t t = 0; t < tokens; t++)
                out[t * width + c] += p[i * ldp + t * heads + c % heads] * head_row(rows, i, c);
}

/* In double and in two passes: the specification that the vector versions, which sum in f32 over
 * partial vectors, are held against. */
static void row_moments_c(size_t m, size_t n, const float *x, size_t ldx, float eps, float *mean,
                          float *inverse)
{
    for (size_t i = 0; i < m; i++) {
        double sum = 0.0, squares = 0.0;
        for (size_t j = 0; j < n; j++)
            sum += (double)x[i * ldx + j];
        sum /= (double)n;
        for (size_t j = 0; j < n; j++)
            squares += ((double)x[i * ldx + j] - sum) * ((double)x[i * ldx + j] - sum);
        mean[i] = (float)sum;
        inverse[i] = (float)(1.0 / sqrt(squares / (double)n + (double)eps));
    }
}

/* Image to token: what each row takes from the few tokens. The inner loop is over tokens, not over
 * rows, because all of v fits into L1 (8 tokens of 128 floats are 4 kB). */
void ws_few_token_spread_c(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                           size_t ldp, const float *v, float *out)
{
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < width; c++) {
            float sum = 0.0f;
            for (size_t t = 0; t < tokens; t++)
                sum += p[i * ldp + t * heads + c % heads] * v[t * width + c];
            out[i * width + c] = sum;
        }
}

static void row_dots_c(size_t m, size_t n, const float *a, size_t lda, const float *b, size_t ldb,
                       float *out)
{
    for (size_t i = 0; i < m; i++) {
        out[i] = 0.0f;
        for (size_t j = 0; j < n; j++)
            out[i] += a[i * lda + j] * b[i * ldb + j];
    }
}

static void scale_rows_c(size_t m, size_t n, const float *x, size_t ldx, const float *scale,
                         size_t ld_scale, float *out, size_t ldo)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            out[i * ldo + j] = scale[i * ld_scale] * x[i * ldx + j];
}

void ws_few_token_attention_init(ws_token_kernels *t, unsigned features)
{
    *t = (ws_token_kernels){.name = "few_token_attention_c",
                            .head_scores_f32 = ws_few_token_scores_c,
                            .head_mix_f32 = ws_few_token_mix_c,
                            .head_spread_f32 = ws_few_token_spread_c,
                            .row_moments_f32 = row_moments_c,
                            .row_dots_f32 = row_dots_c,
                            .scale_rows_f32 = scale_rows_c,
                            .softmax_groups_f32 = softmax_groups_c,
                            .column_max_f32 = column_max_c,
                            .exp_columns_f32 = exp_columns_c,
                            .mix_rows_f32 = mix_rows_c,
                            .mix_rows_bf16 = mix_rows_c};
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2)
        ws_few_token_attention_init_avx2(t);
    if (features & WS_CPU_AVX512)
        ws_few_token_attention_init_avx512(t);
    if (features & WS_CPU_AVX512BF16)
        ws_few_token_attention_init_avx512bf16(t);
#if defined(WS_AMX)
    if (features & WS_CPU_AMX)
        ws_few_token_attention_init_amx(t);
#endif
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON)
        ws_few_token_attention_init_neon(t);
#endif
    (void)features;
}
