/* runtime/steps/steps_elementwise.c - steps that go over rows or pixels once: norms, activations,
 * element-wise, layout. */
#include <math.h>
#include <string.h>

#include "runtime/program.h"

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

/* A row of the fine map, and under each of its pixels the coarse one that covers it. */
static void top_down_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const int64_t prompt = task / out->dims[0], y = task % out->dims[0];
    const size_t c = (size_t)out->dims[2], w = (size_t)out->dims[1];
    const float *fine = ws_step_operand(x, &s->in[WS_TOP_DOWN_FINE], prompt) + (size_t)y * w * c;
    const float *coarse =
        ws_step_operand(x, &s->in[WS_TOP_DOWN_COARSE], prompt) + (size_t)(y / 2) * (w / 2) * c;
    float *to = ws_step_out(x, s, prompt) + (size_t)y * w * c;
    (void)phase;
    (void)scratch;
    for (size_t i = 0; i < w; i++)
        x->program->kernels->vector.add_f32(c, fine + i * c, coarse + i / 2 * c, to + i * c);
}

const ws_step_kind ws_step_top_down = {
    .name = "top_down",
    .phases = 1,
    .tasks = output_row_tasks,
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

static void band_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape in = ws_step_input_shape(x, s, WS_PRODUCT_X),
                   w = ws_step_input_shape(x, s, WS_PRODUCT_WEIGHT);
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const int64_t per = ceil_div(out->dims[0], BAND), prompt = task / per;
    const int pool = s->kind == &ws_step_max_pool, y0 = (int)(task % per) * BAND;
    const int y1 = y0 + BAND < (int)out->dims[0] ? y0 + BAND : (int)out->dims[0];
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
    const wsam_conv_kernels *k = &x->program->kernels->conv;
    const float *data = ws_step_operand(x, &s->in[WS_STEP_INPUT], prompt);
    float *to = ws_step_out(x, s, prompt) + (int64_t)y0 * out->dims[1] * out->dims[2];
    (void)phase;
    (void)scratch;
    if (pool)
        k->max_pool_f32(&c, data, 0, y0, y1, to);
    else
        k->depthwise_f32(&c, data, 0, s->depthwise.weight, s->depthwise.bias, s->depthwise.act, y0,
                         y1, to);
}

const ws_step_kind ws_step_depthwise = {
    .name = "depthwise",
    .phases = 1,
    .tasks = band_tasks,
    .run = band_run,
};
const ws_step_kind ws_step_max_pool = {
    .name = "max_pool2d",
    .phases = 1,
    .tasks = band_tasks,
    .run = band_run,
};
