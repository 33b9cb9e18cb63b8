/* kernels/arm/attention_bf16_i8mm.c - attention with bfdot: pairs of bf16 products added to f32
 * scores and outputs; softmax in f32. bfdot by lane keeps the tile of the f32 kernel; bfmmla would
 * double the rate again but wants queries and keys in blocks of two rows. */
#include <arm_neon.h>
#include <string.h>

#include "kernels/arm/vec_neon.h"
#include "kernels/template/attention_start.h"
#include "kernels/template/exp_template.h"
#include "kernels/vector.h"

enum { MQ = 8, NK = 2 * WS_VL, GROUP = 2 };
#define ROW_QUERIES 0
#define BESIDE      0
#define SPANS_ROWS  0
typedef uint16_t el;

static inline void put_vector(uint16_t *to, vf v)
{
    vf_to_bf16(to, v);
}

static inline void put_group(uint16_t *to, const vf v[2])
{
    uint16_t even[WS_VL], odd[WS_VL];
    vf_to_bf16(even, v[0]);
    vf_to_bf16(odd, v[1]);
    vst2_u16(to, (uint16x4x2_t){{vld1_u16(even), vld1_u16(odd)}});
}

static inline vf exp_weight(vf score, vf shift)
{
    return exp_weight_short(score, shift);
}

/* A pair of values in every lane. */
static inline bfloat16x8_t pair(const uint16_t *p)
{
    uint32_t two;
    memcpy(&two, p, sizeof two);
    return vreinterpretq_bf16_u32(vdupq_n_u32(two));
}

static inline bfloat16x8_t pairs(const uint16_t *p)
{
    return vreinterpretq_bf16_u16(vld1q_u16(p));
}

/* s[MQ][ld] = start + q[d][MQ][2] . k[d][NK][2]; always both vectors of keys. */
static void score_tile(size_t vectors, size_t d, const uint16_t *q, size_t ld_q, const uint16_t *k,
                       const score_start *start, float *s, size_t ld)
{
    (void)vectors;
    (void)ld_q;
    vf acc[MQ][2];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        acc[i][0] = vf_load(start->from + (size_t)i * start->ld);
        acc[i][1] = vf_load(start->from + (size_t)i * start->ld + WS_VL);
    }
    if (start->more)
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++) {
            const vf more = vf_set1(start->more[(size_t)i * start->ld_more]);
            acc[i][0] = vf_add(acc[i][0], more);
            acc[i][1] = vf_add(acc[i][1], more);
        }
    for (size_t p = 0; p < d; p++, q += 2 * MQ, k += 2 * NK) {
        const bfloat16x8_t k0 = pairs(k), k1 = pairs(k + 2 * WS_VL);
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++) {
            const bfloat16x8_t v = pair(q + 2 * i);
            acc[i][0] = vbfdotq_f32(acc[i][0], v, k0);
            acc[i][1] = vbfdotq_f32(acc[i][1], v, k1);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        vf_store(s + (size_t)i * ld, acc[i][0]);
        vf_store(s + (size_t)i * ld + WS_VL, acc[i][1]);
    }
}

/* o[MQ][ld_o] = from[MQ][ld_from] + p[MQ][2n] . v[n][..][2], one or two vectors of columns */
static void value_tile(size_t vectors, size_t n, const uint16_t *p, size_t ld_p, const uint16_t *v,
                       size_t ld_v, const float *from, size_t ld_from, float *o, size_t ld_o)
{
    const size_t second = vectors == 2 ? WS_VL : 0; /* one vector: computed twice, stored once */
    vf acc[MQ][2];
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        acc[i][0] = vf_load(from + (size_t)i * ld_from);
        acc[i][1] = vf_load(from + (size_t)i * ld_from + second);
    }
    for (size_t j = 0; j < n; j++, v += ld_v) {
        const bfloat16x8_t v0 = pairs(v), v1 = pairs(v + 2 * second);
#pragma GCC unroll 8
        for (int i = 0; i < MQ; i++) {
            const bfloat16x8_t w = pair(p + (size_t)i * ld_p + 2 * j);
            acc[i][0] = vbfdotq_f32(acc[i][0], w, v0);
            acc[i][1] = vbfdotq_f32(acc[i][1], w, v1);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < MQ; i++) {
        vf_store(o + (size_t)i * ld_o, acc[i][0]);
        vf_store(o + (size_t)i * ld_o + second, acc[i][1]);
    }
}

#include "kernels/template/attention_template.h"

void ws_attention_init_i8mm(wsam_kernels *table)
{
    fill(&table->attention_bf16, "attention_bf16_8x8_i8mm");
}
