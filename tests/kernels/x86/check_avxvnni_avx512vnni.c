/* tests/kernels/x86/check_avxvnni_avx512vnni.c - the AVX-VNNI product in the EVEX encoding, for
 * machines that have vpdpbusd on ymm only so. The source is the library's but for the one
 * intrinsic. */
#include <immintrin.h>

#include "tests/kernels/check.h"

static inline __attribute__((always_inline)) __m256i dot(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_dpbusd_epi32(sum, a, b);
}

#include "kernels/x86/gemm_s8_6x16_vnni.h"

wsam_gemm_kernel check_avxvnni_in_evex(void)
{
    return s8_kernel("gemm_s8_6x16_avxvnni (EVEX)");
}
