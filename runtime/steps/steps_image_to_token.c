/* runtime/steps/steps_image_to_token.c - the image attends to tokens: its rows after output
 * product, residual and norm, or the terms of their low-rank form. A strip runs to the end while
 * it is in L2. */
#include <string.h>

#include "runtime/steps/cross_attention.h"

static size_t image_to_token_strips(const ws_cross_sizes *z)
{
    return (z->rows + WS_CROSS_STRIP - 1) / WS_CROSS_STRIP;
}

/* Terms that a row has before this attention adds the columns. */
static size_t image_to_token_terms_before(const ws_step *s, const ws_cross_sizes *z)
{
    const ws_low_rank *v = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens);
    return v ? ws_low_rank_terms(v, z->tokens) : 0;
}

/* Of a prompt: packed keys, tokens by heads (keys, values), what is added to a score, packed
 * vectors of all terms or what their norm needs. */
typedef struct image_to_token_places {
    char *keys, *vectors;
    float *tokens, *values, *bias;
} image_to_token_places;

static size_t image_to_token_vectors_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    if (ws_low_rank_if_shorter(s->cross.makes_low_rank, z->tokens))
        return ws_low_rank_norm_bytes(s, z);
    return ws_align64(s->cross.attention->gemm->packed_bytes(
        z->width, image_to_token_terms_before(s, z) + z->columns));
}

static size_t image_to_token_prompt_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    return ws_cross_packed_bytes(s, z) + 2 * ws_float_bytes(z->tokens * z->inner) +
           ws_float_bytes(z->columns) + image_to_token_vectors_bytes(s, z);
}

static image_to_token_places image_to_token_places_of(const ws_exec *x, const ws_step *s,
                                                      const ws_cross_sizes *z, size_t prompt)
{
    image_to_token_places p = {.keys = (char *)x->workspace +
                                       prompt * image_to_token_prompt_bytes(s, z)};
    p.tokens = (float *)(void *)(p.keys + ws_cross_packed_bytes(s, z));
    p.values = p.tokens + ws_float_bytes(z->tokens * z->inner) / sizeof(float);
    p.bias = p.values + ws_float_bytes(z->tokens * z->inner) / sizeof(float);
    p.vectors = (char *)p.bias + ws_float_bytes(z->columns);
    return p;
}

static int image_to_token_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_cross_sizes z = ws_cross_sizes_of(x, s);
    return (int)(z.prompts * (phase ? image_to_token_strips(&z) : 1));
}

/* The low-rank vectors, and all of them turned for packing. */
static size_t image_to_token_fold_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const ws_low_rank *v = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens);
    const size_t rest =
        ws_low_rank_if_shorter(s->cross.makes_low_rank, z->tokens)
            ? ws_low_rank_norm_prepare_bytes(s, z)
            : ws_float_bytes(z->width * (image_to_token_terms_before(s, z) + z->columns));
    return (v ? ws_float_bytes(ws_low_rank_padded(v, z->tokens) * z->width) : 0) +
           ws_larger(ws_cross_pack_bytes(s, z), rest);
}

/* Terms and probabilities of a strip, then scratch of the scores, the rows' sums, their means and
 * variances, and of what these or the last product are made with. */
typedef struct strip {
    float *terms, *sums, *mean, *inverse;
    void *scores, *prepared;
} strip;

static size_t image_to_token_prepared_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const size_t k = image_to_token_terms_before(s, z) + z->columns;
    return ws_align64(
        s->cross.attention->gemm->prepared_bytes(WS_CROSS_STRIP, k > z->inner ? k : z->inner));
}

static size_t image_to_token_terms_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    return ws_float_bytes(WS_CROSS_STRIP * (image_to_token_terms_before(s, z) + z->columns));
}

static size_t image_to_token_strip_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const size_t last = ws_low_rank_if_shorter(s->cross.makes_low_rank, z->tokens)
                            ? ws_low_rank_norm_strip_bytes(s, z)
                            : image_to_token_prepared_bytes(s, z);
    return image_to_token_terms_bytes(s, z) + ws_float_bytes(WS_CROSS_STRIP * z->width) +
           2 * ws_float_bytes(WS_CROSS_STRIP) + ws_cross_score_bytes(s, z) + last;
}

static strip image_to_token_strip_of(const ws_step *s, const ws_cross_sizes *z, void *scratch)
{
    strip p = {.terms = scratch};
    p.sums = p.terms + image_to_token_terms_bytes(s, z) / sizeof(float);
    p.mean = p.sums + ws_float_bytes(WS_CROSS_STRIP * z->width) / sizeof(float);
    p.inverse = p.mean + ws_float_bytes(WS_CROSS_STRIP) / sizeof(float);
    p.scores = p.inverse + ws_float_bytes(WS_CROSS_STRIP) / sizeof(float);
    p.prepared = (char *)p.scores + ws_cross_score_bytes(s, z);
    return p;
}

static size_t image_to_token_scratch_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    return ws_larger(image_to_token_fold_bytes(s, z), image_to_token_strip_bytes(s, z));
}

static size_t image_to_token_scratch(const ws_exec *x, const ws_step *s)
{
    return ws_cross_most_bytes(x, s, image_to_token_scratch_bytes);
}

static size_t image_to_token_workspace(const ws_exec *x, const ws_step *s)
{
    return ws_cross_sizes_of(x, s).prompts * ws_cross_most_bytes(x, s, image_to_token_prompt_bytes);
}

/* ---- per prompt ---- */

/* What b_q adds to every score of a token and head. */
static void image_to_token_fold_bias(const ws_cross_attention *a, const ws_cross_sizes *z,
                                     const float *keys, float *bias)
{
    for (size_t j = 0; j < z->columns; j++) {
        const size_t first = j % z->heads * z->head;
        const float *key = keys + j / z->heads * z->inner + first;
        float sum = 0.0f;
        for (size_t d = 0; a->fold_bias && d < z->head; d++)
            sum += a->fold_bias[first + d] * key[d];
        bias[j] = ws_cross_scale(z) * sum;
    }
}

static void image_to_token_fold_tokens(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                       int64_t prompt, const image_to_token_places *at,
                                       void *scratch)
{
    const ws_cross_form form = ws_cross_form_of(s, z);
    const wsam_gemm_kernel *g = s->cross.attention->gemm;
    const size_t before = image_to_token_terms_before(s, z), k = before + z->columns;
    const float *keys = ws_step_operand(x, &s->in[WS_CROSS_TOKENS], prompt);
    float *vectors = scratch, *rest = vectors;
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    ws_cross_by_heads(z, ws_cross_scale(z), keys, at->tokens);
    image_to_token_fold_bias(s->cross.attention, z, keys, at->bias);
    if (form == WS_CROSS_BY_PROJECTION) {
        ws_cross_by_heads(z, 1.0f, ws_step_operand(x, &s->in[WS_CROSS_TOKEN_VALUES], prompt),
                          at->values);
        return;
    }
    if (form == WS_CROSS_BY_LOW_RANK) {
        rest += ws_float_bytes(ws_low_rank_padded(s->cross.low_rank, z->tokens) * z->width) /
                sizeof *rest;
        ws_low_rank_vectors(x, s, s->cross.low_rank, z->tokens, prompt, vectors);
    }
    if (form == WS_CROSS_BY_LOW_RANK || form == WS_CROSS_BY_FOLDING)
        ws_cross_pack_tokens(x, s, z, keys, vectors, at->keys, rest);
    if (ws_low_rank_if_shorter(s->cross.makes_low_rank, z->tokens)) {
        ws_low_rank_norm_prepare(x, s, z, prompt, at->vectors, rest);
        return;
    }
    v->transpose_f32(before, z->width, vectors, z->width, rest, k);
    v->transpose_f32(z->columns, z->width,
                     ws_step_operand(x, &s->in[WS_CROSS_FOLDED_VALUES], prompt), z->width,
                     rest + before, k);
    g->pack(z->width, k, WSAM_F32, rest, NULL, 0, (z->width + g->nr - 1) / g->nr, at->vectors);
}

/* ---- per strip ---- */

/* Probabilities of all columns, behind the terms that the rows have already. */
static void image_to_token_probabilities(const ws_exec *x, const ws_step *s,
                                         const ws_cross_sizes *z, int64_t prompt, size_t row,
                                         size_t m, const image_to_token_places *at, const strip *p)
{
    const size_t before = image_to_token_terms_before(s, z), k = before + z->columns;
    const size_t stride = ws_cross_row_stride(s, z);
    const float *rows = ws_step_operand(x, &s->in[WS_CROSS_ROWS], prompt) + row * stride;
    const ws_cross_scores with = {at->keys, at->tokens, at->bias};
    for (size_t i = 0; before && i < m; i++)
        memcpy(p->terms + i * k, rows + i * stride, before * sizeof(float));
    ws_cross_score_strip(x, s, z, prompt, row, m, &with, p->terms + before, k, p->scores);
    x->program->kernels->tokens->softmax_groups_f32(m, z->tokens, z->heads, p->terms + before, k);
}

/* The image's part of the rows, as the residual of the last product; NULL: none. */
static const float *image_to_token_image_part(const ws_exec *x, const ws_step *s,
                                              const ws_cross_sizes *z, int64_t prompt, size_t row,
                                              size_t m, float *sums)
{
    const ws_low_rank *v = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens);
    const size_t stride = ws_cross_row_stride(s, z);
    const float *rows = ws_step_operand(x, &s->in[WS_CROSS_ROWS], prompt) + row * stride;
    if (!v)
        return s->cross.attention->residual ? rows : NULL;
    x->program->kernels->vector.scale_shift_f32(
        m, z->width, ws_step_operand(x, &s->in[WS_CROSS_IMAGE_ROWS], prompt) + row * z->width,
        v->gain, v->offset, sums);
    x->program->kernels->tokens->scale_rows_f32(m, z->width, sums, z->width,
                                                rows + ws_low_rank_padded(v, z->tokens), stride,
                                                sums, z->width);
    return sums;
}

/* The rows before the norm, to `out`. */
static void image_to_token_sum_rows(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                    int64_t prompt, size_t row, size_t m,
                                    const image_to_token_places *at, const strip *p, float *out)
{
    const wsam_gemm_kernel *g = s->cross.attention->gemm;
    const int direct = ws_cross_form_of(s, z) == WS_CROSS_BY_PROJECTION;
    const size_t k = direct ? z->inner : image_to_token_terms_before(s, z) + z->columns;
    const ws_product *output = &s->cross.attention->values;
    const float *residual = image_to_token_image_part(x, s, z, prompt, row, m, p->sums);
    const wsam_epilogue e = {s->cross.attention->out_bias, WSAM_ACT_NONE, residual, z->width};
    wsam_rows rows = {.data = p->terms, .ld = k};
    if (direct) {
        float *spread = p->scores;
        x->program->kernels->tokens->head_spread_f32(m, z->tokens, z->heads, z->inner, p->terms,
                                                     z->columns, at->values, spread);
        rows.data = spread;
    }
    g->prepare(m, k, &rows, p->prepared);
    g->run(m, z->width, k, 0, z->width, p->prepared, direct ? output->packed : at->vectors, &e, out,
           z->width);
}

/* The terms of the rows' norm: those before it scaled, the mean, one, and the image's scale. */
static void image_to_token_write_terms(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                       int64_t prompt, size_t row, size_t m, const strip *p,
                                       float *out)
{
    const size_t k = image_to_token_terms_before(s, z) + z->columns;
    const ws_low_rank *before = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens);
    const size_t scale = ws_low_rank_padded(s->cross.makes_low_rank, z->tokens);
    const size_t stride = ws_cross_row_stride(s, z),
                 ldo = ws_low_rank_stride(s->cross.makes_low_rank, z->tokens);
    const float *rows = ws_step_operand(x, &s->in[WS_CROSS_ROWS], prompt) + row * stride;
    for (size_t i = 0; i < m; i++) {
        const float image =
            before ? rows[i * stride + ws_low_rank_padded(before, z->tokens)] : 1.0f;
        float *to = out + i * ldo;
        to[scale] = image * p->inverse[i];
        to[k] = p->mean[i] * p->inverse[i];
        to[k + 1] = 1.0f;
        memset(to + k + 2, 0, (scale - k - 2) * sizeof *to);
    }
    x->program->kernels->tokens->scale_rows_f32(m, k, p->terms, k, p->inverse, 1, out, ldo);
}

static void image_to_token_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                 int64_t prompt, size_t task, const image_to_token_places *at,
                                 void *scratch)
{
    const size_t row = task * WS_CROSS_STRIP;
    const size_t m = z->rows - row < WS_CROSS_STRIP ? z->rows - row : WS_CROSS_STRIP;
    const strip p = image_to_token_strip_of(s, z, scratch);
    const ws_low_rank *made = ws_low_rank_if_shorter(s->cross.makes_low_rank, z->tokens);
    const size_t ldo = made ? ws_low_rank_stride(made, z->tokens) : z->width;
    float *out = ws_step_out(x, s, prompt) + row * ldo;
    image_to_token_probabilities(x, s, z, prompt, row, m, at, &p);
    if (made) {
        ws_low_rank_norm_strip(x, s, z, prompt, row, m, at->vectors, p.terms, p.mean, p.inverse,
                               p.prepared);
        image_to_token_write_terms(x, s, z, prompt, row, m, &p, out);
        return;
    }
    image_to_token_sum_rows(x, s, z, prompt, row, m, at, &p, out);
    if (s->cross.norm.weight)
        x->program->kernels->vector.layer_norm_f32(m, z->width, out, z->width, s->cross.norm.weight,
                                                   s->cross.norm.bias, s->cross.norm.eps, out,
                                                   z->width);
}

static void image_to_token_run(const ws_exec *x, const ws_step *s, int phase, int task,
                               void *scratch)
{
    const ws_cross_sizes z = ws_cross_sizes_of(x, s);
    const size_t prompt = (size_t)task % z.prompts;
    const image_to_token_places at = image_to_token_places_of(x, s, &z, prompt);
    if (phase == 0)
        image_to_token_fold_tokens(x, s, &z, (int64_t)prompt, &at, scratch);
    else
        image_to_token_strip(x, s, &z, (int64_t)prompt, (size_t)task / z.prompts, &at, scratch);
}

const ws_step_kind ws_step_image_to_token = {
    .name = "image_to_token",
    .phases = 2,
    .tasks = image_to_token_tasks,
    .scratch = image_to_token_scratch,
    .workspace = image_to_token_workspace,
    .run = image_to_token_run,
};
