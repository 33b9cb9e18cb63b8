/* runtime/lower/lower_upscale.c - finds the chain of a mask head and lowers it as one step
 * (steps_upscale.c). */
#include <string.h>

#include "runtime/lower/lower.h"
#include "runtime/steps/cross_attention.h"

/* Operators of the chain, from the map to the product. */
typedef struct head {
    uint32_t first, norm, act, second, last_act, product;
} head;

static int kind_of(const ws_lowering *l, uint32_t op)
{
    return op == WS_NO_OP ? -1 : ws_op_kind_of(&l->graph->ops[op]);
}

static int match_upscale(const ws_lowering *l, uint32_t product, head *h)
{
    h->product = product;
    h->last_act = ws_lowering_sole_source(l, product, 0);
    if (kind_of(l, product) != WS_OP_MASK_PRODUCT || kind_of(l, h->last_act) != WS_OP_ACTIVATION)
        return 0;
    h->second = ws_lowering_sole_source(l, h->last_act, 0);
    if (kind_of(l, h->second) != WS_OP_CONV_TRANSPOSE2D)
        return 0;
    h->act = ws_lowering_sole_source(l, h->second, 0);
    if (kind_of(l, h->act) != WS_OP_ACTIVATION)
        return 0;
    h->norm = ws_lowering_sole_source(l, h->act, 0);
    if (kind_of(l, h->norm) != WS_OP_LAYER_NORM && kind_of(l, h->norm) != WS_OP_GROUP_NORM)
        return 0;
    h->first = ws_lowering_sole_source(l, h->norm, 0);
    /* An upscaled map of a lower rate than the vectors is better kept than made again. */
    return kind_of(l, h->first) == WS_OP_CONV_TRANSPOSE2D &&
           ws_lowering_value(l, h->first)->rate == ws_lowering_value(l, product)->rate;
}

int ws_begins_upscale(const ws_lowering *l, uint32_t op)
{
    head h;
    for (uint32_t product = op; product < l->graph->n_ops; product++)
        if (kind_of(l, product) == WS_OP_MASK_PRODUCT && match_upscale(l, product, &h) &&
            h.first == op)
            return 1;
    return 0;
}

/* The first convolution of a map in low-rank form: that of the image's part is made with
 * the image. */
static void use_low_rank_map(ws_lowering *l, uint32_t first, ws_step *s, ws_operand *in)
{
    const ws_op_def *op = &l->graph->ops[first];
    const struct ws_low_rank *v = l->low_ranks[op->inputs[0]];
    const ws_product *p = &s->product[0];
    if (!v)
        return;
    const uint32_t base = ws_low_rank_image_rows(l, v);
    const float *weight = ws_lowering_constant(l, op->inputs[1]);
    if (!weight)
        return;
    const ws_product table =
        ws_lowering_packed(l, p->kernel, p->n, p->k, weight, v->gain,
                           ws_lowering_offset(l, p->n, p->k, weight, v->offset));
    in[WS_CROSS_SCORE_TABLE] = ws_lowering_table(l, first, base, ws_lowering_operand(l, base),
                                                 ws_lowering_operand(l, WS_REF_NONE), &table);
    ws_low_rank_operands(v, in);
    s->low_rank = v;
}

void ws_find_upscale(const ws_lowering *l, uint32_t op, unsigned char *taken)
{
    head h;
    if (match_upscale(l, op, &h))
        taken[h.first] = taken[h.norm] = taken[h.act] = taken[h.second] = taken[h.last_act] = 1;
}

int ws_lower_upscale(ws_lowering *l, uint32_t op)
{
    head h;
    if (!match_upscale(l, op, &h))
        return 0;
    const ws_op_view norm = ws_lowering_view(l, h.norm);
    ws_step model = {
        .product = {ws_lowering_transposed(l, h.first), ws_lowering_transposed(l, h.second)}};
    ws_operand in[WS_STEP_OPERANDS];
    for (int i = 0; i < WS_STEP_OPERANDS; i++)
        in[i] = ws_lowering_operand(l, WS_REF_NONE);
    in[0] = ws_lowering_operand(l, l->graph->ops[h.first].inputs[0]);
    in[1] = ws_lowering_operand(l, l->graph->ops[op].inputs[1]);
    const float *weight = ws_lowering_constant(l, norm.op->inputs[1]);
    const float *bias = ws_lowering_constant(l, norm.op->inputs[2]);
    const int out = ws_lowering_buffer(l, op);
    use_low_rank_map(l, h.first, &model, in);
    ws_step *s = ws_lowering_step(l, &ws_step_upscale, op);
    if (!s || l->status)
        return 1;
    memcpy(s->in, in, sizeof in);
    s->low_rank = model.low_rank;
    s->product[0] = model.product[0];
    s->product[1] = model.product[1];
    s->product[1].act = ws_lowering_act(l, h.last_act);
    s->weight = weight;
    s->bias = bias;
    s->eps = (float)ws_op_float(&norm, "eps", 1e-6);
    s->act = ws_lowering_act(l, h.act);
    s->flag = ws_op_kind_of(norm.op) == WS_OP_GROUP_NORM;
    s->out = out;
    s->kernel = s->product[0].kernel->name;
    return 1;
}
