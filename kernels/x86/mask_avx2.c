/* kernels/x86/mask_avx2.c - mask upscaling for AVX2. */
#include "kernels/mask.h"

#include <immintrin.h>

/* Values row[first[i] + t] of 8 outputs: within 8 inputs when enlarging (one load, one
 * permutation), within 16 down to about half size, farther apart only below that. */
typedef enum reach { NEAR, MIDDLE, FAR } reach;

static inline __m256 tap(const reach r, const float *from, __m256i i)
{
    if (r == NEAR)
        return _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), i);
    if (r == MIDDLE) {
        const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), i); /* i mod 8 */
        const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from + 8), i);
        const __m256i above = _mm256_cmpgt_epi32(i, _mm256_set1_epi32(7));
        return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(above));
    }
    return _mm256_i32gather_ps(from, i, 4);
}

static inline void columns(const reach r, const int n_taps, const wsam_taps *taps, int x0, int x1,
                           const float *row, float *out)
{
    const size_t s = (size_t)taps->stride;
    int i = x0;
    for (; i < x1; i += 8) {
        const int32_t *first = taps->first + i;
        const float *weight = taps->weight + i, *from = row + first[0];
        __m256i at = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(const void *)first),
                                      _mm256_set1_epi32(first[0]));
        __m256 sum = _mm256_mul_ps(_mm256_loadu_ps(weight), tap(r, from, at));
        for (int t = 1; t < n_taps; t++) {
            at = _mm256_add_epi32(at, _mm256_set1_epi32(1));
            const __m256 w = _mm256_loadu_ps(weight + (size_t)t * s);
            sum = _mm256_add_ps(sum, _mm256_mul_ps(w, tap(r, from, at)));
        }
        _mm256_storeu_ps(out + i, sum);
    }
    for (; i & 63; i += 8)
        _mm256_storeu_ps(out + i, _mm256_setzero_ps());
}

static void columns_avx2(const wsam_taps *taps, int x0, int x1, const float *row, float *out)
{
    if (taps->taps == 2 && taps->reach8 <= 8)
        columns(NEAR, 2, taps, x0, x1, row, out);
    else if (taps->taps == 2 && taps->reach8 <= 16)
        columns(MIDDLE, 2, taps, x0, x1, row, out);
    else if (taps->reach8 <= 8)
        columns(NEAR, taps->taps, taps, x0, x1, row, out);
    else if (taps->reach8 <= 16)
        columns(MIDDLE, taps->taps, taps, x0, x1, row, out);
    else
        columns(FAR, taps->taps, taps, x0, x1, row, out);
}

static void blend_avx2(const float *const *rows, const float *w, int x0, int x1, float *out)
{
    const __m256 wa = _mm256_set1_ps(w[0]), wb = _mm256_set1_ps(w[1]);
    for (int i = x0; i < x1; i += 8) {
        const __m256 a = _mm256_mul_ps(wa, _mm256_loadu_ps(rows[0] + i));
        const __m256 b = _mm256_mul_ps(wb, _mm256_loadu_ps(rows[1] + i));
        _mm256_storeu_ps(out + i, _mm256_add_ps(a, b));
    }
}

/* 32 comparisons to 32 bits: narrowed to bytes, whose order the packs shuffle within 128-bit
 * halves. */
static inline uint64_t narrow(const __m256 c[4])
{
    const __m256i a = _mm256_packs_epi32(_mm256_castps_si256(c[0]), _mm256_castps_si256(c[1]));
    const __m256i b = _mm256_packs_epi32(_mm256_castps_si256(c[2]), _mm256_castps_si256(c[3]));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
    return (uint32_t)_mm256_movemask_epi8(bytes);
}

static inline void threshold(const int taps, const int inclusive, const float *const *rows,
                             const float *w, const wsam_mask_rule *rule, int words, uint64_t last,
                             uint64_t *bits, uint64_t counts[3])
{
    const __m256 at = _mm256_set1_ps(rule->threshold);
    const __m256 high = _mm256_set1_ps(rule->threshold + rule->offset);
    const __m256 low = _mm256_set1_ps(rule->threshold - rule->offset);
    __m256 weight[4];
    for (int t = 0; t < taps; t++)
        weight[t] = _mm256_set1_ps(w[t]);
    uint64_t n_set = 0, n_high = 0, n_low = 0;
    for (int j = 0; j < words; j++) {
        const uint64_t valid = j == words - 1 ? last : ~(uint64_t)0;
        uint64_t set = 0, above_high = 0, above_low = 0;
        for (int half = 0; half < 2; half++) {
            __m256 is_set[4], is_high[4], is_low[4];
            for (int k = 0; k < 4; k++) {
                const size_t i = 64 * (size_t)j + 32 * (size_t)half + 8 * (size_t)k;
                __m256 v = _mm256_mul_ps(weight[0], _mm256_loadu_ps(rows[0] + i));
                for (int t = 1; t < taps; t++)
                    v = _mm256_add_ps(v, _mm256_mul_ps(weight[t], _mm256_loadu_ps(rows[t] + i)));
                is_set[k] =
                    inclusive ? _mm256_cmp_ps(v, at, _CMP_GE_OQ) : _mm256_cmp_ps(v, at, _CMP_GT_OQ);
                is_high[k] = _mm256_cmp_ps(v, high, _CMP_GT_OQ);
                is_low[k] = _mm256_cmp_ps(v, low, _CMP_GT_OQ);
            }
            set |= narrow(is_set) << (32 * half);
            above_high |= narrow(is_high) << (32 * half);
            above_low |= narrow(is_low) << (32 * half);
        }
        bits[64 * j] = set & valid;
        n_set += (uint64_t)_mm_popcnt_u64(bits[64 * j]);
        n_high += (uint64_t)_mm_popcnt_u64(above_high & valid);
        n_low += (uint64_t)_mm_popcnt_u64(above_low & valid);
    }
    counts[0] += n_set;
    counts[1] += n_high;
    counts[2] += n_low;
}

static void threshold_avx2(int taps, const float *const *rows, const float *w,
                           const wsam_mask_rule *rule, int finite, int words, uint64_t last,
                           uint64_t *bits, uint64_t counts[3])
{
    (void)finite;
    if (taps == 2 && !rule->inclusive)
        threshold(2, 0, rows, w, rule, words, last, bits, counts);
    else if (taps == 2)
        threshold(2, 1, rows, w, rule, words, last, bits, counts);
    else if (!rule->inclusive)
        threshold(4, 0, rows, w, rule, words, last, bits, counts);
    else
        threshold(4, 1, rows, w, rule, words, last, bits, counts);
}

/* Rows 2i, 2i+1 in the lower and 16+2i, 17+2i in the upper half, bytes paired by column. */
static inline __m256i load_rows(const uint64_t *in, int i)
{
    const __m256i pairs = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 0,
                                           8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    const __m128i lower = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * i));
    const __m128i upper = _mm_loadu_si128((const __m128i *)(const void *)(in + 16 + 2 * i));
    return _mm256_shuffle_epi8(_mm256_set_m128i(upper, lower), pairs);
}

/* 32 rows: an 8x8 transposition of byte pairs in each half makes each vector one byte column, whose
 * sign bits are one column of bits. */
static inline void transpose_half(const uint64_t *in, uint32_t out[64])
{
    __m256i a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = load_rows(in, i);
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_epi16(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_epi16(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            a[i + 2 * k] = _mm256_unpacklo_epi32(b[i + k], b[i + k + 2]);
            a[i + 2 * k + 1] = _mm256_unpackhi_epi32(b[i + k], b[i + k + 2]);
        }
    for (int k = 0; k < 4; k++) {
        b[2 * k] = _mm256_unpacklo_epi64(a[k], a[k + 4]);
        b[2 * k + 1] = _mm256_unpackhi_epi64(a[k], a[k + 4]);
    }
    for (int c = 0; c < 8; c++)
        for (int bit = 7; bit >= 0; bit--) {
            out[8 * c + bit] = (uint32_t)_mm256_movemask_epi8(b[c]);
            b[c] = _mm256_add_epi8(b[c], b[c]);
        }
}

static void transpose_avx2(const uint64_t in[64], uint64_t out[64])
{
    uint32_t upper[64], lower[64];
    transpose_half(in, lower);
    transpose_half(in + 32, upper);
    for (int i = 0; i < 64; i++)
        out[i] = (uint64_t)upper[i] << 32 | lower[i];
}

const ws_mask_ops ws_mask_ops_avx2 = {.name = "mask_avx2",
                                      .columns = columns_avx2,
                                      .blend = blend_avx2,
                                      .threshold = threshold_avx2,
                                      .transpose = transpose_avx2};
