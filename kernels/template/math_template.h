/* kernels/template/math_template.h - exp and GELU on the vector vocabulary (vec_*.h). Constants:
 * kernels/constants.py. */
#ifndef WS_KERNELS_TEMPLATE_MATH_H
#define WS_KERNELS_TEMPLATE_MATH_H

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

/* e^x for x <= 88; ln2 in two parts, so that the reduction costs no accuracy. Below -87 the result
 * is 0. */
static inline vf vf_exp(vf x)
{
    const vf n = vf_round(vf_mul(x, vf_set1(0x1.715476p+0f)));
    vf r = vf_fma(n, vf_set1(-0x1.62e400p-1f), x);
    r = vf_fma(n, vf_set1(-0x1.7f7d1cp-20f), r);
    return vf_scale2(vf_exp_reduced(r), n);
}

/* x/2 (1 + erf(x/sqrt 2)) = max(x, 0) - a 2^-Q(a) with a = min(|x|, 14) and Q = -log2(erfc(a/sqrt
 * 2)/2). Absolute error 6e-8; beyond 14 the product is 0 in f32. NaN stays NaN. */
static inline vf vf_gelu(vf x)
{
    const vf a = vf_min(vf_set1(14.0f), vf_abs(x));
    vf q = vf_set1(0x1.114f82p-21f);
    q = vf_fma(q, a, vf_set1(-0x1.6926eap-17f));
    q = vf_fma(q, a, vf_set1(0x1.7ff3eap-15f));
    q = vf_fma(q, a, vf_set1(0x1.00ce5ap-11f));
    q = vf_fma(q, a, vf_set1(-0x1.eeac76p-8f));
    q = vf_fma(q, a, vf_set1(0x1.b0fb70p-5f));
    q = vf_fma(q, a, vf_set1(0x1.d618e4p-2f));
    q = vf_fma(q, a, vf_set1(0x1.26aff0p+0f));
    q = vf_fma(q, a, vf_set1(1.0f));
    const vf n = vf_round(q);
    const vf r = vf_mul(vf_sub(n, q), vf_set1(0x1.62e430p-1f));
    const vf half_erfc = vf_scale2(vf_exp_reduced(r), vf_sub(vf_set1(0.0f), n));
    return vf_fma(vf_sub(vf_set1(0.0f), a), half_erfc, vf_max(vf_set1(0.0f), x));
}

static inline vf vf_sigmoid(vf x)
{
    const vf one = vf_set1(1.0f);
    const vf e = vf_exp(vf_max(vf_set1(-88.0f), vf_min(vf_set1(88.0f), vf_sub(vf_set1(0.0f), x))));
    return vf_div(one, vf_add(one, e));
}

#endif
