/* kernels/x86/vec_avx512.h - the vector vocabulary of kernels/template on AVX-512 (F, BW, DQ, VL).
 */
#ifndef WS_KERNELS_X86_VEC_AVX512_H
#define WS_KERNELS_X86_VEC_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define WS_LEVEL "avx512"
enum { WS_VL = 16, WS_VECTOR_REGISTERS = 32 };
typedef __m512 vf;
typedef __m512i vi;

static inline __mmask16 ws_mask(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}

static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vf_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}

/* The first n < WS_VL lanes; the others are zero, or left as they are. */
static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(ws_mask(n), p);
}

static inline void vf_store_n(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, ws_mask(n), v);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

/* a*b + c, rounded once */
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* The second operand where either is NaN. */
static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

/* b where it is larger or NaN, else a. */
static inline vf vf_max_nan(vf a, vf b)
{
    return _mm512_mask_mov_ps(_mm512_max_ps(b, a), _mm512_cmp_ps_mask(b, b, _CMP_UNORD_Q), b);
}

static inline vf vf_abs(vf a)
{
    return _mm512_abs_ps(a);
}

static inline vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* v * 2^n for whole n; 0 below the range */
static inline vf vf_scale2(vf v, vf n)
{
    return _mm512_scalef_ps(v, n);
}

/* t <= 0 as vf_scale2_floor takes it */
static inline vf vf_low_power(vf t)
{
    return t;
}

/* t - floor(t) */
static inline vf vf_fraction(vf t)
{
    return _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/* v * 2^floor(t) */
static inline vf vf_scale2_floor(vf v, vf t)
{
    return _mm512_scalef_ps(v, t);
}

/* Lanes at[0] .. at[WS_VL - 1] of v. */
static inline vf vf_pick(vf v, const int32_t *at)
{
    return _mm512_permutexvar_ps(_mm512_loadu_si512(at), v);
}

static inline float vf_sum(vf v)
{
    return _mm512_reduce_add_ps(v);
}

static inline float vf_top(vf v)
{
    return _mm512_reduce_max_ps(v);
}

/* n = 4, 8 or WS_VL floats over and over. */
static inline vf vf_repeat(const float *p, size_t n)
{
    if (n == 8)
        return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
    return n == 4 ? _mm512_broadcast_f32x4(_mm_loadu_ps(p)) : _mm512_loadu_ps(p);
}

/* The sums of every n-th lane, n = 4, 8 or WS_VL: n floats. */
static inline void vf_store_folded(float *p, vf v, size_t n)
{
    if (n == WS_VL) {
        _mm512_storeu_ps(p, v);
        return;
    }
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    if (n == 8)
        _mm256_storeu_ps(p, half);
    else
        _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}

/* 16 rows of 16 words of 32 bits as columns, whose stride is in words. */
static inline void ws_turn_rows(const void *const rows[16], void *columns, size_t ld_to)
{
    uint32_t *to = columns;
    __m512i r[16], t[16];
    for (size_t i = 0; i < 16; i++)
        r[i] = _mm512_loadu_si512(rows[i]);
    for (size_t i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (size_t i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (size_t j = 0; j < 4; j++) { /* part k of r[4i + j]: column 4k + j of rows 4i .. 4i + 3 */
        const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88);
        const __m512i b = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);
        const __m512i c = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
        const __m512i d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
        _mm512_storeu_si512(to + j * ld_to, _mm512_shuffle_i32x4(a, c, 0x88));
        _mm512_storeu_si512(to + (4 + j) * ld_to, _mm512_shuffle_i32x4(b, d, 0x88));
        _mm512_storeu_si512(to + (8 + j) * ld_to, _mm512_shuffle_i32x4(a, c, 0xdd));
        _mm512_storeu_si512(to + (12 + j) * ld_to, _mm512_shuffle_i32x4(b, d, 0xdd));
    }
}

/* The same of rows `ld` words apart. */
static inline void ws_turn_tile(const void *rows, size_t ld, void *columns, size_t ld_to)
{
    const void *row[16];
    for (size_t i = 0; i < 16; i++)
        row[i] = (const uint32_t *)rows + i * ld;
    ws_turn_rows(row, columns, ld_to);
}

/* 32-bit words as the floats that they are, and as numbers. */
static inline vf vf_from_words(const int32_t *p)
{
    return _mm512_castsi512_ps(_mm512_loadu_si512(p));
}

static inline vf vf_from_s32(const int32_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}

/* bf16 to f32 and back (nearest even, NaN stays NaN), a vector of values at a time. */
static inline vf vf_from_bf16(const uint16_t *p)
{
    const __m512i u = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(u, 16));
}

static inline void vf_to_bf16(uint16_t *p, vf v)
{
    const __m512i u = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i quiet = _mm512_or_si512(u, _mm512_set1_epi32(0x400000));
    const __m512i bits = _mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16);
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(bits));
}

#endif
