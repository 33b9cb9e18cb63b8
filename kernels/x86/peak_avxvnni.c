/* kernels/x86/peak_avxvnni.c - vpdpbusd on ymm registers. */
#include "kernels/peak.h"

#include <immintrin.h>

double ws_peak_s8_avxvnni(size_t count)
{
    __m256i x[WS_PEAK_CHAINS], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = _mm256_set1_epi32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __m256i sum = _mm256_dpbusd_avx_epi32(x[j], a, b);
            __asm__ volatile("" : "+x"(sum));
            x[j] = sum;
        }
    return 2.0 * 32 * WS_PEAK_CHAINS * (double)count;
}
