/* runtime/steps/steps_cross_attention.c - attention between a few tokens and many image rows: how
 * scores are made.
 *
 * With T tokens and H heads there are T*H vectors, 56 in SAM's decoder for a click. Rows x of the
 * image need not be projected (E*C products each); the token vectors are folded through the
 * projection instead and meet the rows directly:
 *   (W_k x + b_k).q = x.(W_k^T q) + const    the constant drops out of a softmax over rows
 *   sum p (W_v x + b_v) = W_v (sum p x) + b_v
 *   (W_q x + b_q).k = x.(W_q^T k) + b_q.k    the last is one number per token and head
 *   W_o (sum_h P_h v_h) = sum P (W_o,h v_h)
 * For a row that is 2 T*H*E products instead of 2 E*C and the attention itself: fewer below 17
 * tokens. Rows that all prompts share are projected with the image, then 16 products per row, token
 * and head are left; rows behind an attention of the image to the tokens may keep the image's part
 * apart (low_rank_rows.c). */
#include <math.h>
#include <string.h>

#include "runtime/steps/cross_attention.h"

ws_cross_sizes ws_cross_sizes_of(const ws_exec *x, const ws_step *s)
{
    const ws_cross_attention *a = s->cross.attention;
    const ws_shape side[2] = {ws_step_input_shape(x, s, WS_PROJECTED_Q),
                              ws_step_input_shape(x, s, WS_PROJECTED_KV)};
    const int image = s->cross.attention->tokens_ask;
    ws_cross_sizes z = {.heads = a->heads, .inner = a->inner, .width = a->width};
    z.rows = (size_t)ws_rows(&side[image]);
    z.tokens = (size_t)ws_rows(&side[1 - image]);
    z.columns = z.tokens * z.heads;
    z.head = z.inner / z.heads;
    z.prompts = (size_t)ws_step_prompts(x, s);
    return z;
}

ws_cross_form ws_cross_form_of(const ws_step *s, const ws_cross_sizes *z)
{
    if (ws_low_rank_if_shorter(s->cross.low_rank, z->tokens))
        return WS_CROSS_BY_LOW_RANK;
    if (!s->cross.low_rank && s->in[WS_CROSS_SCORE_TABLE].buffer >= 0)
        return WS_CROSS_BY_TABLE;
    return z->tokens <= WS_CROSS_FOLDED_TOKENS ? WS_CROSS_BY_FOLDING : WS_CROSS_BY_PROJECTION;
}

size_t ws_cross_row_stride(const ws_step *s, const ws_cross_sizes *z)
{
    return ws_low_rank_if_shorter(s->cross.low_rank, z->tokens)
               ? ws_low_rank_stride(s->cross.low_rank, z->tokens)
               : z->width;
}

size_t ws_cross_most_bytes(const ws_exec *x, const ws_step *s,
                           size_t (*bytes)(const ws_step *s, const ws_cross_sizes *z))
{
    ws_cross_sizes z = ws_cross_sizes_of(x, s);
    size_t most = 0;
    for (size_t tokens = z.tokens; tokens > 0; tokens--) {
        z.tokens = tokens;
        z.columns = tokens * z.heads;
        const size_t n = bytes(s, &z);
        most = n > most ? n : most;
    }
    return most;
}

float ws_cross_scale(const ws_cross_sizes *z)
{
    return (float)(1.0 / sqrt((double)z->head));
}

void ws_cross_by_heads(const ws_cross_sizes *z, float scale, const float *v, float *out)
{
    for (size_t t = 0; t < z->tokens; t++)
        for (size_t h = 0; h < z->heads; h++)
            for (size_t d = 0; d < z->head; d++)
                out[t * z->inner + d * z->heads + h] = scale * v[t * z->inner + h * z->head + d];
}

/* ---- folded tokens ---- */

size_t ws_cross_fold_bytes(const ws_cross_sizes *z)
{
    return ws_align64(z->columns * z->width * sizeof(float)) +
           ws_align64(z->head * z->tokens * sizeof(float));
}

void ws_cross_fold(const ws_exec *x, const float *w, const ws_cross_sizes *z, float scale,
                   const float *v, float *folded, float *turned)
{
    for (size_t h = 0; h < z->heads; h++) {
        for (size_t d = 0; d < z->head; d++)
            for (size_t t = 0; t < z->tokens; t++)
                turned[d * z->tokens + t] = scale * v[t * z->inner + h * z->head + d];
        x->program->kernels->tokens->mix_rows_f32(z->head, z->tokens, z->width, turned, z->tokens,
                                                  w + h * z->head * z->width, z->width,
                                                  folded + h * z->width, z->heads * z->width);
    }
}

/* Values of a row that folded tokens meet. */
static size_t cross_depth(const ws_step *s, const ws_cross_sizes *z)
{
    const ws_low_rank *v = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens);
    return v ? ws_low_rank_terms(v, z->tokens) : z->width;
}

size_t ws_cross_packed_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    return ws_align64(s->cross.attention->gemm->packed_bytes(z->columns, cross_depth(s, z)));
}

static void cross_pack(const wsam_gemm_kernel *g, size_t n, size_t k, const float *rows,
                       void *packed)
{
    g->pack(n, k, WSAM_F32, rows, NULL, 0, (n + g->nr - 1) / g->nr, packed);
}

/* Scratch: folded, turned, then for low-rank rows the packed vectors, prepared and multiplied
 * tokens. */
size_t ws_cross_pack_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const wsam_gemm_kernel *g = s->cross.attention->gemm;
    const size_t fold = ws_cross_fold_bytes(z), n = cross_depth(s, z);
    if (!ws_low_rank_if_shorter(s->cross.low_rank, z->tokens))
        return fold;
    return fold + ws_align64(g->packed_bytes(n, z->width)) +
           ws_align64(g->prepared_bytes(z->columns, z->width)) +
           ws_align64(z->columns * n * sizeof(float));
}

void ws_cross_pack_tokens(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                          const float *v, const float *vectors, void *packed, void *scratch)
{
    const wsam_gemm_kernel *g = s->cross.attention->gemm;
    const size_t n = cross_depth(s, z);
    float *folded = scratch,
          *turned = folded + ws_align64(z->columns * z->width * sizeof *folded) / sizeof *folded;
    ws_cross_fold(x, s->cross.attention->fold, z, ws_cross_scale(z), v, folded, turned);
    if (!ws_low_rank_if_shorter(s->cross.low_rank, z->tokens)) {
        cross_pack(g, z->columns, z->width, folded, packed);
        return;
    }
    char *inner = (char *)scratch + ws_cross_fold_bytes(z);
    char *prepared = inner + ws_align64(g->packed_bytes(n, z->width));
    float *product =
        (float *)(void *)(prepared + ws_align64(g->prepared_bytes(z->columns, z->width)));
    const wsam_rows rows = {.data = folded, .ld = z->width};
    const wsam_epilogue plain = {NULL, WSAM_ACT_NONE, NULL, 0};
    cross_pack(g, n, z->width, vectors, inner);
    g->prepare(z->columns, z->width, &rows, prepared);
    g->run(z->columns, n, z->width, 0, n, prepared, inner, &plain, product, n);
    cross_pack(g, z->columns, n, product, packed);
}

/* ---- scores of a strip ---- */

size_t ws_cross_score_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    return ws_align64(s->cross.attention->gemm->prepared_bytes(WS_CROSS_STRIP, z->width)) +
           ws_align64(WS_CROSS_STRIP * z->inner * sizeof(float));
}

/* The strip's rows, with their positions if `positions` is set. */
static void cross_prepare_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                int64_t prompt, size_t row, size_t m, int positions, void *prepared)
{
    const ws_operand *in = &s->in[WS_CROSS_ROWS], *add = &s->in[WS_CROSS_POSITIONS];
    const float *position = positions ? ws_step_operand(x, add, prompt) : NULL;
    const size_t stride = ws_cross_row_stride(s, z);
    wsam_rows r = {.data = ws_step_operand(x, in, prompt) + row * stride, .ld = stride};
    if (position) {
        r.ld_add = z->width;
        r.add = position + row * z->width;
    }
    s->cross.attention->gemm->prepare(m, cross_depth(s, z), &r, prepared);
}

static ws_head_rows cross_table_rows(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                     int table, int64_t prompt, size_t row)
{
    const ws_low_rank *v = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens);
    ws_head_rows r = {.table = ws_step_operand(x, &s->in[table], prompt) + row * z->inner,
                      .ld = z->inner};
    if (v) {
        r.ld_scale = ws_cross_row_stride(s, z);
        r.scale = ws_step_operand(x, &s->in[WS_CROSS_ROWS], prompt) + row * r.ld_scale +
                  ws_low_rank_padded(v, z->tokens);
    }
    return r;
}

ws_head_rows ws_cross_value_rows(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                 int64_t prompt, size_t row)
{
    return cross_table_rows(x, s, z, WS_CROSS_VALUE_TABLE, prompt, row);
}

void ws_cross_project_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                            int64_t prompt, size_t row, size_t m, const ws_product *p,
                            int positions, float *out, void *prepared)
{
    const wsam_epilogue e = {p->bias, WSAM_ACT_NONE, NULL, 0};
    cross_prepare_strip(x, s, z, prompt, row, m, positions, prepared);
    p->kernel->run(m, p->n, p->k, 0, p->n, prepared, p->packed, &e, out, p->n);
}

void ws_cross_score_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                          int64_t prompt, size_t row, size_t m, const ws_cross_scores *with,
                          float *scores, size_t lds, void *scratch)
{
    const ws_token_kernels *k = x->program->kernels->tokens;
    const wsam_gemm_kernel *g = s->cross.attention->gemm;
    const ws_cross_form form = ws_cross_form_of(s, z);
    float *projected = (float *)(void *)((char *)scratch +
                                         ws_align64(g->prepared_bytes(WS_CROSS_STRIP, z->width)));
    ws_head_rows rows = {.table = projected, .ld = z->inner};
    if (form == WS_CROSS_BY_PROJECTION)
        ws_cross_project_strip(x, s, z, prompt, row, m, &s->cross.attention->scores, 1, projected,
                               scratch);
    else if (form != WS_CROSS_BY_FOLDING)
        rows = cross_table_rows(x, s, z, WS_CROSS_SCORE_TABLE, prompt, row);
    if (form == WS_CROSS_BY_LOW_RANK && s->in[WS_CROSS_POSITION_TABLE].buffer >= 0) {
        rows.add = ws_step_operand(x, &s->in[WS_CROSS_POSITION_TABLE], prompt) + row * z->inner;
        rows.ld_add = z->inner;
    }
    const int folded = form == WS_CROSS_BY_FOLDING,
              product = folded || form == WS_CROSS_BY_LOW_RANK;
    if (product) /* first: it passes the rows in order, the scores only meet their scales */
        cross_prepare_strip(x, s, z, prompt, row, m, folded, scratch);
    if (!folded)
        k->head_scores_f32(m, z->tokens, z->heads, z->inner, &rows, with->tokens, scores, lds);
    if (product) {
        const wsam_epilogue e = {with->bias, WSAM_ACT_NONE, folded ? NULL : scores, lds};
        g->run(m, z->columns, cross_depth(s, z), 0, z->columns, scratch, with->packed, &e, scores,
               lds);
    }
}

/* ---- fold_values: the tokens' values [T][C] become [T*H][E] --------------------------------
 */

static int fold_values_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)ws_step_prompts(x, s);
}

static ws_cross_sizes fold_values_sizes(const ws_exec *x, const ws_step *s)
{
    const ws_cross_attention *a = s->cross.attention;
    return (ws_cross_sizes){.tokens = (size_t)ws_step_out_rows(x, s),
                            .heads = a->heads,
                            .inner = a->inner,
                            .width = a->width,
                            .head = a->inner / a->heads};
}

static size_t fold_values_scratch(const ws_exec *x, const ws_step *s)
{
    const ws_cross_sizes z = fold_values_sizes(x, s);
    return ws_align64(z.head * z.tokens * sizeof(float));
}

static void fold_values_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_cross_sizes z = fold_values_sizes(x, s);
    (void)phase;
    ws_cross_fold(x, s->cross.attention->out, &z, 1.0f,
                  ws_step_operand(x, &s->in[WS_STEP_INPUT], task), ws_step_out(x, s, task),
                  scratch);
}

const ws_step_kind ws_step_fold_values = {
    .name = "fold_values",
    .phases = 1,
    .tasks = fold_values_tasks,
    .scratch = fold_values_scratch,
    .run = fold_values_run,
};
