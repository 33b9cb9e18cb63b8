/* bench/x86/peak_avx2.c - register loops of the AVX2 level. The asm statements only stop the
 * compiler from removing or hoisting what has no effect. */
#include "bench/peak.h"

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

/* The exact s8 x s8 sequence without a dot product: sign transfer, u8 x s8 pairs, pairs to s32,
 * add. */
double ws_peak_s8_avx2(size_t count)
{
    enum { CHAINS = 8 };
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i x[CHAINS], a = _mm256_set1_epi8(-3), b = _mm256_set1_epi8(5);
    for (int j = 0; j < CHAINS; j++)
        x[j] = _mm256_set1_epi32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 8
        for (int j = 0; j < CHAINS; j++) {
            __asm__ volatile("" : "+x"(a));
            const __m256i pairs = _mm256_maddubs_epi16(b, _mm256_sign_epi8(a, b));
            __m256i sum = _mm256_add_epi32(x[j], _mm256_madd_epi16(pairs, ones));
            __asm__ volatile("" : "+x"(sum));
            x[j] = sum;
        }
    return 2.0 * 32 * CHAINS * (double)count;
}
