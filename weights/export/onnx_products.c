/* weights/export/onnx_products.c - linear layers and convolutions.
 *
 * int8 is written as QuantizeLinear and DequantizeLinear around the product (QDQ). Without measured
 * ranges the input has a scale per row, computed in the graph: our own arithmetic, which runtimes
 * execute as it stands. With ranges there is one constant scale per input, around the zero point
 * 128 of u8: what runtimes fuse into products of integers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weights/export/onnx_operators.h"

/* ---- int8 ---- */

/* The weight [N][rest] from s8: scales along `axis` of its layout. */
static wsam_status dequantized_weight(const ws_onnx_op *o, const ws_tensor_def *t,
                                      const ws_onnx_layout *layout, int axis, int *out)
{
    const int64_t n = t->dims[0];
    float *scales = malloc((size_t)n * sizeof *scales);
    int8_t *zeros = calloc((size_t)n, 1);
    wsam_status status = scales && zeros ? ws_weight_file_scales(o->x->file, t, scales, o->x->error)
                                         : ws_no_memory(o->x->error, t->name);
    if (!status) {
        const int in[] = {ws_onnx_tensor(o->x->g, t, layout),
                          ws_onnx_constant(o->x->g, "scales", WS_ONNX_F32, 1, &n, scales),
                          ws_onnx_constant(o->x->g, "zeros", WS_ONNX_S8, 1, &n, zeros)};
        *out = ws_onnx_node(o->x->g, "DequantizeLinear", o->name, 3, in);
        ws_onnx_int(o->x->g, "axis", axis);
    }
    free(scales);
    free(zeros);
    return status;
}

/* Rows [rows][K] through eight bits: scale = max|x| / 127 of each; a row of zeros stays one. */
static int round_rows(const ws_onnx_op *o, int x)
{
    ws_onnx *g = o->x->g;
    const double smallest = 1e-30;
    int scale = ws_onnx_unary(o, "ReduceMax", ws_onnx_unary(o, "Abs", x));
    ws_onnx_ints(g, "axes", 1, (const int64_t[]){1});
    ws_onnx_int(g, "keepdims", 0);
    scale = ws_onnx_binary(o, "Div", scale, ws_onnx_scalar(g, 127.0));
    scale = ws_onnx_binary(o, "Max", scale, ws_onnx_scalar(g, smallest));
    const int zero =
        ws_onnx_unary(o, "Cast", ws_onnx_binary(o, "Mul", scale, ws_onnx_scalar(g, 0.0)));
    ws_onnx_int(g, "to", WS_ONNX_S8);
    const int down[] = {x, scale, zero};
    const int q = ws_onnx_node(g, "QuantizeLinear", o->name, 3, down);
    ws_onnx_int(g, "axis", 0);
    const int up[] = {q, scale, zero};
    const int back = ws_onnx_node(g, "DequantizeLinear", o->name, 3, up);
    ws_onnx_int(g, "axis", 0);
    return back;
}

/* All of x through eight bits with the measured scale. */
static wsam_status round_all(const ws_onnx_op *o, int x, const ws_tensor_def *weight, int64_t k,
                             int *out)
{
    ws_onnx *g = o->x->g;
    const uint8_t middle = 128;
    const ws_channel_range *r = ws_calibration_find(o->x->ranges, weight->name, (size_t)k);
    float largest = 0.0f;
    if (!r)
        return ws_fail(o->x->error, WSAM_ERR_MISMATCH, "no range was measured for '%s'",
                       weight->name);
    for (size_t c = 0; c < r->channels; c++)
        largest = fmaxf(largest, r->largest[c]);
    const int scale = ws_onnx_scalar(g, largest > 0.0f ? (double)largest / 127.0 : 1.0);
    const int zero = ws_onnx_constant(g, "zero", WS_ONNX_U8, 0, NULL, &middle);
    const int down[] = {x, scale, zero};
    const int up[] = {ws_onnx_node(g, "QuantizeLinear", o->name, 3, down), scale, zero};
    *out = ws_onnx_node(g, "DequantizeLinear", o->name, 3, up);
    return WSAM_OK;
}

/* ---- x W^T + b ---- */

/* x [batch, shape...] as rows [-1, K]. */
static int flat_rows(const ws_onnx_op *o, int x, int64_t k)
{
    return ws_onnx_reshape(o, x, 2, (const int64_t[]){-1, k});
}

/* Rows back in the shape they came from, with n columns; one dimension may be free. */
static wsam_status unflat_rows(const ws_onnx_op *o, const ws_shape *shape, int64_t n, int rows,
                               int *out)
{
    int64_t dims[WSAM_MAX_RANK + 1] = {1};
    int free_dims = 0;
    for (int d = 0; d < shape->rank; d++)
        dims[d + 1] = d + 1 < shape->rank ? shape->dims[d] : n;
    if (o->value->rate == WSAM_RATE_PROMPT) {
        dims[0] = -1;
        free_dims++;
    }
    const ws_shape *wide = &o->x->wide_values[o->value - o->x->values].shape;
    for (int d = 0; d + 1 < shape->rank; d++)
        if (wide->rank == shape->rank && wide->dims[d] != o->value->shape.dims[d]) {
            dims[d + 1] = -1;
            free_dims++;
        }
    if (free_dims > 1)
        return ws_fail(o->x->error, WSAM_ERR_UNSUPPORTED,
                       "'%s': an int8 product with two free dimensions cannot be exported",
                       o->name);
    *out = ws_onnx_reshape(o, rows, shape->rank + 1, dims);
    return WSAM_OK;
}

/* [K,N] of a weight [N,K] or [N,1,1,K]. */
static ws_onnx_layout transposed(const ws_tensor_def *t)
{
    const int64_t k = t->dims[t->rank - 1], n = t->dims[0];
    ws_onnx_layout l = {.order = {1, 0, 2, 3}, .rank = 2, .dims = {k, n}};
    if (t->rank == 4)
        memcpy(l.order, (const int[]){3, 0, 1, 2}, sizeof l.order);
    return l;
}

wsam_status ws_onnx_product(const ws_onnx_op *o, int x, const ws_shape *shape, uint32_t weight,
                            uint32_t bias, int *out)
{
    const ws_tensor_def *t = ws_onnx_weight(o, weight);
    const ws_onnx_layout layout = transposed(t);
    const int64_t k = layout.dims[0], n = layout.dims[1];
    const int by_row = t->type == WSAM_S8 && !o->x->ranges;
    wsam_status status = WSAM_OK;
    int w;
    if (t->type == WSAM_S8) {
        if (by_row)
            x = round_rows(o, flat_rows(o, x, k));
        else if ((status = round_all(o, x, t, k, &x)))
            return status;
        status = dequantized_weight(o, t, &layout, 1, &w);
        if (status)
            return status;
    } else {
        w = ws_onnx_tensor(o->x->g, t, &layout);
    }
    *out = ws_onnx_binary(o, "MatMul", x, w);
    if (by_row)
        status = unflat_rows(o, shape, n, *out, out);
    if (!status && ws_onnx_weight(o, bias))
        *out = ws_onnx_binary(o, "Add", *out, ws_onnx_rows(o, bias));
    return status;
}

wsam_status ws_onnx_linear(const ws_onnx_op *o)
{
    return ws_onnx_product(o, ws_onnx_rows(o, WS_PRODUCT_X), ws_onnx_shape(o, WS_PRODUCT_X),
                           WS_PRODUCT_WEIGHT, WS_PRODUCT_BIAS, &o->out->rows);
}

/* ---- convolutions ---- */

static int put_conv(const ws_onnx_op *o, int x, int weight)
{
    ws_onnx *g = o->x->g;
    const ws_tensor_def *t = ws_onnx_weight(o, WS_PRODUCT_WEIGHT);
    const int64_t pad = ws_op_int(&o->view, "pad", 0), step = ws_op_int(&o->view, "stride", 1),
                  apart = ws_op_int(&o->view, "dilation", 1);
    const int in[] = {x, weight,
                      ws_onnx_weight(o, WS_PRODUCT_BIAS) ? ws_onnx_rows(o, WS_PRODUCT_BIAS) : 0};
    const int y = ws_onnx_node(g, "Conv", o->name, 3, in);
    ws_onnx_ints(g, "kernel_shape", 2, (const int64_t[]){t->dims[1], t->dims[2]});
    ws_onnx_ints(g, "strides", 2, (const int64_t[]){step, step});
    ws_onnx_ints(g, "dilations", 2, (const int64_t[]){apart, apart});
    ws_onnx_ints(g, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
    ws_onnx_int(g, "group", ws_op_int(&o->view, "groups", 1));
    return y;
}

wsam_status ws_onnx_conv2d(const ws_onnx_op *o)
{
    static const ws_onnx_layout planes = {.order = {0, 3, 1, 2}};
    const ws_tensor_def *t = ws_onnx_weight(o, WS_PRODUCT_WEIGHT);
    int x, w;
    if (t->type == WSAM_S8 && !o->x->ranges) /* 1 x 1: a product of rows, each with its scale */
        return ws_onnx_linear(o);
    x = ws_onnx_planes(o, WS_PRODUCT_X);
    if (t->type == WSAM_S8) {
        wsam_status status = round_all(o, x, t, t->dims[3], &x);
        if (!status)
            status = dequantized_weight(o, t, &planes, 0, &w);
        if (status)
            return status;
    } else {
        w = ws_onnx_tensor(o->x->g, t, &planes);
    }
    o->out->planes = put_conv(o, x, w);
    return WSAM_OK;
}

wsam_status ws_onnx_conv_transpose2d(const ws_onnx_op *o)
{
    static const ws_onnx_layout planes = {.order = {3, 2, 0, 1}};
    ws_onnx *g = o->x->g;
    const ws_tensor_def *t = ws_onnx_weight(o, WS_PRODUCT_WEIGHT);
    const int64_t step = ws_op_int(&o->view, "stride", 1);
    const int in[] = {ws_onnx_planes(o, WS_PRODUCT_X), ws_onnx_tensor(g, t, &planes),
                      ws_onnx_weight(o, WS_PRODUCT_BIAS) ? ws_onnx_rows(o, WS_PRODUCT_BIAS) : 0};
    o->out->planes = ws_onnx_node(g, "ConvTranspose", o->name, 3, in);
    ws_onnx_ints(g, "kernel_shape", 2, (const int64_t[]){step, step});
    ws_onnx_ints(g, "strides", 2, (const int64_t[]){step, step});
    return WSAM_OK;
}
