/* runtime/lower/lower_attention.c - attention over a fused qkv, and over projected q, k and v
 * (steps_attention.c). */
#include <string.h>

#include "runtime/lower/lower.h"
#include "runtime/lower/match_patterns.h"

static const wsam_attention_kernel *kernel_of(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    return ws_select_attention(l->program->kernels, ws_op_string(&v, "compute", "f32"));
}

/* ---- fused ---- */

/* Tables become a constant in the kernel's own form; they fit one grid, so the grid must not be
 * symbolic. */
static const void *attention_bias(ws_lowering *l, uint32_t op, const wsam_attention_kernel *kernel)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const char *bias = ws_op_string(&v, "bias", "none");
    ws_value x;
    ws_op_input(&v, WS_ATTENTION_QKV, &x);
    wsam_attention_shape a = {.heads = (int)ws_op_int(&v, "heads", 1)};
    if (strcmp(bias, "none") == 0)
        return NULL;
    a.head_dim = (int)(x.shape.dims[2] / 3) / a.heads;
    a.q_h = a.k_h = (int)x.shape.dims[0];
    a.q_w = a.k_w = (int)x.shape.dims[1];
    a.window = (int)ws_op_int(&v, "window", 0);
    a.padded = ws_lowering_ref(l, op, WS_ATTENTION_PAD) != WS_REF_NONE && a.window &&
               (a.q_h % a.window || a.q_w % a.window);
    a.bias = strcmp(bias, "separable") == 0 ? WSAM_BIAS_SEPARABLE : WSAM_BIAS_TABLE;
    a.scale = (float)ws_op_float(&v, "scale", 1.0);
    const float *rel_h = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_ATTENTION_REL_H));
    const float *rel_w = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_ATTENTION_REL_W));
    const float *table = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_ATTENTION_TABLE));
    void *prepared = ws_lowering_alloc(l, kernel->bias_bytes(&a));
    if (prepared)
        kernel->prepare_bias(&a, rel_h, rel_w, table, prepared);
    return prepared;
}

void ws_lower_attention(ws_lowering *l, const ws_chain *c)
{
    const ws_op_view v = ws_lowering_view(l, c->first);
    const wsam_attention_kernel *kernel = kernel_of(l, c->first);
    const uint32_t qkv = ws_lowering_ref(l, c->first, WS_ATTENTION_QKV);
    if (strcmp(ws_op_string(&v, "bias", "none"), "none") != 0 && qkv < WS_REF_TENSOR &&
        ws_lowering_varies(l, qkv)) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_UNSUPPORTED,
                                    "%s: attention '%s' has a bias on a grid of variable size",
                                    l->file->path, v.op->name));
        return;
    }
    const void *bias = attention_bias(l, c->first, kernel);
    const ws_operand in = ws_lowering_operand(l, qkv);
    const ws_operand pad = ws_lowering_operand(l, ws_lowering_ref(l, c->first, WS_ATTENTION_PAD));
    const int out = ws_lowering_buffer(l, c->first);
    ws_step *s = ws_lowering_step(l, &ws_step_attention, c->first);
    if (!s)
        return;
    s->in[WS_ATTENTION_QKV] = in;
    s->in[WS_ATTENTION_PAD] = pad;
    s->out = out;
    s->attention.kernel = kernel;
    s->attention.bias = bias;
    s->kernel = kernel->name;
}

/* ---- projected ---- */

/* q, k and v projected, then one attention: the mixed rows. */
static ws_operand attend(ws_lowering *l, uint32_t op)
{
    const uint32_t *r = ws_lowering_op(l, op)->inputs;
    const ws_operand q = ws_lowering_project(l, op, r[WS_PROJECTED_Q], r[WS_PROJECTED_Q_POSITION],
                                             r[WS_PROJECTED_Q_WEIGHT], r[WS_PROJECTED_Q_BIAS]);
    const ws_operand k = ws_lowering_project(l, op, r[WS_PROJECTED_KV], r[WS_PROJECTED_K_POSITION],
                                             r[WS_PROJECTED_K_WEIGHT], r[WS_PROJECTED_K_BIAS]);
    const ws_operand v = ws_lowering_project(l, op, r[WS_PROJECTED_KV], WS_REF_NONE,
                                             r[WS_PROJECTED_V_WEIGHT], r[WS_PROJECTED_V_BIAS]);
    const ws_operand qkv[3] = {[WS_STEP_Q] = q, [WS_STEP_K] = k, [WS_STEP_V] = v};
    const wsam_rate rate = ws_lowering_rate(l, qkv, 3);
    const ws_operand mixed = {NULL, ws_lowering_temporary(l, rate, r[WS_PROJECTED_Q], q.columns),
                              q.columns};
    const wsam_attention_kernel *kernel = kernel_of(l, op);
    ws_step *s = ws_lowering_step(l, &ws_step_projected_attention, op);
    if (!s)
        return mixed;
    memcpy(s->in, qkv, sizeof qkv);
    s->rate = rate;
    s->out = mixed.buffer;
    s->attention.kernel = kernel;
    s->kernel = kernel->name;
    return mixed;
}

static void lower_norm_behind(ws_lowering *l, uint32_t op, int out)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const uint32_t weight = ws_lowering_ref(l, op, WS_PROJECTED_NORM_WEIGHT);
    const uint32_t bias = ws_lowering_ref(l, op, WS_PROJECTED_NORM_BIAS);
    if (weight == WS_REF_NONE || bias == WS_REF_NONE)
        return;
    const ws_norm norm = {.weight = ws_lowering_constant(l, weight),
                          .bias = ws_lowering_constant(l, bias),
                          .eps = (float)ws_op_float(&v, "eps", 1e-5)};
    ws_step *s = ws_lowering_step(l, &ws_step_layer_norm, op);
    if (!s)
        return;
    s->in[WS_STEP_INPUT] = (ws_operand){NULL, out, ws_columns(&ws_lowering_value(l, op)->shape)};
    s->out = out;
    s->norm = norm;
    s->kernel = l->program->kernels->vector.name;
}

/* The output product with the residual, then the norm. */
static void finish(ws_lowering *l, uint32_t op, ws_operand mixed)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const uint32_t *r = v.op->inputs;
    const ws_product output =
        ws_lowering_product(l, r[WS_PROJECTED_OUT_WEIGHT], r[WS_PROJECTED_OUT_BIAS]);
    const ws_operand residual =
        ws_lowering_operand(l, ws_op_int(&v, "residual", 0) ? r[WS_PROJECTED_Q] : WS_REF_NONE);
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = ws_lowering_step(l, &ws_step_gemm, op);
    if (!s)
        return;
    s->in[WS_STEP_ROWS] = mixed;
    s->in[WS_STEP_RESIDUAL] = residual;
    s->out = out;
    s->product = output;
    s->kernel = output.kernel->name;
    lower_norm_behind(l, op, out);
}

/* Projections, attention, output product with the residual, norm: each with the rate of what it
 * reads, so that hoisting what depends on the image alone needs no rule of its own. */
void ws_lower_projected_attention(ws_lowering *l, const ws_chain *c)
{
    if (ws_lowering_ref(l, c->first, WS_PROJECTED_Q) >= WS_REF_TENSOR ||
        ws_lowering_ref(l, c->first, WS_PROJECTED_KV) >= WS_REF_TENSOR) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_UNSUPPORTED,
                                    "%s: projected_attention '%s' of tensors", l->file->path,
                                    ws_lowering_op(l, c->first)->name));
        return;
    }
    switch (ws_match_cross_side(l, c->first)) {
    case WS_CROSS_IMAGE_TO_TOKEN:
        ws_lower_image_to_token(l, c->first);
        return;
    case WS_CROSS_TOKEN_TO_IMAGE:
        finish(l, c->first, ws_lower_token_to_image(l, c->first));
        return;
    case WS_CROSS_SIDE_NONE:
        finish(l, c->first, attend(l, c->first));
        return;
    }
}
