/* kernels/x86/exp_avx512.h - exponentials beside a maximum, for attention on AVX-512.
 *
 * e^(x - top) = 2^t with t = x log2 e - shift, shift = top log2 e rounded once: the difference with
 * the top is taken by the multiply-add that finds t, the part above floor(t) is one instruction,
 * and so is the scaling by 2^floor(t). Scores far below the top become 0. Constants:
 * kernels/constants.py. */
#ifndef WS_KERNELS_X86_EXP_AVX512_H
#define WS_KERNELS_X86_EXP_AVX512_H

#include <math.h>

#include "kernels/x86/vec_avx512.h"

#define LOG2_E 0x1.715476p+0f

static inline vf exp_shift(float top)
{
    return vf_set1(top * LOG2_E);
}

/* What sums beside the maximum `old` are multiplied by when it rises to `top`: of the rounded
 * shifts, so that the factor fits what exp_weight made of either. */
static inline float exp_keep(float old, float top)
{
    const float t = old * LOG2_E - top * LOG2_E;
    return t < -126.0f ? 0.0f : exp2f(t);
}

static inline vf exp_power(vf score, vf shift)
{
    return _mm512_fmsub_ps(score, vf_set1(LOG2_E), shift);
}

/* The part of t above the whole number below it. */
static inline vf exp_fraction(vf t)
{
    return _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/* Relative error 7.5e-5, for weights that are rounded to bf16 (2e-3). */
static inline vf exp_weight_short(vf score, vf shift)
{
    const vf t = exp_power(score, shift), r = exp_fraction(t);
    vf p = vf_fma(vf_set1(0x1.3f96a8p-4f), r, vf_set1(0x1.cefc52p-3f));
    p = vf_fma(p, r, vf_set1(0x1.64444ap-1f));
    return _mm512_scalef_ps(vf_fma(p, r, vf_set1(0x1.fff634p-1f)), t);
}

/* Relative error 7.5e-8 beside that of t itself, half a unit in its last place. */
static inline vf exp_weight_full(vf score, vf shift)
{
    const vf t = exp_power(score, shift), r = exp_fraction(t);
    vf p = vf_fma(vf_set1(0x1.ec3206p-10f), r, vf_set1(0x1.26900ep-7f));
    p = vf_fma(p, r, vf_set1(0x1.c95446p-5f));
    p = vf_fma(p, r, vf_set1(0x1.ebd5a8p-3f));
    p = vf_fma(p, r, vf_set1(0x1.62e4f6p-1f));
    return _mm512_scalef_ps(vf_fma(p, r, vf_set1(0x1.fffffep-1f)), t);
}

#endif
