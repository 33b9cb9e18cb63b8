/* runtime/lower/lower_onednn.c - which products the oneDNN backend takes: those of image-rate steps
 * with a fixed number of rows, as its primitives are made for one size. Everything else stays
 * native. */
#include <stdlib.h>
#include <string.h>

#include "runtime/backend_onednn.h"
#include "runtime/lower/lower.h"

/* Raw weights of a tensor; scales too when it is s8. */
static wsam_status read_weight(ws_lowering *l, const ws_tensor_def *t, void **weight, float **scale)
{
    *weight = malloc((size_t)t->bytes);
    *scale = t->scale_bytes ? malloc((size_t)t->scale_bytes) : NULL;
    if (!*weight || (t->scale_bytes && !*scale))
        return ws_fail(l->error, WSAM_ERR_MEMORY, "no memory for weights");
    wsam_status status = ws_weight_file_tensor(l->file, t, 0, *weight, (size_t)t->bytes, l->error);
    if (!status && t->scale_bytes)
        status = ws_weight_file_scales(l->file, t, *scale, l->error);
    return status;
}

/* bf16 weights where the machine would widen them are widened for oneDNN as well. */
static wsam_type widened(const ws_lowering *l, const ws_tensor_def *t, void **weight,
                         wsam_status *status)
{
    if (t->type != WSAM_BF16 ||
        ws_select_gemm(l->program->kernels, WSAM_BF16) == &l->program->kernels->gemm_bf16)
        return t->type;
    const size_t n = ws_tensor_elements(t);
    float *wide = malloc(n * sizeof *wide);
    if (!wide) {
        *status = ws_fail(l->error, WSAM_ERR_MEMORY, "no memory for weights");
        return WSAM_F32;
    }
    l->program->kernels->vector.bf16_to_f32(n, *weight, wide);
    free(*weight);
    *weight = wide;
    return WSAM_F32;
}

ws_step *ws_lower_onednn(ws_lowering *l, uint32_t op, int64_t rows, const ws_product *p)
{
    static const ws_onednn_type types[] = {WS_ONEDNN_F32, WS_ONEDNN_BF16, WS_ONEDNN_S8S8};
    const ws_tensor_def *t = ws_ref_tensor(l->file, ws_lowering_ref(l, op, WS_PRODUCT_WEIGHT));
    void *weight = NULL;
    float *scale = NULL;
    ws_onednn_op *made = NULL;
    wsam_status status = read_weight(l, t, &weight, &scale);
    const wsam_type type = status ? WSAM_F32 : widened(l, t, &weight, &status);
    const int s8 = type == WSAM_S8;
    const ws_onednn_gemm_desc desc = {.type = types[type],
                                      .m = (size_t)rows,
                                      .n = p->n,
                                      .k = p->k,
                                      .weight = weight,
                                      .column_scale = scale,
                                      .bias = s8 ? NULL : p->bias,
                                      .act = s8 ? WSAM_ACT_NONE : p->act,
                                      .threads = l->program->threads};
    if (!status)
        status = ws_onednn_gemm_create(&desc, &made, l->error);
    free(weight);
    free(scale);
    ws_lowering_keep(l, status);
    ws_step *s = status ? NULL : ws_lowering_step(l, &ws_step_onednn, op);
    if (!s) {
        ws_onednn_free(made);
        return NULL;
    }
    s->onednn.product = *p;
    s->onednn.op = made;
    s->onednn.type = type;
    s->kernel = "onednn";
    return s;
}

ws_step *ws_lower_onednn_conv(ws_lowering *l, uint32_t op, const ws_product *p)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_tensor_def *t = ws_ref_tensor(l->file, ws_lowering_ref(l, op, WS_PRODUCT_WEIGHT));
    const ws_shape *out = &ws_lowering_value(l, op)->shape;
    ws_value x;
    ws_op_input(&v, WS_PRODUCT_X, &x);
    const float *weight = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_PRODUCT_WEIGHT));
    ws_onednn_op *made = NULL;
    const ws_onednn_conv_desc desc = {
        .shape = {(int)x.shape.dims[0], (int)x.shape.dims[1], (int)x.shape.dims[2],
                  (int)out->dims[0], (int)out->dims[1], (int)t->dims[1], (int)t->dims[2],
                  (int)ws_op_int(&v, "stride", 1), (int)ws_op_int(&v, "pad", 0),
                  (int)ws_op_int(&v, "dilation", 1)},
        .out_channels = t->dims[0],
        .groups = 1,
        .weight = weight,
        .bias = p->bias,
        .act = p->act,
        .threads = l->program->threads};
    if (!l->status)
        ws_lowering_keep(l, ws_onednn_conv_create(&desc, &made, l->error));
    ws_step *s = l->status ? NULL : ws_lowering_step(l, &ws_step_onednn_conv, op);
    if (!s) {
        ws_onednn_free(made);
        return NULL;
    }
    s->onednn.product = *p;
    s->onednn.op = made;
    s->kernel = "onednn";
    return s;
}
