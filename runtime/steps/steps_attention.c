/* runtime/steps/steps_attention.c - attention over a fused qkv, and over separately projected q, k,
 * v. */
#include <math.h>
#include <string.h>

#include "runtime/program.h"

/* What the kernel wants to know, for either operator. */
static wsam_attention_shape fused_shape(const ws_exec *x, const ws_step *s)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape in = ws_step_input_shape(x, s, WS_ATTENTION_QKV);
    const char *bias = ws_op_string(&v, "bias", "none");
    wsam_attention_shape a = {.heads = (int)ws_op_int(&v, "heads", 1)};
    a.head_dim = (int)(in.dims[2] / 3) / a.heads;
    a.q_h = a.k_h = (int)in.dims[0];
    a.q_w = a.k_w = (int)in.dims[1];
    a.window = (int)ws_op_int(&v, "window", 0);
    a.padded = s->in[WS_ATTENTION_PAD].constant != NULL && a.window &&
               (a.q_h % a.window || a.q_w % a.window);
    a.bias = strcmp(bias, "separable") == 0
                 ? WSAM_BIAS_SEPARABLE
                 : (strcmp(bias, "table") == 0 ? WSAM_BIAS_TABLE : WSAM_BIAS_NONE);
    a.scale = (float)ws_op_float(&v, "scale", 1.0);
    return a;
}

static wsam_attention_shape projected_shape(const ws_exec *x, const ws_step *s)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape q = ws_step_input_shape(x, s, WS_PROJECTED_Q),
                   kv = ws_step_input_shape(x, s, WS_PROJECTED_KV);
    wsam_attention_shape a = {.heads = (int)ws_op_int(&v, "heads", 1), .q_h = 1, .k_h = 1};
    a.head_dim = (int)s->in[WS_STEP_Q].columns / a.heads;
    a.q_w = (int)ws_rows(&q);
    a.k_w = (int)ws_rows(&kv);
    a.scale = (float)(1.0 / sqrt((double)a.head_dim));
    return a;
}

static wsam_attention_shape attention_shape_of(const ws_exec *x, const ws_step *s)
{
    return s->kind == &ws_step_attention ? fused_shape(x, s) : projected_shape(x, s);
}

static wsam_attention_io fused_io(const ws_exec *x, const ws_step *s, int64_t prompt)
{
    const size_t width = (size_t)ws_step_out_columns(x, s);
    const float *qkv = ws_step_operand(x, &s->in[WS_ATTENTION_QKV], prompt);
    const float *pad = s->in[WS_ATTENTION_PAD].constant;
    const wsam_attention_io io = {.q = qkv,
                                  .k = qkv + width,
                                  .v = qkv + 2 * width,
                                  .ld_q = 3 * width,
                                  .ld_k = 3 * width,
                                  .ld_v = 3 * width,
                                  .pad_k = pad ? pad + width : NULL,
                                  .pad_v = pad ? pad + 2 * width : NULL,
                                  .bias = s->attention.bias,
                                  .out = ws_step_out(x, s, prompt),
                                  .ld_out = width};
    return io;
}

static wsam_attention_io projected_io(const ws_exec *x, const ws_step *s, int64_t prompt)
{
    const wsam_attention_io io = {.q = ws_step_operand(x, &s->in[WS_STEP_Q], prompt),
                                  .k = ws_step_operand(x, &s->in[WS_STEP_K], prompt),
                                  .v = ws_step_operand(x, &s->in[WS_STEP_V], prompt),
                                  .ld_q = (size_t)s->in[WS_STEP_Q].columns,
                                  .ld_k = (size_t)s->in[WS_STEP_K].columns,
                                  .ld_v = (size_t)s->in[WS_STEP_V].columns,
                                  .bias = s->attention.bias,
                                  .out = ws_step_out(x, s, prompt),
                                  .ld_out = (size_t)ws_step_out_columns(x, s)};
    return io;
}

static wsam_attention_io attention_io_of(const ws_exec *x, const ws_step *s, int64_t prompt)
{
    return s->kind == &ws_step_attention ? fused_io(x, s, prompt) : projected_io(x, s, prompt);
}

static int attention_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const wsam_attention_shape a = attention_shape_of(x, s);
    const int each =
        phase ? s->attention.kernel->run_tasks(&a) : s->attention.kernel->pack_tasks(&a);
    return (int)ws_step_prompts(x, s) * each;
}

static size_t attention_scratch(const ws_exec *x, const ws_step *s)
{
    const wsam_attention_shape a = attention_shape_of(x, s);
    return s->attention.kernel->scratch_bytes(&a);
}

static size_t attention_workspace(const ws_exec *x, const ws_step *s)
{
    const wsam_attention_shape a = attention_shape_of(x, s);
    return ws_align64(s->attention.kernel->packed_bytes(&a)) * (size_t)ws_step_prompts(x, s);
}

static void attention_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const wsam_attention_shape a = attention_shape_of(x, s);
    const int each =
        phase ? s->attention.kernel->run_tasks(&a) : s->attention.kernel->pack_tasks(&a);
    const int prompt = task / each;
    const wsam_attention_io io = attention_io_of(x, s, prompt);
    char *packed =
        (char *)x->workspace + ws_align64(s->attention.kernel->packed_bytes(&a)) * (size_t)prompt;
    if (phase)
        s->attention.kernel->run(&a, &io, task % each, packed, scratch);
    else
        s->attention.kernel->pack(&a, &io, task % each, packed);
}

const ws_step_kind ws_step_attention = {
    .name = "attention",
    .phases = 2,
    .tasks = attention_tasks,
    .scratch = attention_scratch,
    .workspace = attention_workspace,
    .run = attention_run,
};
const ws_step_kind ws_step_projected_attention = {
    .name = "projected_attention",
    .phases = 2,
    .tasks = attention_tasks,
    .scratch = attention_scratch,
    .workspace = attention_workspace,
    .run = attention_run,
};
