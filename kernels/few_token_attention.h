/* kernels/few_token_attention.h - attention between a few tokens and many rows. */
#ifndef WS_KERNELS_FEW_TOKEN_ATTENTION_H
#define WS_KERNELS_FEW_TOKEN_ATTENTION_H

#include "weaksam/kernels.h"

/* With few tokens the products are re-associated: (x W_k).q = x.(W_k^T q), and so on; the wide ones
 * are ordinary GEMMs with tokens x heads columns, these kernels stand between them. Column
 * t*heads + h belongs to token t and head h. */

/* Rows that a projection made, columns in the order [width / heads][heads]: column d*heads + h
 * is dimension d of head h. Row i is scale[i] * table[i] + add[i]; scale NULL counts as ones, add
 * NULL as zeros. */
typedef struct ws_head_rows {
    const float *table, *scale, *add;
    size_t ld, ld_scale, ld_add;
} ws_head_rows;

/* The kernels that stand between the products. */
typedef struct ws_token_kernels {
    const char *name;
    /* s[i][t*heads + h] = sum over d of row i's and q[t]'s products of head h; q has rows of
     * `width` in the order of ws_head_rows. */
    void (*head_scores_f32)(size_t m, size_t tokens, size_t heads, size_t width,
                            const ws_head_rows *rows, const float *q, float *s, size_t lds);
    /* out[t][d*heads + h] = sum_i p[i][t*heads + h] row[i][d*heads + h], i < m one after another;
     * out has rows of `width`. */
    void (*head_mix_f32)(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                         size_t ldp, const ws_head_rows *rows, float *out);
    /* Mean of each row of n, and 1 / sqrt(variance + eps), as layer_norm uses them. */
    void (*row_moments_f32)(size_t m, size_t n, const float *x, size_t ldx, float eps, float *mean,
                            float *inverse);
    /* out[i][d*heads + h] = sum_t p[i][t*heads + h] v[t][d*heads + h], t in order; v and out have
     * rows of `width`. */
    void (*head_spread_f32)(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                            size_t ldp, const float *v, float *out);
    /* out[i] = sum_j a[i][j] b[i][j], j < n. */
    void (*row_dots_f32)(size_t m, size_t n, const float *a, size_t lda, const float *b, size_t ldb,
                         float *out);
    /* out[i][j] = scale[i*ld_scale] * x[i][j], j < n. */
    void (*scale_rows_f32)(size_t m, size_t n, const float *x, size_t ldx, const float *scale,
                           size_t ld_scale, float *out, size_t ldo);
    /* Softmax over the tokens of each row and head, in place: s[i][t*heads + h], t < tokens. */
    void (*softmax_groups_f32)(size_t m, size_t tokens, size_t heads, float *s, size_t lds);
    /* top[j] = max(top[j], s[0][j] .. s[m-1][j]), j < n. */
    void (*column_max_f32)(size_t m, size_t n, const float *s, size_t lds, float *top);
    /* s[i][j] = exp(s[i][j] - top[j]); sum[j] grows by the column, row after row. */
    void (*exp_columns_f32)(size_t m, size_t n, float *s, size_t lds, const float *top, float *sum);
    /* out[j][c] = sum_i p[i][j] x[i][c], i < m one after another, j < n, c < width. */
    void (*mix_rows_f32)(size_t m, size_t n, size_t width, const float *p, size_t ldp,
                         const float *x, size_t ldx, float *out, size_t ldo);
    /* The same with p and x rounded to bf16 where that is faster; else the f32 kernel. */
    void (*mix_rows_bf16)(size_t m, size_t n, size_t width, const float *p, size_t ldp,
                          const float *x, size_t ldx, float *out, size_t ldo);
} ws_token_kernels;

/* The C versions take numbers of heads and widths that the vectors do not. */
void ws_few_token_scores_c(size_t m, size_t tokens, size_t heads, size_t width,
                           const ws_head_rows *rows, const float *q, float *s, size_t lds);
void ws_few_token_mix_c(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                        size_t ldp, const ws_head_rows *rows, float *out);
void ws_few_token_spread_c(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                           size_t ldp, const float *v, float *out);

#if defined(__x86_64__)
void ws_few_token_attention_init_avx2(ws_token_kernels *t);
void ws_few_token_attention_init_avx512(ws_token_kernels *t);
void ws_few_token_attention_init_avx512bf16(ws_token_kernels *t);
#if defined(WS_AMX)
void ws_few_token_attention_init_amx(ws_token_kernels *t);
#endif
#elif defined(__aarch64__)
void ws_few_token_attention_init_neon(ws_token_kernels *t);
#endif

#endif
