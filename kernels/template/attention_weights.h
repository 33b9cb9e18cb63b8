/* kernels/template/attention_weights.h - a row of scores on its way to probabilities, a vector at a time.
 * Included by attention_soften.h, and before it by tiles that soften beside their products, after `el`,
 * put_vector and exp_weight. */
#ifndef WS_KERNELS_TEMPLATE_ATTENTION_WEIGHTS_H
#define WS_KERNELS_TEMPLATE_ATTENTION_WEIGHTS_H

typedef struct weight_row {
    const float *scores;
    el *weights;
    size_t n; /* scores that are left: whole vectors */
    vf shift; /* exp_shift of the maximum */
    vf sum;
} weight_row;

static inline void soften_vector(weight_row *r)
{
    const vf e = exp_weight(vf_load(r->scores), r->shift);
    r->sum = vf_add(r->sum, e);
    put_vector(r->weights, e);
    r->scores += WS_VL;
    r->weights += WS_VL;
    r->n -= WS_VL;
}

#endif
