/* kernels/x86/vec_avx2.h - the vector vocabulary of kernels/template on AVX2 and FMA. */
#ifndef WS_KERNELS_X86_VEC_AVX2_H
#define WS_KERNELS_X86_VEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define WS_LEVEL "avx2"
enum { WS_VL = 8, WS_VECTOR_REGISTERS = 16 };
typedef __m256 vf;
typedef __m256i vi;

static inline __m256i ws_mask(size_t n)
{
    static const int32_t bits[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(bits + 8 - n));
}

static inline vf vf_set1(float x)
{
    return _mm256_set1_ps(x);
}

static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vf_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}

/* The first n < WS_VL lanes; the others are zero, or left as they are. */
static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, ws_mask(n));
}

static inline void vf_store_n(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, ws_mask(n), v);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

/* a*b + c, rounded once */
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* The second operand where either is NaN. */
static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

/* b where it is larger or NaN, else a. */
static inline vf vf_max_nan(vf a, vf b)
{
    return _mm256_blendv_ps(_mm256_max_ps(b, a), b, _mm256_cmp_ps(b, b, _CMP_UNORD_Q));
}

static inline vf vf_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

static inline vf vf_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* v * 2^n for whole n; 0 below -126 (results there are denormal, and flushed) */
static inline vf vf_scale2(vf v, vf n)
{
    const vf low = _mm256_set1_ps(-127.0f);
    const __m256i e = _mm256_cvtps_epi32(_mm256_max_ps(low, n));
    const __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(v, _mm256_castsi256_ps(bits));
}

/* t <= 0 as vf_scale2_floor takes it: held at the least exponent. NaN stays NaN. */
static inline vf vf_low_power(vf t)
{
    return _mm256_max_ps(_mm256_set1_ps(-126.0f), t);
}

/* t - floor(t) */
static inline vf vf_fraction(vf t)
{
    return _mm256_sub_ps(t, _mm256_floor_ps(t));
}

/* v * 2^floor(t), v in [1, 2] or about it: added to the exponent. */
static inline vf vf_scale2_floor(vf v, vf t)
{
    const __m256i e = _mm256_cvtps_epi32(_mm256_floor_ps(t));
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), _mm256_slli_epi32(e, 23)));
}

/* Lanes at[0] .. at[WS_VL - 1] of v. */
static inline vf vf_pick(vf v, const int32_t *at)
{
    return _mm256_permutevar8x32_ps(v, _mm256_loadu_si256((const __m256i *)(const void *)at));
}

/* Lane order: 0+4, 1+5, ... then halves of that. */
static inline float vf_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float vf_top(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* n = 4 or WS_VL floats over and over. */
static inline vf vf_repeat(const float *p, size_t n)
{
    return n == 4 ? _mm256_broadcast_ps((const __m128 *)(const void *)p) : _mm256_loadu_ps(p);
}

/* The sums of every n-th lane, n = 4 or WS_VL: n floats. */
static inline void vf_store_folded(float *p, vf v, size_t n)
{
    if (n == WS_VL)
        _mm256_storeu_ps(p, v);
    else
        _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}

/* 8 rows of 8 words of 32 bits as columns, whose stride is in words. */
static inline void ws_turn_rows(const void *const rows[8], void *columns, size_t ld_to)
{
    uint32_t *to = columns;
    __m256i r[8], t[8];
    for (size_t i = 0; i < 8; i++)
        r[i] = _mm256_loadu_si256((const __m256i *)rows[i]);
    for (size_t i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4) {
        r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (size_t j = 0; j < 4; j++) {
        _mm256_storeu_si256((__m256i *)(void *)(to + j * ld_to),
                            _mm256_permute2x128_si256(r[j], r[4 + j], 0x20));
        _mm256_storeu_si256((__m256i *)(void *)(to + (4 + j) * ld_to),
                            _mm256_permute2x128_si256(r[j], r[4 + j], 0x31));
    }
}

/* The same of rows `ld` words apart. */
static inline void ws_turn_tile(const void *rows, size_t ld, void *columns, size_t ld_to)
{
    const void *row[8];
    for (size_t i = 0; i < 8; i++)
        row[i] = (const uint32_t *)rows + i * ld;
    ws_turn_rows(row, columns, ld_to);
}

/* 32-bit words as the floats that they are, and as numbers. */
static inline vf vf_from_words(const int32_t *p)
{
    return _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline vf vf_from_s32(const int32_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

/* bf16 to f32 and back (nearest even, NaN stays NaN), a vector of values at a time. */
static inline vf vf_from_bf16(const uint16_t *p)
{
    const __m256i u = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(u, 16));
}

static inline void vf_to_bf16(uint16_t *p, vf v)
{
    const __m256i u = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
    const __m256i bits = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    const __m256i packed = _mm256_packus_epi32(bits, bits);
    const __m128i low = _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
    _mm_storeu_si128((__m128i *)(void *)p, low);
}

#endif
