/* kernels/x86/gemm_s8_6x16_vnni.h - the s8 product with vpdpbusd on ymm, without the instruction's
 * intrinsic: the including file defines
 *     static inline __m256i dot(__m256i sum, __m256i a, __m256i b)
 * once in its VEX encoding (AVX-VNNI), and in its EVEX encoding for the tests, which can then run
 * the same source on machines that have only AVX-512 VNNI.
 *
 * The instruction multiplies unsigned by signed bytes: rows are stored as value + 128, and the sums
 * start at -128 times the column's sum, which the panel holds. Tile: 12 sums, 2 vectors of B, 1
 * broadcast of A: 15 of 16 registers. */
#include "kernels/x86/gemm_rows_avx2.h"

enum { MR = 6, NR = 16, BLOCK = 256, S8 = 1, WORD = 64, VALUES = 4, UNSIGNED_ROWS = 1 };

static inline __m256i load(const int32_t *x)
{
    return _mm256_load_si256((const __m256i *)(const void *)x);
}

static inline __attribute__((always_inline)) void step(int h, __m256i sum[MR][2], const int32_t *a,
                                                       const int32_t *b)
{
    const __m256i b0 = load(b), b1 = load(b + 8);
    for (int i = 0; i < h; i++) {
        const __m256i x = _mm256_set1_epi32(a[WS_CHUNK * i]);
        sum[i][0] = dot(sum[i][0], x, b0);
        sum[i][1] = dot(sum[i][1], x, b1);
    }
}

static inline const int32_t *open_block(const int32_t *panel, size_t from, size_t words,
                                        int32_t *buffer)
{
    (void)words;
    (void)buffer;
    return panel + from * NR;
}

/* 32 values to 8 words of four bytes + 128. Packing works within 128-bit lanes, so the words come
 * out transposed. */
static inline void store_chunk(int32_t *to, const __m256i q[VALUES])
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i lanes =
        _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    const __m256i words = _mm256_permutevar8x32_epi32(lanes, order);
    _mm256_store_si256((__m256i *)(void *)to, _mm256_xor_si256(words, _mm256_set1_epi8(-128)));
}

#include "kernels/x86/gemm_s8_avx2.h"
