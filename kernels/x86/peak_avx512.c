/* kernels/x86/peak_avx512.c - register loops of the AVX-512 level without VNNI. */
#include "kernels/peak.h"

#include <immintrin.h>

double ws_peak_f32_avx512(size_t count)
{
    __m512 x[WS_PEAK_CHAINS], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.5f);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = _mm512_set1_ps((float)j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __m512 sum = _mm512_fmadd_ps(a, b, x[j]);
            __asm__ volatile("" : "+v"(sum));
            x[j] = sum;
        }
    return 2.0 * 16 * WS_PEAK_CHAINS * (double)count;
}

/* The exact s8 x s8 sequence: negation under a mask (there is no vpsignb on zmm), u8 x s8 pairs,
 * pairs to s32, add. */
double ws_peak_s8_avx512(size_t count)
{
    const __m512i ones = _mm512_set1_epi16(1), zero = _mm512_setzero_si512();
    __m512i x[WS_PEAK_CHAINS], a = _mm512_set1_epi8(-3), b = _mm512_set1_epi8(5);
    const __mmask64 negative = 0x5555555555555555u;
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = _mm512_set1_epi32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __asm__ volatile("" : "+v"(a));
            const __m512i pairs =
                _mm512_maddubs_epi16(b, _mm512_mask_sub_epi8(a, negative, zero, a));
            __m512i sum = _mm512_add_epi32(x[j], _mm512_madd_epi16(pairs, ones));
            __asm__ volatile("" : "+v"(sum));
            x[j] = sum;
        }
    return 2.0 * 64 * WS_PEAK_CHAINS * (double)count;
}
