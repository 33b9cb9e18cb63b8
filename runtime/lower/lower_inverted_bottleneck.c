/* runtime/lower/lower_inverted_bottleneck.c - an inverted bottleneck as one step
 * (steps_inverted_bottleneck.c). */
#include "runtime/lower/lower.h"
#include "runtime/lower/match_patterns.h"

static wsam_act act_of(const ws_lowering *l, uint32_t op)
{
    return op == WS_NO_OP ? WSAM_ACT_NONE : ws_lowering_act(l, op);
}

static ws_product product_of(ws_lowering *l, uint32_t op)
{
    return ws_lowering_product(l, ws_lowering_ref(l, op, WS_PRODUCT_WEIGHT),
                               ws_lowering_ref(l, op, WS_PRODUCT_BIAS));
}

void ws_lower_inverted_bottleneck(ws_lowering *l, const ws_chain *c)
{
    ws_bottleneck_ops b;
    ws_match_bottleneck(l, c->last, &b);
    const uint32_t added = b.add == WS_NO_OP ? WS_REF_NONE : ws_lowering_ref(l, b.add, WS_BINARY_B);
    const ws_operand in = ws_lowering_operand(l, ws_lowering_ref(l, b.expand, WS_PRODUCT_X));
    const ws_operand residual = ws_lowering_operand(l, added);
    ws_product expand = product_of(l, b.expand);
    const ws_product project = product_of(l, b.project);
    const ws_depthwise depthwise = {
        .weight = ws_lowering_by_tap(l, ws_lowering_ref(l, b.depthwise, WS_PRODUCT_WEIGHT)),
        .bias = ws_lowering_constant(l, ws_lowering_ref(l, b.depthwise, WS_PRODUCT_BIAS)),
        .act = act_of(l, b.depthwise_act)};
    const int out = ws_lowering_buffer(l, c->last);
    ws_step *s = ws_lowering_step(l, &ws_step_inverted_bottleneck, b.depthwise);
    if (!s)
        return;
    expand.act = ws_lowering_act(l, b.expand_act);
    s->rate = ws_lowering_value(l, c->last)->rate;
    s->in[WS_STEP_ROWS] = in;
    s->in[WS_STEP_RESIDUAL] = residual;
    s->out = out;
    s->bottleneck.expand = expand;
    s->bottleneck.project = project;
    s->bottleneck.depthwise = depthwise;
    s->bottleneck.act = act_of(l, b.add_act);
    s->kernel = expand.kernel->name;
}
