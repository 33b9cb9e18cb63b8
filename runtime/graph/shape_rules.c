/* runtime/graph/shape_rules.c - the shape rule of every operator (FORMAT.md, operators). A rule
 * also checks what a lowering will rely on, so that lowerings need no checks of their own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/graph/shape_rules.h"
#include "runtime/graph/signatures.h"

static int refuse(char why[128], const char *text)
{
    snprintf(why, 128, "%s", text);
    return 0;
}

/* Input i has this rank and, where a dimension is >= 0, that size. */
static int is(const ws_op_view *v, uint32_t i, int rank, int64_t d0, int64_t d1, char why[128])
{
    ws_value in;
    const int64_t want[2] = {d0, d1};
    if (!ws_op_input(v, i, &in))
        return 1; /* optional and absent */
    int good = in.shape.rank == rank;
    for (int d = 0; good && d < rank && d < 2; d++)
        good = want[d] < 0 || in.shape.dims[d] == want[d];
    if (!good)
        snprintf(why, 128, "input %u (%s) has the wrong shape", i,
                 ws_signatures_input_name((ws_op_kind)ws_signatures_kind_of(v->op), i));
    return good;
}

static int known(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0)
            return 1;
    return 0;
}

static int finite_positive(double x)
{
    return isfinite(x) && x > 0.0;
}

/* ---- products ---- */

int ws_rule_linear(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x, w;
    ws_op_input(v, WS_PRODUCT_X, &x);
    ws_op_input(v, WS_PRODUCT_WEIGHT, &w);
    if (w.shape.rank != 2 || ws_columns(&x.shape) != w.shape.dims[1])
        return refuse(why, "the weight does not fit the input");
    if (w.type == WSAM_S8 && w.shape.dims[1] > WS_CAP_K_S8)
        return refuse(why, "an int8 product longer than 65536");
    *out = x.shape;
    out->dims[out->rank - 1] = w.shape.dims[0];
    return is(v, WS_PRODUCT_BIAS, 1, w.shape.dims[0], -1, why);
}

static int64_t conv_size(int64_t n, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
{
    const int64_t span = (kernel - 1) * dilation + 1;
    return n + 2 * pad < span ? 0 : (n + 2 * pad - span) / stride + 1;
}

static int small(int64_t v, int64_t min, int64_t max)
{
    return v >= min && v <= max;
}

int ws_rule_conv2d(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x, w;
    ws_op_input(v, WS_PRODUCT_X, &x);
    ws_op_input(v, WS_PRODUCT_WEIGHT, &w);
    const int64_t stride = ws_op_int(v, "stride", 1), pad = ws_op_int(v, "pad", 0);
    const int64_t dilation = ws_op_int(v, "dilation", 1), groups = ws_op_int(v, "groups", 1);
    if (x.shape.rank != 3 || w.shape.rank != 4)
        return refuse(why, "expected [H,W,C] and [O,kh,kw,C/groups]");
    const int64_t c = x.shape.dims[2], kh = w.shape.dims[1], kw = w.shape.dims[2];
    if (!small(stride, 1, 64) || !small(pad, 0, 64) || !small(dilation, 1, 64) || kh > 64 ||
        kw > 64 || pad >= (kh - 1) * dilation + 1 || pad >= (kw - 1) * dilation + 1)
        return refuse(why, "stride, pad, dilation or kernel out of range");
    if (groups != 1 && (groups != c || w.shape.dims[0] != c))
        return refuse(why, "groups must be 1 or the number of channels");
    if (w.shape.dims[3] != (groups == 1 ? c : 1))
        return refuse(why, "the weight does not fit the input");
    if (w.type == WSAM_S8 && (groups != 1 || kh * kw * c > WS_CAP_K_S8))
        return refuse(why, "an int8 convolution of groups, or longer than 65536");
    out->rank = 3;
    out->dims[0] = conv_size(x.shape.dims[0], kh, stride, pad, dilation);
    out->dims[1] = conv_size(x.shape.dims[1], kw, stride, pad, dilation);
    out->dims[2] = w.shape.dims[0];
    if (out->dims[0] < 1 || out->dims[1] < 1)
        return refuse(why, "the input is smaller than the kernel");
    return is(v, WS_PRODUCT_BIAS, 1, w.shape.dims[0], -1, why);
}

int ws_rule_conv_transpose2d(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x, w;
    ws_op_input(v, WS_PRODUCT_X, &x);
    ws_op_input(v, WS_PRODUCT_WEIGHT, &w);
    const int64_t s = ws_op_int(v, "stride", 2);
    if (x.shape.rank != 3 || w.shape.rank != 4 || !small(s, 1, 16) || w.shape.dims[0] != s ||
        w.shape.dims[1] != s || w.shape.dims[3] != x.shape.dims[2])
        return refuse(why, "the weight does not fit the input and stride");
    out->rank = 3;
    out->dims[0] = x.shape.dims[0] * s;
    out->dims[1] = x.shape.dims[1] * s;
    out->dims[2] = w.shape.dims[2];
    return is(v, WS_PRODUCT_BIAS, 1, w.shape.dims[2], -1, why);
}

int ws_rule_max_pool2d(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x;
    ws_op_input(v, WS_UNARY_X, &x);
    const int64_t k = ws_op_int(v, "kernel", 2), s = ws_op_int(v, "stride", 2);
    const int64_t p = ws_op_int(v, "pad", 0);
    if (x.shape.rank != 3 || !small(k, 1, 64) || !small(s, 1, 64) || !small(p, 0, k - 1))
        return refuse(why, "expected [H,W,C]; kernel, stride or pad out of range");
    *out = x.shape;
    out->dims[0] = conv_size(x.shape.dims[0], k, s, p, 1);
    out->dims[1] = conv_size(x.shape.dims[1], k, s, p, 1);
    if (out->dims[0] < 1 || out->dims[1] < 1)
        return refuse(why, "the input is smaller than the kernel");
    return 1;
}

/* ---- norms, element-wise ---- */

int ws_rule_layer_norm(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x;
    ws_op_input(v, WS_NORM_X, &x);
    *out = x.shape;
    if (!finite_positive(ws_op_float(v, "eps", 0.0)))
        return refuse(why, "eps must be positive");
    return is(v, WS_NORM_WEIGHT, 1, ws_columns(&x.shape), -1, why) &&
           is(v, WS_NORM_BIAS, 1, ws_columns(&x.shape), -1, why);
}

int ws_rule_group_norm(const ws_op_view *v, ws_shape *out, char why[128])
{
    if (ws_op_int(v, "groups", 1) != 1)
        return refuse(why, "only one group is supported");
    return ws_rule_layer_norm(v, out, why);
}

int ws_rule_activation(const ws_op_view *v, ws_shape *out, char why[128])
{
    static const char *const names[] = {"gelu", "relu", "sigmoid"};
    ws_value x;
    ws_op_input(v, WS_UNARY_X, &x);
    *out = x.shape;
    if (!known(ws_op_string(v, "function", ""), names, 3))
        return refuse(why, "unknown function");
    return 1;
}

int ws_rule_binary(const ws_op_view *v, ws_shape *out, char why[128])
{
    static const char *const names[] = {"add", "mul"};
    ws_value a, b;
    ws_op_input(v, WS_BINARY_A, &a);
    ws_op_input(v, WS_BINARY_B, &b);
    if (!known(ws_op_string(v, "function", ""), names, 2))
        return refuse(why, "unknown function");
    if (b.shape.rank > a.shape.rank ||
        memcmp(b.shape.dims, a.shape.dims + (a.shape.rank - b.shape.rank),
               (size_t)b.shape.rank * sizeof b.shape.dims[0]) != 0)
        return refuse(why, "the second shape is no suffix of the first");
    *out = a.shape;
    return 1;
}

/* ---- layout ---- */

int ws_rule_concat(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x;
    ws_op_input(v, 0, &x);
    *out = x.shape;
    for (uint32_t i = 1; i < v->op->n_inputs; i++) {
        ws_op_input(v, i, &x);
        if (x.shape.rank != out->rank || memcmp(x.shape.dims + 1, out->dims + 1,
                                                (size_t)(out->rank - 1) * sizeof out->dims[0]) != 0)
            return refuse(why, "the inputs differ in more than dimension 0");
        out->dims[0] += x.shape.dims[0];
    }
    return 1;
}

int ws_rule_slice(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x;
    ws_op_input(v, WS_UNARY_X, &x);
    const int64_t axis = ws_op_int(v, "axis", 0), begin = ws_op_int(v, "begin", 0);
    const int64_t length = ws_op_int(v, "length", 0);
    if (!small(axis, 0, x.shape.rank - 1) || begin < 0 || length < 1 ||
        begin > x.shape.dims[axis] || length > x.shape.dims[axis] - begin)
        return refuse(why, "the range is outside the input");
    *out = x.shape;
    out->dims[axis] = length;
    return 1;
}

int ws_rule_reshape(const ws_op_view *v, ws_shape *out, char why[128])
{
    static const char *const names[] = {"dim0", "dim1", "dim2", "dim3"};
    ws_value x;
    int open = -1;
    ws_op_input(v, WS_UNARY_X, &x);
    for (int d = 0; d < WSAM_MAX_RANK; d++) {
        const int64_t n = ws_op_int(v, names[d], -2);
        if (n == -2)
            break;
        if (n < -1 || n > WS_CAP_DIM || (n == -1 && open >= 0))
            return refuse(why, "a dimension is out of range");
        out->dims[out->rank++] = n == -1 ? 1 : n;
        if (n == -1)
            open = d;
    }
    if (out->rank < 1)
        return refuse(why, "a dimension is out of range");
    if (open >= 0 && ws_elements(out) > 0)
        out->dims[open] = ws_elements(&x.shape) / ws_elements(out);
    if (ws_elements(out) != ws_elements(&x.shape))
        return refuse(why, "the number of elements changes");
    return 1;
}

int ws_rule_resize(const ws_op_view *v, ws_shape *out, char why[128])
{
    static const char *const names[] = {"bilinear", "bicubic"};
    ws_value x;
    ws_op_input(v, WS_UNARY_X, &x);
    if (x.shape.rank != 3 || !known(ws_op_string(v, "kind", ""), names, 2))
        return refuse(why, "expected [H,W,C] and a known kind");
    *out = x.shape;
    out->dims[0] = ws_op_int(v, "height", 0);
    out->dims[1] = ws_op_int(v, "width", 0);
    if (!small(out->dims[0], 1, 65536) || !small(out->dims[1], 1, 65536) || x.shape.dims[0] < 1 ||
        x.shape.dims[1] < 1)
        return refuse(why, "a size is out of range");
    return 1;
}

int ws_rule_top_down(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value fine, coarse;
    ws_op_input(v, WS_TOP_DOWN_FINE, &fine);
    ws_op_input(v, WS_TOP_DOWN_COARSE, &coarse);
    const int64_t *f = fine.shape.dims, *c = coarse.shape.dims;
    if (fine.shape.rank != 3 || coarse.shape.rank != 3 || f[2] != c[2] || f[0] != 2 * c[0] ||
        f[1] != 2 * c[1])
        return refuse(why, "expected [2h,2w,C] and [h,w,C]");
    *out = fine.shape;
    return 1;
}

/* ---- attention ---- */

static int rule_attention_bias(const ws_op_view *v, const ws_shape *x, int64_t head_dim,
                               char why[128])
{
    static const char *const names[] = {"none", "separable", "table"};
    const char *bias = ws_op_string(v, "bias", "");
    const int64_t window = ws_op_int(v, "window", 0), heads = ws_op_int(v, "heads", 1);
    const int64_t gh = window ? window : x->dims[0], gw = window ? window : x->dims[1];
    ws_value ignored;
    if (!known(bias, names, 3))
        return refuse(why, "unknown bias");
    if (strcmp(bias, "separable") == 0) {
        if (!ws_op_input(v, WS_ATTENTION_REL_H, &ignored) ||
            !ws_op_input(v, WS_ATTENTION_REL_W, &ignored))
            return refuse(why, "a separable bias needs rel_h and rel_w");
        return is(v, WS_ATTENTION_REL_H, 2, 2 * gh - 1, head_dim, why) &&
               is(v, WS_ATTENTION_REL_W, 2, 2 * gw - 1, head_dim, why);
    }
    if (strcmp(bias, "table") == 0) {
        if (!ws_op_input(v, WS_ATTENTION_TABLE, &ignored) || gh != gw)
            return refuse(why, "a table bias needs a table and square windows");
        return is(v, WS_ATTENTION_TABLE, 2, heads, (2 * gh - 1) * (2 * gh - 1), why);
    }
    return 1;
}

static int rule_compute(const ws_op_view *v, char why[128])
{
    static const char *const names[] = {"f32", "bf16"};
    return known(ws_op_string(v, "compute", "f32"), names, 2) ? 1
                                                              : refuse(why, "unknown compute type");
}

/* Everything an attention operator is lowered with but the query grid must be a tensor of the file.
 */
int ws_rule_attention(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x;
    ws_op_input(v, WS_ATTENTION_QKV, &x);
    const int64_t heads = ws_op_int(v, "heads", 1), window = ws_op_int(v, "window", 0);
    const double scale = ws_op_float(v, "scale", 0.0);
    if (x.shape.rank != 3 || x.shape.dims[2] % 3 || !small(heads, 1, 1024) ||
        x.shape.dims[2] / 3 % heads || x.shape.dims[0] < 1 || x.shape.dims[1] < 1)
        return refuse(why, "expected [H,W,3D] with D a multiple of heads");
    const int64_t width = x.shape.dims[2] / 3;
    if ((width / heads) % 8 || width / heads > 256)
        return refuse(why, "the head size must be a multiple of 8, at most 256");
    if (!small(window, 0, 1024) || !isfinite(scale))
        return refuse(why, "window or scale out of range");
    for (uint32_t i = WS_ATTENTION_REL_H; i < v->op->n_inputs; i++)
        if (v->op->inputs[i] != WS_REF_NONE && !ws_ref_tensor(v->file, v->op->inputs[i]))
            return refuse(why, "tables and pads must be tensors of the file");
    *out = x.shape;
    out->dims[2] = width;
    return rule_attention_bias(v, &x.shape, width / heads, why) &&
           is(v, WS_ATTENTION_PAD, 1, 3 * width, -1, why) && rule_compute(v, why);
}

int ws_rule_projected_attention(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value q, kv, wq, position;
    ws_op_input(v, WS_PROJECTED_Q, &q);
    ws_op_input(v, WS_PROJECTED_KV, &kv);
    ws_op_input(v, WS_PROJECTED_Q_WEIGHT, &wq);
    const int64_t c = ws_columns(&q.shape), inner = wq.shape.rank == 2 ? wq.shape.dims[0] : 0;
    const int64_t ckv = ws_columns(&kv.shape), heads = ws_op_int(v, "heads", 1);
    if (!small(heads, 1, 1024) || inner < 1 || inner % heads || inner / heads % 8 ||
        inner / heads > 256)
        return refuse(why, "the inner width must be heads times a multiple of 8");
    if (!finite_positive(ws_op_float(v, "eps", 0.0)))
        return refuse(why, "eps must be positive");
    if (ws_rows(&kv.shape) < 1)
        return refuse(why, "no keys");
    if (ws_op_input(v, WS_PROJECTED_NORM_WEIGHT, &position) !=
        ws_op_input(v, WS_PROJECTED_NORM_BIAS, &position))
        return refuse(why, "a norm needs a weight and a bias");
    if ((ws_op_input(v, WS_PROJECTED_Q_POSITION, &position) &&
         (ws_columns(&position.shape) != c || ws_rows(&position.shape) != ws_rows(&q.shape))) ||
        (ws_op_input(v, WS_PROJECTED_K_POSITION, &position) &&
         (ws_columns(&position.shape) != ckv || ws_rows(&position.shape) != ws_rows(&kv.shape))))
        return refuse(why, "positions do not fit their tokens");
    *out = q.shape;
    return is(v, WS_PROJECTED_Q_WEIGHT, 2, inner, c, why) &&
           is(v, WS_PROJECTED_Q_BIAS, 1, inner, -1, why) &&
           is(v, WS_PROJECTED_K_WEIGHT, 2, inner, ckv, why) &&
           is(v, WS_PROJECTED_K_BIAS, 1, inner, -1, why) &&
           is(v, WS_PROJECTED_V_WEIGHT, 2, inner, ckv, why) &&
           is(v, WS_PROJECTED_V_BIAS, 1, inner, -1, why) &&
           is(v, WS_PROJECTED_OUT_WEIGHT, 2, c, inner, why) &&
           is(v, WS_PROJECTED_OUT_BIAS, 1, c, -1, why) &&
           is(v, WS_PROJECTED_NORM_WEIGHT, 1, c, -1, why) &&
           is(v, WS_PROJECTED_NORM_BIAS, 1, c, -1, why) && rule_compute(v, why);
}

/* ---- prompts ---- */

int ws_rule_point_tokens(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value points, gaussian;
    ws_op_input(v, WS_POINT_TOKENS_POINTS, &points);
    ws_op_input(v, WS_POINT_TOKENS_GAUSSIAN, &gaussian);
    if (points.shape.rank != 2 || points.shape.dims[1] != 2 || gaussian.shape.rank != 2 ||
        gaussian.shape.dims[0] != 2)
        return refuse(why, "expected points [N,2] and gaussian [2,F]");
    if (!small(ws_op_int(v, "first_label", 0), -WS_CAP_DIM, WS_CAP_DIM))
        return refuse(why, "first_label is out of range");
    out->rank = 2;
    out->dims[0] = points.shape.dims[0];
    out->dims[1] = 2 * gaussian.shape.dims[1];
    return is(v, WS_POINT_TOKENS_LABELS, 1, points.shape.dims[0], -1, why) &&
           is(v, WS_POINT_TOKENS_TABLE, 2, -1, out->dims[1], why);
}

int ws_rule_position_grid(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value gaussian;
    ws_op_input(v, WS_POSITION_GRID_GAUSSIAN, &gaussian);
    out->rank = 3;
    out->dims[0] = ws_op_int(v, "height", 0);
    out->dims[1] = ws_op_int(v, "width", 0);
    if (gaussian.shape.rank != 2 || gaussian.shape.dims[0] != 2 || !small(out->dims[0], 1, 4096) ||
        !small(out->dims[1], 1, 4096))
        return refuse(why, "expected gaussian [2,F] and a size");
    out->dims[2] = 2 * gaussian.shape.dims[1];
    return 1;
}

int ws_rule_mask_product(const ws_op_view *v, ws_shape *out, char why[128])
{
    ws_value x, m;
    ws_op_input(v, WS_MASK_PRODUCT_FEATURES, &x);
    ws_op_input(v, WS_MASK_PRODUCT_VECTORS, &m);
    if (x.shape.rank != 3 || m.shape.rank != 2 || m.shape.dims[1] != x.shape.dims[2])
        return refuse(why, "expected [H,W,C] and [M,C]");
    out->rank = 3;
    out->dims[0] = m.shape.dims[0];
    out->dims[1] = x.shape.dims[0];
    out->dims[2] = x.shape.dims[1];
    return 1;
}
