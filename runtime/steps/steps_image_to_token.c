/* runtime/steps/steps_image_to_token.c - the image attends to tokens: its rows after output
 * product, residual and norm, or the terms of a level that they make. A strip runs to the end while
 * it is in L2. */
#include <string.h>

#include "runtime/steps/cross_attention.h"

static size_t floats(size_t n)
{
    return ws_align64(n * sizeof(float));
}

static size_t strips(const ws_token_sizes *z)
{
    return (z->rows + WS_TOKENS_STRIP - 1) / WS_TOKENS_STRIP;
}

/* Terms that a row has before this attention adds the columns. */
static size_t terms_before(const ws_step *s, const ws_token_sizes *z)
{
    const ws_level *v = ws_level_of(s->level, z->tokens);
    return v ? ws_level_terms(v, z->tokens) : 0;
}

/* Of a prompt: packed keys, tokens by heads (keys, values), what is added to a score, packed
 * vectors of all terms or what their moments need. */
typedef struct places {
    char *keys, *vectors;
    float *tokens, *values, *bias;
} places;

static size_t vectors_bytes(const ws_step *s, const ws_token_sizes *z)
{
    if (ws_level_of(s->makes, z->tokens))
        return ws_moments_bytes(s, z);
    return ws_align64(s->tokens->gemm->packed_bytes(z->width, terms_before(s, z) + z->columns));
}

static size_t prompt_bytes(const ws_step *s, const ws_token_sizes *z)
{
    return ws_tokens_packed_bytes(s, z) + 2 * floats(z->tokens * z->inner) + floats(z->columns) +
           vectors_bytes(s, z);
}

static places places_of(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, size_t prompt)
{
    places p = {.keys = (char *)x->workspace + prompt * prompt_bytes(s, z)};
    p.tokens = (float *)(void *)(p.keys + ws_tokens_packed_bytes(s, z));
    p.values = p.tokens + floats(z->tokens * z->inner) / sizeof(float);
    p.bias = p.values + floats(z->tokens * z->inner) / sizeof(float);
    p.vectors = (char *)p.bias + floats(z->columns);
    return p;
}

static int write_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_token_sizes z = ws_token_sizes_of(x, s);
    return (int)(z.prompts * (phase ? strips(&z) : 1));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A level's vectors, and all of them turned for packing. */
static size_t fold_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const ws_level *v = ws_level_of(s->level, z->tokens);
    const size_t rest = ws_level_of(s->makes, z->tokens)
                            ? ws_moments_prepare_bytes(s, z)
                            : floats(z->width * (terms_before(s, z) + z->columns));
    return (v ? floats(ws_level_padded(v, z->tokens) * z->width) : 0) +
           larger(ws_tokens_pack_bytes(s, z), rest);
}

/* Terms and probabilities of a strip, then scratch of the scores, the rows' sums, their moments,
 * and of what these or the last product are made with. */
typedef struct strip {
    float *terms, *sums, *mean, *inverse;
    void *scores, *prepared;
} strip;

static size_t prepared_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const size_t k = terms_before(s, z) + z->columns;
    return ws_align64(
        s->tokens->gemm->prepared_bytes(WS_TOKENS_STRIP, k > z->inner ? k : z->inner));
}

static size_t terms_bytes(const ws_step *s, const ws_token_sizes *z)
{
    return floats(WS_TOKENS_STRIP * (terms_before(s, z) + z->columns));
}

static size_t strip_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const size_t last =
        ws_level_of(s->makes, z->tokens) ? ws_moments_strip_bytes(s, z) : prepared_bytes(s, z);
    return terms_bytes(s, z) + floats(WS_TOKENS_STRIP * z->width) + 2 * floats(WS_TOKENS_STRIP) +
           ws_tokens_score_bytes(s, z) + last;
}

static strip strip_of(const ws_step *s, const ws_token_sizes *z, void *scratch)
{
    strip p = {.terms = scratch};
    p.sums = p.terms + terms_bytes(s, z) / sizeof(float);
    p.mean = p.sums + floats(WS_TOKENS_STRIP * z->width) / sizeof(float);
    p.inverse = p.mean + floats(WS_TOKENS_STRIP) / sizeof(float);
    p.scores = p.inverse + floats(WS_TOKENS_STRIP) / sizeof(float);
    p.prepared = (char *)p.scores + ws_tokens_score_bytes(s, z);
    return p;
}

static size_t scratch_bytes(const ws_step *s, const ws_token_sizes *z)
{
    return larger(fold_bytes(s, z), strip_bytes(s, z));
}

static size_t write_scratch(const ws_exec *x, const ws_step *s)
{
    return ws_token_bytes(x, s, scratch_bytes);
}

static size_t write_workspace(const ws_exec *x, const ws_step *s)
{
    return ws_token_sizes_of(x, s).prompts * ws_token_bytes(x, s, prompt_bytes);
}

/* ---- per prompt ---- */

/* What b_q adds to every score of a token and head. */
static void fold_bias(const ws_token_attention *a, const ws_token_sizes *z, const float *keys,
                      float *bias)
{
    for (size_t j = 0; j < z->columns; j++) {
        const size_t first = j % z->heads * z->head;
        const float *key = keys + j / z->heads * z->inner + first;
        float sum = 0.0f;
        for (size_t d = 0; a->fold_bias && d < z->head; d++)
            sum += a->fold_bias[first + d] * key[d];
        bias[j] = ws_token_scale(z) * sum;
    }
}

static void fold_tokens(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                        const places *at, void *scratch)
{
    const ws_token_form form = ws_token_form_of(s, z);
    const wsam_gemm_kernel *g = s->tokens->gemm;
    const size_t before = terms_before(s, z), k = before + z->columns;
    const float *keys = ws_operand_at(x, &s->in[WS_TOKENS_ASK], prompt);
    float *vectors = scratch, *rest = vectors;
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    ws_tokens_by_heads(z, ws_token_scale(z), keys, at->tokens);
    fold_bias(s->tokens, z, keys, at->bias);
    if (form == WS_TOKENS_DIRECTLY) {
        ws_tokens_by_heads(z, 1.0f, ws_operand_at(x, &s->in[WS_TOKENS_VALUES], prompt), at->values);
        return;
    }
    if (form == WS_TOKENS_BY_LEVEL) {
        rest += floats(ws_level_padded(s->level, z->tokens) * z->width) / sizeof *rest;
        ws_level_vectors(x, s, s->level, z->tokens, prompt, vectors);
    }
    if (form == WS_TOKENS_BY_LEVEL || form == WS_TOKENS_BY_FOLDING)
        ws_tokens_pack(x, s, z, keys, vectors, at->keys, rest);
    if (ws_level_of(s->makes, z->tokens)) {
        ws_moments_prepare(x, s, z, prompt, at->vectors, rest);
        return;
    }
    v->transpose_f32(before, z->width, vectors, z->width, rest, k);
    v->transpose_f32(z->columns, z->width, ws_operand_at(x, &s->in[WS_TOKENS_FOLDED], prompt),
                     z->width, rest + before, k);
    g->pack(z->width, k, WSAM_F32, rest, NULL, 0, (z->width + g->nr - 1) / g->nr, at->vectors);
}

/* ---- per strip ---- */

/* Probabilities of all columns, behind the terms that the rows have already. */
static void probabilities(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                          int64_t prompt, size_t row, size_t m, const places *at, const strip *p)
{
    const size_t before = terms_before(s, z), k = before + z->columns;
    const size_t stride = ws_tokens_stride(s, z);
    const float *rows = ws_operand_at(x, &s->in[WS_TOKENS_ROWS], prompt) + row * stride;
    const ws_token_scores with = {at->keys, at->tokens, at->bias};
    for (size_t i = 0; before && i < m; i++)
        memcpy(p->terms + i * k, rows + i * stride, before * sizeof(float));
    ws_tokens_score(x, s, z, prompt, row, m, &with, p->terms + before, k, p->scores);
    x->program->kernels->tokens.softmax_groups_f32(m, z->tokens, z->heads, p->terms + before, k);
}

/* The image's part of the rows, as the residual of the last product; NULL: none. */
static const float *image_part(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                               int64_t prompt, size_t row, size_t m, float *sums)
{
    const ws_level *v = ws_level_of(s->level, z->tokens);
    const size_t stride = ws_tokens_stride(s, z);
    const float *rows = ws_operand_at(x, &s->in[WS_TOKENS_ROWS], prompt) + row * stride;
    if (!v)
        return s->tokens->residual ? rows : NULL;
    x->program->kernels->vector.scale_shift_f32(
        m, z->width, ws_operand_at(x, &s->in[WS_TOKENS_BASE], prompt) + row * z->width, v->gain,
        v->offset, sums);
    x->program->kernels->tokens.scale_rows_f32(
        m, z->width, sums, z->width, rows + ws_level_padded(v, z->tokens), stride, sums, z->width);
    return sums;
}

/* The rows before the norm, to `out`. */
static void sum_rows(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                     size_t row, size_t m, const places *at, const strip *p, float *out)
{
    const wsam_gemm_kernel *g = s->tokens->gemm;
    const int direct = ws_token_form_of(s, z) == WS_TOKENS_DIRECTLY;
    const size_t k = direct ? z->inner : terms_before(s, z) + z->columns;
    const ws_product *output = &s->tokens->values;
    const float *residual = image_part(x, s, z, prompt, row, m, p->sums);
    const wsam_epilogue e = {s->tokens->out_bias, WSAM_ACT_NONE, residual, z->width};
    wsam_rows rows = {.data = p->terms, .ld = k};
    if (direct) {
        float *spread = p->scores;
        x->program->kernels->tokens.head_spread_f32(m, z->tokens, z->heads, z->inner, p->terms,
                                                    z->columns, at->values, spread);
        rows.data = spread;
    }
    g->prepare(m, k, &rows, p->prepared);
    g->run(m, z->width, k, 0, z->width, p->prepared, direct ? output->packed : at->vectors, &e, out,
           z->width);
}

/* The terms of the rows' norm: those before it scaled, the mean, one, and the image's scale. */
static void write_terms(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                        size_t row, size_t m, const strip *p, float *out)
{
    const size_t k = terms_before(s, z) + z->columns;
    const ws_level *before = ws_level_of(s->level, z->tokens);
    const size_t scale = ws_level_padded(s->makes, z->tokens);
    const size_t stride = ws_tokens_stride(s, z), ldo = ws_level_stride(s->makes, z->tokens);
    const float *rows = ws_operand_at(x, &s->in[WS_TOKENS_ROWS], prompt) + row * stride;
    for (size_t i = 0; i < m; i++) {
        const float image = before ? rows[i * stride + ws_level_padded(before, z->tokens)] : 1.0f;
        float *to = out + i * ldo;
        to[scale] = image * p->inverse[i];
        to[k] = p->mean[i] * p->inverse[i];
        to[k + 1] = 1.0f;
        memset(to + k + 2, 0, (scale - k - 2) * sizeof *to);
    }
    x->program->kernels->tokens.scale_rows_f32(m, k, p->terms, k, p->inverse, 1, out, ldo);
}

static void write_strip(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                        size_t task, const places *at, void *scratch)
{
    const size_t row = task * WS_TOKENS_STRIP;
    const size_t m = z->rows - row < WS_TOKENS_STRIP ? z->rows - row : WS_TOKENS_STRIP;
    const strip p = strip_of(s, z, scratch);
    const ws_level *made = ws_level_of(s->makes, z->tokens);
    const size_t ldo = made ? ws_level_stride(made, z->tokens) : z->width;
    float *out = ws_out_at(x, s, prompt) + row * ldo;
    probabilities(x, s, z, prompt, row, m, at, &p);
    if (made) {
        ws_moments_of_strip(x, s, z, prompt, row, m, at->vectors, p.terms, p.mean, p.inverse,
                            p.prepared);
        write_terms(x, s, z, prompt, row, m, &p, out);
        return;
    }
    sum_rows(x, s, z, prompt, row, m, at, &p, out);
    if (s->weight)
        x->program->kernels->vector.layer_norm_f32(m, z->width, out, z->width, s->weight, s->bias,
                                                   s->eps, out, z->width);
}

static void write_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_token_sizes z = ws_token_sizes_of(x, s);
    const size_t prompt = (size_t)task % z.prompts;
    const places at = places_of(x, s, &z, prompt);
    if (phase == 0)
        fold_tokens(x, s, &z, (int64_t)prompt, &at, scratch);
    else
        write_strip(x, s, &z, (int64_t)prompt, (size_t)task / z.prompts, &at, scratch);
}

const ws_step_kind ws_step_tokens_write = {"tokens_write",  2,        write_tasks, write_scratch,
                                           write_workspace, write_run};
