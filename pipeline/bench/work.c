/* pipeline/bench/work.c - see work.h. */
#include "pipeline/bench/work.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/model.h"

static ws_peak_type type_of(const ws_tensor_def *weight)
{
    return weight->type == WSAM_S8 ? WS_PEAK_S8
                                   : (weight->type == WSAM_BF16 ? WS_PEAK_BF16 : WS_PEAK_F32);
}

/* Of each output element: the weight's elements but its output channels. */
static void add_product(const ws_op_view *v, const ws_shape *out, ws_work *work)
{
    const ws_tensor_def *w = ws_ref_tensor(v->file, v->op->inputs[WS_PRODUCT_WEIGHT]);
    if (w)
        work->macs[type_of(w)] +=
            (double)ws_elements(out) * (double)ws_tensor_elements(w) / w->dims[0];
}

/* Queries times keys times channels, for scores and for values. Windows over the edge have the keys
 * that are there. */
static void add_attention(const ws_op_view *v, const ws_shape *out, ws_work *work)
{
    const int64_t side = ws_op_int(v, "window", 0), h = out->dims[0], w = out->dims[1];
    const int bf16 = strcmp(ws_op_string(v, "compute", "f32"), "bf16") == 0;
    const int64_t height = side ? side : h, width = side ? side : w;
    double pairs = 0.0;
    for (int64_t y = 0; y < h; y += height)
        for (int64_t x = 0; x < w; x += width) {
            const double tokens =
                (double)(y + height > h ? h - y : height) * (double)(x + width > w ? w - x : width);
            pairs += tokens * tokens;
        }
    work->macs[bf16 ? WS_PEAK_BF16 : WS_PEAK_F32] += 2.0 * pairs * (double)out->dims[2];
}

wsam_status ws_encoder_work(const wsam_model *model, ws_work *work, wsam_error *error)
{
    const ws_graph_def *g = ws_weight_file_graph(model->file, "image_encoder");
    ws_dims dims;
    memset(work, 0, sizeof *work);
    if (!g)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: no image encoder", model->file->path);
    ws_value *values = calloc(g->n_inputs + g->n_ops, sizeof *values);
    if (!values)
        return ws_no_memory(error, model->file->path);
    ws_dims_min(g, &dims);
    const wsam_status status = ws_graph_infer(model->file, g, &dims, values, error);
    for (uint32_t i = 0; i < g->n_ops && !status; i++) {
        const ws_op_view v = {model->file, g, &g->ops[i], values, &dims};
        const ws_shape *out = &values[g->n_inputs + i].shape;
        const int kind = ws_signatures_kind_of(v.op);
        if (kind == WS_OP_LINEAR || kind == WS_OP_CONV2D)
            add_product(&v, out, work);
        else if (kind == WS_OP_ATTENTION)
            add_attention(&v, out, work);
    }
    free(values);
    return status;
}
