/* runtime/lower/lower_low_rank.c - which rows may be kept in low-rank form (low_rank_rows.c). */
#include "runtime/lower/lower.h"
#include "runtime/lower/match_patterns.h"
#include "runtime/steps/cross_attention.h"

enum { MAX_DEPTH = 2 };

/* Whether a reader takes rows in low-rank form: an attention with them on the image's side, or the
 * mask head. */
static int reads_low_rank(ws_lowering *l, uint32_t op, uint32_t input)
{
    const int kind = ws_lowering_kind(l, op);
    if (kind == WS_OP_CONV_TRANSPOSE2D)
        return input == WS_PRODUCT_X && ws_match_mask_head_begin(l, op);
    if (kind != WS_OP_PROJECTED_ATTENTION)
        return 0;
    const ws_cross_side side = ws_match_cross_side(l, op);
    return (side == WS_CROSS_TOKEN_TO_IMAGE && input == WS_PROJECTED_KV) ||
           (side == WS_CROSS_IMAGE_TO_TOKEN && input == WS_PROJECTED_Q);
}

static int all_read_low_rank(ws_lowering *l, uint32_t ref)
{
    const ws_graph_def *g = l->graph;
    uint32_t found = 0;
    for (uint32_t op = 0; op < g->n_ops; op++)
        for (uint32_t i = 0; i < g->ops[op].n_inputs; i++)
            if (g->ops[op].inputs[i] == ref && reads_low_rank(l, op, i))
                found++;
    return found == l->readers[ref]; /* an output counts as two readers */
}

static float *elementwise_product(ws_lowering *l, size_t n, const float *a, const float *b)
{
    float *out = ws_lowering_alloc(l, n * sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = a && b ? a[i] * b[i] : 0.0f;
    return out;
}

static void fill_low_rank(ws_lowering *l, uint32_t op, const ws_cross_attention *a, ws_low_rank *v)
{
    v->heads = a->heads;
    v->inner = a->inner;
    v->width = a->width;
    v->output = a->out;
    v->depth = v->previous ? v->previous->depth + 1 : 1;
    v->op = op;
    v->weight = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_PROJECTED_NORM_WEIGHT));
    v->shift = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_PROJECTED_NORM_BIAS));
    v->bias = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_PROJECTED_OUT_BIAS));
    v->gain =
        v->previous ? elementwise_product(l, v->width, v->previous->gain, v->weight) : v->weight;
    v->offset =
        elementwise_product(l, v->width, v->previous ? v->previous->offset : v->bias, v->weight);
}

const ws_low_rank *ws_lower_low_rank(ws_lowering *l, uint32_t op, const ws_cross_attention *a,
                                     const ws_operand *in)
{
    const ws_op_view view = ws_lowering_view(l, op);
    const uint32_t q = ws_lowering_ref(l, op, WS_PROJECTED_Q), ref = l->graph->n_inputs + op;
    const ws_low_rank *previous = l->low_ranks[q];
    const ws_operand rows = ws_lowering_operand(l, q);
    const int on_image = ws_lowering_rate(l, &rows, 1) == WSAM_RATE_IMAGE;
    const int has_norm = ws_lowering_ref(l, op, WS_PROJECTED_NORM_WEIGHT) != WS_REF_NONE;
    if (!has_norm || !ws_op_int(&view, "residual", 0) ||
        ws_lowering_value(l, op)->rate != WSAM_RATE_PROMPT || !(previous || on_image) ||
        (previous && previous->depth == MAX_DEPTH) || !all_read_low_rank(l, ref))
        return NULL;
    ws_low_rank *v = ws_lowering_alloc(l, sizeof *v);
    if (!v)
        return NULL;
    const ws_low_rank **last = previous ? previous->last : ws_lowering_alloc(l, sizeof *last);
    if (!last)
        return NULL;
    *last = v;
    *v = (ws_low_rank){.previous = previous,
                       .last = last,
                       .folded = in[WS_CROSS_FOLDED_VALUES].buffer,
                       .values = in[WS_CROSS_TOKEN_VALUES].buffer};
    fill_low_rank(l, op, a, v);
    l->low_ranks[ref] = l->status ? NULL : v;
    return l->low_ranks[ref];
}

uint32_t ws_low_rank_image_rows(const ws_lowering *l, const ws_low_rank *v)
{
    while (v->previous)
        v = v->previous;
    return ws_lowering_ref(l, v->op, WS_PROJECTED_Q);
}

void ws_low_rank_operands(const ws_low_rank *v, ws_operand *in)
{
    for (; v; v = v->previous)
        in[WS_CROSS_LOW_RANK_VECTORS + v->depth - 1] =
            (ws_operand){NULL, v->folded, (int64_t)(v->heads * v->width)};
}
