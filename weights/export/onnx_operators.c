/* weights/export/onnx_operators.c - see onnx_operators.h: access to inputs, and the operators that
 * are a node or two. */
#include "weights/export/onnx_operators.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- access ---- */

const ws_tensor_def *ws_onnx_weight(const ws_onnx_op *o, uint32_t i)
{
    return i < o->view.op->n_inputs ? ws_ref_tensor(o->x->file, o->view.op->inputs[i]) : NULL;
}

const ws_shape *ws_onnx_shape(const ws_onnx_op *o, uint32_t i)
{
    return &o->x->values[o->view.op->inputs[i]].shape;
}

static ws_onnx_map *map_of(const ws_onnx_op *o, uint32_t i)
{
    return &o->x->maps[o->view.op->inputs[i]];
}

int ws_onnx_rows(const ws_onnx_op *o, uint32_t i)
{
    const ws_tensor_def *t = ws_onnx_weight(o, i);
    if (t)
        return ws_onnx_tensor(o->x->g, t, NULL);
    ws_onnx_map *m = map_of(o, i);
    if (!m->rows)
        m->rows = ws_onnx_transpose(o, m->planes, 4, (const int64_t[]){0, 2, 3, 1});
    return m->rows;
}

int ws_onnx_planes(const ws_onnx_op *o, uint32_t i)
{
    ws_onnx_map *m = map_of(o, i);
    if (!m->planes)
        m->planes = ws_onnx_transpose(o, m->rows, 4, (const int64_t[]){0, 3, 1, 2});
    return m->planes;
}

int ws_onnx_unary(const ws_onnx_op *o, const char *op, int a)
{
    return ws_onnx_node(o->x->g, op, o->name, 1, &a);
}

int ws_onnx_binary(const ws_onnx_op *o, const char *op, int a, int b)
{
    const int in[] = {a, b};
    return ws_onnx_node(o->x->g, op, o->name, 2, in);
}

int ws_onnx_reshape(const ws_onnx_op *o, int a, int n, const int64_t *dims)
{
    return ws_onnx_binary(o, "Reshape", a, ws_onnx_numbers(o->x->g, n, dims));
}

int ws_onnx_transpose(const ws_onnx_op *o, int a, int n, const int64_t *order)
{
    const int y = ws_onnx_unary(o, "Transpose", a);
    ws_onnx_ints(o->x->g, "perm", n, order);
    return y;
}

/* ---- norms ---- */

int ws_onnx_layer_norm(const ws_onnx_op *o, int x, uint32_t weight, uint32_t bias, double eps)
{
    const int in[] = {x, ws_onnx_rows(o, weight), ws_onnx_rows(o, bias)};
    const int y = ws_onnx_node(o->x->g, "LayerNormalization", o->name, 3, in);
    ws_onnx_int(o->x->g, "axis", -1);
    ws_onnx_float(o->x->g, "epsilon", eps);
    return y;
}

wsam_status ws_onnx_layer_norm_op(const ws_onnx_op *o)
{
    o->out->rows = ws_onnx_layer_norm(o, ws_onnx_rows(o, WS_NORM_X), WS_NORM_WEIGHT, WS_NORM_BIAS,
                                      ws_op_float(&o->view, "eps", 0.0));
    return WSAM_OK;
}

/* InstanceNormalization of a row per group, then weight and bias per channel. */
wsam_status ws_onnx_group_norm(const ws_onnx_op *o)
{
    ws_onnx *g = o->x->g;
    const ws_shape *s = ws_onnx_shape(o, WS_NORM_X);
    const int64_t groups = ws_op_int(&o->view, "groups", 1), channels = s->dims[2];
    const ws_onnx_layout column = {.order = {0, 1, 2, 3}, .rank = 3, .dims = {channels, 1, 1}};
    float *ones = calloc((size_t)(2 * groups), sizeof *ones);
    if (!ones)
        return ws_no_memory(o->x->error, o->name);
    for (int64_t i = 0; i < groups; i++)
        ones[i] = 1.0f;
    const int in[] = {
        ws_onnx_reshape(o, ws_onnx_planes(o, WS_NORM_X), 3, (const int64_t[]){0, groups, -1}),
        ws_onnx_constant(g, "ones", WS_ONNX_F32, 1, &groups, ones),
        ws_onnx_constant(g, "zeros", WS_ONNX_F32, 1, &groups, ones + groups)};
    free(ones);
    int y = ws_onnx_node(g, "InstanceNormalization", o->name, 3, in);
    ws_onnx_float(g, "epsilon", ws_op_float(&o->view, "eps", 0.0));
    y = ws_onnx_reshape(o, y, 4, (const int64_t[]){0, channels, s->dims[0], s->dims[1]});
    y = ws_onnx_binary(o, "Mul", y, ws_onnx_tensor(g, ws_onnx_weight(o, WS_NORM_WEIGHT), &column));
    o->out->planes =
        ws_onnx_binary(o, "Add", y, ws_onnx_tensor(g, ws_onnx_weight(o, WS_NORM_BIAS), &column));
    return WSAM_OK;
}

/* ---- elementwise ---- */

/* x Phi(x) in the five nodes that runtimes know as one. */
static int put_gelu(const ws_onnx_op *o, int x)
{
    ws_onnx *g = o->x->g;
    int y = ws_onnx_unary(o, "Erf", ws_onnx_binary(o, "Div", x, ws_onnx_scalar(g, sqrt(2.0))));
    y = ws_onnx_binary(o, "Add", y, ws_onnx_scalar(g, 1.0));
    return ws_onnx_binary(o, "Mul", ws_onnx_binary(o, "Mul", x, y), ws_onnx_scalar(g, 0.5));
}

static int put_activation(const ws_onnx_op *o, int x)
{
    const char *function = ws_op_string(&o->view, "function", "");
    if (strcmp(function, "gelu") == 0)
        return put_gelu(o, x);
    return ws_onnx_unary(o, strcmp(function, "relu") == 0 ? "Relu" : "Sigmoid", x);
}

wsam_status ws_onnx_activation(const ws_onnx_op *o)
{
    const ws_onnx_map *in = map_of(o, WS_UNARY_X);
    if (in->rows)
        o->out->rows = put_activation(o, in->rows);
    else
        o->out->planes = put_activation(o, in->planes);
    return WSAM_OK;
}

/* b without its leading dimension meets the last dimensions of a; with it ones go between. */
static int fit_suffix(const ws_onnx_op *o, int b, int rank_a)
{
    const ws_shape *s = ws_onnx_shape(o, WS_BINARY_B);
    int64_t dims[WSAM_MAX_RANK + 1] = {0};
    if (s->rank == rank_a)
        return b;
    for (int d = 0; d < rank_a; d++)
        dims[d + 1] = d < rank_a - s->rank ? 1 : s->dims[d - (rank_a - s->rank)];
    return ws_onnx_reshape(o, b, rank_a + 1, dims);
}

wsam_status ws_onnx_binary_op(const ws_onnx_op *o)
{
    const char *op = strcmp(ws_op_string(&o->view, "function", "add"), "mul") == 0 ? "Mul" : "Add";
    const ws_tensor_def *a = ws_onnx_weight(o, WS_BINARY_A), *b = ws_onnx_weight(o, WS_BINARY_B);
    const int both_planes =
        !a && !b && !map_of(o, WS_BINARY_A)->rows && !map_of(o, WS_BINARY_B)->rows &&
        ws_onnx_shape(o, WS_BINARY_A)->rank == ws_onnx_shape(o, WS_BINARY_B)->rank;
    if (both_planes) {
        o->out->planes =
            ws_onnx_binary(o, op, ws_onnx_planes(o, WS_BINARY_A), ws_onnx_planes(o, WS_BINARY_B));
        return WSAM_OK;
    }
    int y = ws_onnx_rows(o, WS_BINARY_B);
    if (!b)
        y = fit_suffix(o, y, o->value->shape.rank);
    o->out->rows = ws_onnx_binary(o, op, ws_onnx_rows(o, WS_BINARY_A), y);
    return WSAM_OK;
}

/* ---- shapes ---- */

static wsam_status refuse(const ws_onnx_op *o, const char *what)
{
    return ws_fail(o->x->error, WSAM_ERR_UNSUPPORTED, "%s '%s' cannot be exported: %s",
                   o->view.op->kind, o->name, what);
}

/* [prompts] + ones: what an image's value is expanded to beside a prompt's. */
static int prompt_shape(const ws_onnx_op *o, int ones)
{
    int64_t one[WSAM_MAX_RANK] = {1, 1, 1, 1};
    ws_onnx *g = o->x->g;
    const int64_t begin = 0, end = 1;
    const int in[] = {ws_onnx_unary(o, "Shape", o->x->prompts), ws_onnx_numbers(g, 1, &begin),
                      ws_onnx_numbers(g, 1, &end)};
    const int n = ws_onnx_node(g, "Slice", o->name, 3, in);
    const int both[] = {n, ws_onnx_numbers(g, ones, one)};
    const int shape = ws_onnx_node(g, "Concat", o->name, 2, both);
    ws_onnx_int(g, "axis", 0);
    return shape;
}

wsam_status ws_onnx_concat(const ws_onnx_op *o)
{
    int in[WS_CAP_OP_INPUTS];
    const int rank = o->value->shape.rank;
    for (uint32_t i = 0; i < o->view.op->n_inputs; i++) {
        const ws_tensor_def *t = ws_onnx_weight(o, i);
        ws_value value;
        ws_op_input(&o->view, i, &value);
        if (t && rank == WSAM_MAX_RANK)
            return refuse(o, "a tensor of four dimensions");
        ws_onnx_layout l = {.order = {0, 1, 2, 3}, .rank = rank + 1, .dims = {1}};
        for (int d = 0; t && d < rank; d++)
            l.dims[d + 1] = t->dims[d];
        in[i] = t ? ws_onnx_tensor(o->x->g, t, &l) : ws_onnx_rows(o, i);
        if (o->value->rate == WSAM_RATE_PROMPT && value.rate != WSAM_RATE_PROMPT)
            in[i] = ws_onnx_binary(o, "Expand", in[i], prompt_shape(o, rank));
    }
    o->out->rows = ws_onnx_node(o->x->g, "Concat", o->name, (int)o->view.op->n_inputs, in);
    ws_onnx_int(o->x->g, "axis", 1);
    return WSAM_OK;
}

wsam_status ws_onnx_slice(const ws_onnx_op *o)
{
    ws_onnx *g = o->x->g;
    const int64_t axis = ws_op_int(&o->view, "axis", 0) + 1,
                  begin = ws_op_int(&o->view, "begin", 0);
    const int64_t end = begin + ws_op_int(&o->view, "length", 1);
    const int in[] = {ws_onnx_rows(o, WS_UNARY_X), ws_onnx_numbers(g, 1, &begin),
                      ws_onnx_numbers(g, 1, &end), ws_onnx_numbers(g, 1, &axis)};
    o->out->rows = ws_onnx_node(g, "Slice", o->name, 4, in);
    return WSAM_OK;
}

wsam_status ws_onnx_reshape_op(const ws_onnx_op *o)
{
    const ws_shape *s = &o->value->shape;
    const ws_shape *wide = &o->x->wide_values[o->value - o->x->values].shape;
    int64_t dims[WSAM_MAX_RANK + 1] = {0};
    int free_dims = 0;
    for (int d = 0; d < s->rank; d++) {
        const int is_free = s->dims[d] != wide->dims[d];
        dims[d + 1] = is_free ? -1 : s->dims[d];
        free_dims += is_free;
    }
    if (free_dims > 1)
        return refuse(o, "two free dimensions");
    o->out->rows = ws_onnx_reshape(o, ws_onnx_rows(o, WS_UNARY_X), s->rank + 1, dims);
    return WSAM_OK;
}

wsam_status ws_onnx_resize(const ws_onnx_op *o)
{
    ws_onnx *g = o->x->g;
    const ws_shape *from = ws_onnx_shape(o, WS_UNARY_X), *to = &o->value->shape;
    const int cubic = strcmp(ws_op_string(&o->view, "kind", ""), "bicubic") == 0;
    const float scales[4] = {1.0f, 1.0f, (float)((double)to->dims[0] / (double)from->dims[0]),
                             (float)((double)to->dims[1] / (double)from->dims[1])};
    const int64_t four = 4;
    const int in[] = {ws_onnx_planes(o, WS_UNARY_X), 0,
                      ws_onnx_constant(g, "scales", WS_ONNX_F32, 1, &four, scales)};
    o->out->planes = ws_onnx_node(g, "Resize", o->name, 3, in);
    ws_onnx_text(g, "mode", cubic ? "cubic" : "linear");
    ws_onnx_text(g, "coordinate_transformation_mode", "half_pixel");
    ws_onnx_float(g, "cubic_coeff_a", -0.75);
    return WSAM_OK;
}

wsam_status ws_onnx_max_pool2d(const ws_onnx_op *o)
{
    ws_onnx *g = o->x->g;
    const int64_t k = ws_op_int(&o->view, "kernel", 1), step = ws_op_int(&o->view, "stride", 1),
                  pad = ws_op_int(&o->view, "pad", 0);
    o->out->planes = ws_onnx_unary(o, "MaxPool", ws_onnx_planes(o, WS_UNARY_X));
    ws_onnx_ints(g, "kernel_shape", 2, (const int64_t[]){k, k});
    ws_onnx_ints(g, "strides", 2, (const int64_t[]){step, step});
    ws_onnx_ints(g, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
    return WSAM_OK;
}
