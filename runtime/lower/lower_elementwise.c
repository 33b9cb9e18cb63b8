/* runtime/lower/lower_elementwise.c - norms, activations and layout, each a step of its own
 * (steps_elementwise.c). */
#include <string.h>

#include "runtime/lower/lower.h"

static ws_step *unary(ws_lowering *l, const ws_step_kind *kind, const ws_chain *c)
{
    return ws_lowering_simple(l, kind, c->first, WS_UNARY_INPUTS);
}

static void lower_norm(ws_lowering *l, const ws_step_kind *kind, const ws_chain *c)
{
    const ws_operand in = ws_lowering_operand(l, ws_lowering_ref(l, c->first, WS_NORM_X));
    ws_norm norm = ws_lowering_norm(l, c->first);
    const int out = ws_lowering_buffer(l, c->last);
    ws_step *s = ws_lowering_step(l, kind, c->first);
    if (!s)
        return;
    norm.act = c->act == WS_NO_OP ? WSAM_ACT_NONE : ws_lowering_act(l, c->act);
    s->in[WS_STEP_INPUT] = in;
    s->norm = norm;
    s->out = out;
    s->kernel = l->program->kernels->vector.name;
}

void ws_lower_layer_norm(ws_lowering *l, const ws_chain *c)
{
    lower_norm(l, &ws_step_layer_norm, c);
}

void ws_lower_group_norm(ws_lowering *l, const ws_chain *c)
{
    lower_norm(l, &ws_step_group_norm, c);
}

void ws_lower_activation(ws_lowering *l, const ws_chain *c)
{
    ws_step *s = unary(l, &ws_step_activation, c);
    if (s)
        s->activation = ws_lowering_act(l, c->first);
}

void ws_lower_binary(ws_lowering *l, const ws_chain *c)
{
    const ws_op_view v = ws_lowering_view(l, c->first);
    ws_step *s = ws_lowering_simple(l, &ws_step_binary, c->first, WS_BINARY_INPUTS);
    if (s)
        s->binary.multiply = strcmp(ws_op_string(&v, "function", ""), "mul") == 0;
}

/* One step per input, each copying to its place. */
void ws_lower_concat(ws_lowering *l, const ws_chain *c)
{
    const ws_op_def *def = ws_lowering_op(l, c->first);
    const int out = ws_lowering_buffer(l, c->first);
    for (uint32_t i = 0; i < def->n_inputs; i++) {
        const ws_operand in = ws_lowering_operand(l, def->inputs[i]);
        ws_step *s = ws_lowering_step(l, &ws_step_concat, c->first);
        if (!s)
            return;
        s->in[WS_STEP_INPUT] = in;
        s->out = out;
        s->concat.input = i;
    }
}

void ws_lower_slice(ws_lowering *l, const ws_chain *c)
{
    unary(l, &ws_step_slice, c);
}

/* The same bytes under another shape: the value shares its input's buffer. */
void ws_lower_reshape(ws_lowering *l, const ws_chain *c)
{
    const uint32_t ref = ws_lowering_ref(l, c->first, WS_UNARY_X);
    if (ref >= WS_REF_TENSOR) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_UNSUPPORTED, "%s: reshape '%s' of a tensor",
                                    l->file->path, ws_lowering_op(l, c->first)->name));
        return;
    }
    l->program->value_buffer[l->graph->n_inputs + c->first] = l->program->value_buffer[ref];
}

void ws_lower_resize(ws_lowering *l, const ws_chain *c)
{
    const ws_op_view v = ws_lowering_view(l, c->first);
    ws_step *s = unary(l, &ws_step_resize, c);
    if (!s)
        return;
    s->resize.bicubic = strcmp(ws_op_string(&v, "kind", ""), "bicubic") == 0;
    s->kernel = l->program->kernels->resize.name;
}

void ws_lower_top_down(ws_lowering *l, const ws_chain *c)
{
    ws_step *s = ws_lowering_simple(l, &ws_step_top_down, c->first, WS_TOP_DOWN_INPUTS);
    if (s)
        s->kernel = l->program->kernels->vector.name;
}

void ws_lower_max_pool2d(ws_lowering *l, const ws_chain *c)
{
    ws_step *s = unary(l, &ws_step_max_pool, c);
    if (s)
        s->kernel = l->program->kernels->conv.name;
}
