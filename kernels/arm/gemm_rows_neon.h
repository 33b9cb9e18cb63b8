/* kernels/arm/gemm_rows_neon.h - rows on their way into a product: add, LayerNorm, row maximum; one
 * row at a time through a buffer of k floats inside the prepared memory. */
#ifndef WS_KERNELS_ARM_GEMM_ROWS_NEON_H
#define WS_KERNELS_ARM_GEMM_ROWS_NEON_H

#include <math.h>
#include <string.h>

#include "kernels/arm/vec_neon.h"
#include "kernels/gemm.h"

static inline vf ws_some(const float *x, size_t left)
{
    return left < WS_VL ? vf_load_n(x, left) : vf_load(x);
}

/* Sum of x, or of (x - mean)^2, in four partial vectors. */
static inline float ws_row_reduce(size_t k, const float *x, float mean, int squares)
{
    const vf m = vf_set1(mean);
    vf s[4] = {vf_set1(0.0f), vf_set1(0.0f), vf_set1(0.0f), vf_set1(0.0f)};
    float tail = 0.0f;
    size_t p = 0;
    for (; p + 4 * WS_VL <= k; p += 4 * WS_VL)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            const vf d = vf_sub(vf_load(x + p + (size_t)j * WS_VL), m);
            s[j] = squares ? vf_fma(d, d, s[j]) : vf_add(s[j], d);
        }
    for (; p < k; p++)
        tail += squares ? (x[p] - mean) * (x[p] - mean) : x[p] - mean;
    return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3]))) + tail;
}

/* Row i as the product sees it, and zeros up to `padded` values. */
static inline void ws_load_row(const wsam_rows *rows, size_t i, size_t k, size_t padded, float *to)
{
    const float *x = rows->data + i * rows->ld,
                *add = rows->add ? rows->add + i * rows->ld_add : NULL;
    for (size_t p = 0; p < k; p += WS_VL) {
        const vf v = ws_some(x + p, k - p);
        vf_store(to + p, add ? vf_add(v, ws_some(add + p, k - p)) : v);
    }
    if (rows->norm_weight) {
        const float mean = ws_row_reduce(k, to, 0.0f, 0) / (float)k;
        const float inverse =
            1.0f / sqrtf(ws_row_reduce(k, to, mean, 1) / (float)k + rows->norm_eps);
        const vf m = vf_set1(mean), r = vf_set1(inverse);
        for (size_t p = 0; p < k; p += WS_VL) {
            const vf d = vf_mul(vf_sub(vf_load(to + p), m), r);
            vf_store(to + p, vf_fma(d, ws_some(rows->norm_weight + p, k - p),
                                    ws_some(rows->norm_bias + p, k - p)));
        }
    }
    for (size_t p = k; p < padded; p++)
        to[p] = 0.0f;
}

/* Largest |value|; NaN where there is one. */
static inline float ws_row_top(size_t padded, const float *x)
{
    vf top = vf_set1(0.0f);
    for (size_t p = 0; p < padded; p += WS_VL)
        top = vf_max(top, vf_abs(vf_load(x + p)));
    return vf_top(top);
}

/* 16 values, scaled, to bytes (round half to even). */
static inline int8x16_t ws_quantize16(const float *x, float inverse)
{
    int16x8_t half[2];
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        const int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 8 * i), inverse));
        const int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 8 * i + 4), inverse));
        half[i] = vcombine_s16(vmovn_s32(a), vmovn_s32(b));
    }
    return vcombine_s8(vmovn_s16(half[0]), vmovn_s16(half[1]));
}

#endif
