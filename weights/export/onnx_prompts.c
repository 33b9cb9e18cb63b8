/* weights/export/onnx_prompts.c - points to tokens, positions of a grid, vectors to masks. */
#include <math.h>
#include <stdlib.h>

#include "weights/export/onnx_operators.h"

#define TWO_PI 6.283185307179586

/* ---- point_tokens ---- */

/* [sin a, cos a] of points [prompts, n, 2]. */
static int put_code(const ws_onnx_op *o)
{
    ws_onnx *g = o->x->g;
    int a =
        ws_onnx_binary(o, "Mul", ws_onnx_rows(o, WS_POINT_TOKENS_POINTS), ws_onnx_scalar(g, 2.0));
    a = ws_onnx_binary(o, "Sub", a, ws_onnx_scalar(g, 1.0));
    a = ws_onnx_binary(o, "MatMul", a, ws_onnx_rows(o, WS_POINT_TOKENS_GAUSSIAN));
    a = ws_onnx_binary(o, "Mul", a, ws_onnx_scalar(g, TWO_PI));
    const int both[] = {ws_onnx_unary(o, "Sin", a), ws_onnx_unary(o, "Cos", a)};
    const int code = ws_onnx_node(g, "Concat", o->name, 2, both);
    ws_onnx_int(g, "axis", -1);
    return code;
}

static int label_number(const ws_onnx_op *o, int64_t value)
{
    const int32_t v = (int32_t)value;
    return ws_onnx_constant(o->x->g, "label", WS_ONNX_S32, 0, NULL, &v);
}

static int one_column(const ws_onnx_op *o, int x)
{
    return ws_onnx_binary(o, "Unsqueeze", x, ws_onnx_numbers(o->x->g, 1, (const int64_t[]){-1}));
}

wsam_status ws_onnx_point_tokens(const ws_onnx_op *o)
{
    ws_onnx *g = o->x->g;
    const int64_t rows = ws_onnx_weight(o, WS_POINT_TOKENS_TABLE)->dims[0];
    const int labels = ws_onnx_rows(o, WS_POINT_TOKENS_LABELS), zero = label_number(o, 0),
              last = label_number(o, rows - 1);
    const int at =
        ws_onnx_binary(o, "Sub", labels, label_number(o, ws_op_int(&o->view, "first_label", 0)));
    /* labels without a row add nothing */
    const int cut = ws_onnx_binary(o, "Min", ws_onnx_binary(o, "Max", at, zero), last);
    const int known = one_column(o, ws_onnx_binary(o, "Equal", at, cut));
    const int row = ws_onnx_binary(o, "Gather", ws_onnx_rows(o, WS_POINT_TOKENS_TABLE), cut);
    const int pick[] = {known, row, ws_onnx_scalar(g, 0.0)};
    const int term = ws_onnx_node(g, "Where", o->name, 3, pick);
    const int alone =
        one_column(o, ws_onnx_binary(o, "Equal", labels,
                                     label_number(o, ws_op_int(&o->view, "replace_label", 0))));
    const int pick_sum[] = {alone, term, ws_onnx_binary(o, "Add", put_code(o), term)};
    o->out->rows = ws_onnx_node(g, "Where", o->name, 3, pick_sum);
    return WSAM_OK;
}

/* ---- position_grid ---- */

wsam_status ws_onnx_position_grid(const ws_onnx_op *o)
{
    const ws_tensor_def *t = ws_onnx_weight(o, WS_POSITION_GRID_GAUSSIAN);
    const int64_t h = o->value->shape.dims[0], w = o->value->shape.dims[1], f = t->dims[1];
    const int64_t dims[4] = {1, h, w, 2 * f};
    float *gaussian = NULL;
    const wsam_status status = ws_onnx_file_read_f32(o->x->file, t, &gaussian, o->x->error);
    float *all = malloc((size_t)(h * w * 2 * f) * sizeof *all);
    for (int64_t i = 0; !status && all && i < h * w; i++) {
        const double u = 2.0 * ((double)(i % w) + 0.5) / (double)w - 1.0;
        const double v = 2.0 * ((double)(i / w) + 0.5) / (double)h - 1.0;
        for (int64_t j = 0; j < f; j++) {
            const double a = TWO_PI * (u * (double)gaussian[j] + v * (double)gaussian[f + j]);
            all[(2 * i) * f + j] = (float)sin(a);
            all[(2 * i + 1) * f + j] = (float)cos(a);
        }
    }
    if (!status && all)
        o->out->rows = ws_onnx_constant(o->x->g, o->name, WS_ONNX_F32, 4, dims, all);
    free(gaussian);
    free(all);
    return status || all ? status : ws_no_memory(o->x->error, o->name);
}

/* ---- mask_product ---- */

wsam_status ws_onnx_mask_product(const ws_onnx_op *o)
{
    const ws_shape *s = ws_onnx_shape(o, WS_MASK_PRODUCT_FEATURES);
    const int columns = ws_onnx_reshape(o, ws_onnx_planes(o, WS_MASK_PRODUCT_FEATURES), 3,
                                        (const int64_t[]){0, s->dims[2], -1});
    const int y = ws_onnx_binary(o, "MatMul", ws_onnx_rows(o, WS_MASK_PRODUCT_VECTORS), columns);
    o->out->rows = ws_onnx_reshape(o, y, 4, (const int64_t[]){0, -1, s->dims[0], s->dims[1]});
    return WSAM_OK;
}
