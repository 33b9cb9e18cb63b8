/* kernels/x86/peak_avx2.c - register loops of the AVX2 level. The asm statements only stop the
 * compiler from removing or hoisting what has no effect. */
#include "kernels/peak.h"

#include <immintrin.h>

double ws_peak_f32_avx2(size_t count)
{
    __m256 x[WS_PEAK_CHAINS], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.5f);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = _mm256_set1_ps((float)j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __m256 sum = _mm256_fmadd_ps(a, b, x[j]);
            __asm__ volatile("" : "+x"(sum));
            x[j] = sum;
        }
    return 2.0 * 8 * WS_PEAK_CHAINS * (double)count;
}

/* The exact s8 x s8 product without a dot product: 16-bit multiply-add, add. Sign transfer
 * (vpsignb, vpmaddubsw, vpmaddwd, vpaddd per 32 products) is slower on Zen 4: 145 Gop/s against
 * 183. */
double ws_peak_s8_avx2(size_t count)
{
    __m256i x[WS_PEAK_CHAINS], a = _mm256_set1_epi16(3), b = _mm256_set1_epi16(5);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = _mm256_set1_epi32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __asm__ volatile("" : "+x"(a));
            __m256i sum = _mm256_add_epi32(x[j], _mm256_madd_epi16(a, b));
            __asm__ volatile("" : "+x"(sum));
            x[j] = sum;
        }
    return 2.0 * 16 * WS_PEAK_CHAINS * (double)count;
}
