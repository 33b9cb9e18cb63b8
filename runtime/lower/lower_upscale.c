/* runtime/lower/lower_upscale.c - a mask head as one step (steps_upscale.c). */
#include <string.h>

#include "runtime/lower/lower.h"
#include "runtime/lower/match_patterns.h"
#include "runtime/steps/cross_attention.h"

/* The first convolution of a map in low-rank form: that of the image's part is made with the
 * image. */
static void use_low_rank(ws_lowering *l, uint32_t first, const ws_product *p, const ws_low_rank *v,
                         ws_operand *in)
{
    const uint32_t image = ws_low_rank_image_rows(l, v);
    const float *weight = ws_lowering_constant(l, ws_lowering_ref(l, first, WS_PRODUCT_WEIGHT));
    if (!weight)
        return;
    const float *offset = ws_lowering_offset(l, p->n, p->k, weight, v->offset);
    const ws_product table = ws_lowering_packed(l, p->kernel, p->n, p->k, weight, v->gain, offset);
    in[WS_CROSS_SCORE_TABLE] = ws_lowering_table(l, first, image, ws_lowering_operand(l, image),
                                                 ws_lowering_operand(l, WS_REF_NONE), &table);
    ws_low_rank_operands(v, in);
}

void ws_lower_upscale(ws_lowering *l, const ws_chain *c)
{
    ws_mask_head_ops h;
    ws_operand in[WS_STEP_OPERANDS];
    ws_match_mask_head(l, c->first, &h);
    const uint32_t map = ws_lowering_ref(l, h.first, WS_PRODUCT_X);
    const ws_product first = ws_lowering_transposed(l, h.first);
    ws_product second = ws_lowering_transposed(l, h.second);
    ws_norm norm = ws_lowering_norm(l, h.norm);
    ws_lowering_no_operands(in);
    in[WS_STEP_MAP] = ws_lowering_operand(l, map);
    in[WS_STEP_VECTORS] =
        ws_lowering_operand(l, ws_lowering_ref(l, h.product, WS_MASK_PRODUCT_VECTORS));
    const int out = ws_lowering_buffer(l, h.product);
    /* A map that is no value of the graph, but a tensor, has no form. */
    const ws_low_rank *v = map < WS_REF_TENSOR ? l->low_ranks[map] : NULL;
    if (v)
        use_low_rank(l, h.first, &first, v, in);
    ws_step *s = ws_lowering_step(l, &ws_step_upscale, h.product);
    if (!s)
        return;
    second.act = ws_lowering_act(l, h.second_act);
    norm.act = ws_lowering_act(l, h.act);
    memcpy(s->in, in, sizeof in);
    s->upscale.first = first;
    s->upscale.second = second;
    s->upscale.norm = norm;
    s->upscale.group_norm = ws_lowering_kind(l, h.norm) == WS_OP_GROUP_NORM;
    s->upscale.low_rank = v;
    s->out = out;
    s->kernel = first.kernel->name;
}
