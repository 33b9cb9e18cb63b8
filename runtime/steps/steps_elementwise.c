/* runtime/steps/steps_elementwise.c - steps that go over rows or pixels once: norms, activations,
 * element-wise, layout. */
#include <math.h>
#include <string.h>

#include "runtime/steps/narrow_rows.h"

enum { ROWS_PER_TASK = 64 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Rows [first, first + count) of prompt `prompt`: one task of a step over rows. */
typedef struct span {
    int64_t prompt;
    size_t first, count, columns;
} span;

static int row_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)(ws_step_prompts(x, s) * ceil_div(ws_step_out_rows(x, s), ROWS_PER_TASK));
}

static span span_of(const ws_exec *x, const ws_step *s, int task)
{
    const int64_t rows = ws_step_out_rows(x, s), per = ceil_div(rows, ROWS_PER_TASK);
    span p = {.prompt = task / per, .columns = (size_t)ws_step_out_columns(x, s)};
    p.first = (size_t)(task % per) * ROWS_PER_TASK;
    p.count = (size_t)rows - p.first < ROWS_PER_TASK ? (size_t)rows - p.first : ROWS_PER_TASK;
    return p;
}

/* ---- layer_norm ---- */

static void layer_norm_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const span p = span_of(x, s, task);
    const float *in = ws_step_operand(x, &s->in[WS_STEP_INPUT], p.prompt) + p.first * p.columns;
    float *out = ws_step_out(x, s, p.prompt) + p.first * p.columns;
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    (void)phase;
    (void)scratch;
    v->layer_norm_f32(p.count, p.columns, in, p.columns, s->norm.weight, s->norm.bias, s->norm.eps,
                      out, p.columns);
    if (s->norm.act != WSAM_ACT_NONE)
        v->act_f32(s->norm.act, p.count * p.columns, out, out);
}

const ws_step_kind ws_step_layer_norm = {
    .name = "layer_norm",
    .phases = 1,
    .tasks = row_tasks,
    .run = layer_norm_run,
};

/* ---- group_norm, one group: block sums, then every task combines them in index order ---- */

enum { MOMENT_BLOCK = 8192 };

static int64_t moment_blocks(const ws_exec *x, const ws_step *s)
{
    return ceil_div((int64_t)ws_step_buffer_elements(x, s->out), MOMENT_BLOCK);
}

static int group_norm_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    return phase == 2 ? row_tasks(x, s, 0) : (int)(ws_step_prompts(x, s) * moment_blocks(x, s));
}

static size_t group_norm_workspace(const ws_exec *x, const ws_step *s)
{
    return (size_t)(ws_step_prompts(x, s) * moment_blocks(x, s)) * 4 * sizeof(double);
}

static size_t group_norm_scratch(const ws_exec *x, const ws_step *s)
{
    return 2 * (size_t)ws_step_out_columns(x, s) * sizeof(float);
}

/* Sum over one prompt's blocks of moment `which`: 0 for the mean's pass, 3 for the variance's. */
static double combined(const ws_exec *x, const ws_step *s, int64_t prompt, int which)
{
    const int64_t n = moment_blocks(x, s);
    const double *sums = (const double *)x->workspace + prompt * n * 4;
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += sums[i * 4 + which];
    return sum;
}

static float group_mean(const ws_exec *x, const ws_step *s, int64_t prompt)
{
    return (float)(combined(x, s, prompt, 0) / (double)ws_step_buffer_elements(x, s->out));
}

static void group_norm_apply(const ws_exec *x, const ws_step *s, int task, float *scale)
{
    const span p = span_of(x, s, task);
    const double n = (double)ws_step_buffer_elements(x, s->out);
    const float mean = group_mean(x, s, p.prompt);
    const float inverse =
        (float)(1.0 / sqrt(combined(x, s, p.prompt, 3) / n + (double)s->norm.eps));
    float *shift = scale + p.columns;
    for (size_t j = 0; j < p.columns; j++) {
        scale[j] = s->norm.weight[j] * inverse;
        shift[j] = s->norm.bias[j] - mean * scale[j];
    }
    float *out = ws_step_out(x, s, p.prompt) + p.first * p.columns;
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    v->scale_shift_f32(p.count, p.columns,
                       ws_step_operand(x, &s->in[WS_STEP_INPUT], p.prompt) + p.first * p.columns,
                       scale, shift, out);
    if (s->norm.act != WSAM_ACT_NONE)
        v->act_f32(s->norm.act, p.count * p.columns, out, out);
}

static void group_norm_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    if (phase == 2) {
        group_norm_apply(x, s, task, scratch);
        return;
    }
    const int64_t per = moment_blocks(x, s), prompt = task / per;
    const size_t n = ws_step_buffer_elements(x, s->out),
                 first = (size_t)(task % per) * MOMENT_BLOCK;
    const size_t count = n - first < MOMENT_BLOCK ? n - first : MOMENT_BLOCK;
    const float shift = phase ? group_mean(x, s, prompt) : 0.0f;
    double *sums = (double *)x->workspace + (size_t)task * 4 + 2 * (size_t)phase;
    x->program->kernels->vector.moments_f32(
        count, ws_step_operand(x, &s->in[WS_STEP_INPUT], prompt) + first, shift, sums);
}

const ws_step_kind ws_step_group_norm = {
    .name = "group_norm",
    .phases = 3,
    .tasks = group_norm_tasks,
    .scratch = group_norm_scratch,
    .workspace = group_norm_workspace,
    .run = group_norm_run,
};

/* ---- activation, binary ---- */

static void activation_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const span p = span_of(x, s, task);
    (void)phase;
    (void)scratch;
    x->program->kernels->vector.act_f32(s->activation, p.count * p.columns,
                                        ws_step_operand(x, &s->in[WS_UNARY_X], p.prompt) +
                                            p.first * p.columns,
                                        ws_step_out(x, s, p.prompt) + p.first * p.columns);
}

const ws_step_kind ws_step_activation = {
    .name = "activation",
    .phases = 1,
    .tasks = row_tasks,
    .run = activation_run,
};

/* b's shape is a's or a suffix of it: its rows repeat every ws_rows(b) (a vector is one row). */
static void binary_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const span p = span_of(x, s, task);
    const ws_shape shape = ws_step_input_shape(x, s, WS_BINARY_B);
    const size_t period = (size_t)ws_rows(&shape), c = p.columns;
    const float *a = ws_step_operand(x, &s->in[WS_BINARY_A], p.prompt) + p.first * c;
    const float *b = ws_step_operand(x, &s->in[WS_BINARY_B], p.prompt);
    float *out = ws_step_out(x, s, p.prompt) + p.first * c;
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    (void)phase;
    (void)scratch;
    for (size_t i = 0; i < p.count; i++) {
        const float *row = b + (p.first + i) % period * c;
        (s->binary.multiply ? v->mul_f32 : v->add_f32)(c, a + i * c, row, out + i * c);
    }
}

const ws_step_kind ws_step_binary = {
    .name = "binary",
    .phases = 1,
    .tasks = row_tasks,
    .run = binary_run,
};

/* ---- layout ---- */

static int one_per_prompt(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)ws_step_prompts(x, s);
}

/* One input after the other; the step copies one of the operator's inputs to its place. */
static void concat_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_op_view v = ws_step_view(x, s);
    float *out = ws_step_out(x, s, task);
    ws_value in;
    (void)phase;
    (void)scratch;
    for (uint32_t i = 0; i < s->concat.input; i++) {
        ws_op_input(&v, i, &in);
        out += ws_elements(&in.shape);
    }
    ws_op_input(&v, s->concat.input, &in);
    if (ws_elements(&in.shape))
        memcpy(out, ws_step_operand(x, &s->in[WS_STEP_INPUT], task),
               (size_t)ws_elements(&in.shape) * sizeof *out);
}

const ws_step_kind ws_step_concat = {
    .name = "concat",
    .phases = 1,
    .tasks = one_per_prompt,
    .run = concat_run,
};

static void slice_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape in = ws_step_input_shape(x, s, WS_UNARY_X);
    const int axis = (int)ws_op_int(&v, "axis", 0);
    const size_t begin = (size_t)ws_op_int(&v, "begin", 0),
                 length = (size_t)ws_op_int(&v, "length", 0);
    size_t outer = 1, inner = 1;
    (void)phase;
    (void)scratch;
    for (int d = 0; d < in.rank; d++) {
        outer *= d < axis ? (size_t)in.dims[d] : 1;
        inner *= d > axis ? (size_t)in.dims[d] : 1;
    }
    const float *from = ws_step_operand(x, &s->in[WS_UNARY_X], task) + begin * inner;
    float *out = ws_step_out(x, s, task);
    for (size_t i = 0; i < outer; i++)
        memcpy(out + i * length * inner, from + i * (size_t)in.dims[axis] * inner,
               length * inner * sizeof *out);
}

const ws_step_kind ws_step_slice = {
    .name = "slice",
    .phases = 1,
    .tasks = one_per_prompt,
    .run = slice_run,
};

static int output_row_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)(ws_step_prompts(x, s) *
                 x->values[x->program->graph->n_inputs + s->op].shape.dims[0]);
}

static void resize_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_UNARY_X);
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const int64_t prompt = task / out->dims[0], y = task % out->dims[0];
    const wsam_resize_kernels *r = &x->program->kernels->resize;
    (void)phase;
    (void)scratch;
    (s->resize.bicubic ? r->bicubic_row_f32 : r->bilinear_row_f32)(
        (int)in.dims[0], (int)in.dims[1], (int)in.dims[2],
        ws_step_operand(x, &s->in[WS_UNARY_X], prompt), (int)out->dims[0], (int)out->dims[1],
        (int)y, ws_step_out(x, s, prompt) + y * out->dims[1] * out->dims[2]);
}

const ws_step_kind ws_step_resize = {
    .name = "resize",
    .phases = 1,
    .tasks = output_row_tasks,
    .run = resize_run,
};

static size_t top_down_scratch(const ws_exec *x, const ws_step *s)
{
    const size_t w = (size_t)x->values[x->program->graph->n_inputs + s->op].shape.dims[1];
    return ws_narrow_operand_bytes(x, &s->in[WS_TOP_DOWN_FINE], w) +
           ws_narrow_operand_bytes(x, &s->in[WS_TOP_DOWN_COARSE], w) + ws_narrow_out_bytes(x, s, w);
}

/* A row of the fine map, and under each of its pixels the coarse one that covers it. */
static void top_down_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const ws_operand *fine = &s->in[WS_TOP_DOWN_FINE], *coarse = &s->in[WS_TOP_DOWN_COARSE];
    const int64_t prompt = task / out->dims[0], y = task % out->dims[0];
    const size_t c = (size_t)out->dims[2], w = (size_t)out->dims[1], row = (size_t)y * w;
    char *room = scratch, *second = room + ws_narrow_operand_bytes(x, fine, w);
    char *third = second + ws_narrow_operand_bytes(x, coarse, w);
    const float *a = ws_narrow_read(x, fine, prompt, row, w, scratch);
    const float *b = ws_narrow_read(x, coarse, prompt, (size_t)(y / 2) * (w / 2), w / 2,
                                    (float *)(void *)second);
    float *to = ws_narrow_begin(x, s, prompt, row, (float *)(void *)third);
    (void)phase;
    for (size_t i = 0; i < w; i++)
        x->program->kernels->vector.add_f32(c, a + i * c, b + i / 2 * c, to + i * c);
    ws_narrow_end(x, s, prompt, row, w, 0, c, to);
}

const ws_step_kind ws_step_top_down = {
    .name = "top_down",
    .phases = 1,
    .tasks = output_row_tasks,
    .scratch = top_down_scratch,
    .run = top_down_run,
};

/* ---- depthwise and pooling: bands of output rows ---- */

enum { BAND = 4 };

static int band_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    (void)phase;
    return (int)(ws_step_prompts(x, s) * ceil_div(out->dims[0], BAND));
}

static wsam_conv_shape band_shape(const ws_exec *x, const ws_step *s)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape in = ws_step_input_shape(x, s, WS_PRODUCT_X),
                   w = ws_step_input_shape(x, s, WS_PRODUCT_WEIGHT);
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const int pool = s->kind == &ws_step_max_pool;
    const int side = pool ? (int)ws_op_int(&v, "kernel", 2) : 0;
    const wsam_conv_shape c = {(int)in.dims[0],
                               (int)in.dims[1],
                               (int)in.dims[2],
                               (int)out->dims[0],
                               (int)out->dims[1],
                               pool ? side : (int)w.dims[1],
                               pool ? side : (int)w.dims[2],
                               (int)ws_op_int(&v, "stride", 1),
                               (int)ws_op_int(&v, "pad", 0),
                               (int)ws_op_int(&v, "dilation", 1)};
    return c;
}

/* Input rows that the output rows [y0, y1) see, and there are: [first, end). */
typedef struct input_band {
    int first, end;
} input_band;

static input_band band_of(const wsam_conv_shape *c, int y0, int y1)
{
    const int first = y0 * c->stride - c->pad;
    const int end = (y1 - 1) * c->stride - c->pad + (c->kernel_h - 1) * c->dilation + 1;
    input_band b = {first > 0 ? first : 0, end < c->in_h ? end : c->in_h};
    b.first = b.first < b.end ? b.first : b.end;
    return b;
}

static size_t band_scratch(const ws_exec *x, const ws_step *s)
{
    const wsam_conv_shape c = band_shape(x, s);
    const size_t most = (size_t)((BAND - 1) * c.stride + (c.kernel_h - 1) * c.dilation + 1);
    return ws_narrow_operand_bytes(x, &s->in[WS_STEP_INPUT], most * (size_t)c.in_w) +
           ws_narrow_out_bytes(x, s, (size_t)BAND * (size_t)c.out_w);
}

static void band_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const wsam_conv_shape c = band_shape(x, s);
    const int64_t per = ceil_div(c.out_h, BAND), prompt = task / per;
    const int y0 = (int)(task % per) * BAND, y1 = y0 + BAND < c.out_h ? y0 + BAND : c.out_h;
    const input_band in = band_of(&c, y0, y1);
    const size_t width = (size_t)c.in_w, pixels = (size_t)(in.end - in.first) * width;
    const size_t row = (size_t)y0 * (size_t)c.out_w, m = (size_t)(y1 - y0) * (size_t)c.out_w;
    const wsam_conv_kernels *k = &x->program->kernels->conv;
    const ws_operand *operand = &s->in[WS_STEP_INPUT];
    const float *data =
        ws_narrow_read(x, operand, prompt, (size_t)in.first * width, pixels, scratch);
    char *room = (char *)scratch + ws_narrow_operand_bytes(x, operand, pixels);
    float *to = ws_narrow_begin(x, s, prompt, row, (float *)(void *)room);
    (void)phase;
    if (s->kind == &ws_step_max_pool)
        k->max_pool_f32(&c, data, in.first, y0, y1, to);
    else
        k->depthwise_f32(&c, data, in.first, s->depthwise.weight, s->depthwise.bias,
                         s->depthwise.act, y0, y1, to);
    ws_narrow_end(x, s, prompt, row, m, 0, (size_t)ws_step_out_columns(x, s), to);
}

const ws_step_kind ws_step_depthwise = {
    .name = "depthwise",
    .phases = 1,
    .tasks = band_tasks,
    .scratch = band_scratch,
    .run = band_run,
};
const ws_step_kind ws_step_max_pool = {
    .name = "max_pool2d",
    .phases = 1,
    .tasks = band_tasks,
    .scratch = band_scratch,
    .run = band_run,
};
