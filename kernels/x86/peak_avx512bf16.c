/* kernels/x86/peak_avx512bf16.c - vdpbf16ps on zmm registers. */
#include "kernels/peak.h"

#include <immintrin.h>

double ws_peak_bf16_avx512bf16(size_t count)
{
    __m512 x[WS_PEAK_CHAINS];
    const __m512 half = _mm512_set1_ps(0.5f);
    const __m512bh a = _mm512_cvtne2ps_pbh(half, half);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = _mm512_set1_ps((float)j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __m512 sum = _mm512_dpbf16_ps(x[j], a, a);
            __asm__ volatile("" : "+v"(sum));
            x[j] = sum;
        }
    return 2.0 * 32 * WS_PEAK_CHAINS * (double)count;
}
