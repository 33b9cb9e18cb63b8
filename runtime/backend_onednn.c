/* runtime/backend_onednn.c - see backend_onednn.h. Written for oneDNN 2.6. */
#include "runtime/backend_onednn.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#ifndef WS_HAVE_ONEDNN
#define WS_HAVE_ONEDNN 0
#endif

#if WS_HAVE_ONEDNN

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

enum { MAX_ARGS = 5 };

typedef struct isa_name {
    dnnl_cpu_isa_t isa;
    const char *level; /* of ours with the same instructions; NULL: none */
    const char *name;  /* oneDNN's own */
} isa_name;

static const isa_name isa_names[] = {
    {dnnl_cpu_isa_sse41, "c", "sse41"},
    {dnnl_cpu_isa_avx, NULL, "avx"},
    {dnnl_cpu_isa_avx2, "avx2", "avx2"},
    {dnnl_cpu_isa_avx2_vnni, "avxvnni", "avx2_vnni"},
    {dnnl_cpu_isa_avx512_core, "avx512", "avx512_core"},
    {dnnl_cpu_isa_avx512_core_vnni, "avx512vnni", "avx512_core_vnni"},
    {dnnl_cpu_isa_avx512_core_bf16, "avx512bf16", "avx512_core_bf16"},
    {dnnl_cpu_isa_avx512_core_amx, NULL, "avx512_core_amx"}};
enum { N_ISA_NAMES = sizeof isa_names / sizeof isa_names[0] };

struct ws_onednn_op {
    dnnl_engine_t engine;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t source, weights, bias, result, scratchpad;
    void *packed_weights;
    float *packed_bias;
    int weights_arg; /* what oneDNN calls the weights of this primitive */
    int has_bias, threads;
};

int ws_onednn_built(void)
{
    return 1;
}

const char *ws_onednn_version(void)
{
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

const char *ws_onednn_isa(void)
{
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    for (int i = 0; i < N_ISA_NAMES; i++)
        if (isa_names[i].isa == isa)
            return isa_names[i].name;
    return "other";
}

int ws_onednn_exact_int8(void)
{
    const int has = (int)dnnl_get_effective_cpu_isa();
    return (has & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni ||
           (has & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni;
}

wsam_status ws_onednn_limit(const char *isa, wsam_error *error)
{
    const char *asked = isa && *isa ? isa : getenv("WEAKSAM_ISA");
    if (!asked || !*asked)
        return WSAM_OK;
    for (int i = 0; i < N_ISA_NAMES; i++) {
        if (!isa_names[i].level || strcmp(isa_names[i].level, asked) != 0)
            continue;
        dnnl_set_max_cpu_isa(isa_names[i].isa); /* refused when it is too late: looked at below */
        if (!(dnnl_get_effective_cpu_isa() & ~isa_names[i].isa)) /* a level is a set of bits */
            return WSAM_OK;
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "oneDNN runs at %s in this process and cannot be lowered to %s any more",
                       ws_onednn_isa(), asked);
    }
    return ws_fail(error, WSAM_ERR_ARGUMENT, "oneDNN has no level '%.40s'", asked);
}

static wsam_status check(dnnl_status_t status, const char *what, wsam_error *error)
{
    if (status == dnnl_success)
        return WSAM_OK;
    const wsam_status s =
        status == dnnl_out_of_memory
            ? WSAM_ERR_MEMORY
            : (status == dnnl_unimplemented ? WSAM_ERR_UNSUPPORTED : WSAM_ERR_ARGUMENT);
    return ws_fail(error, s, "oneDNN: %s failed with status %d", what, (int)status);
}

static void *aligned(size_t bytes)
{
    return aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
}

void ws_onednn_free(ws_onednn_op *op)
{
    if (!op)
        return;
    if (op->primitive)
        dnnl_primitive_destroy(op->primitive);
    if (op->engine)
        dnnl_engine_destroy(op->engine);
    free(op->packed_weights);
    free(op->packed_bias);
    free(op);
}

size_t ws_onednn_scratch_bytes(const ws_onednn_op *op)
{
    return dnnl_memory_desc_get_size(&op->scratchpad);
}

size_t ws_onednn_packed_bytes(const ws_onednn_op *op)
{
    return dnnl_memory_desc_get_size(&op->weights);
}

/* oneDNN asks OpenMP for its thread count; the caller's own setting is put back at once. */
static int enter_threads(int threads)
{
    const int saved = omp_get_max_threads();
    if (threads > 0)
        omp_set_num_threads(threads);
    return saved;
}

static dnnl_status_t execute(dnnl_primitive_t primitive, dnnl_engine_t engine, int n,
                             const int *ids, const dnnl_memory_desc_t *const *descs,
                             void *const *data)
{
    dnnl_stream_t stream = NULL;
    dnnl_exec_arg_t args[MAX_ARGS];
    int made = 0;
    dnnl_status_t status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    for (; status == dnnl_success && made < n; made++) {
        args[made].arg = ids[made];
        status = dnnl_memory_create(&args[made].memory, descs[made], engine, data[made]);
        if (status != dnnl_success)
            break;
    }
    if (status == dnnl_success)
        status = dnnl_primitive_execute(primitive, stream, n, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    for (int i = 0; i < made; i++)
        dnnl_memory_destroy(args[i].memory);
    if (stream)
        dnnl_stream_destroy(stream);
    return status;
}

/* Brings the plain weights into the layout that the primitive asked for. */
static wsam_status pack_weights(ws_onednn_op *op, const dnnl_memory_desc_t *plain,
                                const void *weight, wsam_error *error)
{
    op->packed_weights = aligned(dnnl_memory_desc_get_size(&op->weights));
    if (!op->packed_weights)
        return ws_fail(error, WSAM_ERR_MEMORY, "oneDNN: no memory for packed weights");
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc, plain, op->engine,
                                                              &op->weights, op->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, desc);
    if (status == dnnl_success) {
        const int ids[2] = {DNNL_ARG_FROM, DNNL_ARG_TO};
        const dnnl_memory_desc_t *const descs[2] = {plain, &op->weights};
        void *source;
        memcpy(&source, &weight, sizeof source); /* oneDNN takes no const pointers */
        void *const data[2] = {source, op->packed_weights};
        status = execute(reorder, op->engine, 2, ids, descs, data);
    }
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return check(status, "weight reorder", error);
}

static dnnl_status_t append_activation(dnnl_post_ops_t ops, wsam_act act)
{
    switch (act) {
    case WSAM_ACT_GELU:
        return dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_gelu_erf, 0.0f, 0.0f);
    case WSAM_ACT_RELU:
        return dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
    case WSAM_ACT_SIGMOID:
        return dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_logistic, 0.0f, 0.0f);
    case WSAM_ACT_NONE:
        break;
    }
    return dnnl_success;
}

/* Scratchpad from the caller, activation, sum, column scales. oneDNN scales after adding the bias,
 * so an int8 bias is divided by its scale beforehand (pack_bias). */
static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attr, wsam_act act, int accumulate,
                                     const float *column_scale, size_t n)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && column_scale)
        status = dnnl_primitive_attr_set_output_scales(*attr, (dnnl_dim_t)n, 1 << 1, column_scale);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success)
        status = append_activation(ops, act);
    if (status == dnnl_success && accumulate)
        status = dnnl_post_ops_append_sum(ops, 1.0f);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

static wsam_status pack_bias(ws_onednn_op *op, const float *bias, const float *column_scale,
                             size_t n, wsam_error *error)
{
    if (!bias)
        return WSAM_OK;
    op->packed_bias = aligned(n * sizeof(float));
    if (!op->packed_bias)
        return ws_fail(error, WSAM_ERR_MEMORY, "oneDNN: no memory for a bias");
    for (size_t i = 0; i < n; i++)
        op->packed_bias[i] =
            column_scale && column_scale[i] > 0.0f ? bias[i] / column_scale[i] : bias[i];
    op->has_bias = 1;
    return WSAM_OK;
}

/* Reads the layouts that a primitive descriptor settled on, then makes the primitive. */
static dnnl_status_t adopt(ws_onednn_op *op, dnnl_primitive_desc_t desc)
{
    op->source = *dnnl_primitive_desc_query_md(desc, dnnl_query_src_md, 0);
    op->weights = *dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    op->result = *dnnl_primitive_desc_query_md(desc, dnnl_query_dst_md, 0);
    op->scratchpad = *dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    return dnnl_primitive_create(&op->primitive, desc);
}

static ws_onednn_op *new_op(int threads, wsam_error *error)
{
    ws_onednn_op *op = calloc(1, sizeof *op);
    if (!op) {
        ws_fail(error, WSAM_ERR_MEMORY, "oneDNN: no memory for a primitive");
        return NULL;
    }
    op->threads = threads;
    op->weights_arg = DNNL_ARG_WEIGHTS;
    if (check(dnnl_engine_create(&op->engine, dnnl_cpu, 0), "engine creation", error)) {
        free(op);
        return NULL;
    }
    return op;
}

/* What each type of product reads. */
static const dnnl_data_type_t source_type[] = {dnnl_f32, dnnl_bf16, dnnl_s8, dnnl_u8};
static const dnnl_data_type_t weight_type[] = {dnnl_f32, dnnl_bf16, dnnl_s8, dnnl_s8};

static dnnl_status_t make_matmul(ws_onednn_op *op, const ws_onednn_gemm_desc *d,
                                 dnnl_memory_desc_t *plain)
{
    const dnnl_dims_t a = {(dnnl_dim_t)d->m, (dnnl_dim_t)d->k};
    const dnnl_dims_t w = {(dnnl_dim_t)d->k, (dnnl_dim_t)d->n};
    const dnnl_dims_t c = {(dnnl_dim_t)d->m, (dnnl_dim_t)d->n};
    const dnnl_dims_t b = {1, (dnnl_dim_t)d->n};
    dnnl_memory_desc_t md_a, md_w, md_c;
    dnnl_memory_desc_init_by_tag(&md_a, 2, a, source_type[d->type], dnnl_ab);
    dnnl_memory_desc_init_by_tag(&md_w, 2, w, weight_type[d->type], dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(plain, 2, w, weight_type[d->type], dnnl_ba);
    dnnl_memory_desc_init_by_tag(&md_c, 2, c, dnnl_f32, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&op->bias, 2, b, dnnl_f32, dnnl_ab);
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status =
        dnnl_matmul_desc_init(&matmul, &md_a, &md_w, d->bias ? &op->bias : NULL, &md_c);
    if (status == dnnl_success)
        status = make_attributes(&attr, d->act, d->accumulate, d->column_scale, d->n);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&desc, &matmul, attr, op->engine, NULL);
    if (status == dnnl_success)
        status = adopt(op, desc);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

wsam_status ws_onednn_gemm_create(const ws_onednn_gemm_desc *d, ws_onednn_op **out,
                                  wsam_error *error)
{
    *out = NULL;
    ws_onednn_op *op = new_op(d->threads, error);
    if (!op)
        return WSAM_ERR_MEMORY;
    const int saved = enter_threads(d->threads);
    dnnl_memory_desc_t plain;
    wsam_status status = check(make_matmul(op, d, &plain), "matmul creation", error);
    if (!status)
        status = pack_weights(op, &plain, d->weight, error);
    if (!status)
        status = pack_bias(op, d->bias, d->column_scale, d->n, error);
    omp_set_num_threads(saved);
    if (status)
        ws_onednn_free(op);
    else
        *out = op;
    return status;
}

static dnnl_status_t make_convolution(ws_onednn_op *op, const ws_onednn_conv_desc *d,
                                      dnnl_memory_desc_t *plain)
{
    const wsam_conv_shape *s = &d->shape;
    const dnnl_dim_t g = d->groups, o = (dnnl_dim_t)d->out_channels, c = s->channels;
    const dnnl_dims_t x = {1, c, s->in_h, s->in_w}, y = {1, o, s->out_h, s->out_w};
    const dnnl_dims_t w = {o, c, s->kernel_h, s->kernel_w};
    const dnnl_dims_t wg = {g, o / g, c / g, s->kernel_h, s->kernel_w};
    const dnnl_dims_t strides = {s->stride, s->stride}, pads = {s->pad, s->pad};
    const dnnl_dims_t dilates = {s->dilation - 1, s->dilation - 1}, b = {o};
    dnnl_dims_t pads_r;
    pads_r[0] = (s->out_h - 1) * s->stride + (s->kernel_h - 1) * s->dilation + 1 - s->in_h - s->pad;
    pads_r[1] = (s->out_w - 1) * s->stride + (s->kernel_w - 1) * s->dilation + 1 - s->in_w - s->pad;
    dnnl_memory_desc_t md_x, md_w, md_y;
    const dnnl_data_type_t from = source_type[d->type], by = weight_type[d->type];
    dnnl_memory_desc_init_by_tag(&md_x, 4, x, from, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&md_y, 4, y, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&op->bias, 1, b, dnnl_f32, dnnl_a);
    if (g > 1) {
        dnnl_memory_desc_init_by_tag(&md_w, 5, wg, by, dnnl_format_tag_any);
        dnnl_memory_desc_init_by_tag(plain, 5, wg, by, dnnl_gohwi);
    } else {
        dnnl_memory_desc_init_by_tag(&md_w, 4, w, by, dnnl_format_tag_any);
        dnnl_memory_desc_init_by_tag(plain, 4, w, by, dnnl_ohwi);
    }
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &convolution, dnnl_forward_inference, dnnl_convolution_auto, &md_x, &md_w,
        d->bias ? &op->bias : NULL, &md_y, strides, dilates, pads, pads_r);
    if (status == dnnl_success)
        status = make_attributes(&attr, d->act, 0, NULL, 0);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&desc, &convolution, attr, op->engine, NULL);
    if (status == dnnl_success)
        status = adopt(op, desc);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

wsam_status ws_onednn_conv_create(const ws_onednn_conv_desc *d, ws_onednn_op **out,
                                  wsam_error *error)
{
    *out = NULL;
    ws_onednn_op *op = new_op(d->threads, error);
    if (!op)
        return WSAM_ERR_MEMORY;
    const int saved = enter_threads(d->threads);
    dnnl_memory_desc_t plain;
    wsam_status status = check(make_convolution(op, d, &plain), "convolution creation", error);
    if (!status)
        status = pack_weights(op, &plain, d->weight, error);
    if (!status)
        status = pack_bias(op, d->bias, NULL, d->out_channels, error);
    omp_set_num_threads(saved);
    if (status)
        ws_onednn_free(op);
    else
        *out = op;
    return status;
}

static dnnl_status_t make_rows(ws_onednn_op *op, ws_onednn_type type, size_t m, size_t k)
{
    static const float scale = 32.0f;
    const dnnl_dims_t a = {(dnnl_dim_t)m, (dnnl_dim_t)k};
    dnnl_memory_desc_init_by_tag(&op->source, 2, a, dnnl_f32, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&op->result, 2, a, source_type[type], dnnl_ab);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&desc, &op->source, op->engine, &op->result,
                                                    op->engine, attr);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&op->primitive, desc);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

wsam_status ws_onednn_rows_create(ws_onednn_type type, size_t m, size_t k, int threads,
                                  ws_onednn_op **out, wsam_error *error)
{
    *out = NULL;
    ws_onednn_op *op = new_op(threads, error);
    if (!op)
        return WSAM_ERR_MEMORY;
    const int saved = enter_threads(threads);
    const wsam_status status = check(make_rows(op, type, m, k), "row reorder creation", error);
    omp_set_num_threads(saved);
    if (status)
        ws_onednn_free(op);
    else
        *out = op;
    return status;
}

static dnnl_status_t make_norm(ws_onednn_op *op, size_t m, size_t k, float eps)
{
    const dnnl_dims_t rows = {(dnnl_dim_t)m, (dnnl_dim_t)k};
    dnnl_memory_desc_t md;
    dnnl_memory_desc_init_by_tag(&md, 2, rows, dnnl_f32, dnnl_ab);
    dnnl_layer_normalization_desc_t norm;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl_layer_normalization_forward_desc_init(
        &norm, dnnl_forward_inference, &md, NULL, eps, dnnl_use_scaleshift);
    if (status == dnnl_success)
        status = make_attributes(&attr, WSAM_ACT_NONE, 0, NULL, 0);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&desc, &norm, attr, op->engine, NULL);
    if (status == dnnl_success)
        status = adopt(op, desc);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

wsam_status ws_onednn_norm_create(size_t m, size_t k, const float *weight, const float *bias,
                                  float eps, int threads, ws_onednn_op **out, wsam_error *error)
{
    *out = NULL;
    ws_onednn_op *op = new_op(threads, error);
    if (!op)
        return WSAM_ERR_MEMORY;
    op->weights_arg = DNNL_ARG_SCALE_SHIFT;
    const int saved = enter_threads(threads);
    wsam_status status = check(make_norm(op, m, k, eps), "layer norm creation", error);
    omp_set_num_threads(saved);
    if (!status && !(op->packed_weights = aligned(2 * k * sizeof(float))))
        status = ws_fail(error, WSAM_ERR_MEMORY, "oneDNN: no memory for a layer norm");
    if (status) {
        ws_onednn_free(op);
        return status;
    }
    memcpy(op->packed_weights, weight, k * sizeof(float));
    memcpy((float *)op->packed_weights + k, bias, k * sizeof(float));
    *out = op;
    return WSAM_OK;
}

wsam_status ws_onednn_run(const ws_onednn_op *op, const void *a, void *c, void *scratch,
                          wsam_error *error)
{
    int ids[MAX_ARGS] = {DNNL_ARG_SRC, op->weights_arg, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD,
                         DNNL_ARG_BIAS};
    const dnnl_memory_desc_t *const descs[MAX_ARGS] = {&op->source, &op->weights, &op->result,
                                                       &op->scratchpad, &op->bias};
    void *source;
    memcpy(&source, &a, sizeof source); /* oneDNN takes no const pointers */
    void *const data[MAX_ARGS] = {source, op->packed_weights, c, scratch, op->packed_bias};
    const int saved = enter_threads(op->threads);
    const dnnl_status_t status =
        execute(op->primitive, op->engine, op->has_bias ? 5 : 4, ids, descs, data);
    omp_set_num_threads(saved);
    return check(status, "execution", error);
}

#else /* built without oneDNN */

int ws_onednn_built(void)
{
    return 0;
}

const char *ws_onednn_version(void)
{
    return "not built";
}

const char *ws_onednn_isa(void)
{
    return "none";
}

int ws_onednn_exact_int8(void)
{
    return 0;
}

wsam_status ws_onednn_limit(const char *isa, wsam_error *error)
{
    (void)isa;
    return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this build has no oneDNN backend");
}

wsam_status ws_onednn_gemm_create(const ws_onednn_gemm_desc *desc, ws_onednn_op **op,
                                  wsam_error *error)
{
    (void)desc;
    *op = NULL;
    return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this build has no oneDNN backend");
}

wsam_status ws_onednn_conv_create(const ws_onednn_conv_desc *desc, ws_onednn_op **op,
                                  wsam_error *error)
{
    (void)desc;
    *op = NULL;
    return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this build has no oneDNN backend");
}

wsam_status ws_onednn_rows_create(ws_onednn_type type, size_t m, size_t k, int threads,
                                  ws_onednn_op **op, wsam_error *error)
{
    (void)type;
    (void)m;
    (void)k;
    (void)threads;
    *op = NULL;
    return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this build has no oneDNN backend");
}

wsam_status ws_onednn_norm_create(size_t m, size_t k, const float *weight, const float *bias,
                                  float eps, int threads, ws_onednn_op **op, wsam_error *error)
{
    (void)m, (void)k, (void)weight, (void)bias, (void)eps, (void)threads;
    *op = NULL;
    return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this build has no oneDNN backend");
}

void ws_onednn_free(ws_onednn_op *op)
{
    (void)op;
}

size_t ws_onednn_scratch_bytes(const ws_onednn_op *op)
{
    (void)op;
    return 0;
}

size_t ws_onednn_packed_bytes(const ws_onednn_op *op)
{
    (void)op;
    return 0;
}

wsam_status ws_onednn_run(const ws_onednn_op *op, const void *a, void *c, void *scratch,
                          wsam_error *error)
{
    (void)op;
    (void)a;
    (void)c;
    (void)scratch;
    return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this build has no oneDNN backend");
}

#endif
