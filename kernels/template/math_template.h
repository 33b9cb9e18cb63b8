/* kernels/template/math_template.h - exp and GELU on the vector vocabulary (vec_*.h). Constants:
 * kernels/constants.py. */
#ifndef WS_KERNELS_TEMPLATE_MATH_TEMPLATE_H
#define WS_KERNELS_TEMPLATE_MATH_TEMPLATE_H

/* e^r on |r| <= ln2/2; relative error 1.1e-7. */
static inline vf vf_exp_reduced(vf r)
{
    vf p = vf_set1(0x1.10621ep-7f);
    p = vf_fma(p, r, vf_set1(0x1.572adap-5f));
    p = vf_fma(p, r, vf_set1(0x1.5557b0p-3f));
    p = vf_fma(p, r, vf_set1(0x1.fffdfap-2f));
    p = vf_fma(vf_mul(p, r), r, r);
    return vf_add(p, vf_set1(1.0f));
}

/* x - n ln2; ln2 in two parts, so that the reduction costs no accuracy. */
static inline vf vf_exp_remainder(vf x, vf n)
{
    const vf r = vf_fma(n, vf_set1(-0x1.62e400p-1f), x);
    return vf_fma(n, vf_set1(-0x1.7f7d1cp-20f), r);
}

/* e^x for x <= 88. Below -87 the result is 0. */
static inline vf vf_exp(vf x)
{
    const vf n = vf_round(vf_mul(x, vf_set1(0x1.715476p+0f)));
    return vf_scale2(vf_exp_reduced(vf_exp_remainder(x, n)), n);
}

/* e^x for every x: 2^n in two factors, so that results above e^88 are right, and infinite from
 * 88.73 on. NaN stays NaN. */
static inline vf vf_exp_any(vf x)
{
    const vf held = vf_max(vf_set1(-104.0f), vf_min(vf_set1(104.0f), x));
    const vf n = vf_round(vf_mul(held, vf_set1(0x1.715476p+0f)));
    const vf half = vf_round(vf_mul(n, vf_set1(0.5f)));
    const vf e = vf_exp_reduced(vf_exp_remainder(held, n));
    return vf_scale2(vf_scale2(e, half), vf_sub(n, half));
}

/* x/2 (1 + erf(x/sqrt 2)) = max(x, 0) - a/2 P(a)^-8 with a = min(|x|, 10) and P = erfc(a/sqrt
 * 2)^(-1/8), a smooth function that grows from 1 to 9 on [0, 6]. Absolute error 1.5e-7 below 1,
 * relative above; no cancellation for negative x, no exponential: 15 operations and a division.
 * Beyond 6 the second term only has to vanish, and is held at 10 (1e-19) so that an infinite x is
 * not inf/inf. NaN stays NaN. */
static inline vf vf_gelu(vf x)
{
    const vf a = vf_min(vf_set1(10.0f), vf_abs(x));
    vf p = vf_set1(0x1.885ae0p-22f);
    p = vf_fma(p, a, vf_set1(-0x1.3b8932p-19f));
    p = vf_fma(p, a, vf_set1(0x1.eac590p-17f));
    p = vf_fma(p, a, vf_set1(-0x1.b0af5cp-20f));
    p = vf_fma(p, a, vf_set1(0x1.32832ep-12f));
    p = vf_fma(p, a, vf_set1(0x1.9d16c2p-11f));
    p = vf_fma(p, a, vf_set1(0x1.1d4e98p-7f));
    p = vf_fma(p, a, vf_set1(0x1.6ea05cp-5f));
    p = vf_fma(p, a, vf_set1(0x1.988528p-4f));
    p = vf_fma(p, a, vf_set1(1.0f));
    p = vf_mul(p, p);
    p = vf_mul(p, p);
    p = vf_mul(p, p);
    const vf tail = vf_div(vf_mul(vf_set1(0.5f), a), p);
    return vf_sub(vf_max(vf_set1(0.0f), x), tail);
}

static inline vf vf_sigmoid(vf x)
{
    const vf one = vf_set1(1.0f);
    const vf e = vf_exp(vf_max(vf_set1(-88.0f), vf_min(vf_set1(88.0f), vf_sub(vf_set1(0.0f), x))));
    return vf_div(one, vf_add(one, e));
}

#endif
