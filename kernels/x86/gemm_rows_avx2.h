/* kernels/x86/gemm_rows_avx2.h - rows on their way into a product: add, LayerNorm, row maximum. */
#ifndef WS_KERNELS_X86_GEMM_ROWS_AVX2_H
#define WS_KERNELS_X86_GEMM_ROWS_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { WS_CHUNK = 8 };

#include "kernels/template/gemm_places.h"

/* The first `left` (8 or more: all) lanes set. */
static inline __m256i ws_mask8(size_t left)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < 8 ? (int)left : 8), lane);
}

/* `left` values, at most 8; 0 behind them. */
static inline __m256 ws_load8(const float *x, size_t left)
{
    return left >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, ws_mask8(left));
}

/* The mask is made only for the tail: maskstore is many micro-operations on AMD's cores. */
static inline void ws_store8(float *y, size_t left, __m256 x)
{
    if (left >= 8)
        _mm256_storeu_ps(y, x);
    else
        _mm256_maskstore_ps(y, ws_mask8(left), x);
}

/* Halves onto one another: a fixed order, the same on every machine. */
static inline float ws_sum8(__m256 x)
{
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}

/* Magnitudes compare as unsigned integers, and there is no float maximum that keeps NaN. */
static inline float ws_max8_bits(__m256i x)
{
    __m128i y = _mm_max_epu32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    y = _mm_max_epu32(y, _mm_shuffle_epi32(y, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epu32(y, _mm_shuffle_epi32(y, 0xb1))));
}

/* A row with what happens to it: the norm is applied on the fly, the normalised row is never
 * stored. */
typedef struct ws_row {
    const float *x, *add, *weight, *bias;
    __m256 mean, rstd;
} ws_row;

/* Values [p, p + 8) before the norm, `left` of them; 0 behind. */
static inline __m256 ws_row_input(const ws_row *r, size_t p, size_t left)
{
    const __m256 x = ws_load8(r->x + p, left);
    return r->add ? _mm256_add_ps(x, ws_load8(r->add + p, left)) : x;
}

/* Values [p, p + 8) as the product sees them; 0 behind the row's end. */
static inline __m256 ws_row_value(const ws_row *r, size_t p, size_t left)
{
    const __m256 x = ws_row_input(r, p, left);
    if (!r->weight)
        return x;
    const __m256 w = ws_load8(r->weight + p, left), b = ws_load8(r->bias + p, left);
    const __m256 y = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_sub_ps(x, r->mean), r->rstd), w, b);
    return left >= 8 ? y : _mm256_and_ps(y, _mm256_castsi256_ps(ws_mask8(left)));
}

/* Mean, then variance around it: two passes, each in four chains of 8 lanes. */
static inline void ws_row_moments(ws_row *r, size_t k, float eps)
{
    __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                   _mm256_setzero_ps()};
    size_t p = 0;
    for (; p + 32 <= k; p += 32)
        for (size_t q = 0; q < 4; q++)
            s[q] = _mm256_add_ps(s[q], ws_row_input(r, p + 8 * q, 8));
    for (; p < k; p += 8)
        s[0] = _mm256_add_ps(s[0], ws_row_input(r, p, k - p));
    const __m256 sum = _mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3]));
    const __m256 mean = _mm256_set1_ps(ws_sum8(sum) / (float)k);
    s[0] = s[1] = s[2] = s[3] = _mm256_setzero_ps();
    for (p = 0; p + 32 <= k; p += 32)
        for (size_t q = 0; q < 4; q++) {
            const __m256 d = _mm256_sub_ps(ws_row_input(r, p + 8 * q, 8), mean);
            s[q] = _mm256_fmadd_ps(d, d, s[q]);
        }
    for (; p < k; p += 8) {
        const __m256 d = _mm256_and_ps(_mm256_sub_ps(ws_row_input(r, p, k - p), mean),
                                       _mm256_castsi256_ps(ws_mask8(k - p)));
        s[0] = _mm256_fmadd_ps(d, d, s[0]);
    }
    const __m256 squares = _mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3]));
    r->mean = mean;
    r->rstd = _mm256_set1_ps(1.0f / sqrtf(ws_sum8(squares) / (float)k + eps));
}

/* The moments are taken once per row, over a row that then is in L1 for the product. */
static inline ws_row ws_row_open(const wsam_rows *rows, size_t i, size_t k)
{
    ws_row r = {.x = rows->data + i * rows->ld,
                .add = rows->add ? rows->add + i * rows->ld_add : NULL,
                .weight = rows->norm_weight,
                .bias = rows->norm_bias};
    if (r.weight)
        ws_row_moments(&r, k, rows->norm_eps);
    return r;
}

/* Largest |value|, by comparing bits: exact, and a NaN is larger than everything. */
static inline float ws_row_max(const ws_row *r, size_t k)
{
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256i top = _mm256_setzero_si256();
    size_t p = 0;
    for (; p + 8 <= k; p += 8)
        top = _mm256_max_epu32(
            top, _mm256_castps_si256(_mm256_and_ps(magnitude, ws_row_value(r, p, 8))));
    if (p < k)
        top = _mm256_max_epu32(
            top, _mm256_castps_si256(_mm256_and_ps(magnitude, ws_row_value(r, p, k - p))));
    return ws_max8_bits(top);
}

#endif
