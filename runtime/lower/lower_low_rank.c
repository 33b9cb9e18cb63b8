/* runtime/lower/lower_low_rank.c - which rows may be kept as sums of few terms (low_rank_rows.c),
 * and the products that are made with the image for them. */
#include <stdlib.h>

#include "runtime/lower/lower.h"
#include "runtime/steps/cross_attention.h"

enum { MAX_DEPTH = 2 };

/* Whether a reader takes rows in low-rank form: an attention with them on the image's side, or the
 * mask head. */
static int reads_low_rank(ws_lowering *l, uint32_t op, uint32_t input)
{
    const ws_op_kind kind = (ws_op_kind)ws_op_kind_of(&l->graph->ops[op]);
    if (kind == WS_OP_CONV_TRANSPOSE2D)
        return input == 0 && ws_begins_upscale(l, op);
    if (kind != WS_OP_PROJECTED_ATTENTION)
        return 0;
    const ws_cross_side side = ws_lowering_cross_side(l, op);
    return (side == WS_CROSS_TOKEN_TO_IMAGE && input == 1) ||
           (side == WS_CROSS_IMAGE_TO_TOKEN && input == 0);
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
    const ws_op_view view = ws_lowering_view(l, op);
    const uint32_t *r = view.op->inputs;
    v->heads = a->heads;
    v->inner = a->inner;
    v->width = a->width;
    v->output = a->out;
    v->depth = v->previous ? v->previous->depth + 1 : 1;
    v->op = op;
    v->weight = ws_lowering_constant(l, r[12]);
    v->shift = ws_lowering_constant(l, r[13]);
    v->bias = ws_lowering_constant(l, r[11]);
    v->gain =
        v->previous ? elementwise_product(l, v->width, v->previous->gain, v->weight) : v->weight;
    v->offset =
        elementwise_product(l, v->width, v->previous ? v->previous->offset : v->bias, v->weight);
}

const ws_low_rank *ws_lower_low_rank(ws_lowering *l, uint32_t op, const ws_cross_attention *a,
                                     const ws_operand *in)
{
    const ws_op_view view = ws_lowering_view(l, op);
    const uint32_t *r = view.op->inputs;
    const uint32_t ref = l->graph->n_inputs + op;
    const ws_low_rank *previous = l->low_ranks[r[0]];
    const ws_operand rows = ws_lowering_operand(l, r[0]);
    const int on_image = ws_lowering_rate(l, &rows, 1) == WSAM_RATE_IMAGE;
    const int has_norm = view.op->n_inputs >= 14 && r[12] != WS_REF_NONE && r[13] != WS_REF_NONE;
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
    return l->graph->ops[v->op].inputs[0];
}

void ws_low_rank_operands(const ws_low_rank *v, ws_operand *in)
{
    for (; v; v = v->previous)
        in[WS_CROSS_LOW_RANK_VECTORS + v->depth - 1] =
            (ws_operand){NULL, v->folded, (int64_t)(v->heads * v->width)};
}

ws_product ws_lowering_packed(ws_lowering *l, const wsam_gemm_kernel *kernel, size_t n, size_t k,
                              const float *rows, const float *gain, const float *bias)
{
    const ws_product p = {.kernel = kernel,
                          .packed = ws_lowering_alloc(l, kernel->packed_bytes(n, k)),
                          .n = n,
                          .k = k,
                          .bias = bias};
    float *scaled = malloc(n * k * sizeof *scaled);
    if (!scaled)
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
    for (size_t i = 0; scaled && p.packed && i < n * k; i++)
        scaled[i] = rows[i] * (gain ? gain[i % k] : 1.0f);
    if (scaled && p.packed)
        kernel->pack(n, k, WSAM_F32, scaled, NULL, 0, (n + kernel->nr - 1) / kernel->nr,
                     (void *)(uintptr_t)p.packed);
    free(scaled);
    return p;
}

const float *ws_lowering_offset(ws_lowering *l, size_t n, size_t k, const float *rows,
                                const float *offset)
{
    float *out = offset ? ws_lowering_alloc(l, n * sizeof *out) : NULL;
    for (size_t i = 0; out && i < n; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < k; j++)
            sum += (double)rows[i * k + j] * (double)offset[j];
        out[i] = (float)sum;
    }
    return out;
}

ws_operand ws_lowering_table(ws_lowering *l, uint32_t op, uint32_t ref, ws_operand rows,
                             ws_operand position, const ws_product *product)
{
    const ws_operand in[2] = {rows, position};
    const wsam_rate rate = ws_lowering_rate(l, in, 2);
    const int64_t columns = (int64_t)product->n;
    const ws_operand out = {NULL, ws_lowering_temporary(l, rate, ref, columns), columns};
    ws_step *s = ws_lowering_step(l, &ws_step_gemm, op);
    if (!s || l->status)
        return out;
    s->rate = rate;
    s->in[0] = rows;
    s->in[1] = position;
    s->out = out.buffer;
    s->product[0] = *product;
    s->kernel = product->kernel->name;
    return out;
}
