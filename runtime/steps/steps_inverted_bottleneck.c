/* runtime/steps/steps_inverted_bottleneck.c - inverted bottlenecks (expand 1x1, depthwise 3x3,
 * project 1x1) strip by strip.
 *
 * The hidden map of MobileSAM's first stage is 256x256x256 f32: 67 MB that unfused steps write and
 * read twice. A task owns a strip of output rows; it expands input rows just before the depthwise
 * kernel needs them, so the rows that are read are still in L2, and nothing of the hidden map
 * outlives the task. The two border rows of a strip are expanded by both neighbours. */
#include <string.h>

#include "runtime/program.h"

typedef struct geometry {
    int h, w, channels; /* of the input */
    int out_h, out_w;
    int stride, strip;    /* output rows of a task */
    wsam_conv_shape conv; /* the depthwise kernel on the hidden map */
} geometry;

/* The step's operator is the depthwise convolution; its input is the hidden map. */
static geometry geometry_of(const ws_exec *x, const ws_step *s)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape hidden = ws_step_input_shape(x, s, WS_PRODUCT_X);
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    geometry g = {.h = (int)hidden.dims[0], .w = (int)hidden.dims[1]};
    g.channels = (int)hidden.dims[2];
    g.out_h = (int)out->dims[0];
    g.out_w = (int)out->dims[1];
    g.stride = (int)ws_op_int(&v, "stride", 1);
    g.strip = g.out_h / 16 < 4 ? 4 : (g.out_h / 16 > 16 ? 16 : g.out_h / 16);
    g.conv = (wsam_conv_shape){g.h, g.w, g.channels, g.out_h, g.out_w, 3, 3, g.stride, 1, 1};
    return g;
}

static int bottleneck_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const geometry g = geometry_of(x, s);
    (void)phase;
    return (int)ws_step_prompts(x, s) * ((g.out_h + g.strip - 1) / g.strip);
}

/* Parts of the scratch: hidden rows of a strip, one depthwise row, prepared rows. */
static size_t bottleneck_hidden_bytes(const geometry *g)
{
    return (size_t)((g->strip - 1) * g->stride + 3) * (size_t)g->w * (size_t)g->channels *
           sizeof(float);
}

static size_t bottleneck_row_bytes(const geometry *g)
{
    return ws_align64((size_t)g->out_w * (size_t)g->channels * sizeof(float));
}

static size_t bottleneck_scratch(const ws_exec *x, const ws_step *s)
{
    const geometry g = geometry_of(x, s);
    size_t prepared = 0;
    const ws_product *products[2] = {&s->bottleneck.expand, &s->bottleneck.project};
    for (int i = 0; i < 2; i++) {
        const ws_product *p = products[i];
        const size_t bytes = p->kernel->prepared_bytes(p->kernel->rows, p->k);
        prepared = bytes > prepared ? bytes : prepared;
    }
    return ws_align64(bottleneck_hidden_bytes(&g)) + bottleneck_row_bytes(&g) + prepared;
}

/* `pixels` rows of p->k values through a product, block by block. */
static void bottleneck_product(const ws_product *p, size_t pixels, const float *in,
                               const float *residual, float *out, void *prepared)
{
    for (size_t row = 0; row < pixels; row += p->kernel->rows) {
        const size_t m = pixels - row < p->kernel->rows ? pixels - row : p->kernel->rows;
        const wsam_rows rows = {.data = in + row * p->k, .ld = p->k};
        const wsam_epilogue e = {p->bias, p->act, residual ? residual + row * p->n : NULL, p->n};
        p->kernel->prepare(m, p->k, &rows, prepared);
        p->kernel->run(m, p->n, p->k, 0, p->n, prepared, p->packed, &e, out + row * p->n, p->n);
    }
}

static void bottleneck_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const geometry g = geometry_of(x, s);
    const int strips = (g.out_h + g.strip - 1) / g.strip, prompt = task / strips;
    const int y0 = task % strips * g.strip, y1 = y0 + g.strip < g.out_h ? y0 + g.strip : g.out_h;
    const ws_product *expand = &s->bottleneck.expand, *project = &s->bottleneck.project;
    const ws_depthwise *depthwise = &s->bottleneck.depthwise;
    const size_t in_row = (size_t)g.w * expand->k, hidden_row = (size_t)g.w * expand->n;
    const size_t out_row = (size_t)g.out_w * project->n;
    const float *in = ws_step_operand(x, &s->in[WS_STEP_ROWS], prompt);
    const float *residual = ws_step_operand(x, &s->in[WS_STEP_RESIDUAL], prompt);
    float *hidden = scratch,
          *row = (float *)(void *)((char *)scratch + ws_align64(bottleneck_hidden_bytes(&g)));
    void *prepared = (char *)row + bottleneck_row_bytes(&g);
    const wsam_kernels *k = x->program->kernels;
    const int first = y0 * g.stride - 1 < 0 ? 0 : y0 * g.stride - 1;
    int next = first;
    (void)phase;
    for (int y = y0; y < y1; y++) {
        const int end = y * g.stride + 2 < g.h ? y * g.stride + 2 : g.h;
        for (; next < end; next++)
            bottleneck_product(expand, (size_t)g.w, in + (size_t)next * in_row, NULL,
                               hidden + (size_t)(next - first) * hidden_row, prepared);
        k->conv.depthwise_f32(&g.conv, hidden, first, depthwise->weight, depthwise->bias,
                              depthwise->act, y, y + 1, row);
        float *out = ws_step_out(x, s, prompt) + (size_t)y * out_row;
        bottleneck_product(project, (size_t)g.out_w, row,
                           residual ? residual + (size_t)y * out_row : NULL, out, prepared);
        if (s->bottleneck.act != WSAM_ACT_NONE)
            k->vector.act_f32(s->bottleneck.act, out_row, out, out);
    }
}

const ws_step_kind ws_step_inverted_bottleneck = {
    .name = "inverted_bottleneck",
    .phases = 1,
    .tasks = bottleneck_tasks,
    .scratch = bottleneck_scratch,
    .run = bottleneck_run,
};
