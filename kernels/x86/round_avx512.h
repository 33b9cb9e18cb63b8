/* kernels/x86/round_avx512.h - f32 to bf16, nearest even: the instruction, or integers where the
 * file is compiled without it (the C model of tiles). */
#ifndef WS_KERNELS_X86_ROUND_AVX512_H
#define WS_KERNELS_X86_ROUND_AVX512_H

#include <immintrin.h>

#ifdef __AVX512BF16__

/* 16 values. */
static inline __m256i ws_round16(__m512 x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}

/* 32 values: those of low, then those of high. */
static inline __m512i ws_round_pair(__m512 low, __m512 high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

#else

static inline __m256i ws_round16(__m512 x)
{
    const __m512i u = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    const __m512i quiet = _mm512_or_si512(u, _mm512_set1_epi32(0x400000));
    const __m512i kept = _mm512_mask_mov_epi32(rounded, nan, quiet);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16));
}

static inline __m512i ws_round_pair(__m512 low, __m512 high)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(ws_round16(low)), ws_round16(high), 1);
}

#endif

/* 16 pairs: value i of `even` before value i of `odd`. */
static inline __m512i ws_round_interleaved(__m512 even, __m512 odd)
{
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, ws_round_pair(even, odd));
}

#endif
