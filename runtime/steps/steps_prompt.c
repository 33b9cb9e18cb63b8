/* runtime/steps/steps_prompt.c - position codes of points and grids, and the mask product. */
#include <string.h>

#include "runtime/program.h"

/* code = [sin a, cos a], a = 2 pi ((2u-1) g0 + (2v-1) g1), for n pairs (u, v); f frequencies each
 * (segment-anything modeling/prompt_encoder.py, PositionEmbeddingRandom). f32 throughout, as there.
 */
static void position_code(const wsam_vector_kernels *k, const float *gaussian, size_t f, float u,
                          float v, float *angles, float *code)
{
    const float x = 2.0f * u - 1.0f, y = 2.0f * v - 1.0f;
    for (size_t i = 0; i < f; i++)
        angles[i] = 6.283185307179586f * (x * gaussian[i] + y * gaussian[f + i]);
    k->sincos_f32(f, angles, code, code + f);
}

static size_t angle_scratch(const ws_exec *x, const ws_step *s)
{
    return (size_t)ws_step_out_columns(x, s) / 2 * sizeof(float);
}

/* ---- point_tokens ---- */

static int point_tokens_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return ws_step_out_rows(x, s) ? (int)ws_step_prompts(x, s) : 0;
}

static void point_tokens_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape table_shape = ws_step_input_shape(x, s, WS_POINT_TOKENS_TABLE);
    const int64_t first = ws_op_int(&v, "first_label", 0),
                  replace = ws_op_int(&v, "replace_label", 0);
    const size_t c = (size_t)ws_step_out_columns(x, s), n = (size_t)ws_step_out_rows(x, s);
    const float *points = ws_step_operand(x, &s->in[WS_POINT_TOKENS_POINTS], task);
    const float *gaussian = ws_step_operand(x, &s->in[WS_POINT_TOKENS_GAUSSIAN], task),
                *table = ws_step_operand(x, &s->in[WS_POINT_TOKENS_TABLE], task);
    const wsam_vector_kernels *k = &x->program->kernels->vector;
    int32_t label;
    (void)phase;
    for (size_t i = 0; i < n; i++) {
        float *out = ws_step_out(x, s, task) + i * c;
        memcpy(&label, ws_step_operand(x, &s->in[WS_POINT_TOKENS_LABELS], task) + i, sizeof label);
        const int64_t row = (int64_t)label - first;
        if (label == replace)
            memset(out, 0, c * sizeof *out);
        else
            position_code(k, gaussian, c / 2, points[2 * i], points[2 * i + 1], scratch, out);
        if (row >= 0 && row < table_shape.dims[0])
            k->add_f32(c, out, table + (size_t)row * c, out);
    }
}

const ws_step_kind ws_step_point_tokens = {
    .name = "point_tokens",
    .phases = 1,
    .tasks = point_tokens_tasks,
    .scratch = angle_scratch,
    .run = point_tokens_run,
};

/* ---- position_grid ---- */

static int position_grid_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)x->values[x->program->graph->n_inputs + s->op].shape.dims[0];
}

static void position_grid_run(const ws_exec *x, const ws_step *s, int phase, int task,
                              void *scratch)
{
    const ws_shape *shape = &x->values[x->program->graph->n_inputs + s->op].shape;
    const size_t w = (size_t)shape->dims[1], c = (size_t)shape->dims[2];
    const float v = ((float)task + 0.5f) / (float)shape->dims[0];
    (void)phase;
    for (size_t i = 0; i < w; i++)
        position_code(&x->program->kernels->vector,
                      ws_step_operand(x, &s->in[WS_POSITION_GRID_GAUSSIAN], 0), c / 2,
                      ((float)i + 0.5f) / (float)w, v, scratch,
                      ws_step_out(x, s, 0) + ((size_t)task * w + i) * c);
}

const ws_step_kind ws_step_position_grid = {
    .name = "position_grid",
    .phases = 1,
    .tasks = position_grid_tasks,
    .scratch = angle_scratch,
    .run = position_grid_run,
};

/* ---- mask_product ---- */

static int mask_product_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_MASK_PRODUCT_FEATURES);
    (void)phase;
    return (int)(ws_step_prompts(x, s) * in.dims[0]);
}

static void mask_product_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_MASK_PRODUCT_FEATURES),
                   m = ws_step_input_shape(x, s, WS_MASK_PRODUCT_VECTORS);
    const size_t w = (size_t)in.dims[1], c = (size_t)in.dims[2], area = (size_t)in.dims[0] * w;
    const int64_t prompt = task / in.dims[0];
    const size_t y = (size_t)(task % in.dims[0]);
    const float *features =
        ws_step_operand(x, &s->in[WS_MASK_PRODUCT_FEATURES], prompt) + y * w * c;
    const float *vectors = ws_step_operand(x, &s->in[WS_MASK_PRODUCT_VECTORS], prompt);
    (void)phase;
    (void)scratch;
    for (size_t i = 0; i < (size_t)m.dims[0]; i++)
        x->program->kernels->vector.dot_rows_f32(w, c, features, c, vectors + i * c,
                                                 ws_step_out(x, s, prompt) + i * area + y * w);
}

const ws_step_kind ws_step_mask_product = {
    .name = "mask_product",
    .phases = 1,
    .tasks = mask_product_tasks,
    .run = mask_product_run,
};
