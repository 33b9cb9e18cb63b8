/* weights/export/onnx_attention.c - both attentions from products, softmax and transpositions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weights/export/onnx_operators.h"

/* Windows of one attention over a map: `across` x `down` of `height` x `width` tokens each; for
 * global attention one that is the map. */
typedef struct windows {
    int64_t map_height, map_width, height, width, down, across;
    int64_t heads, head, channels; /* channels = heads * head */
} windows;

static windows windows_of(const ws_onnx_op *o)
{
    const ws_shape *s = ws_onnx_shape(o, WS_ATTENTION_QKV);
    const int64_t side = ws_op_int(&o->view, "window", 0);
    windows w = {.map_height = s->dims[0], .map_width = s->dims[1]};
    w.height = side ? side : s->dims[0];
    w.width = side ? side : s->dims[1];
    w.down = (w.map_height + w.height - 1) / w.height;
    w.across = (w.map_width + w.width - 1) / w.width;
    w.heads = ws_op_int(&o->view, "heads", 1);
    w.channels = s->dims[2] / 3;
    w.head = w.channels / w.heads;
    return w;
}

/* ---- windows ---- */

/* `count` lines of pad tokens behind the map's along `axis` (1: below, 2: to the right). */
static int add_pad(const ws_onnx_op *o, int x, int axis, int64_t count, int64_t length)
{
    ws_onnx *g = o->x->g;
    const int64_t c = ws_onnx_weight(o, WS_ATTENTION_PAD)->dims[0];
    const int64_t shape[4] = {1, axis == 1 ? count : length, axis == 1 ? length : count, c};
    const int pad = ws_onnx_binary(o, "Expand", ws_onnx_rows(o, WS_ATTENTION_PAD),
                                   ws_onnx_numbers(g, 4, shape));
    const int both[] = {x, pad};
    const int y = ws_onnx_node(g, "Concat", o->name, 2, both);
    ws_onnx_int(g, "axis", axis);
    return y;
}

/* qkv [1,H,W,3D] to [windows, tokens, 3D]. */
static int split_windows(const ws_onnx_op *o, const windows *w)
{
    int x = ws_onnx_rows(o, WS_ATTENTION_QKV);
    const int64_t c = 3 * w->channels, tokens = w->height * w->width;
    const int64_t below = w->down * w->height - w->map_height;
    const int64_t right = w->across * w->width - w->map_width;
    if (below)
        x = add_pad(o, x, 1, below, w->map_width);
    if (right)
        x = add_pad(o, x, 2, right, w->down * w->height);
    if (w->down * w->across > 1) {
        x = ws_onnx_reshape(o, x, 5, (const int64_t[]){w->down, w->height, w->across, w->width, c});
        x = ws_onnx_transpose(o, x, 5, (const int64_t[]){0, 2, 1, 3, 4});
    }
    return ws_onnx_reshape(o, x, 3, (const int64_t[]){w->down * w->across, tokens, c});
}

/* [windows, tokens, D] back to [1,H,W,D], without pads. */
static int join_windows(const ws_onnx_op *o, const windows *w, int x)
{
    ws_onnx *g = o->x->g;
    const int64_t c = w->channels, height = w->down * w->height, width = w->across * w->width;
    if (w->down * w->across > 1) {
        x = ws_onnx_reshape(o, x, 5, (const int64_t[]){w->down, w->across, w->height, w->width, c});
        x = ws_onnx_transpose(o, x, 5, (const int64_t[]){0, 2, 1, 3, 4});
    }
    x = ws_onnx_reshape(o, x, 4, (const int64_t[]){1, height, width, c});
    if (height == w->map_height && width == w->map_width)
        return x;
    const int in[] = {x, ws_onnx_numbers(g, 2, (const int64_t[]){0, 0}),
                      ws_onnx_numbers(g, 2, (const int64_t[]){w->map_height, w->map_width}),
                      ws_onnx_numbers(g, 2, (const int64_t[]){1, 2})};
    return ws_onnx_node(g, "Slice", o->name, 4, in);
}

/* ---- position terms ---- */

/* [G,d,G]: for each query line the rows of the table, by key line, as columns. */
static wsam_status spread_relative(const ws_onnx_op *o, const ws_tensor_def *t, int64_t lines,
                                   int64_t d, int *out)
{
    float *table = NULL;
    const int64_t dims[3] = {lines, d, lines};
    const wsam_status status = ws_onnx_file_read_f32(o->x->file, t, &table, o->x->error);
    float *all = malloc((size_t)(lines * d * lines) * sizeof *all);
    if (!status && all) {
        for (int64_t q = 0; q < lines; q++)
            for (int64_t j = 0; j < d; j++)
                for (int64_t k = 0; k < lines; k++)
                    all[(q * d + j) * lines + k] = table[(q - k + lines - 1) * d + j];
        *out = ws_onnx_constant(o->x->g, t->name, WS_ONNX_F32, 3, dims, all);
    }
    free(table);
    free(all);
    return status || all ? status : ws_no_memory(o->x->error, t->name);
}

/* Scores [windows,heads,N,N] plus q.rel_h of the lines and q.rel_w of the columns. */
static wsam_status add_separable(const ws_onnx_op *o, const windows *w, int q, int *scores)
{
    const ws_tensor_def *rel_h = ws_onnx_weight(o, WS_ATTENTION_REL_H);
    const ws_tensor_def *rel_w = ws_onnx_weight(o, WS_ATTENTION_REL_W);
    const int64_t n = w->down * w->across, b = n * w->heads, tokens = w->height * w->width;
    int h, v;
    wsam_status status = spread_relative(o, rel_h, w->height, w->head, &h);
    if (!status)
        status = spread_relative(o, rel_w, w->width, w->head, &v);
    if (status)
        return status;
    const int map = ws_onnx_reshape(o, q, 4, (const int64_t[]){b, w->height, w->width, w->head});
    const int by_line = ws_onnx_binary(o, "MatMul", map, h); /* [b, yq, xq, yk] */
    int by_column = ws_onnx_transpose(o, map, 4, (const int64_t[]){0, 2, 1, 3});
    by_column = ws_onnx_binary(o, "MatMul", by_column, v); /* [b, xq, yq, xk] */
    by_column = ws_onnx_transpose(o, by_column, 4, (const int64_t[]){0, 2, 1, 3});
    int s = ws_onnx_reshape(o, *scores, 4, (const int64_t[]){b, tokens, w->height, w->width});
    s = ws_onnx_binary(o, "Add", s,
                       ws_onnx_reshape(o, by_line, 4, (const int64_t[]){b, tokens, w->height, 1}));
    s = ws_onnx_binary(o, "Add", s,
                       ws_onnx_reshape(o, by_column, 4, (const int64_t[]){b, tokens, 1, w->width}));
    *scores = ws_onnx_reshape(o, s, 4, (const int64_t[]){n, w->heads, tokens, tokens});
    return WSAM_OK;
}

/* Plus the table's entry for the distance of query and key. */
static wsam_status add_table(const ws_onnx_op *o, const windows *w, int *scores)
{
    const ws_tensor_def *t = ws_onnx_weight(o, WS_ATTENTION_TABLE);
    const int64_t side = w->height, span = 2 * side - 1, n = side * side;
    const int64_t dims[3] = {w->heads, n, n};
    float *table = NULL;
    const wsam_status status = ws_onnx_file_read_f32(o->x->file, t, &table, o->x->error);
    float *all = malloc((size_t)(w->heads * n * n) * sizeof *all);
    if (!status && all) {
        float *to = all;
        for (int64_t head = 0; head < w->heads; head++)
            for (int64_t q = 0; q < n; q++)
                for (int64_t k = 0; k < n; k++) {
                    const int64_t dy = q / side - k / side, dx = q % side - k % side;
                    *to++ = table[(head * span + dy + side - 1) * span + dx + side - 1];
                }
        *scores = ws_onnx_binary(o, "Add", *scores,
                                 ws_onnx_constant(o->x->g, t->name, WS_ONNX_F32, 3, dims, all));
    }
    free(table);
    free(all);
    return status || all ? status : ws_no_memory(o->x->error, t->name);
}

static wsam_status add_bias(const ws_onnx_op *o, const windows *w, int q, int *scores)
{
    const char *bias = ws_op_string(&o->view, "bias", "none");
    if (strcmp(bias, "separable") == 0)
        return add_separable(o, w, q, scores);
    return strcmp(bias, "table") == 0 ? add_table(o, w, scores) : WSAM_OK;
}

static int put_softmax(const ws_onnx_op *o, int scores)
{
    const int y = ws_onnx_unary(o, "Softmax", scores);
    ws_onnx_int(o->x->g, "axis", -1);
    return y;
}

wsam_status ws_onnx_attention(const ws_onnx_op *o)
{
    ws_onnx *g = o->x->g;
    const windows w = windows_of(o);
    const int64_t tokens = w.height * w.width, n = w.down * w.across;
    const int64_t part[4] = {n, tokens, w.heads, w.head};
    const int64_t rows[4] = {0, 2, 1, 3}, columns[4] = {0, 2, 3, 1};
    if (!ws_onnx_weight(o, WS_ATTENTION_PAD) &&
        (w.down * w.height != w.map_height || w.across * w.width != w.map_width))
        return ws_fail(o->x->error, WSAM_ERR_UNSUPPORTED,
                       "attention '%s' cannot be exported: windows over the edge without pads",
                       o->name);
    int q = ws_onnx_unary(o, "Split", split_windows(o, &w));
    int k = ws_onnx_also(g), v = ws_onnx_also(g);
    ws_onnx_int(g, "axis", 2);
    q = ws_onnx_transpose(o, ws_onnx_reshape(o, q, 4, part), 4, rows);
    k = ws_onnx_transpose(o, ws_onnx_reshape(o, k, 4, part), 4, columns);
    v = ws_onnx_transpose(o, ws_onnx_reshape(o, v, 4, part), 4, rows);
    const int scaled =
        ws_onnx_binary(o, "Mul", q, ws_onnx_scalar(g, ws_op_float(&o->view, "scale", 1.0)));
    int scores = ws_onnx_binary(o, "MatMul", scaled, k);
    const wsam_status status = add_bias(o, &w, q, &scores);
    int y = ws_onnx_binary(o, "MatMul", put_softmax(o, scores), v);
    y = ws_onnx_transpose(o, y, 4, rows);
    y = ws_onnx_reshape(o, y, 3, (const int64_t[]){n, tokens, w.channels});
    o->out->rows = join_windows(o, &w, y);
    return status;
}

/* ---- projected attention ---- */

/* Rows [batch, rows, C] of an input that may be a map. */
static int as_sequence(const ws_onnx_op *o, uint32_t i)
{
    const ws_shape *s = ws_onnx_shape(o, i);
    const int x = ws_onnx_rows(o, i);
    return s->rank == 3 ? ws_onnx_reshape(o, x, 3, (const int64_t[]){0, -1, s->dims[2]}) : x;
}

static int has_input(const ws_onnx_op *o, uint32_t i)
{
    ws_value value;
    return ws_op_input(&o->view, i, &value);
}

/* (x + positions) W^T + b as [batch, heads, rows, head], or with rows last. */
static wsam_status project(const ws_onnx_op *o, uint32_t x, uint32_t positions, uint32_t weight,
                           int rows_last, int *out)
{
    static const ws_shape sequence = {.rank = 2};
    const int64_t heads = ws_op_int(&o->view, "heads", 1);
    const int64_t inner = ws_onnx_weight(o, weight)->dims[0];
    int y = as_sequence(o, x);
    if (positions && has_input(o, positions))
        y = ws_onnx_binary(o, "Add", y, as_sequence(o, positions));
    const wsam_status status = ws_onnx_product(o, y, &sequence, weight, weight + 1, &y);
    y = ws_onnx_reshape(o, y, 4, (const int64_t[]){0, 0, heads, inner / heads});
    *out = ws_onnx_transpose(
        o, y, 4, rows_last ? (const int64_t[]){0, 2, 3, 1} : (const int64_t[]){0, 2, 1, 3});
    return status;
}

wsam_status ws_onnx_projected_attention(const ws_onnx_op *o)
{
    static const ws_shape sequence = {.rank = 2};
    const ws_shape *s = ws_onnx_shape(o, WS_PROJECTED_Q);
    const int64_t inner = ws_onnx_weight(o, WS_PROJECTED_Q_WEIGHT)->dims[0];
    const double scale = 1.0 / sqrt((double)inner / (double)ws_op_int(&o->view, "heads", 1));
    int q, k, v;
    wsam_status status =
        project(o, WS_PROJECTED_Q, WS_PROJECTED_Q_POSITION, WS_PROJECTED_Q_WEIGHT, 0, &q);
    if (!status)
        status = project(o, WS_PROJECTED_KV, WS_PROJECTED_K_POSITION, WS_PROJECTED_K_WEIGHT, 1, &k);
    if (!status)
        status = project(o, WS_PROJECTED_KV, 0, WS_PROJECTED_V_WEIGHT, 0, &v);
    if (status)
        return status;
    q = ws_onnx_binary(o, "Mul", q, ws_onnx_scalar(o->x->g, scale));
    int y = ws_onnx_binary(o, "MatMul", put_softmax(o, ws_onnx_binary(o, "MatMul", q, k)), v);
    y = ws_onnx_transpose(o, y, 4, (const int64_t[]){0, 2, 1, 3});
    y = ws_onnx_reshape(o, y, 3, (const int64_t[]){0, 0, inner});
    status = ws_onnx_product(o, y, &sequence, WS_PROJECTED_OUT_WEIGHT, WS_PROJECTED_OUT_BIAS, &y);
    if (ws_op_int(&o->view, "residual", 0))
        y = ws_onnx_binary(o, "Add", y, as_sequence(o, WS_PROJECTED_Q));
    if (has_input(o, WS_PROJECTED_NORM_WEIGHT))
        y = ws_onnx_layer_norm(o, y, WS_PROJECTED_NORM_WEIGHT, WS_PROJECTED_NORM_BIAS,
                               ws_op_float(&o->view, "eps", 0.0));
    if (s->rank == 3)
        y = ws_onnx_reshape(o, y, 4, (const int64_t[]){0, s->dims[0], s->dims[1], s->dims[2]});
    o->out->rows = y;
    return status;
}
