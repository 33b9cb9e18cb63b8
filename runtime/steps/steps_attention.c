/* runtime/steps/steps_attention.c - attention over a fused qkv, and over separately projected q, k,
 * v. */
#include <math.h>
#include <string.h>

#include "runtime/program.h"

/* What the kernel wants to know, for either operator. */
static wsam_attention_shape fused_shape(const ws_exec *x, const ws_step *s)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape in = ws_step_input_shape(x, s, 0);
    const char *bias = ws_op_string(&v, "bias", "none");
    wsam_attention_shape a = {.heads = (int)ws_op_int(&v, "heads", 1)};
    a.head_dim = (int)(in.dims[2] / 3) / a.heads;
    a.q_h = a.k_h = (int)in.dims[0];
    a.q_w = a.k_w = (int)in.dims[1];
    a.window = (int)ws_op_int(&v, "window", 0);
    a.padded = s->in[1].constant != NULL && a.window && (a.q_h % a.window || a.q_w % a.window);
    a.bias = strcmp(bias, "separable") == 0
                 ? WSAM_BIAS_SEPARABLE
                 : (strcmp(bias, "table") == 0 ? WSAM_BIAS_TABLE : WSAM_BIAS_NONE);
    a.scale = (float)ws_op_float(&v, "scale", 1.0);
    return a;
}

static wsam_attention_shape projected_shape(const ws_exec *x, const ws_step *s)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape q = ws_step_input_shape(x, s, 0), kv = ws_step_input_shape(x, s, 1);
    wsam_attention_shape a = {.heads = (int)ws_op_int(&v, "heads", 1), .q_h = 1, .k_h = 1};
    a.head_dim = (int)s->in[0].columns / a.heads;
    a.q_w = (int)ws_rows(&q);
    a.k_w = (int)ws_rows(&kv);
    a.scale = (float)(1.0 / sqrt((double)a.head_dim));
    return a;
}

static wsam_attention_shape shape_of(const ws_exec *x, const ws_step *s)
{
    return s->kind == &ws_step_attention ? fused_shape(x, s) : projected_shape(x, s);
}

/* in[0] is qkv (fused) or q; in[1] the pad tokens or k; in[2] v. */
static wsam_attention_io io_of(const ws_exec *x, const ws_step *s, int64_t prompt)
{
    const size_t width = (size_t)ws_out_columns(x, s);
    const float *q = ws_operand_at(x, &s->in[0], prompt);
    wsam_attention_io io = {.q = q, .out = ws_out_at(x, s, prompt), .ld_out = width};
    io.bias = s->attention_bias;
    io.ld_q = s->kind == &ws_step_attention ? 3 * width : (size_t)s->in[0].columns;
    if (s->kind == &ws_step_attention) {
        io.k = q + width;
        io.v = q + 2 * width;
        io.ld_k = io.ld_v = io.ld_q;
        io.pad_k = s->in[1].constant ? s->in[1].constant + width : NULL;
        io.pad_v = s->in[1].constant ? s->in[1].constant + 2 * width : NULL;
    } else {
        io.k = ws_operand_at(x, &s->in[1], prompt);
        io.v = ws_operand_at(x, &s->in[2], prompt);
        io.ld_k = (size_t)s->in[1].columns;
        io.ld_v = (size_t)s->in[2].columns;
    }
    return io;
}

static int attention_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const wsam_attention_shape a = shape_of(x, s);
    const int each = phase ? s->attention->run_tasks(&a) : s->attention->pack_tasks(&a);
    return (int)ws_step_prompts(x, s) * each;
}

static size_t attention_scratch(const ws_exec *x, const ws_step *s)
{
    const wsam_attention_shape a = shape_of(x, s);
    return s->attention->scratch_bytes(&a);
}

static size_t attention_workspace(const ws_exec *x, const ws_step *s)
{
    const wsam_attention_shape a = shape_of(x, s);
    return ws_align64(s->attention->packed_bytes(&a)) * (size_t)ws_step_prompts(x, s);
}

static void attention_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const wsam_attention_shape a = shape_of(x, s);
    const int each = phase ? s->attention->run_tasks(&a) : s->attention->pack_tasks(&a);
    const int prompt = task / each;
    const wsam_attention_io io = io_of(x, s, prompt);
    char *packed =
        (char *)x->workspace + ws_align64(s->attention->packed_bytes(&a)) * (size_t)prompt;
    if (phase)
        s->attention->run(&a, &io, task % each, packed, scratch);
    else
        s->attention->pack(&a, &io, task % each, packed);
}

const ws_step_kind ws_step_attention = {
    "attention", 2, attention_tasks, attention_scratch, attention_workspace, attention_run};
const ws_step_kind ws_step_projected_attention = {"projected_attention", 2,
                                                  attention_tasks,       attention_scratch,
                                                  attention_workspace,   attention_run};
