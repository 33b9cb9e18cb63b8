/* runtime/lower/lower_cross_attention.c - attention between a few tokens and the rows of an image
 * (steps_cross_attention.c). */
#include <stdlib.h>
#include <string.h>

#include "runtime/lower/lower.h"
#include "runtime/steps/cross_attention.h"

/* ---- weights ---- */

/* A projection's [C][E], or its bias (width 1), with the dimensions of all heads together. The
 * caller frees it. */
static float *by_heads(ws_lowering *l, const float *rows, size_t heads, size_t inner, size_t width)
{
    float *out = rows ? malloc(inner * width * sizeof *out) : NULL;
    if (rows && !out)
        ws_lowering_no_memory(l);
    for (size_t h = 0; out && h < heads; h++)
        for (size_t d = 0; d < inner / heads; d++)
            memcpy(out + (d * heads + h) * width, rows + (h * (inner / heads) + d) * width,
                   width * sizeof *out);
    return out;
}

static const float *bias_by_heads(ws_lowering *l, const ws_cross_attention *a, const float *bias)
{
    float *turned = by_heads(l, bias, a->heads, a->inner, 1);
    float *out = turned ? ws_lowering_alloc(l, a->inner * sizeof *out) : NULL;
    if (out)
        memcpy(out, turned, a->inner * sizeof *out);
    free(turned);
    return out;
}

/* Rows projected by heads: [C][E] times a low-rank form's gain, its offset as the bias. */
static ws_product heads_product(ws_lowering *l, const ws_cross_attention *a, const float *weight,
                                const ws_low_rank *v)
{
    float *rows = by_heads(l, weight, a->heads, a->inner, a->width);
    ws_product p = {.kernel = a->gemm};
    if (rows)
        p = ws_lowering_packed(l, a->gemm, a->inner, a->width, rows, v ? v->gain : NULL,
                               v ? ws_lowering_offset(l, a->inner, a->width, rows, v->offset)
                                 : NULL);
    free(rows);
    return p;
}

static float *transposed(ws_lowering *l, const float *rows, size_t n, size_t k)
{
    float *out = ws_lowering_alloc(l, n * k * sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        for (size_t j = 0; j < k; j++)
            out[j * n + i] = rows[i * k + j];
    return out;
}

/* [E][C], the output's weight transposed back, its columns by heads. */
static ws_product output_product(ws_lowering *l, const ws_cross_attention *a)
{
    float *turned = by_heads(l, a->out, a->heads, a->inner, a->width);
    float *rows = turned ? malloc(a->inner * a->width * sizeof *rows) : NULL;
    ws_product p = {.kernel = a->gemm};
    if (turned && !rows)
        ws_lowering_no_memory(l);
    for (size_t c = 0; rows && c < a->inner; c++)
        for (size_t e = 0; e < a->width; e++)
            rows[e * a->inner + c] = turned[c * a->width + e];
    if (rows)
        p = ws_lowering_packed(l, a->gemm, a->width, a->inner, rows, NULL, NULL);
    free(turned);
    free(rows);
    return p;
}

static ws_cross_attention *new_attention(ws_lowering *l, uint32_t op, uint32_t weight,
                                         uint32_t bias)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_tensor_def *w = ws_ref_tensor(l->file, weight);
    ws_cross_attention *a = ws_lowering_alloc(l, sizeof *a);
    const float *fold = ws_lowering_constant(l, weight);
    const float *fold_bias = ws_lowering_constant(l, bias);
    if (!a || l->status)
        return NULL;
    const char *compute = ws_op_string(&v, "compute", "f32");
    memset(a, 0, sizeof *a);
    a->bf16 = strcmp(compute, "bf16") == 0;
    a->gemm = ws_select_gemm(l->program->kernels, a->bf16 ? WSAM_BF16 : WSAM_F32);
    a->exact = ws_select_gemm(l->program->kernels, WSAM_F32);
    a->heads = (size_t)ws_op_int(&v, "heads", 1);
    a->inner = w->dims[0];
    a->width = w->dims[1];
    a->fold = fold;
    a->fold_bias = fold_bias;
    a->residual = ws_op_int(&v, "residual", 0) != 0;
    return a;
}

/* ---- tables ---- */

static int is_image(const ws_lowering *l, const ws_operand *o)
{
    return ws_lowering_rate(l, o, 1) == WSAM_RATE_IMAGE;
}

/* The operands of rows (value `rows`) and positions, and what is projected with the image: of
 * image-rate rows the rows themselves; of low-rank rows the image's part, and the positions.
 * `values` is the weight of a table for the mix, or NULL; `bias` is added to the scores' table. */
static void set_rows(ws_lowering *l, uint32_t op, uint32_t rows, uint32_t positions,
                     const ws_cross_attention *a, const float *values, const float *bias,
                     ws_operand *in)
{
    const ws_low_rank *v = l->low_ranks[rows];
    const uint32_t base = v ? ws_low_rank_image_rows(l, v) : rows;
    const ws_operand image = ws_lowering_operand(l, base),
                     none = ws_lowering_operand(l, WS_REF_NONE);
    in[WS_CROSS_ROWS] = ws_lowering_operand(l, rows);
    in[WS_CROSS_POSITIONS] = ws_lowering_operand(l, positions);
    if (!is_image(l, &image) || ws_lowering_value(l, op)->rate != WSAM_RATE_PROMPT ||
        ws_lowering_rate(l, &in[WS_CROSS_POSITIONS], 1) == WSAM_RATE_PROMPT)
        return;
    ws_product scores = heads_product(l, a, a->fold, v);
    if (!v)
        scores.bias = bias;
    in[WS_CROSS_SCORE_TABLE] =
        ws_lowering_table(l, op, base, image, v ? none : in[WS_CROSS_POSITIONS], &scores);
    if (values) {
        const ws_product mix = heads_product(l, a, values, v);
        in[WS_CROSS_VALUE_TABLE] = ws_lowering_table(l, op, base, image, none, &mix);
    }
    if (!v)
        return;
    if (positions != WS_REF_NONE) {
        const ws_product plain = heads_product(l, a, a->fold, NULL);
        in[WS_CROSS_POSITION_TABLE] =
            ws_lowering_table(l, op, base, in[WS_CROSS_POSITIONS], none, &plain);
    }
    in[WS_CROSS_IMAGE_ROWS] = image;
    ws_low_rank_operands(v, in);
}

static ws_step *new_step(ws_lowering *l, const ws_step_kind *kind, uint32_t op,
                         const ws_operand *in, const ws_cross_attention *a)
{
    ws_step *s = ws_lowering_step(l, kind, op);
    if (!s)
        return NULL;
    memcpy(s->in, in, WS_STEP_OPERANDS * sizeof *in);
    s->cross.attention = a;
    s->rate = ws_lowering_rate(l, in, WS_STEP_OPERANDS);
    s->kernel = a->gemm->name;
    return s;
}

/* ---- the two sides ---- */

ws_operand ws_lower_token_to_image(ws_lowering *l, uint32_t op)
{
    const uint32_t *r = ws_lowering_op(l, op)->inputs;
    ws_operand in[WS_STEP_OPERANDS], mixed = ws_lowering_operand(l, WS_REF_NONE);
    ws_cross_attention *a = new_attention(l, op, r[WS_PROJECTED_K_WEIGHT], WS_REF_NONE);
    if (!a)
        return mixed;
    a->tokens_ask = 1;
    ws_lowering_no_operands(in);
    in[WS_CROSS_TOKENS] = ws_lowering_project(l, op, r[WS_PROJECTED_Q], r[WS_PROJECTED_Q_POSITION],
                                              r[WS_PROJECTED_Q_WEIGHT], r[WS_PROJECTED_Q_BIAS]);
    a->out = ws_lowering_constant(l, r[WS_PROJECTED_V_WEIGHT]);
    a->out_bias = ws_lowering_constant(l, r[WS_PROJECTED_V_BIAS]);
    if (l->status)
        return mixed;
    a->scores = heads_product(l, a, a->fold, NULL);
    a->values = heads_product(l, a, a->out, NULL);
    set_rows(l, op, r[WS_PROJECTED_KV], r[WS_PROJECTED_K_POSITION], a, a->out, NULL, in);
    const wsam_rate rate = ws_lowering_rate(l, in, WS_STEP_OPERANDS);
    const int64_t columns = (int64_t)a->inner;
    mixed = (ws_operand){NULL, ws_lowering_temporary(l, rate, r[WS_PROJECTED_Q], columns), columns};
    ws_step *s = new_step(l, &ws_step_token_to_image, op, in, a);
    if (s) {
        s->cross.low_rank = l->low_ranks[r[WS_PROJECTED_KV]];
        s->out = mixed.buffer;
    }
    return mixed;
}

/* What each token and head adds to a row: [T*H][E]. */
static ws_operand fold_values(ws_lowering *l, uint32_t op, uint32_t tokens, ws_operand values,
                              const ws_cross_attention *a)
{
    const int64_t columns = (int64_t)(a->heads * a->width);
    const wsam_rate rate = ws_lowering_rate(l, &values, 1);
    const ws_operand out = {NULL, ws_lowering_temporary(l, rate, tokens, columns), columns};
    ws_operand in[WS_STEP_OPERANDS];
    ws_lowering_no_operands(in);
    in[WS_STEP_INPUT] = values;
    ws_step *s = new_step(l, &ws_step_fold_values, op, in, a);
    if (s)
        s->out = out.buffer;
    return out;
}

static ws_norm norm_behind(ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_norm n = {
        .weight = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_PROJECTED_NORM_WEIGHT)),
        .bias = ws_lowering_constant(l, ws_lowering_ref(l, op, WS_PROJECTED_NORM_BIAS)),
        .eps = (float)ws_op_float(&v, "eps", 1e-5)};
    return n;
}

/* The attention with what it is projected by, and the tokens' operands. NULL after a failure. */
static ws_cross_attention *open_image_to_token(ws_lowering *l, uint32_t op, ws_operand *in)
{
    const uint32_t *r = ws_lowering_op(l, op)->inputs;
    ws_cross_attention *a = new_attention(l, op, r[WS_PROJECTED_Q_WEIGHT], r[WS_PROJECTED_Q_BIAS]);
    const float *output = ws_lowering_constant(l, r[WS_PROJECTED_OUT_WEIGHT]);
    ws_lowering_no_operands(in);
    in[WS_CROSS_TOKENS] = ws_lowering_project(l, op, r[WS_PROJECTED_KV], r[WS_PROJECTED_K_POSITION],
                                              r[WS_PROJECTED_K_WEIGHT], r[WS_PROJECTED_K_BIAS]);
    in[WS_CROSS_TOKEN_VALUES] = ws_lowering_project(
        l, op, r[WS_PROJECTED_KV], WS_REF_NONE, r[WS_PROJECTED_V_WEIGHT], r[WS_PROJECTED_V_BIAS]);
    if (!a || l->status)
        return NULL;
    a->out_bias = ws_lowering_constant(l, r[WS_PROJECTED_OUT_BIAS]);
    a->out = transposed(l, output, a->width, a->inner);
    if (!a->out)
        return NULL;
    a->scores = heads_product(l, a, a->fold, NULL);
    a->scores.bias = bias_by_heads(l, a, a->fold_bias);
    a->values = output_product(l, a);
    in[WS_CROSS_FOLDED_VALUES] =
        fold_values(l, op, r[WS_PROJECTED_KV], in[WS_CROSS_TOKEN_VALUES], a);
    return a;
}

void ws_lower_image_to_token(ws_lowering *l, uint32_t op)
{
    const uint32_t *r = ws_lowering_op(l, op)->inputs;
    ws_operand in[WS_STEP_OPERANDS];
    const ws_norm norm = norm_behind(l, op);
    const ws_cross_attention *a = open_image_to_token(l, op, in);
    if (!a)
        return;
    const ws_low_rank *makes = ws_lower_low_rank(l, op, a, in);
    set_rows(l, op, r[WS_PROJECTED_Q], r[WS_PROJECTED_Q_POSITION], a, NULL, a->scores.bias, in);
    if (makes)
        ws_lower_low_rank_norm(l, op, a, makes->previous, in);
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = new_step(l, &ws_step_image_to_token, op, in, a);
    if (!s)
        return;
    s->cross.low_rank = l->low_ranks[r[WS_PROJECTED_Q]];
    s->cross.makes_low_rank = makes;
    s->cross.norm = norm;
    s->out = out;
    l->program->buffers[out].low_rank = makes;
}
