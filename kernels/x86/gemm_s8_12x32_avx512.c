/* kernels/x86/gemm_s8_12x32_avx512.c - the exact s8 product without VNNI, on zmm.
 *
 * vpmaddubsw multiplies unsigned by signed bytes and adds pairs in saturating 16 bits. With |w| as
 * the unsigned side and the row's values carrying w's sign a pair is at most 2 * 127 * 127 = 32258:
 * exact. AVX-512 has no vpsignb; a subtraction from zero under the mask of w's sign bits does it,
 * and the mask is made once per vector of B. Per 64 products: subtract, vpmaddubsw, vpmaddwd, add -
 * as many as sign-extending to 16 bits costs (2 x vpmaddwd, 2 x add), at half the bytes.
 *
 * Tile: 24 sums, 2 vectors |B|, ones, zero, 1 broadcast of A, 2 temporaries: 31 of 32 registers. */
#include "kernels/x86/gemm_rows_avx512.h"

enum { MR = 12, NR = 32, BLOCK = 256, S8 = 1, UNSIGNED_ROWS = 0, COMPENSATED = 0 };

static inline __attribute__((always_inline)) __m512i dot(__m512i sum, __m512i a, __m512i abs_b,
                                                         __mmask64 negative)
{
    const __m512i signed_a = _mm512_mask_sub_epi8(a, negative, _mm512_setzero_si512(), a);
    const __m512i pairs = _mm512_maddubs_epi16(abs_b, signed_a);
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
    /* keeps gcc from summing the products of several steps in a tree of temporaries, which spills
     */
    __asm__("" : "+v"(sum));
    return sum;
}

static inline __attribute__((always_inline)) void step(int h, __m512i sum[MR][2], const int32_t *a,
                                                       const int32_t *b)
{
    const __m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 16);
    const __mmask64 n0 = _mm512_movepi8_mask(b0), n1 = _mm512_movepi8_mask(b1);
    const __m512i abs0 = _mm512_abs_epi8(b0), abs1 = _mm512_abs_epi8(b1);
    for (int i = 0; i < h; i++) {
        const __m512i x = _mm512_set1_epi32(a[WS_CHUNK * i]);
        sum[i][0] = dot(sum[i][0], x, abs0, n0);
        sum[i][1] = dot(sum[i][1], x, abs1, n1);
    }
}

#include "kernels/x86/gemm_driver_avx512.h"
#include "kernels/x86/gemm_s8_avx512.h"

void ws_gemm_init_s8_avx512(wsam_kernels *table)
{
    table->gemm_s8 = s8_kernel("gemm_s8_12x32_avx512");
}
