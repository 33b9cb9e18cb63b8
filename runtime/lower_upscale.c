/* runtime/lower_upscale.c - finds the chain of a mask head and lowers it as one step
 * (steps_upscale.c). */
#include <string.h>

#include "runtime/lower.h"

/* Operators of the chain, from the map to the product. */
typedef struct head {
    uint32_t first, norm, act, second, last_act, product;
} head;

static int kind_of(const ws_lowering *l, uint32_t op)
{
    return op == WS_NO_OP ? -1 : ws_op_kind_of(&l->graph->ops[op]);
}

static int match(const ws_lowering *l, uint32_t product, head *h)
{
    h->product = product;
    h->last_act = ws_low_sole_source(l, product, 0);
    if (kind_of(l, product) != WS_OP_MASK_PRODUCT || kind_of(l, h->last_act) != WS_OP_ACTIVATION)
        return 0;
    h->second = ws_low_sole_source(l, h->last_act, 0);
    if (kind_of(l, h->second) != WS_OP_CONV_TRANSPOSE2D)
        return 0;
    h->act = ws_low_sole_source(l, h->second, 0);
    if (kind_of(l, h->act) != WS_OP_ACTIVATION)
        return 0;
    h->norm = ws_low_sole_source(l, h->act, 0);
    if (kind_of(l, h->norm) != WS_OP_LAYER_NORM && kind_of(l, h->norm) != WS_OP_GROUP_NORM)
        return 0;
    h->first = ws_low_sole_source(l, h->norm, 0);
    /* An upscaled map of a lower rate than the vectors is better kept than made again. */
    return kind_of(l, h->first) == WS_OP_CONV_TRANSPOSE2D &&
           ws_low_value(l, h->first)->rate == ws_low_value(l, product)->rate;
}

void ws_take_upscale(const ws_lowering *l, uint32_t op, unsigned char *taken)
{
    head h;
    if (match(l, op, &h))
        taken[h.first] = taken[h.norm] = taken[h.act] = taken[h.second] = taken[h.last_act] = 1;
}

int ws_lower_upscale(ws_lowering *l, uint32_t op)
{
    head h;
    if (!match(l, op, &h))
        return 0;
    const ws_op_view norm = ws_low_view(l, h.norm);
    const ws_operand in[2] = {ws_low_operand(l, l->graph->ops[h.first].inputs[0]),
                              ws_low_operand(l, l->graph->ops[op].inputs[1])};
    ws_product first = ws_low_transposed(l, h.first), second = ws_low_transposed(l, h.second);
    second.act = ws_low_act(l, h.last_act);
    const float *weight = ws_low_constant(l, norm.op->inputs[1]);
    const float *bias = ws_low_constant(l, norm.op->inputs[2]);
    const int out = ws_low_buffer(l, op);
    ws_step *s = ws_low_step(l, &ws_step_upscale, op);
    if (!s || l->status)
        return 1;
    memcpy(s->in, in, sizeof in);
    s->product[0] = first;
    s->product[1] = second;
    s->weight = weight;
    s->bias = bias;
    s->eps = (float)ws_op_float(&norm, "eps", 1e-6);
    s->act = ws_low_act(l, h.act);
    s->flag = ws_op_kind_of(norm.op) == WS_OP_GROUP_NORM;
    s->out = out;
    s->kernel = first.kernel->name;
    return 1;
}
