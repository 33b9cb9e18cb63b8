/* runtime/graph/graph.c - see graph.h: inference, whole-graph checks. */
#include "runtime/graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/graph/role_signature.h"
#include "runtime/graph/shape_rules.h"
#include "runtime/graph/signatures.h"

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

#define SHAPE_RULE(KIND, name) [WS_OP_##KIND] = ws_rule_##name,
static ws_shape_rule *const rules[WS_OP_KINDS] = {WS_OPERATORS(SHAPE_RULE)};

static wsam_status infer_op(const ws_op_view *v, uint32_t index, ws_value *out, wsam_error *error)
{
    char why[128] = "";
    const int kind = ws_signatures_kind_of(v->op);
    if (kind < 0)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: graph %s: unknown operator '%s' (%s)",
                       v->file->path, v->graph->name, v->op->kind, v->op->name);
    memset(&out->shape, 0, sizeof out->shape);
    out->type = WSAM_F32;
    out->rate = rate_of(v);
    const int good = ws_signatures_check(v, (ws_op_kind)kind, why) &&
                     check_rate(v->op, out->rate, why) && rules[kind](v, &out->shape, why);
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

wsam_status ws_graph_infer(const ws_file *f, const ws_graph_def *g, const ws_dims *dims,
                           ws_value *values, wsam_error *error)
{
    ws_role_sizes sizes = f->role_sizes;
    const wsam_status status = infer_values(f, g, dims, values, error);
    return status ? status : ws_role_signature_check(f, g, dims, values, &sizes, error);
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
    wsam_status status = ws_graph_infer(f, g, dims, values, error);
    for (size_t k = 0; k < sizeof tried_steps / sizeof tried_steps[0] && !status; k++) {
        dims->symbols[i] = (int64_t)s->min + (int64_t)tried_steps[k] * s->multiple;
        if (dims->symbols[i] <= s->max)
            status = ws_graph_infer(f, g, dims, values, error);
    }
    dims->symbols[i] = s->min;
    return status;
}

/* The rules hold at the smallest dimensions and at several values of each symbol. (Not at all of
 * the largest together: a graph may want first + count <= n of two symbols.) Every bind and run
 * applies them again to its own. */
wsam_status ws_graph_check(ws_file *f, const ws_graph_def *g, uint64_t max_memory,
                           wsam_error *error)
{
    ws_value *values = calloc((size_t)g->n_inputs + g->n_ops + 1, sizeof *values);
    ws_dims dims = {.prompts = 1};
    if (!values)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory to check its graphs", f->path);
    ws_dims_min(g, &dims);
    wsam_status status = infer_values(f, g, &dims, values, error);
    if (!status)
        status = ws_role_signature_check(f, g, &dims, values, &f->role_sizes, error);
    for (uint32_t i = 0; i < g->n_symbols && !status; i++)
        status = check_symbol(f, g, i, &dims, values, error);
    if (!status)
        status = ws_graph_infer(f, g, &dims, values, error);
    if (!status)
        status = check_sizes(f, g, values, max_memory, error);
    free(values);
    return status;
}
