/* kernels/template/attention_soften.h - scores into probabilities beside a running maximum, and sums
 * into outputs. */
#include "kernels/template/attention_weights.h"

/* The running maximum of query i with n scores more. */
static float raised_top(const problem *p, size_t i, const float *row, size_t n)
{
    vf best = vf_set1(p->top[i]);
    for (size_t j = 0; j < n; j += WS_VL)
        best = vf_max(best, vf_load(row + j));
    return vf_top(best);
}

/* What query i has summed so far, for a higher maximum. */
static void lower_sums(problem *p, size_t i, float top)
{
    const size_t width = value_width(p->s);
    const vf factor = vf_set1(exp_keep(p->top[i], top));
    vf_store(p->sum[i], vf_mul(vf_load(p->sum[i]), factor));
    for (size_t j = 0; j < width; j += WS_VL) {
        float *o = p->out + i * width + j;
        vf_store(o, vf_mul(vf_load(o), factor));
    }
}

/* The scores of this block are to become probabilities beside the maximum `top`, which is as high as
 * all of them. Sums stay in their lanes until the end. */
static weight_row open_row(problem *p, size_t i, const float *row, float top, size_t n, el *weights)
{
    if (top > p->top[i] && p->top[i] > NO_KEY)
        lower_sums(p, i, top);
    p->top[i] = top;
    return (weight_row){.scores = row,
                        .weights = weights,
                        .n = n,
                        .shift = exp_shift(top),
                        .sum = vf_load(p->sum[i])};
}

static void soften(problem *p, size_t i, const float *row, float top, size_t n, el *weights)
{
    weight_row r = open_row(p, i, row, top, n, weights);
    while (r.n > 0)
        soften_vector(&r);
    vf_store(p->sum[i], r.sum);
}

static void store_outputs(const problem *p, int n)
{
    const size_t width = value_width(p->s), d = (size_t)p->s->head_dim;
    for (int i = 0; i < n; i++) {
        const float *o = p->out + (size_t)i * width;
        float *to = p->io->out + p->at[i].token * p->io->ld_out + (size_t)p->head * d;
        const vf inverse = vf_set1(1.0f / vf_sum(vf_load(p->sum[i])));
        size_t j = 0;
        for (; j + WS_VL <= d; j += WS_VL)
            vf_store(to + j, vf_mul(vf_load(o + j), inverse));
        if (j < d)
            vf_store_n(to + j, vf_mul(vf_load(o + j), inverse), d - j);
    }
}
