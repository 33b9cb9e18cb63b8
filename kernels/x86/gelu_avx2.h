/* kernels/x86/gelu_avx2.h - GELU with the exact erf, 8 values at a time; derivation in
 * gelu_avx512.h. */
#ifndef WS_KERNELS_X86_GELU_AVX2_H
#define WS_KERNELS_X86_GELU_AVX2_H

#include <immintrin.h>

static inline __m256 ws_gelu8(__m256 x)
{
    const __m256 a =
        _mm256_min_ps(_mm256_set1_ps(10.0f), _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x));
    __m256 p = _mm256_set1_ps(3.654363077772653e-07f);
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(-2.3512944006926754e-06f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(1.4628186284902119e-05f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(-1.6179500806257523e-06f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(0.00029232340450283817f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(0.0007878941375082433f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(0.008706884873606128f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(0.044754198484566264f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(0.09973636441797969f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(1.0f));
    p = _mm256_mul_ps(p, p);
    p = _mm256_mul_ps(p, p);
    p = _mm256_mul_ps(p, p);
    const __m256 h = _mm256_div_ps(_mm256_mul_ps(_mm256_set1_ps(0.5f), a), p);
    return _mm256_sub_ps(_mm256_max_ps(_mm256_setzero_ps(), x), h);
}

#endif
