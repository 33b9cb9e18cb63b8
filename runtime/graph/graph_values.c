/* runtime/graph/graph_values.c - see graph.h: attributes and inputs of an operator, sizes of
 * values. */
#include <string.h>

#include "runtime/graph/graph.h"

const ws_attr_def *ws_op_attr(const ws_op_def *op, const char *name)
{
    for (uint32_t i = 0; i < op->n_attrs; i++)
        if (strcmp(op->attrs[i].name, name) == 0)
            return &op->attrs[i];
    return NULL;
}

int64_t ws_op_int(const ws_op_view *v, const char *name, int64_t otherwise)
{
    const ws_attr_def *a = ws_op_attr(v->op, name);
    if (!a)
        return otherwise;
    return a->kind == WS_ATTR_SYMBOL ? v->dims->symbols[a->i] : a->i;
}

double ws_op_float(const ws_op_view *v, const char *name, double otherwise)
{
    const ws_attr_def *a = ws_op_attr(v->op, name);
    return a ? a->f : otherwise;
}

const char *ws_op_string(const ws_op_view *v, const char *name, const char *otherwise)
{
    const ws_attr_def *a = ws_op_attr(v->op, name);
    return a ? a->s : otherwise;
}

const ws_tensor_def *ws_ref_tensor(const ws_file *f, uint32_t ref)
{
    return ref >= WS_REF_TENSOR && ref != WS_REF_NONE ? &f->tensors[ref - WS_REF_TENSOR] : NULL;
}

int ws_op_input(const ws_op_view *v, uint32_t i, ws_value *value)
{
    const uint32_t ref = i < v->op->n_inputs ? v->op->inputs[i] : WS_REF_NONE;
    if (ref == WS_REF_NONE)
        return 0;
    const ws_tensor_def *t = ws_ref_tensor(v->file, ref);
    if (!t) {
        *value = v->values[ref];
        return 1;
    }
    value->type = t->type;
    value->rate = WSAM_RATE_MODEL;
    value->shape.rank = t->rank;
    for (int d = 0; d < t->rank; d++)
        value->shape.dims[d] = t->dims[d];
    return 1;
}

/* ---- shapes ---- */

static int64_t product(const ws_shape *s, int rank)
{
    int64_t n = 1;
    for (int d = 0; d < rank; d++)
        if (s->dims[d] == 0)
            return 0;
    for (int d = 0; d < rank; d++)
        n = n > WS_CAP_ELEMENTS / s->dims[d] ? WS_CAP_ELEMENTS + 1 : n * s->dims[d];
    return n;
}

int64_t ws_elements(const ws_shape *s)
{
    return product(s, s->rank);
}

int64_t ws_columns(const ws_shape *s)
{
    return s->dims[s->rank - 1];
}

int64_t ws_rows(const ws_shape *s)
{
    return product(s, s->rank - 1);
}

int ws_same_shape(const ws_shape *a, const ws_shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

void ws_dims_min(const ws_graph_def *g, ws_dims *d)
{
    d->prompts = 1;
    for (uint32_t i = 0; i < g->n_symbols; i++)
        d->symbols[i] = g->symbols[i].min;
}

uint32_t ws_graph_values_image_symbols(const ws_graph_def *g, const ws_value *values)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        for (int d = 0; d < g->inputs[i].rank; d++)
            if (g->inputs[i].rate == WSAM_RATE_IMAGE && g->inputs[i].dims[d] < 0)
                bits |= 1u << (-1 - g->inputs[i].dims[d]);
    for (uint32_t i = 0; i < g->n_ops; i++)
        for (uint32_t k = 0; k < g->ops[i].n_attrs; k++)
            if (values[g->n_inputs + i].rate == WSAM_RATE_IMAGE &&
                g->ops[i].attrs[k].kind == WS_ATTR_SYMBOL)
                bits |= 1u << g->ops[i].attrs[k].i;
    return bits;
}
