/* kernels/template/vector_template.h - the vector family on the vector vocabulary; included once by
 * each vector_<level>.c after its vec_<level>.h. All functions are static. */
#include <math.h>

#include "kernels/template/math_template.h"
#include "kernels/vector.h"

/* Sums with four partial vectors: the order depends on n alone. */
static float row_sum(size_t n, const float *x)
{
    vf s[4] = {vf_set1(0.0f), vf_set1(0.0f), vf_set1(0.0f), vf_set1(0.0f)};
    size_t i = 0;
    for (; i + 4 * WS_VL <= n; i += 4 * WS_VL)
        for (int j = 0; j < 4; j++)
            s[j] = vf_add(s[j], vf_load(x + i + (size_t)j * WS_VL));
    for (; i + WS_VL <= n; i += WS_VL)
        s[0] = vf_add(s[0], vf_load(x + i));
    if (i < n)
        s[1] = vf_add(s[1], vf_load_n(x + i, n - i));
    return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
}

/* The tail goes by single floats: a masked load would square -mean in the lanes that are not
 * there. */
static float row_squares(size_t n, const float *x, float mean)
{
    const vf m = vf_set1(mean);
    vf s[2] = {vf_set1(0.0f), vf_set1(0.0f)};
    size_t i = 0;
    for (; i + 2 * WS_VL <= n; i += 2 * WS_VL)
        for (int j = 0; j < 2; j++) {
            const vf d = vf_sub(vf_load(x + i + (size_t)j * WS_VL), m);
            s[j] = vf_fma(d, d, s[j]);
        }
    float tail = 0.0f;
    for (; i < n; i++)
        tail += (x[i] - mean) * (x[i] - mean);
    return vf_sum(vf_add(s[0], s[1])) + tail;
}

/* A row of 256 to 1280 floats stays in L1 over the three passes: they cost loads, not memory. */
static void layer_norm(size_t m, size_t c, const float *x, size_t ldx, const float *w,
                       const float *b, float eps, float *y, size_t ldy)
{
    for (size_t i = 0; i < m; i++, x += ldx, y += ldy) {
        const float mean = row_sum(c, x) / (float)c;
        const float inverse = 1.0f / sqrtf(row_squares(c, x, mean) / (float)c + eps);
        const vf vm = vf_set1(mean), vs = vf_set1(inverse);
        size_t j = 0;
        for (; j + WS_VL <= c; j += WS_VL) {
            const vf d = vf_mul(vf_sub(vf_load(x + j), vm), vs);
            vf_store(y + j, vf_fma(d, vf_load(w + j), vf_load(b + j)));
        }
        if (j < c) {
            const vf d = vf_mul(vf_sub(vf_load_n(x + j, c - j), vm), vs);
            vf_store_n(y + j, vf_fma(d, vf_load_n(w + j, c - j), vf_load_n(b + j, c - j)), c - j);
        }
    }
}

/* In the blocks of the C version; within a block the order is that of the vector. */
static void moments(size_t n, const float *x, float shift, double out[2])
{
    const vf m = vf_set1(shift);
    out[0] = out[1] = 0.0;
    for (size_t block = 0; block < n; block += 512) {
        const size_t count = n - block < 512 ? n - block : 512;
        vf sum = vf_set1(0.0f), squares = vf_set1(0.0f);
        float tail = 0.0f, tail_squares = 0.0f;
        size_t i = 0;
        for (; i + WS_VL <= count; i += WS_VL) {
            const vf d = vf_sub(vf_load(x + block + i), m);
            sum = vf_add(sum, d);
            squares = vf_fma(d, d, squares);
        }
        for (; i < count; i++) {
            const float d = x[block + i] - shift;
            tail += d;
            tail_squares += d * d;
        }
        out[0] += (double)(vf_sum(sum) + tail);
        out[1] += (double)(vf_sum(squares) + tail_squares);
    }
}

/* One fused multiply-add: BatchNorm that could not be folded into a convolution. */
static void scale_shift(size_t m, size_t c, const float *x, const float *scale, const float *shift,
                        float *y)
{
    for (size_t i = 0; i < m; i++, x += c, y += c) {
        size_t j = 0;
        for (; j + WS_VL <= c; j += WS_VL)
            vf_store(y + j, vf_fma(vf_load(x + j), vf_load(scale + j), vf_load(shift + j)));
        if (j < c)
            vf_store_n(y + j,
                       vf_fma(vf_load_n(x + j, c - j), vf_load_n(scale + j, c - j),
                              vf_load_n(shift + j, c - j)),
                       c - j);
    }
}

/* vf_max(0, x) in this order: the second operand wins where one is NaN, so that NaN stays. */
static inline vf act_vector(wsam_act act, vf x)
{
    switch (act) {
    case WSAM_ACT_GELU:
        return vf_gelu(x);
    case WSAM_ACT_RELU:
        return vf_max(vf_set1(0.0f), x);
    case WSAM_ACT_SIGMOID:
        return vf_sigmoid(x);
    case WSAM_ACT_NONE:
        break;
    }
    return x;
}

static void act(wsam_act function, size_t n, const float *x, float *y)
{
    size_t i = 0;
    if (function == WSAM_ACT_GELU) /* the one that is worth a loop without a switch */
        /* Two at a time: GELU is one chain of dependent multiply-adds, and a second chain fits
         * between. */
        for (; i + 2 * WS_VL <= n; i += 2 * WS_VL) {
            const vf a = vf_gelu(vf_load(x + i)), b = vf_gelu(vf_load(x + i + WS_VL));
            vf_store(y + i, a);
            vf_store(y + i + WS_VL, b);
        }
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(y + i, act_vector(function, vf_load(x + i)));
    if (i < n)
        vf_store_n(y + i, act_vector(function, vf_load_n(x + i, n - i)), n - i);
}

static void exp_all(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(y + i, vf_exp_any(vf_load(x + i)));
    if (i < n)
        vf_store_n(y + i, vf_exp_any(vf_load_n(x + i, n - i)), n - i);
}

/* NaN may get lost here and need not stay: it spoils its row in the exponentials. */
static float row_top(size_t n, const float *x)
{
    vf top = vf_set1(-INFINITY);
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        top = vf_max(top, vf_load(x + i));
    float best = vf_top(top);
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

static void softmax(size_t m, size_t n, const float *x, size_t ldx, float *y, size_t ldy)
{
    /* exp(-104) is below the smallest denormal: what lies lower is 0 all the same, and vf_exp has
     * no test for it. */
    const vf low = vf_set1(-104.0f);
    for (size_t r = 0; r < m; r++, x += ldx, y += ldy) {
        const vf top = vf_set1(row_top(n, x));
        size_t i = 0;
        for (; i + WS_VL <= n; i += WS_VL)
            vf_store(y + i, vf_exp(vf_max(low, vf_sub(vf_load(x + i), top))));
        if (i < n)
            vf_store_n(y + i, vf_exp(vf_max(low, vf_sub(vf_load_n(x + i, n - i), top))), n - i);
        /* One division per row and a product per value, which is off by a unit in the last place
         * at most: within the bound of the tests. */
        const vf inverse = vf_set1(1.0f / row_sum(n, y));
        for (i = 0; i + WS_VL <= n; i += WS_VL)
            vf_store(y + i, vf_mul(vf_load(y + i), inverse));
        if (i < n)
            vf_store_n(y + i, vf_mul(vf_load_n(y + i, n - i), inverse), n - i);
    }
}

/* Memory bound: 12 bytes move per addition, so that unrolling brings nothing. */
static void add(size_t n, const float *a, const float *b, float *y)
{
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(y + i, vf_add(vf_load(a + i), vf_load(b + i)));
    if (i < n)
        vf_store_n(y + i, vf_add(vf_load_n(a + i, n - i), vf_load_n(b + i, n - i)), n - i);
}

static void mul(size_t n, const float *a, const float *b, float *y)
{
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(y + i, vf_mul(vf_load(a + i), vf_load(b + i)));
    if (i < n)
        vf_store_n(y + i, vf_mul(vf_load_n(a + i, n - i), vf_load_n(b + i, n - i)), n - i);
}

/* The masked tail adds zeros: both operands are 0 in the lanes that are not there. */
static void dot_rows(size_t m, size_t c, const float *a, size_t lda, const float *v, float *out)
{
    for (size_t r = 0; r < m; r++, a += lda) {
        vf s = vf_set1(0.0f);
        size_t i = 0;
        for (; i + WS_VL <= c; i += WS_VL)
            s = vf_fma(vf_load(a + i), vf_load(v + i), s);
        if (i < c)
            s = vf_fma(vf_load_n(a + i, c - i), vf_load_n(v + i, c - i), s);
        out[r] = vf_sum(s);
    }
}

static void bf16_to_f32(size_t n, const uint16_t *x, float *y)
{
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(y + i, vf_from_bf16(x + i));
    for (; i < n; i++)
        y[i] = ws_f32_from_bf16(x[i]);
}

/* Rounds to nearest even on every level, also where the instruction set has no conversion. */
static void f32_to_bf16(size_t n, const float *x, uint16_t *y)
{
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_to_bf16(y + i, vf_load(x + i));
    for (; i < n; i++)
        y[i] = ws_bf16_from_f32(x[i]);
}

/* Squares of a vector's side, down the rows of x, so that rows of y grow whole. */
static void transpose(size_t m, size_t k, const float *x, size_t ldx, float *y, size_t ldy)
{
    const size_t rows = m - m % WS_VL;
    size_t j = 0;
    for (; j + WS_VL <= k; j += WS_VL) {
        for (size_t i = 0; i < rows; i += WS_VL)
            ws_turn_tile(x + i * ldx + j, ldx, y + j * ldy + i, ldy);
        ws_vector_transpose_c(m - rows, WS_VL, x + rows * ldx + j, ldx, y + j * ldy + rows, ldy);
    }
    ws_vector_transpose_c(m, k - j, x + j, ldx, y + j * ldy, ldy);
}

/* sincos stays with libm: a few hundred values per prompt, and range reduction is its strength. */
static void fill(wsam_vector_kernels *v)
{
    v->name = "vector_" WS_LEVEL;
    v->layer_norm_f32 = layer_norm;
    v->moments_f32 = moments;
    v->scale_shift_f32 = scale_shift;
    v->act_f32 = act;
    v->exp_f32 = exp_all;
    v->softmax_f32 = softmax;
    v->add_f32 = add;
    v->mul_f32 = mul;
    v->dot_rows_f32 = dot_rows;
    v->bf16_to_f32 = bf16_to_f32;
    v->f32_to_bf16 = f32_to_bf16;
    v->transpose_f32 = transpose;
}
