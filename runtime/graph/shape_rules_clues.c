/* runtime/graph/shape_rules_clues.c - the shape rules of a clue network's operators (FORMAT.md). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/graph/shape_rules.h"

static int refuse(char why[128], const char *text)
{
    snprintf(why, 128, "%s", text);
    return 0;
}

/* Where the clue operators' inputs may be prompt-rate, their steps would have to run once per
 * prompt; they do not. */
static int of_the_image(const ws_op_view *v)
{
    for (uint32_t i = 0; i < v->op->n_inputs; i++) {
        ws_value in;
        if (ws_op_input(v, i, &in) && in.rate == WSAM_RATE_PROMPT)
            return 0;
    }
    return 1;
}

int ws_rule_add_positions(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x, table;
    ws_op_input(v, WS_ADD_POSITIONS_X, &x);
    ws_op_input(v, WS_ADD_POSITIONS_TABLE, &table);
    *out = x.shape;
    if (!of_the_image(v) || !ws_ref_tensor(v->file, v->op->inputs[WS_ADD_POSITIONS_TABLE]) ||
        x.shape.rank != 3 || table.shape.rank != 3 || table.shape.dims[2] != x.shape.dims[2] ||
        x.shape.dims[0] < 1 || x.shape.dims[0] > 65536 || x.shape.dims[1] > 65536)
        return refuse(why, "expected [H,W,C] of the image and a tensor [G,G,C]");
    const char *mode = ws_op_string(v, "mode", "offset");
    if (strcmp(mode, "offset") != 0 && strcmp(mode, "size") != 0 && strcmp(mode, "antialias") != 0)
        return refuse(why, "unknown mode");
    return 1;
}

/* The tokens of x are classes and the patches of a grid: their numbers, 0 where that is wrong. */
static int64_t class_rows(const ws_value *x, const ws_value *grid)
{
    if (x->shape.rank != 3 || x->shape.dims[0] != 1 || grid->shape.rank != 3 ||
        grid->shape.dims[0] < 1 || grid->shape.dims[1] < 1)
        return 0;
    const int64_t n = x->shape.dims[1] - grid->shape.dims[0] * grid->shape.dims[1];
    return n > 0 ? n : 0;
}

int ws_rule_grid_rows(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x, grid;
    ws_op_input(v, WS_GRID_ROWS_X, &x);
    ws_op_input(v, WS_GRID_ROWS_GRID, &grid);
    if (!of_the_image(v) || !class_rows(&x, &grid))
        return refuse(why, "expected [1,T,C] and a grid of fewer than T patches");
    *out = grid.shape;
    out->dims[2] = x.shape.dims[2];
    return 1;
}

int ws_rule_row_max(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x;
    ws_op_input(v, WS_UNARY_X, &x);
    if (!of_the_image(v) || ws_rows(&x.shape) < 1 || x.shape.rank < 2)
        return refuse(why, "expected rows of the image");
    out->rank = 2;
    out->dims[0] = 1;
    out->dims[1] = ws_columns(&x.shape);
    return 1;
}

/* Heads, head size and scale of an operator that reads qkv [1,T,3D]. */
static int attention_fits(const ws_op_view *v, const ws_value *qkv, char why[128])
{
    const int64_t heads = ws_op_int(v, "heads", 1), width = ws_columns(&qkv->shape) / 3;
    if (ws_columns(&qkv->shape) % 3 || heads < 1 || heads > 1024 || width % heads ||
        (width / heads) % 8 || width / heads < 8 || width / heads > 256)
        return refuse(why, "the head size must be a multiple of 8, at most 256");
    if (!isfinite(ws_op_float(v, "scale", 1.0)))
        return refuse(why, "scale is out of range");
    return 1;
}

int ws_rule_class_attention(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value qkv, grid;
    ws_op_input(v, WS_CLASS_ATTENTION_QKV, &qkv);
    ws_op_input(v, WS_CLASS_ATTENTION_GRID, &grid);
    const int64_t k = class_rows(&qkv, &grid);
    if (!of_the_image(v) || !k)
        return refuse(why, "expected qkv [1,T,3D] and a grid of fewer than T patches");
    out->rank = 4;
    out->dims[0] = ws_op_int(v, "heads", 1);
    out->dims[1] = k;
    out->dims[2] = grid.shape.dims[0];
    out->dims[3] = grid.shape.dims[1];
    return attention_fits(v, &qkv, why);
}

/* The sum so far has the output's shape; the weights reach to the last head. */
static int sum_fits(const ws_op_view *v, uint32_t sum, uint32_t weights_at, const ws_shape *out,
                    int64_t heads, char why[128])
{
    static const char *const names[] = {"given", "by_tokens"};
    ws_value in;
    const int64_t first = ws_op_int(v, "first", 0);
    const char *weights = ws_op_string(v, "weights", "given");
    if (strcmp(weights, names[0]) != 0 && strcmp(weights, names[1]) != 0)
        return refuse(why, "unknown kind of weights");
    if (!isfinite(ws_op_float(v, "factor", 1.0)) || first < 0 || first > WS_CAP_DIM)
        return refuse(why, "factor or first is out of range");
    if (ws_op_input(v, sum, &in) && !ws_same_shape(&in.shape, out))
        return refuse(why, "the sum so far has another shape");
    if (ws_op_input(v, weights_at, &in) && ws_elements(&in.shape) < first + heads)
        return refuse(why, "too few weights");
    return 1;
}

int ws_rule_attention_sum(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value maps;
    ws_op_input(v, WS_ATTENTION_SUM_MAPS, &maps);
    if (!of_the_image(v) || maps.shape.rank != 4)
        return refuse(why, "expected [heads,K,h,w] of the image");
    out->rank = 3;
    out->dims[0] = maps.shape.dims[2];
    out->dims[1] = maps.shape.dims[3];
    out->dims[2] = maps.shape.dims[1];
    return sum_fits(v, WS_ATTENTION_SUM_SUM, WS_ATTENTION_SUM_WEIGHTS, out, maps.shape.dims[0],
                    why);
}

int ws_rule_attention_spread(const ws_op_view *v, ws_shape *out, char why[128])
{
    static const char *const names[] = {"f32", "bf16"};
    ws_value qkv, values;
    ws_op_input(v, WS_ATTENTION_SPREAD_QKV, &qkv);
    ws_op_input(v, WS_ATTENTION_SPREAD_VALUES, &values);
    const char *compute = ws_op_string(v, "compute", "f32");
    if (!of_the_image(v) || class_rows(&qkv, &values) != values.shape.dims[2] ||
        values.shape.dims[2] < 1)
        return refuse(why, "expected qkv [1,K+h*w,3D] and values [h,w,K]");
    if (strcmp(compute, names[0]) != 0 && strcmp(compute, names[1]) != 0)
        return refuse(why, "unknown compute type");
    *out = values.shape;
    return attention_fits(v, &qkv, why) &&
           sum_fits(v, WS_ATTENTION_SPREAD_SUM, WS_ATTENTION_SPREAD_WEIGHTS, out,
                    ws_op_int(v, "heads", 1), why);
}
