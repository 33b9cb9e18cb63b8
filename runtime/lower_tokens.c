/* runtime/lower_tokens.c - attention between a few tokens and the rows of an image, re-associated
 * (steps_tokens.c). */
#include <string.h>

#include "runtime/lower.h"

/* An image side has at least this many rows, whatever the dimensions; the token side may grow with
 * the prompt, to a few dozen in practice. */
enum { IMAGE_ROWS = 256, TOKEN_ROWS = 64 };

static int64_t rows_at_least(const ws_lowering *l, uint32_t ref)
{
    return ref < WS_REF_TENSOR ? ws_rows(&l->values[ref].shape) : 0;
}

static ws_token_attention *new_attention(ws_lowering *l, uint32_t op, const uint32_t fold[2],
                                         const uint32_t out[2])
{
    const ws_op_view v = ws_low_view(l, op);
    const ws_tensor_def *w = ws_ref_tensor(l->file, fold[0]);
    ws_token_attention *a = ws_low_alloc(l, sizeof *a);
    const float *constants[4] = {ws_low_constant(l, fold[0]), ws_low_constant(l, fold[1]),
                                 ws_low_constant(l, out[0]), ws_low_constant(l, out[1])};
    if (!a || l->status)
        return NULL;
    const char *compute = ws_op_string(&v, "compute", "f32");
    const wsam_kernels *k = l->program->kernels;
    a->bf16 = strcmp(compute, "bf16") == 0;
    a->gemm = ws_choose_gemm(k, a->bf16 ? WSAM_BF16 : WSAM_F32);
    a->heads = (size_t)ws_op_int(&v, "heads", 1);
    a->inner = w->dims[0];
    a->width = w->dims[1];
    a->fold = constants[0];
    a->fold_bias = constants[1];
    a->out = constants[2];
    a->out_bias = constants[3];
    a->residual = ws_op_int(&v, "residual", 0) != 0;
    return a;
}

/* The same rows, as an attention before this one has prepared them. */
static const ws_step *prepared_before(const ws_lowering *l, const ws_operand in[2],
                                      const ws_token_attention *a)
{
    for (size_t i = 0; i < l->program->n_steps; i++) {
        const ws_step *s = &l->program->steps[i];
        if (s->kind == &ws_step_tokens_prepare && s->tokens->gemm == a->gemm &&
            s->in[0].buffer == in[0].buffer && s->in[1].buffer == in[1].buffer &&
            s->in[0].constant == in[0].constant && s->in[1].constant == in[1].constant)
            return s;
    }
    return NULL;
}

/* Rows of the image (value `ref`) with their positions, prepared once for all prompts; absent where
 * they differ between prompts. */
static ws_operand prepare_rows(ws_lowering *l, uint32_t op, uint32_t ref, const ws_operand in[2],
                               const ws_token_attention *a)
{
    const int64_t rows = ws_rows(&l->values[ref].shape);
    ws_operand out = ws_low_operand(l, WS_REF_NONE);
    if (ws_low_rate(l, in, 2) != WSAM_RATE_IMAGE || ws_low_value(l, op)->rate != WSAM_RATE_PROMPT)
        return out;
    const size_t row_bytes = (size_t)rows * sizeof(float);
    out.columns =
        (int64_t)((ws_tokens_prepared_bytes(a, (size_t)rows) + row_bytes - 1) / row_bytes);
    const ws_step *before = prepared_before(l, in, a);
    if (before) {
        out.buffer = before->out;
        return out;
    }
    out.buffer = ws_low_temporary(l, WSAM_RATE_IMAGE, ref, out.columns);
    ws_step *s = ws_low_step(l, &ws_step_tokens_prepare, op);
    if (!s || l->status)
        return out;
    memcpy(s->in, in, 2 * sizeof *in);
    s->tokens = a;
    s->rate = WSAM_RATE_IMAGE;
    s->kernel = a->gemm->name;
    s->out = out.buffer;
    return out;
}

static ws_step *new_step(ws_lowering *l, const ws_step_kind *kind, uint32_t op,
                         const ws_operand in[4], const ws_token_attention *a)
{
    ws_step *s = ws_low_step(l, kind, op);
    if (!s || l->status)
        return NULL;
    memcpy(s->in, in, 4 * sizeof *in);
    s->tokens = a;
    s->rate = ws_low_rate(l, in, 4);
    s->kernel = a->gemm->name;
    return s;
}

/* Tokens attend to the image: their mixed rows, [T][C], of which the caller makes the output. */
static ws_operand lower_read(ws_lowering *l, uint32_t op, const uint32_t *r)
{
    const ws_operand q = ws_low_project(l, op, r[0], r[2], r[4], r[5]);
    const ws_operand in[4] = {q, ws_low_operand(l, r[1]), ws_low_operand(l, r[3]),
                              ws_low_operand(l, WS_REF_NONE)};
    const ws_token_attention *a =
        new_attention(l, op, (const uint32_t[2]){r[6], WS_REF_NONE}, r + 8);
    const ws_operand mixed = {NULL, ws_low_temporary(l, ws_low_rate(l, in, 3), r[0], q.columns),
                              q.columns};
    const ws_operand prepared =
        a ? prepare_rows(l, op, r[1], in + 1, a) : ws_low_operand(l, WS_REF_NONE);
    ws_step *s = a ? new_step(l, &ws_step_tokens_read, op, in, a) : NULL;
    if (s) {
        s->out = mixed.buffer;
        s->in[4] = prepared;
    }
    return mixed;
}

/* The image attends to tokens: output product, residual and norm included. */
static void lower_write(ws_lowering *l, uint32_t op, const uint32_t *r, int has_norm)
{
    const ws_operand k = ws_low_project(l, op, r[1], r[3], r[6], r[7]);
    const ws_operand v = ws_low_project(l, op, r[1], WS_REF_NONE, r[8], r[9]);
    const ws_operand in[4] = {k, v, ws_low_operand(l, r[0]), ws_low_operand(l, r[2])};
    const ws_token_attention *a = new_attention(l, op, r + 4, r + 10);
    const float *weight = has_norm ? ws_low_constant(l, r[12]) : NULL;
    const float *bias = has_norm ? ws_low_constant(l, r[13]) : NULL;
    const ws_op_view view = ws_low_view(l, op);
    const int out = ws_low_buffer(l, op);
    const ws_operand prepared =
        a ? prepare_rows(l, op, r[0], in + 2, a) : ws_low_operand(l, WS_REF_NONE);
    ws_step *s = a ? new_step(l, &ws_step_tokens_write, op, in, a) : NULL;
    if (!s)
        return;
    s->out = out;
    s->in[4] = prepared;
    s->weight = weight;
    s->bias = bias;
    s->eps = (float)ws_op_float(&view, "eps", 1e-5);
}

ws_token_side ws_lower_tokens(ws_lowering *l, uint32_t op, ws_operand *mixed)
{
    const ws_op_view v = ws_low_view(l, op);
    const uint32_t *r = v.op->inputs;
    const int64_t q = rows_at_least(l, r[0]), kv = rows_at_least(l, r[1]);
    if (l->program->lowering_plain || l->program->onednn)
        return WS_TOKENS_NEITHER;
    if (q <= TOKEN_ROWS && kv >= IMAGE_ROWS && !ws_low_varies(l, r[1])) {
        *mixed = lower_read(l, op, r);
        return WS_TOKENS_READ;
    }
    if (kv <= TOKEN_ROWS && q >= IMAGE_ROWS && !ws_low_varies(l, r[0])) {
        lower_write(l, op, r, v.op->n_inputs >= 14 && r[12] != WS_REF_NONE);
        return WS_TOKENS_WRITE;
    }
    return WS_TOKENS_NEITHER;
}
