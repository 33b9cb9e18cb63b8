/* bench/kernel_conv.c - convolutions: dense ones as products of patches, as the runtime does them,
 * and depthwise ones. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernel_cases.h"

static size_t align64(size_t n)
{
    return (n + 63) / 64 * 64;
}

typedef struct conv_maps {
    float *in, *out, *weight, *bias;
    size_t in_bytes;
} conv_maps;

static conv_maps open_maps(const bench_case *c)
{
    const wsam_conv_shape *s = &c->conv;
    const size_t in = (size_t)s->in_h * (size_t)s->in_w * (size_t)s->channels;
    const conv_maps m = {.in = bench_floats(in),
                         .out = bench_buffer(c->m * c->n * sizeof(float)),
                         .weight = bench_floats(c->n * c->k),
                         .bias = bench_floats(c->n),
                         .in_bytes = in * sizeof(float)};
    return m;
}

static void close_maps(conv_maps *m)
{
    free(m->in), free(m->out), free(m->weight), free(m->bias);
}

static void dense(gbench_state *state, const bench_case *c, const conv_maps *maps)
{
    const wsam_gemm_kernel *g = bench_gemm_of(c);
    const wsam_conv_kernels *conv = &c->config->kernels->conv;
    const size_t block = g->rows, blocks = (c->m + block - 1) / block;
    const size_t patch_bytes = align64(block * c->k * sizeof(float));
    const size_t bytes = patch_bytes + align64(g->prepared_bytes(block, c->k));
    char *scratch = bench_buffer(bytes * (size_t)c->config->threads);
    void *packed = bench_buffer(g->packed_bytes(c->n, c->k));
    const wsam_epilogue epilogue = {.bias = maps->bias};
    g->pack(c->n, c->k, WSAM_F32, maps->weight, NULL, 0, (c->n + g->nr - 1) / g->nr, packed);
    while (gbench_keep_running(state)) {
#pragma omp parallel for num_threads(c->config->threads) schedule(static)
        for (size_t b = 0; b < blocks; b++) {
            char *mine = scratch + bytes * (size_t)omp_get_thread_num();
            float *patches = (float *)(void *)mine;
            const size_t row = b * block, rows = c->m - row < block ? c->m - row : block;
            const wsam_rows source = {.data = patches, .ld = c->k};
            if (!g->prepare_patches ||
                !g->prepare_patches(&c->conv, maps->in, row, row + rows, mine + patch_bytes)) {
                conv->im2col_f32(&c->conv, maps->in, 0, row, row + rows, patches);
                g->prepare(rows, c->k, &source, mine + patch_bytes);
            }
            g->run(rows, c->n, c->k, 0, c->n, mine + patch_bytes, packed, &epilogue,
                   maps->out + row * c->n, c->n);
        }
    }
    free(scratch), free(packed);
}

static void depthwise(gbench_state *state, const bench_case *c, const conv_maps *maps)
{
    const wsam_conv_shape *s = &c->conv;
    const size_t row = (size_t)s->out_w * (size_t)s->channels;
    while (gbench_keep_running(state)) {
#pragma omp parallel for num_threads(c->config->threads) schedule(static)
        for (int y = 0; y < s->out_h; y++)
            c->config->kernels->conv.depthwise_f32(s, maps->in, 0, maps->weight, maps->bias,
                                                   WSAM_ACT_NONE, y, y + 1,
                                                   maps->out + (size_t)y * row);
    }
}

void bench_conv(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    conv_maps m = open_maps(c);
    (c->depthwise ? depthwise : dense)(state, c, &m);
    close_maps(&m);
}

void bench_conv_onednn(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    const ws_onednn_type type = bench_onednn_types[c->type];
    conv_maps m = open_maps(c);
    ws_onednn_op *ops[2] = {NULL};
    wsam_error error = {0};
    const ws_onednn_conv_desc desc = {.type = type,
                                      .shape = c->conv,
                                      .out_channels = c->n,
                                      .groups = c->depthwise ? c->conv.channels : 1,
                                      .weight = m.weight,
                                      .bias = m.bias,
                                      .threads = c->config->threads};
    const size_t pixels = (size_t)c->conv.in_h * (size_t)c->conv.in_w;
    wsam_status status = WSAM_OK;
    if (c->way == WAY_PASSES)
        status = ws_onednn_rows_create(type, pixels, (size_t)c->conv.channels, c->config->threads,
                                       &ops[0], &error);
    if (!status)
        status = ws_onednn_conv_create(&desc, &ops[1], &error);
    if (status)
        gbench_skip(state, error.message);
    else
        bench_primitives(state, ops, 2, m.in, m.out, m.in_bytes);
    ws_onednn_free(ops[0]);
    ws_onednn_free(ops[1]);
    close_maps(&m);
}
