/* kernels/template/attention_f32_tiles.h - the f32 tiles of attention_template.h on the vector
 * vocabulary. The including file defines MQ: 8 rows of two vectors on 32 registers, 6 on 16. */
#include "kernels/template/math_template.h"

enum { NK = 2 * WS_VL, GROUP = 1 };
typedef float el;

static inline void put_vector(float *to, vf v)
{
    vf_store(to, v);
}

static inline void put_group(float *to, const vf v[1])
{
    vf_store(to, v[0]);
}

/* s[MQ][ld] += q[d][MQ]^T . k[d][NK] */
static void score_tile(size_t d, const float *q, const float *k, float *s, size_t ld)
{
    vf acc[MQ][2];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        acc[i][0] = vf_load(s + (size_t)i * ld);
        acc[i][1] = vf_load(s + (size_t)i * ld + WS_VL);
    }
    for (size_t p = 0; p < d; p++, q += MQ, k += NK) {
        const vf k0 = vf_load(k), k1 = vf_load(k + WS_VL);
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++) {
            const vf v = vf_set1(q[i]);
            acc[i][0] = vf_fma(v, k0, acc[i][0]);
            acc[i][1] = vf_fma(v, k1, acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        vf_store(s + (size_t)i * ld, acc[i][0]);
        vf_store(s + (size_t)i * ld + WS_VL, acc[i][1]);
    }
}

static void value_tile_2(size_t n, const float *p, size_t ld_p, const float *v, size_t ld_v,
                         float *o, size_t ld_o)
{
    vf acc[MQ][2];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        acc[i][0] = vf_load(o + (size_t)i * ld_o);
        acc[i][1] = vf_load(o + (size_t)i * ld_o + WS_VL);
    }
    for (size_t j = 0; j < n; j++, v += ld_v) {
        const vf v0 = vf_load(v), v1 = vf_load(v + WS_VL);
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++) {
            const vf w = vf_set1(p[(size_t)i * ld_p + j]);
            acc[i][0] = vf_fma(w, v0, acc[i][0]);
            acc[i][1] = vf_fma(w, v1, acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        vf_store(o + (size_t)i * ld_o, acc[i][0]);
        vf_store(o + (size_t)i * ld_o + WS_VL, acc[i][1]);
    }
}

static void value_tile_1(size_t n, const float *p, size_t ld_p, const float *v, size_t ld_v,
                         float *o, size_t ld_o)
{
    vf acc[MQ];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++)
        acc[i] = vf_load(o + (size_t)i * ld_o);
    for (size_t j = 0; j < n; j++, v += ld_v) {
        const vf v0 = vf_load(v);
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++)
            acc[i] = vf_fma(vf_set1(p[(size_t)i * ld_p + j]), v0, acc[i]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++)
        vf_store(o + (size_t)i * ld_o, acc[i]);
}

/* o[MQ][ld_o] += p[MQ][n] . v[n][..] for one or two vectors of columns */
static void value_tile(size_t vectors, size_t n, const float *p, size_t ld_p, const float *v,
                       size_t ld_v, float *o, size_t ld_o)
{
    (vectors == 2 ? value_tile_2 : value_tile_1)(n, p, ld_p, v, ld_v, o, ld_o);
}
