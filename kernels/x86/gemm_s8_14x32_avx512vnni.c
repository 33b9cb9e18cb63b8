/* kernels/x86/gemm_s8_14x32_avx512vnni.c - the s8 product with vpdpbusd on zmm.
 *
 * The instruction multiplies unsigned by signed bytes: rows are stored as value + 128, and the sums
 * start at -128 times the column's sum, which the panel holds. Tile: 28 sums, 2 vectors of B, 1
 * broadcast of A: 31 of 32 registers. */
#include "kernels/x86/gemm_rows_avx512.h"

enum { MR = 14, NR = 32, BLOCK = 256, S8 = 1, UNSIGNED_ROWS = 1, COMPENSATED = 1 };

static inline __attribute__((always_inline)) void step(int h, __m512i sum[MR][2], const int32_t *a,
                                                       const int32_t *b)
{
    const __m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 16);
    for (int i = 0; i < h; i++) {
        const __m512i x = _mm512_set1_epi32(a[WS_CHUNK * i]);
        sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], x, b0);
        sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], x, b1);
    }
}

#include "kernels/x86/gemm_driver_avx512.h"
#include "kernels/x86/gemm_s8_avx512.h"

void ws_gemm_init_avx512vnni(wsam_kernels *table)
{
    table->gemm_s8 = s8_kernel("gemm_s8_14x32_avx512vnni");
}
