/* runtime/graph/graph.c - see graph.h: signatures, inference, whole-graph checks. */
#include "runtime/graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/graph/role_signature.h"

/* ---- operator signatures ---- */

typedef struct attr_spec {
    const char *name;
    int kinds; /* bit per ws_attr_kind */
    int required;
} attr_spec;

enum {
    I = 1 << WS_ATTR_INT,
    F = 1 << WS_ATTR_FLOAT,
    S = 1 << WS_ATTR_STRING,
    Y = 1 << WS_ATTR_SYMBOL
};

typedef struct signature {
    const char *kind;
    uint32_t min_inputs, max_inputs;
    uint32_t required; /* bit per input that must be there */
    attr_spec attrs[8];
} signature;

static const signature signatures[WS_OP_KINDS] = {
    [WS_OP_LINEAR] = {"linear", 2, 3, 3, {{0}}},
    [WS_OP_CONV2D] = {"conv2d",
                      2,
                      3,
                      3,
                      {{"stride", I, 0}, {"pad", I, 0}, {"dilation", I, 0}, {"groups", I, 0}}},
    [WS_OP_CONV_TRANSPOSE2D] = {"conv_transpose2d", 2, 3, 3, {{"stride", I, 1}}},
    [WS_OP_MAX_POOL2D] =
        {"max_pool2d", 1, 1, 1, {{"kernel", I, 1}, {"stride", I, 1}, {"pad", I, 0}}},
    [WS_OP_LAYER_NORM] = {"layer_norm", 3, 3, 7, {{"eps", F, 1}}},
    [WS_OP_GROUP_NORM] = {"group_norm", 3, 3, 7, {{"eps", F, 1}, {"groups", I, 1}}},
    [WS_OP_ACTIVATION] = {"activation", 1, 1, 1, {{"function", S, 1}}},
    [WS_OP_BINARY] = {"binary", 2, 2, 3, {{"function", S, 1}}},
    [WS_OP_CONCAT] = {"concat", 2, 16, 0xffff, {{0}}},
    [WS_OP_SLICE] = {"slice", 1, 1, 1, {{"axis", I, 0}, {"begin", I | Y, 1}, {"length", I | Y, 1}}},
    [WS_OP_RESHAPE] =
        {"reshape",
         1,
         1,
         1,
         {{"dim0", I | Y, 1}, {"dim1", I | Y, 0}, {"dim2", I | Y, 0}, {"dim3", I | Y, 0}}},
    [WS_OP_RESIZE] =
        {"resize", 1, 1, 1, {{"kind", S, 1}, {"height", I | Y, 1}, {"width", I | Y, 1}}},
    [WS_OP_ATTENTION] =
        {"attention",
         1,
         5,
         1,
         {{"heads", I, 1}, {"window", I, 0}, {"scale", F, 1}, {"bias", S, 1}, {"compute", S, 0}}},
    [WS_OP_PROJECTED_ATTENTION] =
        {"projected_attention",
         12,
         14,
         0xff3,
         {{"heads", I, 1}, {"residual", I, 1}, {"eps", F, 1}, {"compute", S, 0}}},
    [WS_OP_POINT_TOKENS] =
        {"point_tokens", 4, 4, 15, {{"first_label", I, 1}, {"replace_label", I, 1}}},
    [WS_OP_POSITION_GRID] = {"position_grid", 1, 1, 1, {{"height", I | Y, 1}, {"width", I | Y, 1}}},
    [WS_OP_MASK_PRODUCT] = {"mask_product", 2, 2, 3, {{0}}},
    [WS_OP_ADD_POSITIONS] = {"add_positions", 2, 2, 3, {{"height", I | Y, 0}, {"width", I | Y, 0}}},
    [WS_OP_GRID_ROWS] = {"grid_rows", 2, 2, 3, {{0}}},
    [WS_OP_ROW_MAX] = {"row_max", 1, 1, 1, {{0}}},
    [WS_OP_CLASS_ATTENTION] = {"class_attention", 2, 2, 3, {{"heads", I, 1}, {"scale", F, 1}}},
    [WS_OP_ATTENTION_SUM] =
        {"attention_sum", 1, 3, 1, {{"factor", F, 1}, {"first", I, 0}, {"weights", S, 0}}},
    [WS_OP_ATTENTION_SPREAD] = {"attention_spread",
                                2,
                                4,
                                3,
                                {{"heads", I, 1},
                                 {"scale", F, 1},
                                 {"factor", F, 1},
                                 {"first", I, 0},
                                 {"weights", S, 0},
                                 {"compute", S, 0}}},
};

int ws_op_kind_of(const ws_op_def *op)
{
    for (int k = 0; k < WS_OP_KINDS; k++)
        if (strcmp(signatures[k].kind, op->kind) == 0)
            return k;
    return -1;
}

/* Attribute names, kinds, and the required ones. */
static int check_attrs(const ws_op_def *op, const signature *s, char why[128])
{
    const size_t n = sizeof s->attrs / sizeof s->attrs[0];
    for (uint32_t i = 0; i < op->n_attrs; i++) {
        size_t j = 0;
        while (j < n && s->attrs[j].name && strcmp(s->attrs[j].name, op->attrs[i].name) != 0)
            j++;
        if (j == n || !s->attrs[j].name) {
            snprintf(why, 128, "unknown attribute '%s'", op->attrs[i].name);
            return 0;
        }
        if (!(s->attrs[j].kinds & 1 << op->attrs[i].kind) ||
            ws_op_attr(op, op->attrs[i].name) != &op->attrs[i]) {
            snprintf(why, 128, "attribute '%s' has the wrong kind or appears twice",
                     op->attrs[i].name);
            return 0;
        }
    }
    for (size_t j = 0; j < n && s->attrs[j].name; j++)
        if (s->attrs[j].required && !ws_op_attr(op, s->attrs[j].name)) {
            snprintf(why, 128, "attribute '%s' is missing", s->attrs[j].name);
            return 0;
        }
    return 1;
}

static int check_inputs(const ws_op_def *op, const signature *s, char why[128])
{
    if (op->n_inputs < s->min_inputs || op->n_inputs > s->max_inputs) {
        snprintf(why, 128, "%u inputs instead of %u to %u", op->n_inputs, s->min_inputs,
                 s->max_inputs);
        return 0;
    }
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (op->inputs[i] == WS_REF_NONE && s->required & 1u << i) {
            snprintf(why, 128, "input %u is missing", i);
            return 0;
        }
    return 1;
}

/* Which inputs may be other than f32: weights of products, and labels. */
static int check_types(const ws_op_view *v, ws_op_kind kind, char why[128])
{
    for (uint32_t i = 0; i < v->op->n_inputs; i++) {
        ws_value in;
        if (!ws_op_input(v, i, &in))
            continue;
        const int product = (kind <= WS_OP_CONV_TRANSPOSE2D && i == 1) ||
                            (kind == WS_OP_PROJECTED_ATTENTION && i >= 4 && i < 12 && i % 2 == 0);
        const int labels = kind == WS_OP_POINT_TOKENS && i == 1;
        const int tensor = ws_ref_tensor(v->file, v->op->inputs[i]) != NULL;
        if (labels ? in.type != WSAM_S32 : in.type == WSAM_S32) {
            snprintf(why, 128, "input %u has the wrong type", i);
            return 0;
        }
        if (product && !tensor) {
            snprintf(why, 128, "input %u must be a tensor of the file", i);
            return 0;
        }
        if (!product && in.type != WSAM_F32 && !labels) {
            snprintf(why, 128, "input %u must be f32", i);
            return 0;
        }
        if (in.type == WSAM_S8 && kind != WS_OP_LINEAR && kind != WS_OP_CONV2D) {
            snprintf(why, 128, "input %u cannot be s8", i);
            return 0;
        }
    }
    return 1;
}

static wsam_rate rate_of(const ws_op_view *v)
{
    wsam_rate rate = WSAM_RATE_MODEL;
    for (uint32_t i = 0; i < v->op->n_inputs; i++) {
        ws_value in;
        if (ws_op_input(v, i, &in) && in.rate > rate)
            rate = in.rate;
    }
    return rate;
}

/* What depends on tensors alone is computed once: it cannot depend on a symbol. */
static int check_rate(const ws_op_def *op, wsam_rate rate, char why[128])
{
    for (uint32_t i = 0; rate == WSAM_RATE_MODEL && i < op->n_attrs; i++)
        if (op->attrs[i].kind == WS_ATTR_SYMBOL) {
            snprintf(why, 128, "a symbol in an operator without inputs");
            return 0;
        }
    return 1;
}

static int too_large(const ws_shape *s)
{
    for (int d = 0; d < s->rank; d++)
        if (s->dims[d] < 0 || s->dims[d] > WS_CAP_DIM)
            return 1;
    return ws_elements(s) > WS_CAP_ELEMENTS || ws_rows(s) > WS_CAP_ELEMENTS;
}

static wsam_status infer_op(const ws_op_view *v, uint32_t index, ws_value *out, wsam_error *error)
{
    char why[128] = "";
    const int kind = ws_op_kind_of(v->op);
    if (kind < 0)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: graph %s: unknown operator '%s' (%s)",
                       v->file->path, v->graph->name, v->op->kind, v->op->name);
    memset(&out->shape, 0, sizeof out->shape);
    out->type = WSAM_F32;
    out->rate = rate_of(v);
    const int good = check_inputs(v->op, &signatures[kind], why) &&
                     check_attrs(v->op, &signatures[kind], why) &&
                     check_types(v, (ws_op_kind)kind, why) && check_rate(v->op, out->rate, why) &&
                     ws_shape_rule_of((ws_op_kind)kind)(v, &out->shape, why);
    if (!good)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: graph %s: operator %u %s '%s': %s",
                       v->file->path, v->graph->name, index, v->op->kind, v->op->name, why);
    if (too_large(&out->shape))
        return ws_fail(error, WSAM_ERR_LIMIT, "%s: graph %s: operator '%s' makes too large a value",
                       v->file->path, v->graph->name, v->op->name);
    return WSAM_OK;
}

static wsam_status infer_values(const ws_file *f, const ws_graph_def *g, const ws_dims *dims,
                                ws_value *values, wsam_error *error)
{
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const ws_input_def *in = &g->inputs[i];
        values[i].type = in->type;
        values[i].rate = in->rate;
        values[i].shape.rank = in->rank;
        for (int d = 0; d < in->rank; d++)
            values[i].shape.dims[d] =
                in->dims[d] >= 0 ? in->dims[d] : dims->symbols[-1 - in->dims[d]];
        if (too_large(&values[i].shape))
            return ws_fail(error, WSAM_ERR_LIMIT, "%s: graph %s: input '%s' is too large", f->path,
                           g->name, in->name);
    }
    for (uint32_t i = 0; i < g->n_ops; i++) {
        const ws_op_view v = {f, g, &g->ops[i], values, dims};
        const wsam_status status = infer_op(&v, i, &values[g->n_inputs + i], error);
        if (status)
            return status;
    }
    return WSAM_OK;
}

wsam_status ws_infer(const ws_file *f, const ws_graph_def *g, const ws_dims *dims, ws_value *values,
                     wsam_error *error)
{
    ws_role_sizes sizes = f->role_sizes;
    const wsam_status status = infer_values(f, g, dims, values, error);
    return status ? status : ws_check_role(f, g, dims, values, &sizes, error);
}

/* The largest single value must fit: the least that any plan needs. */
static wsam_status check_sizes(const ws_file *f, const ws_graph_def *g, const ws_value *values,
                               uint64_t max_memory, wsam_error *error)
{
    for (uint32_t i = 0; max_memory && i < g->n_inputs + g->n_ops; i++)
        if ((uint64_t)ws_elements(&values[i].shape) * sizeof(float) > max_memory)
            return ws_fail(
                error, WSAM_ERR_LIMIT,
                "%s: graph %s: '%s' needs %llu bytes, more than the memory limit of %llu", f->path,
                g->name, i < g->n_inputs ? g->inputs[i].name : g->ops[i - g->n_inputs].name,
                (unsigned long long)ws_elements(&values[i].shape) * sizeof(float),
                (unsigned long long)max_memory);
    return WSAM_OK;
}

/* Values of a symbol between its smallest and its largest at which a graph is tried. */
static const uint32_t tried_steps[] = {1, 2, 7, 32, 101};

static wsam_status check_symbol(const ws_file *f, const ws_graph_def *g, uint32_t i, ws_dims *dims,
                                ws_value *values, wsam_error *error)
{
    const ws_symbol_def *s = &g->symbols[i];
    dims->symbols[i] = s->max - s->max % s->multiple;
    wsam_status status = ws_infer(f, g, dims, values, error);
    for (size_t k = 0; k < sizeof tried_steps / sizeof tried_steps[0] && !status; k++) {
        dims->symbols[i] = (int64_t)s->min + (int64_t)tried_steps[k] * s->multiple;
        if (dims->symbols[i] <= s->max)
            status = ws_infer(f, g, dims, values, error);
    }
    dims->symbols[i] = s->min;
    return status;
}

/* The rules hold at the smallest dimensions and at several values of each symbol. (Not at all of
 * the largest together: a graph may want first + count <= n of two symbols.) Every bind and run
 * applies them again to its own. */
wsam_status ws_check_graph(ws_file *f, const ws_graph_def *g, uint64_t max_memory,
                           wsam_error *error)
{
    ws_value *values = calloc((size_t)g->n_inputs + g->n_ops + 1, sizeof *values);
    ws_dims dims = {.prompts = 1};
    if (!values)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory to check its graphs", f->path);
    ws_dims_min(g, &dims);
    wsam_status status = infer_values(f, g, &dims, values, error);
    if (!status)
        status = ws_check_role(f, g, &dims, values, &f->role_sizes, error);
    for (uint32_t i = 0; i < g->n_symbols && !status; i++)
        status = check_symbol(f, g, i, &dims, values, error);
    if (!status)
        status = ws_infer(f, g, &dims, values, error);
    if (!status)
        status = check_sizes(f, g, values, max_memory, error);
    free(values);
    return status;
}
