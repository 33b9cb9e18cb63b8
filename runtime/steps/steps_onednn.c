/* runtime/steps/steps_onednn.c - products by oneDNN, for the second backend: rows are prepared by
 * us (norm, added rows, rounding to bf16, quantization), oneDNN multiplies the whole matrix with
 * its own threads, and for int8 the row scales, bias, activation and residual follow as a pass of
 * ours.
 */
#include <math.h>
#include <string.h>

#include "kernels/vector.h"
#include "runtime/backend_onednn.h"
#include "runtime/program.h"

enum { ROWS_PER_TASK = 64 };

static size_t element_bytes(wsam_type type)
{
    return type == WSAM_F32 ? sizeof(float) : (type == WSAM_BF16 ? sizeof(uint16_t) : 1);
}

static int row_blocks(const ws_exec *x, const ws_step *s)
{
    return (int)((ws_step_out_rows(x, s) + ROWS_PER_TASK - 1) / ROWS_PER_TASK);
}

/* Prepare in parallel; multiply as one task, which keeps us out of a parallel region; finish in
 * parallel. */
static int onednn_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    return phase == 1 ? 1 : row_blocks(x, s);
}

static size_t onednn_scratch(const ws_exec *x, const ws_step *s)
{
    (void)x;
    return s->onednn.product.k * sizeof(float);
}

/* Row scales, prepared rows, oneDNN's scratchpad. */
static size_t rows_offset(const ws_exec *x, const ws_step *s)
{
    return ws_align64((size_t)ws_step_out_rows(x, s) * sizeof(float));
}

static size_t scratchpad_offset(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->onednn.product;
    return rows_offset(x, s) +
           ws_align64((size_t)ws_step_out_rows(x, s) * p->k * element_bytes(s->onednn.type));
}

static size_t onednn_workspace(const ws_exec *x, const ws_step *s)
{
    return scratchpad_offset(x, s) + ws_onednn_scratch_bytes(s->onednn.op) + 64;
}

/* f32 -> s8 with the row's scale, by the same arithmetic as the native kernels. */
static void onednn_quantize_row(size_t k, const float *row, int8_t *q, float *scale)
{
    float top = 0.0f;
    for (size_t p = 0; p < k; p++) {
        const float a = fabsf(row[p]);
        top = a > top || isnan(a) ? a : top;
    }
    const float inverse = ws_quant_inverse(top, scale);
    for (size_t p = 0; p < k; p++)
        q[p] = inverse > 0.0f ? (int8_t)lrintf(row[p] * inverse) : 0;
}

static void prepare_rows(const ws_exec *x, const ws_step *s, int task, float *row)
{
    const ws_product *p = &s->onednn.product;
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    const size_t n = (size_t)ws_step_out_rows(x, s), first = (size_t)task * ROWS_PER_TASK;
    const size_t end = n - first < ROWS_PER_TASK ? n : first + ROWS_PER_TASK;
    const float *in = ws_step_operand(x, &s->in[WS_STEP_ROWS], 0),
                *add = ws_step_operand(x, &s->in[WS_STEP_ADDED], 0);
    float *scales = x->workspace;
    char *rows = (char *)x->workspace + rows_offset(x, s);
    for (size_t i = first; i < end; i++) {
        memcpy(row, in + i * p->k, p->k * sizeof *row);
        if (add)
            v->add_f32(p->k, row, add + i * p->k, row);
        if (p->norm_weight)
            v->layer_norm_f32(1, p->k, row, p->k, p->norm_weight, p->norm_bias, p->norm_eps, row,
                              p->k);
        void *to = rows + i * p->k * element_bytes(s->onednn.type);
        if (s->onednn.type == WSAM_S8)
            onednn_quantize_row(p->k, row, to, &scales[i]);
        else if (s->onednn.type == WSAM_BF16)
            v->f32_to_bf16(p->k, row, to);
        else
            memcpy(to, row, p->k * sizeof *row);
    }
}

/* What oneDNN left to do: int8 row scales and bias, the activation behind them, the residual. */
static void finish_rows(const ws_exec *x, const ws_step *s, int task)
{
    const ws_product *p = &s->onednn.product;
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    const size_t n = (size_t)ws_step_out_rows(x, s), first = (size_t)task * ROWS_PER_TASK;
    const size_t end = n - first < ROWS_PER_TASK ? n : first + ROWS_PER_TASK;
    const float *residual = ws_step_operand(x, &s->in[WS_STEP_RESIDUAL], 0), *scales = x->workspace;
    for (size_t i = first; i < end; i++) {
        float *out = ws_step_out(x, s, 0) + i * p->n;
        if (s->onednn.type == WSAM_S8) {
            for (size_t j = 0; j < p->n; j++)
                out[j] = out[j] * scales[i] + (p->bias ? p->bias[j] : 0.0f);
            if (p->act != WSAM_ACT_NONE)
                v->act_f32(p->act, p->n, out, out);
        }
        if (residual)
            v->add_f32(p->n, out, residual + i * (size_t)s->in[WS_STEP_RESIDUAL].columns, out);
    }
}

static void onednn_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    if (phase == 0)
        prepare_rows(x, s, task, scratch);
    else if (phase == 1) /* oneDNN allocates while it runs, so this may fail */
        ws_onednn_run(s->onednn.op, (char *)x->workspace + rows_offset(x, s), ws_step_out(x, s, 0),
                      (char *)x->workspace + scratchpad_offset(x, s), x->failure);
    else
        finish_rows(x, s, task);
}

static void onednn_release(ws_step *s)
{
    ws_onednn_free(s->onednn.op);
}

const ws_step_kind ws_step_onednn = {
    .name = "onednn",
    .phases = 3,
    .tasks = onednn_tasks,
    .scratch = onednn_scratch,
    .workspace = onednn_workspace,
    .run = onednn_run,
    .release = onednn_release,
};

/* ---- convolution: the whole map in one call ---- */

static int onednn_conv_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    return phase == 0 ? 1 : row_blocks(x, s);
}

static size_t onednn_conv_workspace(const ws_exec *x, const ws_step *s)
{
    (void)x;
    return ws_onednn_scratch_bytes(s->onednn.op) + 64;
}

static void onednn_conv_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    (void)scratch;
    if (phase == 0) {
        ws_onednn_run(s->onednn.op, ws_step_operand(x, &s->in[WS_STEP_ROWS], 0),
                      ws_step_out(x, s, 0), x->workspace, x->failure);
        return;
    }
    const size_t n = (size_t)ws_step_out_rows(x, s), c = (size_t)ws_step_out_columns(x, s);
    const size_t first = (size_t)task * ROWS_PER_TASK;
    const size_t rows = n - first < ROWS_PER_TASK ? n - first : ROWS_PER_TASK;
    const float *residual = ws_step_operand(x, &s->in[WS_STEP_RESIDUAL], 0);
    float *out = ws_step_out(x, s, 0) + first * c;
    if (residual)
        x->program->kernels->vector.add_f32(rows * c, out, residual + first * c, out);
}

const ws_step_kind ws_step_onednn_conv = {
    .name = "onednn_conv",
    .phases = 2,
    .tasks = onednn_conv_tasks,
    .workspace = onednn_conv_workspace,
    .run = onednn_conv_run,
    .release = onednn_release,
};
