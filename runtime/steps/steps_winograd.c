/* runtime/steps/steps_winograd.c - convolutions of 3x3 by Winograd's F(4x4, 3x3) or F(2x2, 3x3): 36 or 16
 * products of tiles in the place of one product of patches, with a quarter or 4/9 of the multiplications.
 *
 * A task takes some tiles through all of it. Its points and sums, points x tiles x channels floats
 * each, stay in the caches, and the weights of a point are read once for them. In int8 each row of
 * a point has a scale of its own, as every row of a product; where the kernel allows, a tile's
 * points become bytes while they are in L1. */
#include "kernels/winograd.h"
#include "runtime/steps/narrow_rows.h"

/* Points and sums have 1 MB each for 256 channels and side 4, 450 KB for side 2; a whole number of
 * tiles of AVX-512's products. 56 and 112 were no faster in f32, 14 slower in int8. */
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

/* Floats of so many tiles' points or sums. */
static size_t point_bytes(int side, size_t tiles, size_t columns)
{
    return ws_float_bytes(tiles * ws_winograd_stride(side, columns));
}

/* Whether each tile's points are prepared while they are in L1, and all of them kept so. */
static int is_prepared_by_tile(const ws_product *p)
{
    return p->kernel->prepare_row != NULL;
}

static size_t prepared_bytes(const ws_product *p)
{
    return ws_align64(p->kernel->prepared_bytes(TILES, p->k));
}

/* What a task has in its scratch. */
typedef struct room {
    float *points, *sums;
    char *prepared;
    size_t bytes; /* of all */
} room;

static room room_in(const ws_product *p, void *scratch)
{
    const int by_tile = is_prepared_by_tile(p);
    const size_t points = point_bytes(p->side, by_tile ? 1 : TILES, p->k);
    const size_t sums = point_bytes(p->side, TILES, p->n);
    const size_t prepared = prepared_bytes(p) * (by_tile ? ws_winograd_points(p->side) : 1);
    char *at = scratch;
    return (room){scratch, (float *)(void *)(at + points), at + points + sums,
                  points + sums + prepared};
}

static size_t scratch_bytes(const ws_exec *x, const ws_step *s)
{
    static char none[1];
    (void)x;
    return room_in(&s->product, none).bytes;
}

/* A task: its tiles, and where their pixels come from and go. */
typedef struct tile_task {
    const ws_exec *x;
    const ws_step *s;
    const ws_winograd_kernels *conv;
    wsam_conv_shape shape;
    int64_t prompt;
    size_t first, end;
    room room;
} tile_task;

static void make_points(const tile_task *t, size_t first, size_t end)
{
    const ws_operand *rows = &t->s->in[WS_STEP_ROWS];
    t->conv->in_f32(t->s->product.side, &t->shape, ws_step_operand(t->x, rows, t->prompt),
                    ws_narrow_is(t->x, rows->buffer), first, end, t->room.points);
}

static void multiply(const tile_task *t, size_t point, const void *prepared)
{
    const wsam_epilogue none = {NULL, WSAM_ACT_NONE, NULL, 0};
    const ws_product *p = &t->s->product;
    const char *packed = (const char *)p->packed + point * p->kernel->packed_bytes(p->n, p->k);
    p->kernel->run(t->end - t->first, p->n, p->k, 0, p->n, prepared, packed, &none,
                   t->room.sums + point * p->n, ws_winograd_stride(p->side, p->n));
}

static void finish(const tile_task *t)
{
    const ws_product *p = &t->s->product;
    const wsam_epilogue e = {p->bias, p->act,
                             ws_step_operand(t->x, &t->s->in[WS_STEP_RESIDUAL], t->prompt), p->n};
    t->conv->out_f32(p->side, &t->shape, (int)p->n, t->room.sums, t->first, t->end, &e, p->after,
                     ws_step_out(t->x, t->s, t->prompt), ws_narrow_is(t->x, t->s->out));
}

static void run_by_tile(const tile_task *t)
{
    const ws_product *p = &t->s->product;
    const size_t n = t->end - t->first, points = ws_winograd_points(p->side);
    const size_t bytes = prepared_bytes(p);
    for (size_t i = 0; i < n; i++) {
        make_points(t, t->first + i, t->first + i + 1);
        p->kernel->prepare_row(n, p->k, i, points, t->room.points, p->k, t->room.prepared, bytes);
    }
    for (size_t i = 0; i < points; i++)
        multiply(t, i, t->room.prepared + i * bytes);
    finish(t);
}

static void run_by_point(const tile_task *t)
{
    const ws_product *p = &t->s->product;
    const size_t n = t->end - t->first, apart = ws_winograd_stride(p->side, p->k);
    make_points(t, t->first, t->end);
    for (size_t i = 0; i < ws_winograd_points(p->side); i++) {
        const wsam_rows rows = {t->room.points + i * p->k, apart, NULL, 0, NULL, NULL, 0};
        p->kernel->prepare(n, p->k, &rows, t->room.prepared);
        multiply(t, i, t->room.prepared);
    }
    finish(t);
}

static void run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const int per = tasks_of_prompt(x, s);
    tile_task t = {.x = x,
                   .s = s,
                   .conv = ws_winograd_of(x->program->kernels),
                   .shape = shape_of(x, s),
                   .prompt = task / per,
                   .first = (size_t)(task % per) * TILES,
                   .room = room_in(&s->product, scratch)};
    const size_t left = ws_winograd_tiles(s->product.side, &t.shape) - t.first;
    (void)phase;
    t.end = t.first + (left < TILES ? left : TILES);
    (is_prepared_by_tile(&s->product) ? run_by_tile : run_by_point)(&t);
}

const ws_step_kind ws_step_winograd = {
    .name = "conv2d winograd",
    .phases = 1,
    .tasks = tasks,
    .scratch = scratch_bytes,
    .run = run,
};
