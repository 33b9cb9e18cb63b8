/* kernels/x86/gemm_rows_avx512.h - rows on their way into a product: add, LayerNorm, row maximum. */
#ifndef WS_KERNELS_X86_GEMM_ROWS_AVX512_H
#define WS_KERNELS_X86_GEMM_ROWS_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { WS_CHUNK = 16 };

#include "kernels/template/gemm_places.h"

/* _mm512_reduce_* draw false warnings from gcc 12 (uninitialized), hence halves by a masked
 * extract. */
static inline float ws_sum16(__m512 x)
{
    const __m256 y = _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xff, x, 0),
                                   _mm512_maskz_extractf32x8_ps(0xff, x, 1));
    __m128 z = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_add_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}

static inline float ws_max16_bits(__m512i x)
{
    const __m256i y = _mm256_max_epu32(_mm512_maskz_extracti32x8_epi32(0xff, x, 0),
                                       _mm512_maskz_extracti32x8_epi32(0xff, x, 1));
    __m128i z = _mm_max_epu32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
    z = _mm_max_epu32(z, _mm_shuffle_epi32(z, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epu32(z, _mm_shuffle_epi32(z, 0xb1))));
}

typedef struct ws_row {
    const uint16_t *narrow; /* bf16 in the place of x */
    const float *x, *add, *weight, *bias;
    __m512 mean, rstd;
} ws_row;

static inline __mmask16 ws_mask16(size_t left)
{
    return (__mmask16)(left >= 16 ? 0xffffu : (1u << left) - 1u);
}

/* Values [p, p + 16) before the norm; 0 outside the mask. */
static inline __m512 ws_row_input(const ws_row *r, size_t p, __mmask16 mask)
{
    if (r->narrow) {
        const __m256i x = _mm256_maskz_loadu_epi16(mask, r->narrow + p);
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
    }
    const __m512 x = _mm512_maskz_loadu_ps(mask, r->x + p);
    return r->add ? _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, r->add + p)) : x;
}

/* Values [p, p + 16) as the product sees them; 0 outside the mask. */
static inline __m512 ws_row_value(const ws_row *r, size_t p, __mmask16 mask)
{
    const __m512 x = ws_row_input(r, p, mask);
    if (!r->weight)
        return x;
    const __m512 w = _mm512_maskz_loadu_ps(mask, r->weight + p);
    const __m512 b = _mm512_maskz_loadu_ps(mask, r->bias + p);
    const __m512 y = _mm512_mul_ps(_mm512_sub_ps(x, r->mean), r->rstd);
    return _mm512_maskz_fmadd_ps(mask, y, w, b);
}

/* Mean, then variance around it: two passes, each in two chains of 16 lanes. */
static inline void ws_row_moments(ws_row *r, size_t k, float eps)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    size_t p = 0;
    for (; p + 32 <= k; p += 32) {
        s0 = _mm512_add_ps(s0, ws_row_input(r, p, 0xffff));
        s1 = _mm512_add_ps(s1, ws_row_input(r, p + 16, 0xffff));
    }
    for (; p < k; p += 16)
        s0 = _mm512_add_ps(s0, ws_row_input(r, p, ws_mask16(k - p)));
    const __m512 mean = _mm512_set1_ps(ws_sum16(_mm512_add_ps(s0, s1)) / (float)k);
    s0 = s1 = _mm512_setzero_ps();
    for (p = 0; p + 32 <= k; p += 32) {
        const __m512 d0 = _mm512_sub_ps(ws_row_input(r, p, 0xffff), mean);
        const __m512 d1 = _mm512_sub_ps(ws_row_input(r, p + 16, 0xffff), mean);
        s0 = _mm512_fmadd_ps(d0, d0, s0);
        s1 = _mm512_fmadd_ps(d1, d1, s1);
    }
    for (; p < k; p += 16) {
        const __mmask16 mask = ws_mask16(k - p);
        const __m512 d = _mm512_maskz_sub_ps(mask, ws_row_input(r, p, mask), mean);
        s0 = _mm512_fmadd_ps(d, d, s0);
    }
    const float variance = ws_sum16(_mm512_add_ps(s0, s1)) / (float)k;
    r->mean = mean;
    r->rstd = _mm512_set1_ps(1.0f / sqrtf(variance + eps));
}

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

/* The same row with what it lacks known to the compiler: loops over plain rows then test nothing
 * (quantizing 256 values: 50 -> 24 ns). */
static inline __attribute__((always_inline)) ws_row ws_row_plain(const ws_row *r)
{
    return (ws_row){.x = r->x};
}

static inline ws_row ws_row_narrow(const uint16_t *x)
{
    return (ws_row){.narrow = x};
}

/* Largest |value|, by comparing bits: exact, and a NaN is larger than everything. */
static inline float ws_row_max(const ws_row *r, size_t k)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i top = _mm512_setzero_si512();
    size_t p = 0;
    for (; p + 16 <= k; p += 16)
        top = _mm512_max_epu32(
            top, _mm512_and_si512(magnitude, _mm512_castps_si512(ws_row_value(r, p, 0xffff))));
    if (p < k)
        top = _mm512_max_epu32(
            top,
            _mm512_and_si512(magnitude, _mm512_castps_si512(ws_row_value(r, p, ws_mask16(k - p)))));
    return ws_max16_bits(top);
}

/* The same of k values in bf16, whose bits compare in 16: half as many vectors. */
static inline float ws_narrow_max(const uint16_t *x, size_t k)
{
    const __m512i magnitude = _mm512_set1_epi16(0x7fff);
    __m512i top = _mm512_setzero_si512();
    size_t p = 0;
    for (; p + 32 <= k; p += 32)
        top = _mm512_max_epu16(top, _mm512_and_si512(magnitude, _mm512_loadu_si512(x + p)));
    if (p < k) {
        const __mmask32 some = (__mmask32)((1u << (k - p)) - 1u);
        top = _mm512_max_epu16(top,
                               _mm512_and_si512(magnitude, _mm512_maskz_loadu_epi16(some, x + p)));
    }
    const __m512i high = _mm512_and_si512(top, _mm512_set1_epi32((int)0xffff0000u));
    return ws_max16_bits(_mm512_max_epu32(high, _mm512_slli_epi32(top, 16)));
}

#endif
