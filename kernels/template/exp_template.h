/* kernels/template/exp_template.h - exponentials beside a maximum on the vector vocabulary, for
 * attention; kernels/x86/exp_avx512.h has the same functions in fewer instructions. */
#ifndef WS_KERNELS_TEMPLATE_EXP_H
#define WS_KERNELS_TEMPLATE_EXP_H

#include <math.h>

#include "kernels/template/math_template.h"

static inline vf exp_shift(float top)
{
    return vf_set1(top);
}

/* What sums beside the maximum `old` are multiplied by when it rises to `top`. */
static inline float exp_keep(float old, float top)
{
    return old - top < -104.0f ? 0.0f : expf(old - top);
}

static inline vf exp_weight_short(vf score, vf shift)
{
    return vf_exp_short(vf_max(vf_set1(-104.0f), vf_sub(score, shift)));
}

static inline vf exp_weight_full(vf score, vf shift)
{
    return vf_exp(vf_max(vf_set1(-104.0f), vf_sub(score, shift)));
}

#endif
