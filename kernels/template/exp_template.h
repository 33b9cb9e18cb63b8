/* kernels/template/exp_template.h - exponentials beside a maximum on the vector vocabulary, for
 * attention.
 *
 * e^(x - top) = 2^t with t = x log2 e - shift, shift = top log2 e rounded once: the multiply-add
 * that finds t takes the difference with the top, the part of t above floor(t) goes through a
 * polynomial, and floor(t) into the exponent. Scores far below the top become 0, or 2^-126 at
 * most. Constants: kernels/constants.py. */
#ifndef WS_KERNELS_TEMPLATE_EXP_TEMPLATE_H
#define WS_KERNELS_TEMPLATE_EXP_TEMPLATE_H

#include <math.h>

#define LOG2_E 0x1.715476p+0f

/* -shift: t is then a multiply-add on every processor. */
static inline vf exp_shift(float top)
{
    return vf_set1(-(top * LOG2_E));
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
    return vf_low_power(vf_fma(score, vf_set1(LOG2_E), shift));
}

/* Relative error 7.5e-5, for weights that are rounded to bf16 (2e-3). */
static inline vf exp_weight_short(vf score, vf shift)
{
    const vf t = exp_power(score, shift), r = vf_fraction(t);
    vf p = vf_fma(vf_set1(0x1.3f96a8p-4f), r, vf_set1(0x1.cefc52p-3f));
    p = vf_fma(p, r, vf_set1(0x1.64444ap-1f));
    return vf_scale2_floor(vf_fma(p, r, vf_set1(0x1.fff634p-1f)), t);
}

/* Relative error 7.5e-8 beside that of t itself, half a unit in its last place. */
static inline vf exp_weight_full(vf score, vf shift)
{
    const vf t = exp_power(score, shift), r = vf_fraction(t);
    vf p = vf_fma(vf_set1(0x1.ec3206p-10f), r, vf_set1(0x1.26900ep-7f));
    p = vf_fma(p, r, vf_set1(0x1.c95446p-5f));
    p = vf_fma(p, r, vf_set1(0x1.ebd5a8p-3f));
    p = vf_fma(p, r, vf_set1(0x1.62e4f6p-1f));
    return vf_scale2_floor(vf_fma(p, r, vf_set1(0x1.fffffep-1f)), t);
}

#endif
