/* kernels/x86/gemm_s8_6x16_avxvnni.c - the s8 product with AVX-VNNI's vpdpbusd (Alder Lake and
 * later client processors). */
#include <immintrin.h>

static inline __attribute__((always_inline)) __m256i dot(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_dpbusd_avx_epi32(sum, a, b);
}

#include "kernels/x86/gemm_s8_6x16_vnni.h"

void ws_gemm_init_avxvnni(wsam_kernels *table)
{
    table->gemm_s8 = s8_kernel("gemm_s8_6x16_avxvnni");
}
