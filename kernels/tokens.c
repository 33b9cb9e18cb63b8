/* kernels/tokens.c - attention between a few tokens and many rows: what stands between its
 * products. The C versions, and which kernel runs at which level. */
#include "kernels/tokens.h"

#include <math.h>

#include "kernels/cpu.h"

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

static void column_max_c(size_t m, size_t n, const float *s, size_t lds, float *top)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            top[j] = s[i * lds + j] > top[j] ? s[i * lds + j] : top[j];
}

static void exp_columns_c(size_t m, size_t n, float *s, size_t lds, const float *top, float *sum)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            sum[j] += s[i * lds + j] = expf(s[i * lds + j] - top[j]);
}

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

void ws_tokens_init(wsam_kernels *table, unsigned features)
{
    wsam_token_kernels *t = &table->tokens;
    *t = (wsam_token_kernels){"tokens_c",    softmax_groups_c, column_max_c,
                              exp_columns_c, mix_rows_c,       mix_rows_c};
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2)
        ws_tokens_init_avx2(t);
    if (features & WS_CPU_AVX512)
        ws_tokens_init_avx512(t);
    if (features & WS_CPU_AVX512BF16)
        ws_tokens_init_avx512bf16(t);
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON)
        ws_tokens_init_neon(t);
#endif
    (void)features;
}
