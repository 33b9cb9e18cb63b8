/* kernels/x86/gemm_s8_6x16_avx2.c - the exact s8 product without VNNI: 16-bit multiply-add.
 *
 * Rows are prepared as 16-bit numbers; a block of packed bytes is extended to 16 bits once, in L1,
 * for all tiles of rows. Then 32 products are 2 vpmaddwd and 2 vpaddd. Sign transfer (vpsignb,
 * vpmaddubsw, vpmaddwd, vpaddd) has as many instructions, but vpsignb runs on the multiply pipes of
 * Zen 4: 145 against 235 Gop/s in a register loop.
 *
 * Tile: 12 sums, 2 vectors of B, 1 broadcast of A, 1 temporary: all 16 registers. */
#include "kernels/x86/gemm_rows_avx2.h"

enum { MR = 6, NR = 16, BLOCK = 192, S8 = 1, WORD = 32, VALUES = 2, UNSIGNED_ROWS = 0 };

static inline __m256i load(const int32_t *x)
{
    return _mm256_load_si256((const __m256i *)(const void *)x);
}

/* The empty asm keeps gcc from summing the products of several steps in a tree of temporaries,
 * which spills them all. */
static inline __attribute__((always_inline)) __m256i dot(__m256i sum, __m256i a, __m256i b)
{
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
    __asm__("" : "+x"(sum));
    return sum;
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

/* A word of k is 16 columns' pairs of bytes: 32 bytes packed, 64 as 16-bit numbers. */
static inline const int32_t *open_block(const int32_t *panel, size_t from, size_t words,
                                        int32_t *buffer)
{
    const int8_t *bytes = (const int8_t *)panel + from * NR * VALUES;
    for (size_t i = 0; i < words * NR; i += 8, bytes += 16) {
        const __m128i x = _mm_load_si128((const __m128i *)(const void *)bytes);
        _mm256_store_si256((__m256i *)(void *)(buffer + i), _mm256_cvtepi8_epi16(x));
    }
    return buffer;
}

/* 16 values to 8 words of two 16-bit numbers. */
static inline void store_chunk(int32_t *to, const __m256i q[VALUES])
{
    const __m256i lanes = _mm256_packs_epi32(q[0], q[1]);
    _mm256_store_si256((__m256i *)(void *)to, _mm256_permute4x64_epi64(lanes, 0xd8));
}

#include "kernels/x86/gemm_s8_avx2.h"

void ws_gemm_init_s8_avx2(wsam_kernels *table)
{
    table->gemm_s8 = s8_kernel("gemm_s8_6x16_avx2");
}
