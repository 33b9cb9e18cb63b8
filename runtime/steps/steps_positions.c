/* runtime/steps/steps_positions.c - adds a table of positions to a grid of patches, resampled to
 * the grid at run time in the way of the network's own code. */
#include <math.h>
#include <string.h>

#include "runtime/program.h"

/* One axis of the table at one place of the grid. */
typedef struct taps {
    int64_t n;
    int64_t *at; /* rows or columns of the table */
    float *weight;
} taps;

/* Two axes' taps; an axis has at most its stored size of them, and at least the four of the plain
 * cubic kernel. */
typedef struct axes {
    taps y, x;
} axes;

static size_t most_taps(int64_t stored)
{
    return stored < 4 ? 4 : (size_t)stored;
}

static size_t axis_bytes(int64_t stored)
{
    return ws_align64(most_taps(stored) * (sizeof(int64_t) + sizeof(float)));
}

static taps taps_in(void *memory, int64_t stored)
{
    char *weights = (char *)memory + most_taps(stored) * sizeof(int64_t);
    const taps t = {0, memory, (void *)weights};
    return t;
}

/* Four taps of the cubic kernel with A = -0.75, clamped at the border. `step`: table cells per grid
 * cell. Index arithmetic in f32, as PyTorch's interpolate computes it. */
static void plain_taps(float step, int64_t stored, int64_t i, taps *p)
{
    const float a = -0.75f;
    const float at = step * ((float)i + 0.5f) - 0.5f, low = floorf(at), t = at - low;
    const float u = 1.0f - t, far0 = t + 1.0f, far1 = u + 1.0f;
    p->n = 4;
    p->weight[0] = ((a * far0 - 5.0f * a) * far0 + 8.0f * a) * far0 - 4.0f * a;
    p->weight[1] = ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f;
    p->weight[2] = ((a + 2.0f) * u - (a + 3.0f)) * u * u + 1.0f;
    p->weight[3] = ((a * far1 - 5.0f * a) * far1 + 8.0f * a) * far1 - 4.0f * a;
    for (int k = 0; k < 4; k++) {
        const int64_t j = (int64_t)low - 1 + k;
        p->at[k] = j < 0 ? 0 : (j >= stored ? stored - 1 : j);
    }
}

/* Pillow's bicubic, a = -0.5. */
static double pillow_cubic(double t)
{
    const double a = -0.5;
    t = fabs(t);
    if (t < 1.0)
        return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    return t < 2.0 ? (((t - 5.0) * t + 8.0) * t - 4.0) * a : 0.0;
}

/* The kernel widened where the table shrinks; taps outside the table are dropped and the others
 * normalised. It differs from plain_taps when enlarging, too: a is another. */
static void antialias_taps(int64_t stored, int64_t size, int64_t i, taps *p)
{
    const double step = (double)stored / (double)size, wide = step > 1.0 ? step : 1.0;
    const double centre = ((double)i + 0.5) * step, support = 2.0 * wide;
    const double first = centre - support + 0.5, end = centre + support + 0.5;
    const int64_t low = first > 0.0 ? (int64_t)first : 0;
    const int64_t high = end < (double)stored ? (int64_t)end : stored;
    double sum = 0.0;
    p->n = high - low;
    for (int64_t k = 0; k < p->n; k++) {
        p->at[k] = low + k;
        sum += pillow_cubic(((double)(low + k) - centre + 0.5) / wide);
    }
    for (int64_t k = 0; k < p->n; k++)
        p->weight[k] = (float)(pillow_cubic(((double)(low + k) - centre + 0.5) / wide) / sum);
}

typedef enum mode { OFFSET, SIZE, ANTIALIAS } mode;

static mode mode_of(const ws_op_view *v)
{
    const char *name = ws_op_string(v, "mode", "offset");
    return strcmp(name, "offset") == 0 ? OFFSET : (strcmp(name, "size") == 0 ? SIZE : ANTIALIAS);
}

static void axis_taps(mode m, int64_t stored, int64_t size, int64_t i, taps *p)
{
    if (m == ANTIALIAS)
        antialias_taps(stored, size, i, p);
    else if (m == SIZE)
        plain_taps((float)stored / (float)size, stored, i, p);
    else /* (size + 0.1) / stored is the factor that these networks were trained with: it keeps
            rounding from losing a row there, and shifts the table a little */
        plain_taps((float)(1.0 / (((double)size + 0.1) / (double)stored)), stored, i, p);
}

static int add_positions_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_ADD_POSITIONS_X);
    (void)phase;
    return (int)in.dims[0];
}

static size_t add_positions_scratch(const ws_exec *x, const ws_step *s)
{
    const ws_shape stored = ws_step_input_shape(x, s, WS_ADD_POSITIONS_TABLE);
    return axis_bytes(stored.dims[0]) + axis_bytes(stored.dims[1]);
}

/* Adds row y of the resampled table to `out`. */
static void add_resampled(mode m, const float *table, const ws_shape *stored, const ws_shape *grid,
                          int64_t y, void *scratch, float *out)
{
    const int64_t c = grid->dims[2];
    axes a = {taps_in(scratch, stored->dims[0]),
              taps_in((char *)scratch + axis_bytes(stored->dims[0]), stored->dims[1])};
    axis_taps(m, stored->dims[0], grid->dims[0], y, &a.y);
    for (int64_t px = 0; px < grid->dims[1]; px++) {
        float *to = out + px * c;
        axis_taps(m, stored->dims[1], grid->dims[1], px, &a.x);
        for (int64_t j = 0; j < a.y.n; j++)
            for (int64_t k = 0; k < a.x.n; k++) {
                const float *from = table + (a.y.at[j] * stored->dims[1] + a.x.at[k]) * c;
                const float w = a.y.weight[j] * a.x.weight[k];
                for (int64_t i = 0; i < c; i++)
                    to[i] += w * from[i];
            }
    }
}

static void add_positions_run(const ws_exec *x, const ws_step *s, int phase, int task,
                              void *scratch)
{
    const ws_op_view view = ws_step_view(x, s);
    const ws_shape grid = ws_step_input_shape(x, s, WS_ADD_POSITIONS_X),
                   stored = ws_step_input_shape(x, s, WS_ADD_POSITIONS_TABLE);
    const int64_t row = grid.dims[1] * grid.dims[2];
    const float *in = ws_step_operand(x, &s->in[WS_ADD_POSITIONS_X], 0) + task * row;
    float *out = ws_step_out(x, s, 0) + task * row;
    const float *table = ws_step_operand(x, &s->in[WS_ADD_POSITIONS_TABLE], 0);
    const int square = ws_op_int(&view, "height", 0) == ws_op_int(&view, "width", 0);
    (void)phase;
    if (square && ws_same_shape(&grid, &stored)) {
        x->program->kernels->vector.add_f32((size_t)row, in, table + task * row, out);
        return;
    }
    memcpy(out, in, (size_t)row * sizeof *out);
    add_resampled(mode_of(&view), table, &stored, &grid, task, scratch, out);
}

const ws_step_kind ws_step_add_positions = {
    .name = "add_positions",
    .phases = 1,
    .tasks = add_positions_tasks,
    .scratch = add_positions_scratch,
    .run = add_positions_run,
};
