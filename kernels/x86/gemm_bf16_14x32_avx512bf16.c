/* kernels/x86/gemm_bf16_14x32_avx512bf16.c - the bf16 product with vdpbf16ps.
 *
 * A word is two values of k. Tile: 28 sums, 2 vectors of B, 1 broadcast of A: 31 of 32 registers.
 */
#include "kernels/x86/gemm_rows_avx512.h"

enum { MR = 14, NR = 32, BLOCK = 256, S8 = 0, COMPENSATED = 0, K_STEP = 2, STRANGE_ROWS = 0 };

static inline __attribute__((always_inline)) __m512i dot(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_castps_si512(
        _mm512_dpbf16_ps(_mm512_castsi512_ps(sum), (__m512bh)a, (__m512bh)b));
}

static inline __attribute__((always_inline)) void step(int h, __m512i sum[MR][2], const int32_t *a,
                                                       const int32_t *b)
{
    const __m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 16);
    for (int i = 0; i < h; i++) {
        const __m512i x = _mm512_set1_epi32(a[WS_CHUNK * i]);
        sum[i][0] = dot(sum[i][0], x, b0);
        sum[i][1] = dot(sum[i][1], x, b1);
    }
}

#include "kernels/x86/gemm_driver_avx512.h"

#include "kernels/x86/gemm_bf16_avx512.h"

void ws_gemm_init_avx512bf16(wsam_kernels *table)
{
    table->gemm_bf16 = bf16_kernel("gemm_bf16_14x32_avx512bf16");
}
