/* kernels/template/attention_f32_tiles.h - the f32 tiles of attention_template.h on the vector
 * vocabulary. The including file defines
 *     MQ            rows of a tile: 7 or 8 of two vectors on 32 registers, 6 on 16
 *     ROW_QUERIES   1: a value is broadcast from memory as cheaply from a row of its own as from
 *                   beside the others; 0: queries are turned into tiles [d][MQ], for processors
 *                   that multiply by a lane */
#include "kernels/template/attention_start.h"
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

/* Query i of step p: rows of `ld_q`, or tiles [d][MQ] whose MQ values lie together. */
#define QUERY(i) (ROW_QUERIES ? q[(size_t)(i)*ld_q] : q[i])

/* Called with constants. s[MQ][ld] = start + q . k[d][NK] for one or two vectors of keys. */
static inline __attribute__((always_inline)) void
score_vectors(const int vectors, size_t d, const float *q, size_t ld_q, const float *k,
              const score_start *start, float *s, size_t ld)
{
    vf acc[MQ][2];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++)
        for (int j = 0; j < vectors; j++)
            acc[i][j] = vf_load(start->from + (size_t)i * start->ld + (size_t)j * WS_VL);
    if (start->more)
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++)
            for (int j = 0; j < vectors; j++)
                acc[i][j] = vf_add(acc[i][j], vf_set1(start->more[(size_t)i * start->ld_more]));
    for (size_t p = 0; p < d; p++, q += ROW_QUERIES ? 1 : MQ, k += NK) {
        const vf k0 = vf_load(k), k1 = vectors == 2 ? vf_load(k + WS_VL) : k0;
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++) {
            const vf v = vf_set1(QUERY(i));
            acc[i][0] = vf_fma(v, k0, acc[i][0]);
            if (vectors == 2)
                acc[i][1] = vf_fma(v, k1, acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++)
        for (int j = 0; j < vectors; j++)
            vf_store(s + (size_t)i * ld + (size_t)j * WS_VL, acc[i][j]);
}

static void score_tile_2(size_t d, const float *q, size_t ld_q, const float *k,
                         const score_start *start, float *s, size_t ld)
{
    score_vectors(2, d, q, ld_q, k, start, s, ld);
}

static void score_tile_1(size_t d, const float *q, size_t ld_q, const float *k,
                         const score_start *start, float *s, size_t ld)
{
    score_vectors(1, d, q, ld_q, k, start, s, ld);
}

static void score_tile(size_t vectors, size_t d, const float *q, size_t ld_q, const float *k,
                       const score_start *start, float *s, size_t ld)
{
    if (vectors == 2) /* direct calls: gcc then knows `ld` in them */
        score_tile_2(d, q, ld_q, k, start, s, ld);
    else
        score_tile_1(d, q, ld_q, k, start, s, ld);
}

static void value_tile_2(size_t n, const float *p, size_t ld_p, const float *v, size_t ld_v,
                         const float *from, size_t ld_from, float *o, size_t ld_o)
{
    vf acc[MQ][2];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        acc[i][0] = vf_load(from + (size_t)i * ld_from);
        acc[i][1] = vf_load(from + (size_t)i * ld_from + WS_VL);
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
                         const float *from, size_t ld_from, float *o, size_t ld_o)
{
    vf acc[MQ];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++)
        acc[i] = vf_load(from + (size_t)i * ld_from);
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

/* o[MQ][ld_o] = from[MQ][ld_from] + p[MQ][n] . v[n][..] for one or two vectors of columns */
static void value_tile(size_t vectors, size_t n, const float *p, size_t ld_p, const float *v,
                       size_t ld_v, const float *from, size_t ld_from, float *o, size_t ld_o)
{
    if (vectors == 2)
        value_tile_2(n, p, ld_p, v, ld_v, from, ld_from, o, ld_o);
    else
        value_tile_1(n, p, ld_p, v, ld_v, from, ld_from, o, ld_o);
}

static inline float dot_product(size_t d, const float *a, const float *b)
{
    vf sum = vf_set1(0.0f);
    size_t i = 0;
    for (; i + WS_VL <= d; i += WS_VL)
        sum = vf_fma(vf_load(a + i), vf_load(b + i), sum);
    if (i < d)
        sum = vf_fma(vf_load_n(a + i, d - i), vf_load_n(b + i, d - i), sum);
    return vf_sum(sum);
}
