/* runtime/steps/steps_winograd.c - convolutions of 3x3 by Winograd's F(4x4, 3x3) or F(2x2, 3x3): 36 or 16
 * products of tiles in the place of one product of patches, with a quarter or 4/9 of the multiplications.
 *
 * A task takes some tiles through all of it. Its points and sums, points x tiles x channels floats
 * each, stay in the caches, and the weights of a point are read once for them. In int8 each row of
 * a point has a scale of its own, as every row of a product. */
#include "kernels/winograd.h"
#include "runtime/steps/narrow_rows.h"

/* Points and sums have 2 x 1 MB for 256 channels in f32, 2 x 450 KB in int8; a whole number of
 * tiles of AVX-512's products. 56 and 112 were no faster in f32. */
enum { TILES = 28 };

static wsam_conv_shape shape_of(const ws_exec *x, const ws_step *s)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_PRODUCT_X);
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const wsam_conv_shape c = {.in_h = (int)in.dims[0],
                               .in_w = (int)in.dims[1],
                               .channels = (int)in.dims[2],
                               .out_h = (int)out->dims[0],
                               .out_w = (int)out->dims[1],
                               .kernel_h = 3,
                               .kernel_w = 3,
                               .stride = 1,
                               .pad = 1,
                               .dilation = 1};
    return c;
}

static int tasks_of_prompt(const ws_exec *x, const ws_step *s)
{
    const wsam_conv_shape shape = shape_of(x, s);
    return (int)((ws_winograd_tiles(s->product.side, &shape) + TILES - 1) / TILES);
}

static int tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)ws_step_prompts(x, s) * tasks_of_prompt(x, s);
}

static size_t point_bytes(int side, size_t columns)
{
    return ws_float_bytes(TILES * ws_winograd_stride(side, columns));
}

static size_t scratch_bytes(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->product;
    const int side = s->product.side;
    return point_bytes(side, p->k) + point_bytes(side, p->n) +
           p->kernel->prepared_bytes(TILES, p->k);
}

static void multiply(const ws_product *p, int side, size_t tiles, const float *points, float *sums,
                     void *prepared)
{
    const wsam_epilogue none = {NULL, WSAM_ACT_NONE, NULL, 0};
    const size_t bytes = p->kernel->packed_bytes(p->n, p->k);
    for (size_t i = 0; i < ws_winograd_points(side); i++) {
        const wsam_rows rows = {
            points + i * p->k, ws_winograd_stride(side, p->k), NULL, 0, NULL, NULL, 0};
        p->kernel->prepare(tiles, p->k, &rows, prepared);
        p->kernel->run(tiles, p->n, p->k, 0, p->n, prepared, (const char *)p->packed + i * bytes,
                       &none, sums + i * p->n, ws_winograd_stride(side, p->n));
    }
}

static void run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_product *p = &s->product;
    const ws_operand *rows = &s->in[WS_STEP_ROWS];
    const ws_winograd_kernels *conv = ws_winograd_of(x->program->kernels);
    const wsam_conv_shape shape = shape_of(x, s);
    const int side = s->product.side, per = tasks_of_prompt(x, s);
    const int64_t prompt = task / per;
    const size_t all = ws_winograd_tiles(side, &shape), first = (size_t)(task % per) * TILES;
    const size_t end = all - first < TILES ? all : first + TILES;
    float *points = scratch, *sums = (float *)(void *)((char *)scratch + point_bytes(side, p->k));
    const wsam_epilogue e = {p->bias, p->act, ws_step_operand(x, &s->in[WS_STEP_RESIDUAL], prompt),
                             p->n};
    (void)phase;
    conv->in_f32(side, &shape, ws_step_operand(x, rows, prompt), ws_narrow_is(x, rows->buffer),
                 first, end, points);
    multiply(p, side, end - first, points, sums, (char *)sums + point_bytes(side, p->n));
    conv->out_f32(side, &shape, (int)p->n, sums, first, end, &e, p->after,
                  ws_step_out(x, s, prompt), ws_narrow_is(x, s->out));
}

const ws_step_kind ws_step_winograd = {
    .name = "conv2d winograd",
    .phases = 1,
    .tasks = tasks,
    .scratch = scratch_bytes,
    .run = run,
};
