/* weights/export/onnx_operators.h - operators of a weight file as nodes of ONNX.
 *
 * Every value gets a dimension in front: 1 at image rate, the number of prompts at prompt rate. Maps
 * [H,W,C] exist as rows [batch,H,W,C] or as planes [batch,C,H,W], as ONNX's convolutions want them;
 * the other form is made when it is asked for, once. */
#ifndef WS_WEIGHTS_EXPORT_ONNX_OPERATORS_H
#define WS_WEIGHTS_EXPORT_ONNX_OPERATORS_H

#include "runtime/graph/graph.h"
#include "weights/calibration.h"
#include "weights/export/onnx_graph.h"

/* A value of the graph; 0: not made in this form yet. */
typedef struct ws_onnx_map {
    int rows, planes;
} ws_onnx_map;

typedef struct ws_onnx_export {
    ws_onnx *g;
    const ws_file *file;
    const ws_graph_def *graph;
    ws_dims dims, wider;            /* free symbols have another value in `wider` */
    ws_value *values, *wide_values; /* shapes at both */
    ws_onnx_map *maps;              /* of every value */
    const wsam_calibration *ranges; /* of the inputs of int8 products, by weight; NULL: by row */
    int prompts;                    /* input with a leading dimension of prompts; 0: none */
    wsam_error *error;
} ws_onnx_export;

/* The operator that is being written. */
typedef struct ws_onnx_op {
    ws_onnx_export *x;
    ws_op_view view;
    const char *name;
    const ws_value *value; /* its output */
    ws_onnx_map *out;
} ws_onnx_op;

typedef wsam_status ws_onnx_rule(const ws_onnx_op *o);

/* Input i as rows or planes. A tensor of the file stands without a leading dimension. */
int ws_onnx_rows(const ws_onnx_op *o, uint32_t i);
int ws_onnx_planes(const ws_onnx_op *o, uint32_t i);
/* A tensor that is an input, or NULL. */
const ws_tensor_def *ws_onnx_weight(const ws_onnx_op *o, uint32_t i);
/* The shape of input i, without the leading dimension. */
const ws_shape *ws_onnx_shape(const ws_onnx_op *o, uint32_t i);

/* Nodes with one and with two inputs, and common ones. */
int ws_onnx_unary(const ws_onnx_op *o, const char *op, int a);
int ws_onnx_binary(const ws_onnx_op *o, const char *op, int a, int b);
int ws_onnx_reshape(const ws_onnx_op *o, int a, int n, const int64_t *dims);
int ws_onnx_transpose(const ws_onnx_op *o, int a, int n, const int64_t *order);
/* x W^T + b for f32, bf16 and s8 weights [N,K]. */
wsam_status ws_onnx_product(const ws_onnx_op *o, int x, const ws_shape *shape, uint32_t weight,
                            uint32_t bias, int *out);
int ws_onnx_layer_norm(const ws_onnx_op *o, int x, uint32_t weight, uint32_t bias, double eps);

ws_onnx_rule ws_onnx_linear, ws_onnx_conv2d, ws_onnx_conv_transpose2d;      /* products */
ws_onnx_rule ws_onnx_max_pool2d, ws_onnx_layer_norm_op, ws_onnx_group_norm, /* operators */
    ws_onnx_activation, ws_onnx_binary_op, ws_onnx_concat, ws_onnx_slice, ws_onnx_reshape_op,
    ws_onnx_resize;
ws_onnx_rule ws_onnx_attention, ws_onnx_projected_attention;                    /* attention */
ws_onnx_rule ws_onnx_point_tokens, ws_onnx_position_grid, ws_onnx_mask_product; /* prompts */

#endif
