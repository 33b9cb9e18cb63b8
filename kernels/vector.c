/* kernels/vector.c - norms, activations, element-wise operations: C versions and the family's
 * table. */
#include "kernels/vector.h"

#include "kernels/cpu.h"

/* GELU is the exact one with erf, as PyTorch has it by default, not the tanh form, which is off by
 * up to 5e-4. */
float ws_vector_act_c(wsam_act act, float x)
{
    switch (act) {
    case WSAM_ACT_GELU:
        return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case WSAM_ACT_RELU:
        return x < 0.0f ? 0.0f : x; /* NaN stays NaN */
    case WSAM_ACT_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    case WSAM_ACT_NONE:
        break;
    }
    return x;
}

/* Biased variance in two passes: E[x^2] - E[x]^2 loses the digits that the mean has in common with
 * the values. */
void ws_vector_layer_norm_c(size_t c, const float *x, const float *w, const float *b, float eps,
                            float *y)
{
    float sum = 0.0f, squares = 0.0f;
    for (size_t j = 0; j < c; j++)
        sum += x[j];
    const float mean = sum / (float)c;
    for (size_t j = 0; j < c; j++)
        squares += (x[j] - mean) * (x[j] - mean);
    const float inverse = 1.0f / sqrtf(squares / (float)c + eps);
    for (size_t j = 0; j < c; j++)
        y[j] = (x[j] - mean) * inverse * w[j] + b[j];
}

static void layer_norm_c(size_t m, size_t c, const float *x, size_t ldx, const float *w,
                         const float *b, float eps, float *y, size_t ldy)
{
    for (size_t i = 0; i < m; i++)
        ws_vector_layer_norm_c(c, x + i * ldx, w, b, eps, y + i * ldy);
}

/* Blocks of 512 in f32, their sums in double: 512 additions lose at most 9 bits, and the order
 * does not depend on a level's vector. `shift` is a value near the mean, so that squares of small
 * numbers are added. */
static void moments_c(size_t n, const float *x, float shift, double out[2])
{
    out[0] = out[1] = 0.0;
    for (size_t block = 0; block < n; block += 512) {
        const size_t end = n - block < 512 ? n : block + 512;
        float sum = 0.0f, squares = 0.0f;
        for (size_t i = block; i < end; i++) {
            const float d = x[i] - shift;
            sum += d;
            squares += d * d;
        }
        out[0] += (double)sum;
        out[1] += (double)squares;
    }
}

static void scale_shift_c(size_t m, size_t c, const float *x, const float *scale,
                          const float *shift, float *y)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < c; j++)
            y[i * c + j] = x[i * c + j] * scale[j] + shift[j];
}

static void act_c(wsam_act act, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ws_vector_act_c(act, x[i]);
}

static void exp_c(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = expf(x[i]);
}

/* The top comes off first, so that the largest exponential is 1 and none overflows. */
static void softmax_c(size_t m, size_t n, const float *x, size_t ldx, float *y, size_t ldy)
{
    for (size_t i = 0; i < m; i++) {
        const float *row = x + i * ldx;
        float *out = y + i * ldy, top = row[0], sum = 0.0f;
        for (size_t j = 1; j < n; j++)
            top = row[j] > top ? row[j] : top;
        for (size_t j = 0; j < n; j++)
            sum += out[j] = expf(row[j] - top);
        for (size_t j = 0; j < n; j++)
            out[j] /= sum;
    }
}

static void sincos_c(size_t n, const float *x, float *s, float *c)
{
    for (size_t i = 0; i < n; i++) {
        const float a = x[i];
        s[i] = sinf(a);
        c[i] = cosf(a);
    }
}

static void add_c(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

static void mul_c(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

/* A product with one column: a panel of packed weights would be read once and thrown away. */
static void dot_rows_c(size_t m, size_t c, const float *a, size_t lda, const float *v, float *out)
{
    for (size_t i = 0; i < m; i++) {
        float sum = 0.0f;
        for (size_t j = 0; j < c; j++)
            sum += a[i * lda + j] * v[j];
        out[i] = sum;
    }
}

/* bf16 is the upper half of f32: widening is exact. */
static void bf16_to_f32_c(size_t n, const uint16_t *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ws_f32_from_bf16(x[i]);
}

static void f32_to_bf16_c(size_t n, const float *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ws_bf16_from_f32(x[i]);
}

void ws_vector_transpose_c(size_t m, size_t k, const float *x, size_t ldx, float *y, size_t ldy)
{
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < m; i++)
            y[j * ldy + i] = x[i * ldx + j];
}

static const wsam_vector_kernels vector_c = {
    .name = "vector_c",
    .layer_norm_f32 = layer_norm_c,
    .moments_f32 = moments_c,
    .scale_shift_f32 = scale_shift_c,
    .act_f32 = act_c,
    .exp_f32 = exp_c,
    .softmax_f32 = softmax_c,
    .sincos_f32 = sincos_c,
    .add_f32 = add_c,
    .mul_f32 = mul_c,
    .dot_rows_f32 = dot_rows_c,
    .bf16_to_f32 = bf16_to_f32_c,
    .f32_to_bf16 = f32_to_bf16_c,
    .transpose_f32 = ws_vector_transpose_c,
};

void ws_vector_init(wsam_kernels *table, unsigned features)
{
    wsam_vector_kernels *v = &table->vector;
    *v = vector_c;
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2)
        ws_vector_init_avx2(v);
    if (features & WS_CPU_AVX512)
        ws_vector_init_avx512(v);
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON)
        ws_vector_init_neon(v);
#endif
    (void)features;
}
