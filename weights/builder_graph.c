/* weights/builder_graph.c - graphs and metadata of a description. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/builder_internal.h"

static ws_graph_def *current(ws_builder *b)
{
    return b->status || !b->n_graphs ? NULL : &b->graphs[b->n_graphs - 1];
}

static void out_of_memory(ws_builder *b)
{
    if (!b->status)
        b->status = ws_fail(&b->error, WSAM_ERR_MEMORY, "no memory for a graph");
}

static void set_name(ws_builder *b, char *to, size_t size, const char *name)
{
    if (strlen(name) >= size && !b->status)
        b->status = ws_fail(&b->error, WSAM_ERR_LIMIT, "name '%.100s' is too long", name);
    snprintf(to, size, "%s", name);
}

void ws_graph_begin(ws_builder *b, const char *name)
{
    if (b->status)
        return;
    if (b->n_graphs == WS_CAP_GRAPHS) {
        b->status = ws_fail(&b->error, WSAM_ERR_LIMIT, "too many graphs");
        return;
    }
    ws_graph_def *g = &b->graphs[b->n_graphs++];
    b->ops_capacity = 0;
    set_name(b, g->name, sizeof g->name, name);
    g->symbols = calloc(WS_CAP_SYMBOLS, sizeof *g->symbols);
    g->inputs = calloc(WS_CAP_INPUTS, sizeof *g->inputs);
    g->outputs = calloc(WS_CAP_OUTPUTS, sizeof *g->outputs);
    if (!g->symbols || !g->inputs || !g->outputs)
        out_of_memory(b);
}

uint32_t ws_symbol(ws_builder *b, const char *name, uint32_t min, uint32_t max, uint32_t multiple)
{
    ws_graph_def *g = current(b);
    if (!g || g->n_symbols == WS_CAP_SYMBOLS)
        return 0;
    ws_symbol_def *s = &g->symbols[g->n_symbols];
    set_name(b, s->name, sizeof s->name, name);
    s->min = min;
    s->max = max;
    s->multiple = multiple;
    return g->n_symbols++;
}

ws_ref ws_input(ws_builder *b, const char *name, wsam_type type, wsam_rate rate, int rank,
                const int32_t *dims)
{
    ws_graph_def *g = current(b);
    if (!g || g->n_inputs == WS_CAP_INPUTS)
        return WS_REF_NONE;
    ws_input_def *in = &g->inputs[g->n_inputs];
    set_name(b, in->name, sizeof in->name, name);
    in->type = type;
    in->rate = rate;
    in->rank = rank;
    memcpy(in->dims, dims, (size_t)rank * sizeof *dims);
    return g->n_inputs++;
}

ws_ref ws_op(ws_builder *b, const char *kind, const char *name, int n, const ws_ref *inputs)
{
    ws_graph_def *g = current(b);
    if (!g)
        return WS_REF_NONE;
    ws_op_def *ops =
        ws_builder_grow(b, g->ops, g->n_ops, &b->ops_capacity, sizeof *ops, WS_CAP_OPS);
    if (!ops)
        return WS_REF_NONE;
    g->ops = ops;
    ws_op_def *op = &ops[g->n_ops];
    memset(op, 0, sizeof *op);
    set_name(b, op->kind, sizeof op->kind, kind);
    set_name(b, op->name, sizeof op->name, name);
    op->n_inputs = (uint32_t)n;
    memcpy(op->inputs, inputs, (size_t)n * sizeof *inputs);
    op->attrs = calloc(WS_CAP_ATTRS, sizeof *op->attrs);
    if (!op->attrs)
        out_of_memory(b);
    return g->n_inputs + g->n_ops++;
}

static ws_attr_def *new_attr(ws_builder *b, const char *name, ws_attr_kind kind)
{
    ws_graph_def *g = current(b);
    if (!g || !g->n_ops)
        return NULL;
    ws_op_def *op = &g->ops[g->n_ops - 1];
    if (op->n_attrs == WS_CAP_ATTRS)
        return NULL;
    ws_attr_def *a = &op->attrs[op->n_attrs++];
    set_name(b, a->name, sizeof a->name, name);
    a->kind = kind;
    return a;
}

void ws_attr_int(ws_builder *b, const char *name, int64_t value)
{
    ws_attr_def *a = new_attr(b, name, WS_ATTR_INT);
    if (a)
        a->i = value;
}

void ws_attr_float(ws_builder *b, const char *name, double value)
{
    ws_attr_def *a = new_attr(b, name, WS_ATTR_FLOAT);
    if (a)
        a->f = value;
}

void ws_attr_string(ws_builder *b, const char *name, const char *value)
{
    ws_attr_def *a = new_attr(b, name, WS_ATTR_STRING);
    if (a)
        set_name(b, a->s, sizeof a->s, value);
}

void ws_attr_symbol(ws_builder *b, const char *name, uint32_t symbol)
{
    ws_attr_def *a = new_attr(b, name, WS_ATTR_SYMBOL);
    if (a)
        a->i = symbol;
}

void ws_attr_compute(ws_builder *b)
{
    ws_attr_string(b, "compute",
                   b->options.type == WSAM_FILE_F32 || b->options.exact_rest ? "f32" : "bf16");
}

void ws_output(ws_builder *b, const char *name, ws_ref ref)
{
    ws_graph_def *g = current(b);
    if (!g || g->n_outputs == WS_CAP_OUTPUTS)
        return;
    ws_output_def *out = &g->outputs[g->n_outputs++];
    set_name(b, out->name, sizeof out->name, name);
    out->ref = ref;
}

ws_ref ws_linear(ws_builder *b, const char *name, ws_ref x, ws_ref weight, ws_ref bias)
{
    const ws_ref inputs[] = {
        [WS_PRODUCT_X] = x, [WS_PRODUCT_WEIGHT] = weight, [WS_PRODUCT_BIAS] = bias};
    return ws_op(b, "linear", name, WS_PRODUCT_INPUTS, inputs);
}

ws_ref ws_conv(ws_builder *b, const char *name, ws_ref x, ws_ref weight, ws_ref bias, int stride,
               int pad, int groups)
{
    const ws_ref inputs[] = {
        [WS_PRODUCT_X] = x, [WS_PRODUCT_WEIGHT] = weight, [WS_PRODUCT_BIAS] = bias};
    const ws_ref out = ws_op(b, "conv2d", name, WS_PRODUCT_INPUTS, inputs);
    ws_attr_int(b, "stride", stride);
    ws_attr_int(b, "pad", pad);
    ws_attr_int(b, "groups", groups);
    return out;
}

ws_ref ws_layer_norm(ws_builder *b, const char *name, ws_ref x, ws_ref weight, ws_ref bias,
                     double eps)
{
    const ws_ref inputs[] = {[WS_NORM_X] = x, [WS_NORM_WEIGHT] = weight, [WS_NORM_BIAS] = bias};
    const ws_ref out = ws_op(b, "layer_norm", name, WS_NORM_INPUTS, inputs);
    ws_attr_float(b, "eps", eps);
    return out;
}

ws_ref ws_activation(ws_builder *b, const char *name, ws_ref x, const char *function)
{
    const ws_ref out = ws_op(b, "activation", name, WS_UNARY_INPUTS, &x);
    ws_attr_string(b, "function", function);
    return out;
}

ws_ref ws_add(ws_builder *b, const char *name, ws_ref x, ws_ref y)
{
    const ws_ref inputs[] = {[WS_BINARY_A] = x, [WS_BINARY_B] = y};
    const ws_ref out = ws_op(b, "binary", name, WS_BINARY_INPUTS, inputs);
    ws_attr_string(b, "function", "add");
    return out;
}

size_t ws_builder_graph_count(const ws_builder *b)
{
    return b->n_graphs;
}

const ws_graph_def *ws_builder_graph(const ws_builder *b, size_t i)
{
    return &b->graphs[i];
}

/* ---- metadata ---- */

static ws_meta_def *new_meta(ws_builder *b, const char *key, ws_meta_kind kind)
{
    ws_meta_def *meta =
        ws_builder_grow(b, b->meta, b->n_meta, &b->meta_capacity, sizeof *meta, WS_CAP_METADATA);
    if (!meta)
        return NULL;
    b->meta = meta;
    ws_meta_def *m = &meta[b->n_meta++];
    memset(m, 0, sizeof *m);
    set_name(b, m->key, sizeof m->key, key);
    m->kind = kind;
    return m;
}

void ws_meta_string(ws_builder *b, const char *key, const char *value)
{
    ws_meta_def *m = new_meta(b, key, WS_META_STRING);
    if (!m)
        return;
    m->string = strdup(value);
    if (!m->string)
        out_of_memory(b);
}

void ws_meta_int(ws_builder *b, const char *key, int64_t value)
{
    ws_meta_def *m = new_meta(b, key, WS_META_INT);
    if (m)
        m->integer = value;
}

void ws_meta_numbers(ws_builder *b, const char *key, int n, const double *values)
{
    ws_meta_def *m = new_meta(b, key, WS_META_NUMBERS);
    if (!m)
        return;
    m->n_numbers = n;
    memcpy(m->numbers, values, (size_t)n * sizeof *values);
}

void ws_meta_strings(ws_builder *b, const char *key, size_t n, const char *const *values)
{
    ws_meta_def *m = new_meta(b, key, WS_META_STRINGS);
    if (!m)
        return;
    size_t bytes = 1, at = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(values[i]) + 1;
    m->string = malloc(bytes);
    if (!m->string) {
        b->status = ws_fail(&b->error, WSAM_ERR_MEMORY, "no memory for a model description");
        return;
    }
    for (size_t i = 0; i < n; at += strlen(values[i]) + 1, i++)
        memcpy(m->string + at, values[i], strlen(values[i]) + 1);
    m->n_strings = n;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const ws_meta_def *)a)->key, ((const ws_meta_def *)b)->key);
}

size_t ws_builder_meta(ws_builder *b, const ws_meta_def **meta)
{
    if (b->n_meta)
        qsort(b->meta, b->n_meta, sizeof *b->meta, by_key);
    *meta = b->meta;
    return b->n_meta;
}
