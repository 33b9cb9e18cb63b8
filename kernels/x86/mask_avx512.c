/* kernels/x86/mask_avx512.c - mask upscaling for AVX-512 F/BW/DQ/VL. */
#include "kernels/mask.h"

#include <immintrin.h>

/* Values row[first[i] + t] of 16 outputs. They lie close together: within 16 inputs when enlarging
 * (one load and one permutation), within 32 down to about half size, farther apart only below that.
 */
typedef enum reach { NEAR, MIDDLE, FAR } reach;

static inline __m512 tap(const reach r, const float *from, __m512i i)
{
    if (r == NEAR)
        return _mm512_permutexvar_ps(i, _mm512_loadu_ps(from));
    if (r == MIDDLE)
        return _mm512_permutex2var_ps(_mm512_loadu_ps(from), i, _mm512_loadu_ps(from + 16));
    return _mm512_i32gather_ps(i, from, 4);
}

/* `r` and `n_taps` are constants of the caller: five loops without a branch. Products and sums are
 * rounded one by one, as in C: bits are the same on every level. */
static inline void columns(const reach r, const int n_taps, const wsam_taps *taps, int x0, int x1,
                           const float *row, float *out)
{
    const size_t s = (size_t)taps->stride;
    int i = x0;
    for (; i < x1; i += 16) {
        const int32_t *first = taps->first + i;
        const float *weight = taps->weight + i, *from = row + first[0];
        __m512i at = _mm512_sub_epi32(_mm512_loadu_si512(first), _mm512_set1_epi32(first[0]));
        __m512 sum = _mm512_mul_ps(_mm512_loadu_ps(weight), tap(r, from, at));
        for (int t = 1; t < n_taps; t++) {
            at = _mm512_add_epi32(at, _mm512_set1_epi32(1));
            const __m512 w = _mm512_loadu_ps(weight + (size_t)t * s);
            sum = _mm512_add_ps(sum, _mm512_mul_ps(w, tap(r, from, at)));
        }
        _mm512_storeu_ps(out + i, sum);
    }
    /* Zeros up to the end of the word of 64: thresholds read whole words. */
    for (; i & 63; i += 16)
        _mm512_storeu_ps(out + i, _mm512_setzero_ps());
}

/* The common case first: enlarging with two taps. */
static void columns_avx512(const wsam_taps *taps, int x0, int x1, const float *row, float *out)
{
    if (taps->taps == 2 && taps->reach16 <= 16)
        columns(NEAR, 2, taps, x0, x1, row, out);
    else if (taps->taps == 2 && taps->reach16 <= 32)
        columns(MIDDLE, 2, taps, x0, x1, row, out);
    else if (taps->reach16 <= 16)
        columns(NEAR, taps->taps, taps, x0, x1, row, out);
    else if (taps->reach16 <= 32)
        columns(MIDDLE, taps->taps, taps, x0, x1, row, out);
    else
        columns(FAR, taps->taps, taps, x0, x1, row, out);
}

static void blend_avx512(const float *const *rows, const float *w, int x0, int x1, float *out)
{
    const __m512 wa = _mm512_set1_ps(w[0]), wb = _mm512_set1_ps(w[1]);
    for (int i = x0; i < x1; i += 16) {
        const __m512 a = _mm512_mul_ps(wa, _mm512_loadu_ps(rows[0] + i));
        const __m512 b = _mm512_mul_ps(wb, _mm512_loadu_ps(rows[1] + i));
        _mm512_storeu_ps(out + i, _mm512_add_ps(a, b));
    }
}

/* Bit i: v[i] > at (inclusive: >=). */
static inline uint64_t compare(const int inclusive, const __m512 v[4], __m512 at)
{
    __mmask16 m[4];
    for (int k = 0; k < 4; k++)
        m[k] = inclusive ? _mm512_cmp_ps_mask(v[k], at, _CMP_GE_OQ)
                         : _mm512_cmp_ps_mask(v[k], at, _CMP_GT_OQ);
    return (uint64_t)_mm512_kunpackd(_mm512_kunpackw(m[3], m[2]), _mm512_kunpackw(m[1], m[0]));
}

/* The same for finite values by the sign of a difference, which no rounding or flush to zero
 * changes: comparisons into mask registers run at half the rate of subtractions (a third less time
 * per word on Zen 4). The packs leave groups of 4 values in the order of a 4 x 4 transposition. */
static inline uint64_t compare_finite(const int inclusive, const __m512 v[4], __m512 at)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i d[4];
    for (int k = 0; k < 4; k++) {
        /* at - v is +0 where they are equal, but v - at is -0 for v = -0: it is made +0 before. */
        const __m512 positive_zero = _mm512_add_ps(v[k], _mm512_setzero_ps());
        d[k] = _mm512_castps_si512(inclusive ? _mm512_sub_ps(positive_zero, at)
                                             : _mm512_sub_ps(at, v[k]));
    }
    const __m512i low = _mm512_packs_epi32(d[0], d[1]), high = _mm512_packs_epi32(d[2], d[3]);
    const __m512i signs = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
    const uint64_t negative = _mm512_movepi8_mask(signs);
    return inclusive ? ~negative : negative;
}

static inline void threshold(const int taps, const int inclusive, const int finite,
                             const float *const *rows, const float *w, const wsam_mask_rule *rule,
                             int words, uint64_t last, uint64_t *bits, uint64_t counts[3])
{
    const __m512 at = _mm512_set1_ps(rule->threshold);
    const __m512 high = _mm512_set1_ps(rule->threshold + rule->offset);
    const __m512 low = _mm512_set1_ps(rule->threshold - rule->offset);
    __m512 weight[4];
    for (int t = 0; t < taps; t++)
        weight[t] = _mm512_set1_ps(w[t]);
    uint64_t n_set = 0, n_high = 0, n_low = 0;
    for (int j = 0; j < words; j++) {
        const uint64_t valid = j == words - 1 ? last : ~(uint64_t)0;
        __m512 v[4];
        for (int k = 0; k < 4; k++) {
            const size_t i = 64 * (size_t)j + 16 * (size_t)k;
            v[k] = _mm512_mul_ps(weight[0], _mm512_loadu_ps(rows[0] + i));
            for (int t = 1; t < taps; t++)
                v[k] = _mm512_add_ps(v[k], _mm512_mul_ps(weight[t], _mm512_loadu_ps(rows[t] + i)));
        }
        const uint64_t set = finite ? compare_finite(inclusive, v, at) : compare(inclusive, v, at);
        const uint64_t above_high = finite ? compare_finite(0, v, high) : compare(0, v, high);
        const uint64_t above_low = finite ? compare_finite(0, v, low) : compare(0, v, low);
        bits[64 * j] = set & valid;
        n_set += (uint64_t)_mm_popcnt_u64(set & valid);
        n_high += (uint64_t)_mm_popcnt_u64(above_high & valid);
        n_low += (uint64_t)_mm_popcnt_u64(above_low & valid);
    }
    counts[0] += n_set;
    counts[1] += n_high;
    counts[2] += n_low;
}

static void threshold_avx512(int taps, const float *const *rows, const float *w,
                             const wsam_mask_rule *rule, int finite, int words, uint64_t last,
                             uint64_t *bits, uint64_t counts[3])
{
    if (!finite)
        threshold(taps, rule->inclusive, 0, rows, w, rule, words, last, bits, counts);
    else if (taps == 2 && !rule->inclusive)
        threshold(2, 0, 1, rows, w, rule, words, last, bits, counts);
    else if (taps == 2)
        threshold(2, 1, 1, rows, w, rule, words, last, bits, counts);
    else if (!rule->inclusive)
        threshold(4, 0, 1, rows, w, rule, words, last, bits, counts);
    else
        threshold(4, 1, 1, rows, w, rule, words, last, bits, counts);
}

/* 8 rows of 8 bytes -> 8 columns of 8 bytes. */
static inline __m512i turn_bytes(const uint64_t *in)
{
    const __m512i pairs =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
    const __m512i gather =
        _mm512_set_epi16(31, 23, 15, 7, 30, 22, 14, 6, 29, 21, 13, 5, 28, 20, 12, 4, 27, 19, 11, 3,
                         26, 18, 10, 2, 25, 17, 9, 1, 24, 16, 8, 0);
    const __m512i rows = _mm512_shuffle_epi8(_mm512_loadu_si512(in), pairs);
    return _mm512_permutexvar_epi16(gather, rows);
}

/* Byte columns of all 64 rows; then the sign bits of a byte column are one column of bits. */
static void transpose_avx512(const uint64_t in[64], uint64_t out[64])
{
    __m512i a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = turn_bytes(in + 8 * i);
    for (int i = 0; i < 8; i += 2) { /* 8x8 transposition of 64-bit values in three rounds */
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            a[i + k] = _mm512_shuffle_i64x2(b[i + k], b[i + k + 2], 0x88);
            a[i + k + 2] = _mm512_shuffle_i64x2(b[i + k], b[i + k + 2], 0xdd);
        }
    for (int k = 0; k < 4; k++) {
        b[k] = _mm512_shuffle_i64x2(a[k], a[k + 4], 0x88);
        b[k + 4] = _mm512_shuffle_i64x2(a[k], a[k + 4], 0xdd);
    }
    for (int c = 0; c < 8; c++)
        for (int bit = 7; bit >= 0; bit--) {
            out[8 * c + bit] = _mm512_movepi8_mask(b[c]);
            b[c] = _mm512_add_epi8(b[c], b[c]);
        }
}

const ws_mask_ops ws_mask_ops_avx512 = {.name = "mask_avx512",
                                        .columns = columns_avx512,
                                        .blend = blend_avx512,
                                        .threshold = threshold_avx512,
                                        .transpose = transpose_avx512};
