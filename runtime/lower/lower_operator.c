/* runtime/lower/lower_operator.c - operators that are lowered by themselves. */
#include <stdlib.h>
#include <string.h>

#include "runtime/lower/lower.h"

/* A step with operands 0..n-1 as the operator has them. */
static ws_step *simple(ws_lowering *l, const ws_step_kind *kind, uint32_t op, uint32_t n)
{
    const ws_op_def *def = &l->graph->ops[op];
    ws_operand in[WS_STEP_OPERANDS];
    for (uint32_t i = 0; i < n; i++)
        in[i] = ws_lowering_operand(l, def->inputs[i]);
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = ws_lowering_step(l, kind, op);
    if (!s)
        return NULL;
    memcpy(s->in, in, n * sizeof in[0]);
    s->out = out;
    s->kernel = l->program->kernels->vector.name;
    return s;
}

static void lower_activation(ws_lowering *l, uint32_t op)
{
    ws_step *s = simple(l, &ws_step_activation, op, 1);
    if (s)
        s->act = ws_lowering_act(l, op);
}

static void lower_binary(ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    ws_step *s = simple(l, &ws_step_binary, op, 2);
    if (s)
        s->flag = strcmp(ws_op_string(&v, "function", ""), "mul") == 0;
}

/* One step per input, each copying to its place. */
static void lower_concat(ws_lowering *l, uint32_t op)
{
    const ws_op_def *def = &l->graph->ops[op];
    const int out = ws_lowering_buffer(l, op);
    for (uint32_t i = 0; i < def->n_inputs; i++) {
        const ws_operand in = ws_lowering_operand(l, def->inputs[i]);
        ws_step *s = ws_lowering_step(l, &ws_step_concat, op);
        if (!s)
            return;
        s->in[0] = in;
        s->out = out;
        s->flag = (int)i;
    }
}

/* The same bytes under another shape: the value shares its input's buffer. */
static void lower_reshape(ws_lowering *l, uint32_t op)
{
    const uint32_t ref = l->graph->ops[op].inputs[0];
    if (ref >= WS_REF_TENSOR) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_UNSUPPORTED, "%s: reshape '%s' of a tensor",
                                    l->file->path, l->graph->ops[op].name));
        return;
    }
    l->program->value_buffer[l->graph->n_inputs + op] = l->program->value_buffer[ref];
}

static void lower_resize(ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    ws_step *s = simple(l, &ws_step_resize, op, 1);
    if (!s)
        return;
    s->flag = strcmp(ws_op_string(&v, "kind", ""), "bicubic") == 0;
    s->kernel = l->program->kernels->resize.name;
}

static void lower_max_pool(ws_lowering *l, uint32_t op)
{
    ws_step *s = simple(l, &ws_step_max_pool, op, 1);
    if (s)
        s->kernel = l->program->kernels->conv.name;
}

/* The bias of a transposed convolution, once per position of its kernel. */
static const float *repeated_bias(ws_lowering *l, uint32_t bias, size_t times, size_t n)
{
    const float *one = ws_lowering_constant(l, bias);
    if (!one || l->status)
        return NULL;
    float *all = ws_lowering_alloc(l, times * n * sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; i < times; i++)
        memcpy(all + i * n, one, n * sizeof *all);
    return all;
}

ws_product ws_lowering_transposed(ws_lowering *l, uint32_t op)
{
    const ws_op_def *def = &l->graph->ops[op];
    const ws_tensor_def *w = ws_ref_tensor(l->file, def->inputs[1]);
    const size_t times = (size_t)w->dims[0] * w->dims[1], n = w->dims[2], k = w->dims[3];
    ws_product p = {.kernel = NULL};
    if (!l->status)
        ws_lowering_keep(l, ws_packs_product(l->packs, w, times * n, k, &p, l->error));
    p.bias = repeated_bias(l, def->n_inputs > 2 ? def->inputs[2] : WS_REF_NONE, times, n);
    return p;
}

static void lower_conv_transpose(ws_lowering *l, uint32_t op)
{
    const ws_product p = ws_lowering_transposed(l, op);
    ws_step *s = simple(l, &ws_step_conv_transpose, op, 1);
    if (!s || l->status)
        return;
    s->product[0] = p;
    s->kernel = p.kernel->name;
}

/* ---- attention ---- */

/* Tables become a constant in the kernel's own form; they fit one grid, so the grid must not be
 * symbolic. */
static const void *attention_bias(ws_lowering *l, uint32_t op, const wsam_attention_kernel *kernel)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const char *bias = ws_op_string(&v, "bias", "none");
    ws_value x;
    ws_op_input(&v, 0, &x);
    wsam_attention_shape a = {.heads = (int)ws_op_int(&v, "heads", 1)};
    if (strcmp(bias, "none") == 0)
        return NULL;
    a.head_dim = (int)(x.shape.dims[2] / 3) / a.heads;
    a.q_h = a.k_h = (int)x.shape.dims[0];
    a.q_w = a.k_w = (int)x.shape.dims[1];
    a.window = (int)ws_op_int(&v, "window", 0);
    a.padded = v.op->n_inputs > 4 && v.op->inputs[4] != WS_REF_NONE && a.window &&
               (a.q_h % a.window || a.q_w % a.window);
    a.bias = strcmp(bias, "separable") == 0 ? WSAM_BIAS_SEPARABLE : WSAM_BIAS_TABLE;
    a.scale = (float)ws_op_float(&v, "scale", 1.0);
    const float *rel_h = ws_lowering_constant(l, v.op->inputs[1]);
    const float *rel_w = ws_lowering_constant(l, v.op->inputs[2]);
    const float *table = v.op->n_inputs > 3 ? ws_lowering_constant(l, v.op->inputs[3]) : NULL;
    void *prepared = ws_lowering_alloc(l, kernel->bias_bytes(&a));
    if (prepared)
        kernel->prepare_bias(&a, rel_h, rel_w, table, prepared);
    return prepared;
}

/* Whether any symbol changes the shape of a value. */
int ws_lowering_varies(ws_lowering *l, uint32_t value)
{
    const ws_graph_def *g = l->graph;
    ws_value *values = g->n_symbols ? calloc((size_t)g->n_inputs + g->n_ops, sizeof *values) : NULL;
    int different = 0;
    if (g->n_symbols && !values)
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
    for (uint32_t i = 0; values && i < g->n_symbols; i++) {
        ws_dims dims = l->dims;
        dims.symbols[i] = g->symbols[i].max - g->symbols[i].max % g->symbols[i].multiple;
        ws_lowering_keep(l, ws_infer(l->file, g, &dims, values, l->error));
        if (!l->status && !ws_same_shape(&values[value].shape, &l->values[value].shape))
            different = 1;
    }
    free(values);
    return different;
}

static void lower_attention(ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const wsam_attention_kernel *kernel =
        ws_choose_attention(l->program->kernels, ws_op_string(&v, "compute", "f32"));
    if (strcmp(ws_op_string(&v, "bias", "none"), "none") != 0 && v.op->inputs[0] < WS_REF_TENSOR &&
        ws_lowering_varies(l, v.op->inputs[0])) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_UNSUPPORTED,
                                    "%s: attention '%s' has a bias on a grid of variable size",
                                    l->file->path, v.op->name));
        return;
    }
    const void *bias = attention_bias(l, op, kernel);
    const ws_operand in = ws_lowering_operand(l, v.op->inputs[0]);
    const ws_operand pad =
        ws_lowering_operand(l, v.op->n_inputs > 4 ? v.op->inputs[4] : WS_REF_NONE);
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = ws_lowering_step(l, &ws_step_attention, op);
    if (!s)
        return;
    s->in[0] = in;
    s->in[1] = pad;
    s->out = out;
    s->attention = kernel;
    s->attention_bias = bias;
    s->kernel = kernel->name;
}

ws_operand ws_lowering_project(ws_lowering *l, uint32_t op, uint32_t x, uint32_t position,
                               uint32_t weight, uint32_t bias)
{
    const ws_product p = ws_lowering_product(l, weight, bias);
    const ws_operand in[2] = {ws_lowering_operand(l, x), ws_lowering_operand(l, position)};
    const wsam_rate rate = ws_lowering_rate(l, in, 2);
    const ws_tensor_def *w = ws_ref_tensor(l->file, weight);
    ws_operand out = {NULL, ws_lowering_temporary(l, rate, x, w->dims[0]), w->dims[0]};
    ws_step *s = ws_lowering_step(l, &ws_step_gemm, op);
    if (!s || l->status)
        return out;
    s->rate = rate;
    s->in[0] = in[0];
    s->in[1] = in[1];
    s->out = out.buffer;
    s->product[0] = p;
    s->kernel = p.kernel->name;
    return out;
}

/* q, k and v projected, then one attention: the mixed rows. */
static ws_operand attend(ws_lowering *l, uint32_t op, const uint32_t *r)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_operand q = ws_lowering_project(l, op, r[0], r[2], r[4], r[5]);
    const ws_operand k = ws_lowering_project(l, op, r[1], r[3], r[6], r[7]);
    const ws_operand values = ws_lowering_project(l, op, r[1], WS_REF_NONE, r[8], r[9]);
    const ws_operand qkv[3] = {q, k, values};
    const wsam_rate rate = ws_lowering_rate(l, qkv, 3);
    const ws_operand mixed = {NULL, ws_lowering_temporary(l, rate, r[0], q.columns), q.columns};
    const wsam_attention_kernel *kernel =
        ws_choose_attention(l->program->kernels, ws_op_string(&v, "compute", "f32"));
    ws_step *s = ws_lowering_step(l, &ws_step_projected_attention, op);
    if (!s || l->status)
        return mixed;
    memcpy(s->in, qkv, sizeof qkv);
    s->rate = rate;
    s->out = mixed.buffer;
    s->attention = kernel;
    s->kernel = kernel->name;
    return mixed;
}

/* The output product with the residual, then the norm. */
static void finish_projected(ws_lowering *l, uint32_t op, const uint32_t *r, ws_operand mixed)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_product output = ws_lowering_product(l, r[10], r[11]);
    const ws_operand x = ws_lowering_operand(l, ws_op_int(&v, "residual", 0) ? r[0] : WS_REF_NONE);
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = ws_lowering_step(l, &ws_step_gemm, op);
    if (!s)
        return;
    s->in[0] = mixed;
    s->in[2] = x;
    s->out = out;
    s->product[0] = output;
    s->kernel = output.kernel->name;
    if (v.op->n_inputs < 14 || r[12] == WS_REF_NONE)
        return;
    const float *weight = ws_lowering_constant(l, r[12]), *bias = ws_lowering_constant(l, r[13]);
    s = ws_lowering_step(l, &ws_step_layer_norm, op);
    if (!s)
        return;
    s->in[0] = (ws_operand){NULL, out, ws_columns(&ws_lowering_value(l, op)->shape)};
    s->out = out;
    s->weight = weight;
    s->bias = bias;
    s->eps = (float)ws_op_float(&v, "eps", 1e-5);
    s->kernel = l->program->kernels->vector.name;
}

/* Projections, attention, output product with the residual, norm: each with the rate of what it
 * reads, so that hoisting what depends on the image alone needs no rule of its own. */
static void lower_projected(ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const uint32_t *r = v.op->inputs;
    ws_operand mixed;
    if (r[0] >= WS_REF_TENSOR || r[1] >= WS_REF_TENSOR) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_UNSUPPORTED,
                                    "%s: projected_attention '%s' of tensors", l->file->path,
                                    v.op->name));
        return;
    }
    const ws_cross_side side = ws_lower_cross_attention(l, op, &mixed);
    if (side == WS_CROSS_IMAGE_TO_TOKEN)
        return;
    if (side == WS_CROSS_SIDE_NONE)
        mixed = attend(l, op, r);
    finish_projected(l, op, r, mixed);
}

void ws_lower_operator(ws_lowering *l, uint32_t op)
{
    switch ((ws_op_kind)ws_op_kind_of(&l->graph->ops[op])) {
    case WS_OP_CONV_TRANSPOSE2D:
        lower_conv_transpose(l, op);
        return;
    case WS_OP_MAX_POOL2D:
        lower_max_pool(l, op);
        return;
    case WS_OP_ACTIVATION:
        lower_activation(l, op);
        return;
    case WS_OP_BINARY:
        lower_binary(l, op);
        return;
    case WS_OP_CONCAT:
        lower_concat(l, op);
        return;
    case WS_OP_SLICE:
        simple(l, &ws_step_slice, op, 1);
        return;
    case WS_OP_RESHAPE:
        lower_reshape(l, op);
        return;
    case WS_OP_RESIZE:
        lower_resize(l, op);
        return;
    case WS_OP_ATTENTION:
        lower_attention(l, op);
        return;
    case WS_OP_PROJECTED_ATTENTION:
        lower_projected(l, op);
        return;
    case WS_OP_POINT_TOKENS:
        simple(l, &ws_step_point_tokens, op, 4);
        return;
    case WS_OP_POSITION_GRID:
        simple(l, &ws_step_position_grid, op, 1);
        return;
    case WS_OP_MASK_PRODUCT:
        simple(l, &ws_step_mask_product, op, 2);
        return;
    case WS_OP_ADD_POSITIONS:
    case WS_OP_GRID_ROWS:
    case WS_OP_ROW_MAX:
    case WS_OP_CLASS_ATTENTION:
    case WS_OP_ATTENTION_SUM:
    case WS_OP_ATTENTION_SPREAD:
        ws_lower_clues(l, op);
        return;
    case WS_OP_LINEAR:
    case WS_OP_CONV2D:
    case WS_OP_LAYER_NORM:
    case WS_OP_GROUP_NORM:
    case WS_OP_KINDS:
        return; /* chains: lower.c */
    }
}
