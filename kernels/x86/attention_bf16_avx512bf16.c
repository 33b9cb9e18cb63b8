/* kernels/x86/attention_bf16_avx512bf16.c - attention with vdpbf16ps: pairs of bf16 products added
 * to f32 scores and outputs; softmax in f32. */
#include "kernels/vector.h"
#include "kernels/x86/round_avx512.h"
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/exp_template.h"

/* 8 queries x 2 vectors of keys: 16 sums, 2 vectors of keys and a broadcast in 32 registers.
 * GROUP: vdpbf16ps takes pairs. */
enum { MQ = 8, NK = 2 * WS_VL, GROUP = 2 };
#define ROW_QUERIES 0
#define BESIDE      1
#define SPANS_ROWS  1
typedef uint16_t el;

static inline void put_vector(uint16_t *to, vf v)
{
    _mm256_storeu_si256((__m256i *)(void *)to, (__m256i)_mm512_cvtneps_pbh(v));
}

/* Two neighbours of d side by side, as the pairs of a product want them. */
static inline void put_group(uint16_t *to, const vf v[2])
{
    _mm512_storeu_si512(to, ws_round_interleaved(v[0], v[1]));
}

static inline vf exp_weight(vf score, vf shift)
{
    return exp_weight_short(score, shift);
}

#include "kernels/template/attention_start.h"
#include "kernels/template/attention_weights.h"

/* A pair of values in every lane. */
static inline __m512bh pair(const uint16_t *p)
{
    int32_t two;
    memcpy(&two, p, sizeof two);
    return (__m512bh)_mm512_set1_epi32(two);
}

static inline __m512bh pairs(const uint16_t *p)
{
    return (__m512bh)_mm512_loadu_si512(p);
}

typedef vf tile_sums[MQ][2];

/* A query's term of the keys' row, and of the row after it where `next` says so. */
static inline vf row_terms_of(const float *more, __mmask16 next)
{
    return _mm512_mask_broadcastss_ps(vf_set1(more[0]), next, _mm_load_ss(more + 1));
}

static inline __attribute__((always_inline)) void load_sums(tile_sums acc, const score_start *start)
{
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        acc[i][0] = vf_load(start->from + (size_t)i * start->ld);
        acc[i][1] = vf_load(start->from + (size_t)i * start->ld + WS_VL);
    }
    if (!start->more)
        return;
    const __mmask32 next = start->in_row < NK ? ~0u << start->in_row : 0;
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        const float *more = start->more + (size_t)i * start->ld_more;
        acc[i][0] = vf_add(acc[i][0], row_terms_of(more, (__mmask16)next));
        acc[i][1] = vf_add(acc[i][1], row_terms_of(more, (__mmask16)(next >> WS_VL)));
    }
}

static inline __attribute__((always_inline)) void store_sums(tile_sums acc, float *to, size_t ld)
{
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        vf_store(to + (size_t)i * ld, acc[i][0]);
        vf_store(to + (size_t)i * ld + WS_VL, acc[i][1]);
    }
}

/* A pair of d: acc += q[MQ][2] . k[NK][2]. */
static inline __attribute__((always_inline)) void score_pair(tile_sums acc, const uint16_t *q,
                                                             const uint16_t *k)
{
    const __m512bh k0 = pairs(k), k1 = pairs(k + 2 * WS_VL);
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        const __m512bh v = pair(q + 2 * i);
        acc[i][0] = _mm512_dpbf16_ps(acc[i][0], v, k0);
        acc[i][1] = _mm512_dpbf16_ps(acc[i][1], v, k1);
    }
}

/* s[MQ][ld] = start + q[d][MQ][2] . k[d][NK][2]; always both vectors of keys. */
static void score_tile(size_t vectors, size_t d, const uint16_t *q, size_t ld_q, const uint16_t *k,
                       const score_start *start, float *s, size_t ld)
{
    (void)vectors;
    (void)ld_q;
    tile_sums acc;
    load_sums(acc, start);
    for (size_t p = 0; p < d; p++, q += 2 * MQ, k += 2 * NK)
        score_pair(acc, q, k);
    store_sums(acc, s, ld);
}

/* The same for an even d, and of a row of scores a vector to every two pairs, or to every pair: its
 * exponentials are for the most part no multiplications, and the products leave the other units idle. */
static inline __attribute__((always_inline)) void
score_and_soften(int every_pair, size_t d, const uint16_t *q, const uint16_t *k,
                 const score_start *start, float *s, size_t ld, weight_row *row)
{
    tile_sums acc;
    weight_row r = *row;
    load_sums(acc, start);
    for (size_t p = 0; p < d; p += 2, q += 4 * MQ, k += 4 * NK) {
        score_pair(acc, q, k);
        if (every_pair && r.n > 0)
            soften_vector(&r);
        score_pair(acc, q + 2 * MQ, k + 2 * NK);
        if (r.n > 0)
            soften_vector(&r);
    }
    store_sums(acc, s, ld);
    *row = r;
}

/* Heads of 32 have as many pairs as a row of 256 scores has vectors, heads of 64 twice as many. */
static void score_tile_beside(size_t d, const uint16_t *q, const uint16_t *k,
                              const score_start *start, float *s, size_t ld, weight_row *row)
{
    if (row->n <= d / 2 * WS_VL)
        score_and_soften(0, d, q, k, start, s, ld, row);
    else
        score_and_soften(1, d, q, k, start, s, ld, row);
}

/* The same with weights and values: pairs of keys are summed, the columns of V fill the vectors. */
static void value_tile_2(size_t n, const uint16_t *p, size_t ld_p, const uint16_t *v, size_t ld_v,
                         const float *from, size_t ld_from, float *o, size_t ld_o)
{
    vf acc[MQ][2];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        acc[i][0] = vf_load(from + (size_t)i * ld_from);
        acc[i][1] = vf_load(from + (size_t)i * ld_from + WS_VL);
    }
    for (size_t j = 0; j < n; j++, v += ld_v) {
        const __m512bh v0 = pairs(v), v1 = pairs(v + 2 * WS_VL);
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++) {
            const __m512bh w = pair(p + (size_t)i * ld_p + 2 * j);
            acc[i][0] = _mm512_dpbf16_ps(acc[i][0], w, v0);
            acc[i][1] = _mm512_dpbf16_ps(acc[i][1], w, v1);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        vf_store(o + (size_t)i * ld_o, acc[i][0]);
        vf_store(o + (size_t)i * ld_o + WS_VL, acc[i][1]);
    }
}

/* Heads of 16 columns and the last vector of 48 or 80. */
static void value_tile_1(size_t n, const uint16_t *p, size_t ld_p, const uint16_t *v, size_t ld_v,
                         const float *from, size_t ld_from, float *o, size_t ld_o)
{
    vf acc[MQ];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++)
        acc[i] = vf_load(from + (size_t)i * ld_from);
    for (size_t j = 0; j < n; j++, v += ld_v) {
        const __m512bh v0 = pairs(v);
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++)
            acc[i] = _mm512_dpbf16_ps(acc[i], pair(p + (size_t)i * ld_p + 2 * j), v0);
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++)
        vf_store(o + (size_t)i * ld_o, acc[i]);
}

/* o[MQ][ld_o] = from[MQ][ld_from] + p[MQ][2n] . v[n][..][2] for one or two vectors of columns */
static void value_tile(size_t vectors, size_t n, const uint16_t *p, size_t ld_p, const uint16_t *v,
                       size_t ld_v, const float *from, size_t ld_from, float *o, size_t ld_o)
{
    (vectors == 2 ? value_tile_2 : value_tile_1)(n, p, ld_p, v, ld_v, from, ld_from, o, ld_o);
}

#include "kernels/template/attention_template.h"

void ws_attention_init_avx512bf16(wsam_kernels *table)
{
    fill(&table->attention_bf16, "attention_bf16_8x32_avx512bf16");
}
