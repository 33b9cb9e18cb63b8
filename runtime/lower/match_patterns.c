/* runtime/lower/match_patterns.c - see match_patterns.h. */
#include "runtime/lower/match_patterns.h"

#include <string.h>

uint32_t ws_match_sole_source(const ws_lowering *l, uint32_t op, uint32_t i)
{
    const ws_graph_def *g = l->graph;
    const uint32_t ref = g->ops[op].inputs[i];
    if (ref >= WS_REF_TENSOR || ref < g->n_inputs || l->readers[ref] != 1)
        return WS_NO_OP;
    return ref - g->n_inputs;
}

int ws_match_depthwise(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    return ws_lowering_kind(l, op) == WS_OP_CONV2D && ws_op_int(&v, "groups", 1) != 1;
}

int ws_match_product(const ws_lowering *l, uint32_t op)
{
    const int kind = ws_lowering_kind(l, op);
    return kind == WS_OP_LINEAR || (kind == WS_OP_CONV2D && !ws_match_depthwise(l, op));
}

/* ---- inverted bottlenecks ---- */

/* A convolution with these groups (1, or any larger number for depthwise), kernel and padding. */
static int is_conv(const ws_lowering *l, uint32_t op, int depthwise, uint32_t kernel, int64_t pad)
{
    if (ws_lowering_kind(l, op) != WS_OP_CONV2D)
        return 0;
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_tensor_def *w = ws_ref_tensor(l->file, v.op->inputs[WS_PRODUCT_WEIGHT]);
    const int64_t stride = ws_op_int(&v, "stride", 1);
    return (ws_op_int(&v, "groups", 1) != 1) == depthwise && w->dims[1] == kernel &&
           w->dims[2] == kernel && ws_op_int(&v, "pad", 0) == pad &&
           ws_op_int(&v, "dilation", 1) == 1 && (depthwise || stride == 1);
}

/* From the projection backwards. */
static int bottleneck_body(const ws_lowering *l, uint32_t project, ws_bottleneck_ops *b)
{
    if (!is_conv(l, project, 0, 1, 0))
        return 0;
    b->project = project;
    b->depthwise_act = ws_match_sole_source(l, project, WS_PRODUCT_X);
    b->depthwise = b->depthwise_act;
    if (ws_lowering_kind(l, b->depthwise_act) == WS_OP_ACTIVATION)
        b->depthwise = ws_match_sole_source(l, b->depthwise_act, WS_UNARY_X);
    else
        b->depthwise_act = WS_NO_OP;
    if (!is_conv(l, b->depthwise, 1, 3, 1))
        return 0;
    b->expand_act = ws_match_sole_source(l, b->depthwise, WS_PRODUCT_X);
    b->expand =
        b->expand_act == WS_NO_OP ? WS_NO_OP : ws_match_sole_source(l, b->expand_act, WS_UNARY_X);
    return ws_lowering_kind(l, b->expand_act) == WS_OP_ACTIVATION &&
           is_conv(l, b->expand, 0, 1, 0) &&
           ws_lowering_ref(l, b->expand, WS_PRODUCT_X) < WS_REF_TENSOR;
}

/* The operator that alone reads this one's value, WS_NO_OP when there are none or several. */
static uint32_t sole_reader(const ws_lowering *l, uint32_t op)
{
    if (l->readers[l->graph->n_inputs + op] != 1)
        return WS_NO_OP;
    for (uint32_t i = op + 1; i < l->graph->n_ops; i++)
        for (uint32_t j = 0; j < l->graph->ops[i].n_inputs; j++)
            if (l->graph->ops[i].inputs[j] == l->graph->n_inputs + op)
                return i;
    return WS_NO_OP;
}

/* add(project, x) of equal shapes, followed by an activation that alone reads it. */
static int has_tail(const ws_lowering *l, uint32_t project, uint32_t *add, uint32_t *act)
{
    ws_value other;
    *add = sole_reader(l, project);
    if (ws_lowering_kind(l, *add) != WS_OP_BINARY)
        return 0;
    const ws_op_view v = ws_lowering_view(l, *add);
    *act = sole_reader(l, *add);
    return strcmp(ws_op_string(&v, "function", ""), "add") == 0 &&
           v.op->inputs[WS_BINARY_A] == l->graph->n_inputs + project &&
           ws_op_input(&v, WS_BINARY_B, &other) &&
           ws_same_shape(&other.shape, &ws_lowering_value(l, project)->shape) &&
           other.rate <= ws_lowering_value(l, project)->rate &&
           ws_lowering_kind(l, *act) == WS_OP_ACTIVATION;
}

int ws_match_bottleneck(const ws_lowering *l, uint32_t op, ws_bottleneck_ops *b)
{
    uint32_t add, act;
    b->add = b->add_act = WS_NO_OP;
    if (ws_lowering_kind(l, op) == WS_OP_ACTIVATION) {
        const uint32_t sum = ws_match_sole_source(l, op, WS_UNARY_X);
        const uint32_t project = ws_lowering_kind(l, sum) == WS_OP_BINARY
                                     ? ws_match_sole_source(l, sum, WS_BINARY_A)
                                     : WS_NO_OP;
        if (project == WS_NO_OP || !has_tail(l, project, &add, &act) || act != op)
            return 0;
        b->add = add;
        b->add_act = act;
        return bottleneck_body(l, project, b);
    }
    return bottleneck_body(l, op, b) && !has_tail(l, op, &add, &act);
}

/* ---- mask heads ---- */

int ws_match_mask_head(const ws_lowering *l, uint32_t product, ws_mask_head_ops *h)
{
    h->product = product;
    h->second_act = ws_match_sole_source(l, product, WS_MASK_PRODUCT_FEATURES);
    if (ws_lowering_kind(l, product) != WS_OP_MASK_PRODUCT ||
        ws_lowering_kind(l, h->second_act) != WS_OP_ACTIVATION)
        return 0;
    h->second = ws_match_sole_source(l, h->second_act, WS_UNARY_X);
    if (ws_lowering_kind(l, h->second) != WS_OP_CONV_TRANSPOSE2D)
        return 0;
    h->act = ws_match_sole_source(l, h->second, WS_PRODUCT_X);
    if (ws_lowering_kind(l, h->act) != WS_OP_ACTIVATION)
        return 0;
    h->norm = ws_match_sole_source(l, h->act, WS_UNARY_X);
    if (ws_lowering_kind(l, h->norm) != WS_OP_LAYER_NORM &&
        ws_lowering_kind(l, h->norm) != WS_OP_GROUP_NORM)
        return 0;
    h->first = ws_match_sole_source(l, h->norm, WS_NORM_X);
    /* An upscaled map of a lower rate than the vectors is better kept than made again. */
    return ws_lowering_kind(l, h->first) == WS_OP_CONV_TRANSPOSE2D &&
           ws_lowering_value(l, h->first)->rate == ws_lowering_value(l, product)->rate;
}

int ws_match_mask_head_begin(const ws_lowering *l, uint32_t op)
{
    ws_mask_head_ops h;
    for (uint32_t product = op; product < l->graph->n_ops; product++)
        if (ws_lowering_kind(l, product) == WS_OP_MASK_PRODUCT &&
            ws_match_mask_head(l, product, &h) && h.first == op)
            return 1;
    return 0;
}

/* ---- attention between few tokens and many rows ---- */

/* An image side has at least this many rows, whatever the dimensions; the token side may grow with
 * the prompt, to a few dozen in practice. */
enum { IMAGE_ROWS = 256, TOKEN_ROWS = 64 };

static int64_t rows_at_least(const ws_lowering *l, uint32_t ref)
{
    return ref < WS_REF_TENSOR ? ws_rows(&l->values[ref].shape) : 0;
}

ws_cross_side ws_match_cross_side(ws_lowering *l, uint32_t op)
{
    const uint32_t q_ref = ws_lowering_ref(l, op, WS_PROJECTED_Q);
    const uint32_t kv_ref = ws_lowering_ref(l, op, WS_PROJECTED_KV);
    const int64_t q = rows_at_least(l, q_ref), kv = rows_at_least(l, kv_ref);
    if (l->program->lowering_plain || l->program->onednn)
        return WS_CROSS_SIDE_NONE;
    if (q <= TOKEN_ROWS && kv >= IMAGE_ROWS && !ws_lowering_varies(l, kv_ref))
        return WS_CROSS_TOKEN_TO_IMAGE;
    if (kv <= TOKEN_ROWS && q >= IMAGE_ROWS && !ws_lowering_varies(l, q_ref))
        return WS_CROSS_IMAGE_TO_TOKEN;
    return WS_CROSS_SIDE_NONE;
}
