/* kernels/x86/peak_avx512vnni.c - vpdpbusd on zmm registers. */
#include "kernels/peak.h"

#include <immintrin.h>

double ws_peak_s8_avx512vnni(size_t count)
{
    __m512i x[WS_PEAK_CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = _mm512_set1_epi32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __m512i sum = _mm512_dpbusd_epi32(x[j], a, b);
            __asm__ volatile("" : "+v"(sum));
            x[j] = sum;
        }
    return 2.0 * 64 * WS_PEAK_CHAINS * (double)count;
}
