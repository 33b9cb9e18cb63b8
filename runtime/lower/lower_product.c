/* runtime/lower/lower_product.c - linear and the convolutions, with the norm, activation, second
 * product and residual of their chain. */
#include <string.h>

#include "runtime/backend_onednn.h"
#include "runtime/lower/lower.h"
#include "runtime/lower/match_patterns.h"

static uint32_t weight_ref(const ws_lowering *l, uint32_t op)
{
    return ws_lowering_ref(l, op, WS_PRODUCT_WEIGHT);
}

static uint32_t bias_ref(const ws_lowering *l, uint32_t op)
{
    return ws_lowering_ref(l, op, WS_PRODUCT_BIAS);
}

static wsam_act act_of(const ws_lowering *l, uint32_t op)
{
    return op == WS_NO_OP ? WSAM_ACT_NONE : ws_lowering_act(l, op);
}

static void set_norm(ws_lowering *l, ws_product *p, uint32_t norm)
{
    if (norm == WS_NO_OP)
        return;
    const ws_norm n = ws_lowering_norm(l, norm);
    p->norm_weight = n.weight;
    p->norm_bias = n.bias;
    p->norm_eps = n.eps;
}

/* Whether the convolution of 1x1 is a product of the rows as they are. */
static int is_one_by_one(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_tensor_def *w = ws_ref_tensor(l->file, weight_ref(l, op));
    return w->dims[1] == 1 && w->dims[2] == 1 && ws_op_int(&v, "stride", 1) == 1 &&
           ws_op_int(&v, "pad", 0) == 0;
}

/* A convolution whose patches are gathered. */
static int is_dense_conv(const ws_lowering *l, uint32_t op)
{
    return ws_lowering_kind(l, op) == WS_OP_CONV2D && !is_one_by_one(l, op);
}

/* Winograd's transforms pay where a point has channels enough, and in f32 where its weights, four
 * times those of the convolution, are not most of what is read: not beyond 256 channels (those of
 * ResNet's last stage have 38 MB), and not for every prompt again. */
enum { WINOGRAD_LEAST = 64, WINOGRAD_MOST_F32 = 256, WINOGRAD_MOST_S8 = 512 };

static int is_winograd(const ws_lowering *l, const ws_chain *c)
{
    const ws_op_view v = ws_lowering_view(l, c->first);
    const ws_tensor_def *w = ws_ref_tensor(l->file, weight_ref(l, c->first));
    const uint32_t most = w->type == WSAM_S8 ? WINOGRAD_MOST_S8 : WINOGRAD_MOST_F32;
    if (l->program->lowering_plain || c->norm != WS_NO_OP || c->second != WS_NO_OP ||
        ws_lowering_kind(l, c->first) != WS_OP_CONV2D || w->type == WSAM_BF16 ||
        (w->type == WSAM_F32 && ws_lowering_value(l, c->last)->rate != WSAM_RATE_IMAGE))
        return 0;
    return w->dims[1] == 3 && w->dims[2] == 3 && ws_op_int(&v, "stride", 1) == 1 &&
           ws_op_int(&v, "pad", 0) == 1 && ws_op_int(&v, "dilation", 1) == 1 &&
           w->dims[0] >= WINOGRAD_LEAST && w->dims[0] <= most && w->dims[3] >= WINOGRAD_LEAST &&
           w->dims[3] <= most;
}

static int is_output(const ws_lowering *l, uint32_t value)
{
    for (uint32_t i = 0; i < l->graph->n_outputs; i++)
        if (l->graph->outputs[i].ref == value)
            return 1;
    return 0;
}

/* Whether every reader of a value is a product with a weight of floats. */
static int feeds_float_products(const ws_lowering *l, uint32_t value)
{
    int n = 0;
    for (uint32_t op = 0; op < l->graph->n_ops; op++)
        for (uint32_t i = 0; i < l->graph->ops[op].n_inputs; i++) {
            if (l->graph->ops[op].inputs[i] != value)
                continue;
            const int kind = ws_lowering_kind(l, op);
            if ((kind != WS_OP_CONV2D && kind != WS_OP_LINEAR) || i != WS_PRODUCT_X ||
                ws_ref_tensor(l->file, weight_ref(l, op))->type == WSAM_S8)
                return 0;
            n++;
        }
    return n > 0;
}

/* Side 4 takes 9/16 of the multiplications of side 2, and in int8 has twice its error: for maps behind
 * which no deep network adds its own, those that a graph hands out (a pyramid's) or that only predictors read (the
 * RPN's). */
static int winograd_side(const ws_lowering *l, const ws_chain *c)
{
    const ws_tensor_def *w = ws_ref_tensor(l->file, weight_ref(l, c->first));
    const uint32_t value = l->graph->n_inputs + c->last;
    const int is_last = is_output(l, value) || feeds_float_products(l, value);
    return w->type != WSAM_S8 || (is_last && ws_lowering_value(l, c->last)->rate == WSAM_RATE_IMAGE)
               ? 4
               : 2;
}

static int has_s8(const ws_lowering *l)
{
    for (uint32_t op = 0; op < l->graph->n_ops; op++)
        for (uint32_t i = 0; i < l->graph->ops[op].n_inputs; i++) {
            const ws_tensor_def *t = ws_ref_tensor(l->file, l->graph->ops[op].inputs[i]);
            if (t && t->type == WSAM_S8)
                return 1;
        }
    return 0;
}

/* The type whose kernel multiplies. A network in int8 reads its pixels in bf16, where the machine
 * multiplies it: steps of 2^-9 of each value, before steps of 1/127 of a row's largest. */
static wsam_type product_type(const ws_lowering *l, uint32_t op)
{
    enum { COLOURS = 4 };
    const ws_tensor_def *w = ws_ref_tensor(l->file, weight_ref(l, op));
    const int pixels = is_dense_conv(l, op) && w->dims[3] <= COLOURS;
    return pixels && w->type == WSAM_F32 && !l->program->lowering_plain && has_s8(l) ? WSAM_BF16
                                                                                     : w->type;
}

/* The product without a packed weight: oneDNN keeps its own. */
static ws_product bare_product(ws_lowering *l, uint32_t weight, uint32_t bias)
{
    const ws_tensor_def *t = ws_ref_tensor(l->file, weight);
    const ws_product p = {.n = t->dims[0],
                          .k = ws_tensor_elements(t) / t->dims[0],
                          .bias = ws_lowering_constant(l, bias)};
    return p;
}

/* Whether oneDNN takes a product. Its primitives are made for one size, so image-rate rows whose
 * number no symbol changes. */
static int is_foreign(ws_lowering *l, const ws_chain *c)
{
    return l->program->onednn && ws_lowering_value(l, c->last)->rate == WSAM_RATE_IMAGE &&
           !ws_lowering_varies(l, l->graph->n_inputs + c->last) &&
           (ws_ref_tensor(l->file, weight_ref(l, c->first))->type != WSAM_S8 ||
            (ws_onednn_exact_int8() && !is_dense_conv(l, c->first)));
}

static ws_step *foreign_step(ws_lowering *l, const ws_chain *c, int conv, const ws_product *p)
{
    const int64_t rows = ws_rows(&ws_lowering_value(l, c->last)->shape);
    return conv ? ws_lower_onednn_conv(l, c->first, p) : ws_lower_onednn(l, c->first, rows, p);
}

static ws_step *native_step(ws_lowering *l, const ws_chain *c, const ws_step_kind *one,
                            const ws_product *first, const ws_product *second)
{
    ws_step *s = ws_lowering_step(l, c->second == WS_NO_OP ? one : &ws_step_mlp, c->first);
    if (!s)
        return NULL;
    s->kernel = first->kernel->name;
    if (c->second == WS_NO_OP) {
        s->product = *first;
    } else {
        s->mlp.first = *first;
        s->mlp.second = *second;
    }
    return s;
}

/* A linear or a dense convolution. */
static void lower_product(ws_lowering *l, const ws_chain *c)
{
    const int foreign = is_foreign(l, c);
    const int conv = is_dense_conv(l, c->first), winograd = !foreign && is_winograd(l, c);
    const uint32_t x = c->norm == WS_NO_OP ? ws_lowering_ref(l, c->first, WS_PRODUCT_X)
                                           : ws_lowering_ref(l, c->norm, WS_NORM_X);
    const uint32_t residual =
        c->add == WS_NO_OP ? WS_REF_NONE : ws_lowering_ref(l, c->add, WS_BINARY_B);
    const ws_operand rows = ws_lowering_operand(l, x), add = ws_lowering_operand(l, residual);
    const int out = ws_lowering_buffer(l, c->last);
    ws_product first, second = {.kernel = NULL};
    if (c->second != WS_NO_OP)
        second = ws_lowering_product(l, weight_ref(l, c->second), bias_ref(l, c->second));
    const uint32_t weight = weight_ref(l, c->first), bias = bias_ref(l, c->first);
    first = foreign    ? bare_product(l, weight, bias)
            : winograd ? ws_lowering_winograd(l, winograd_side(l, c), weight, bias)
                       : ws_lowering_product_as(l, product_type(l, c->first), weight, bias);
    set_norm(l, &first, c->norm);
    first.act = act_of(l, c->act);
    first.after = act_of(l, c->after);
    ws_step *s = foreign ? foreign_step(l, c, conv, &first)
                         : native_step(l, c,
                                       winograd ? &ws_step_winograd
                                       : conv   ? &ws_step_conv
                                                : &ws_step_gemm,
                                       &first, &second);
    if (!s)
        return;
    s->rate = ws_lowering_value(l, c->last)->rate;
    s->in[WS_STEP_ROWS] = rows;
    s->in[WS_STEP_RESIDUAL] = add;
    s->out = out;
}

static void lower_depthwise(ws_lowering *l, const ws_chain *c)
{
    const ws_depthwise d = {.weight = ws_lowering_by_tap(l, weight_ref(l, c->first)),
                            .bias = ws_lowering_constant(l, bias_ref(l, c->first)),
                            .act = act_of(l, c->act)};
    const ws_operand in = ws_lowering_operand(l, ws_lowering_ref(l, c->first, WS_PRODUCT_X));
    const int out = ws_lowering_buffer(l, c->last);
    ws_step *s = ws_lowering_step(l, &ws_step_depthwise, c->first);
    if (!s)
        return;
    s->in[WS_STEP_INPUT] = in;
    s->depthwise = d;
    s->out = out;
    s->kernel = l->program->kernels->conv.name;
}

void ws_lower_linear(ws_lowering *l, const ws_chain *c)
{
    lower_product(l, c);
}

void ws_lower_conv2d(ws_lowering *l, const ws_chain *c)
{
    if (ws_match_depthwise(l, c->first))
        lower_depthwise(l, c);
    else
        lower_product(l, c);
}

void ws_lower_conv_transpose2d(ws_lowering *l, const ws_chain *c)
{
    const ws_product p = ws_lowering_transposed(l, c->first);
    ws_step *s = ws_lowering_simple(l, &ws_step_conv_transpose, c->first, WS_PRODUCT_X + 1);
    if (!s)
        return;
    s->product = p;
    s->kernel = p.kernel->name;
}
