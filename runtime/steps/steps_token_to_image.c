/* runtime/steps/steps_token_to_image.c - tokens attend to the image: their mixed rows, [T][C].
 *
 * Rows are taken in blocks whose sums are combined in index order, so that the result does not
 * depend on the number of threads. Consecutive tasks are the same block of different prompts: what
 * was made with the image is read from memory once for several. */
#include <math.h>
#include <string.h>

#include "runtime/steps/cross_attention.h"

enum { BLOCK = 4 * WS_CROSS_STRIP };

static size_t token_to_image_blocks(const ws_cross_sizes *z)
{
    return (z->rows + BLOCK - 1) / BLOCK;
}

/* What a block adds up: [T][C] of rows by heads, [columns][values] of rows as they are or of their
 * terms, then every column's maximum and sum. */
typedef struct parts {
    size_t by_heads, values, floats;
} parts;

static parts token_to_image_parts_of(const ws_step *s, const ws_cross_sizes *z)
{
    const ws_cross_form form = ws_cross_form_of(s, z);
    parts p = {.by_heads = form == WS_CROSS_BY_FOLDING ? 0 : z->tokens * z->inner};
    if (form == WS_CROSS_BY_FOLDING)
        p.values = z->width;
    else if (form == WS_CROSS_BY_LOW_RANK)
        p.values = ws_low_rank_padded(s->cross.low_rank, z->tokens);
    p.floats = p.by_heads + z->columns * (p.values + 2);
    return p;
}

/* Of a prompt: packed tokens, tokens by heads, the low-rank vectors, the parts of all blocks. */
typedef struct token_to_image_places {
    char *packed;
    float *tokens, *vectors, *parts;
} token_to_image_places;

static size_t token_to_image_vectors_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const ws_low_rank *v = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens);
    return v ? ws_float_bytes(ws_low_rank_padded(v, z->tokens) * z->width) : 0;
}

static size_t token_to_image_prompt_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    return ws_cross_packed_bytes(s, z) + ws_float_bytes(z->tokens * z->inner) +
           token_to_image_vectors_bytes(s, z) +
           ws_float_bytes(token_to_image_blocks(z) * token_to_image_parts_of(s, z).floats);
}

static token_to_image_places token_to_image_places_of(const ws_exec *x, const ws_step *s,
                                                      const ws_cross_sizes *z, size_t prompt)
{
    token_to_image_places p = {.packed = (char *)x->workspace +
                                         prompt * token_to_image_prompt_bytes(s, z)};
    p.tokens = (float *)(void *)(p.packed + ws_cross_packed_bytes(s, z));
    p.vectors = p.tokens + ws_float_bytes(z->tokens * z->inner) / sizeof(float);
    p.parts = p.vectors + token_to_image_vectors_bytes(s, z) / sizeof(float);
    return p;
}

static int token_to_image_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_cross_sizes z = ws_cross_sizes_of(x, s);
    return (int)(z.prompts * (phase == 1 ? token_to_image_blocks(&z) : 1));
}

/* The columns' means; of low-rank rows once more, turned, and the rows that they stand for. */
static size_t token_to_image_answer_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    return 2 * ws_float_bytes(z->columns * token_to_image_parts_of(s, z).values) +
           ws_float_bytes(z->columns * z->width);
}

static size_t token_to_image_scratch_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const int direct = ws_cross_form_of(s, z) == WS_CROSS_BY_PROJECTION;
    const size_t block = ws_float_bytes(BLOCK * z->columns) + ws_cross_score_bytes(s, z) +
                         (direct ? ws_float_bytes(BLOCK * z->inner) : 0);
    return ws_larger(ws_larger(ws_cross_pack_bytes(s, z), block),
                     token_to_image_answer_bytes(s, z));
}

static size_t token_to_image_scratch(const ws_exec *x, const ws_step *s)
{
    return ws_cross_most_bytes(x, s, token_to_image_scratch_bytes);
}

static size_t token_to_image_workspace(const ws_exec *x, const ws_step *s)
{
    return ws_cross_sizes_of(x, s).prompts * ws_cross_most_bytes(x, s, token_to_image_prompt_bytes);
}

static void token_to_image_fold_queries(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                        int64_t prompt, const token_to_image_places *at,
                                        void *scratch)
{
    const ws_cross_form form = ws_cross_form_of(s, z);
    const float *q = ws_step_operand(x, &s->in[WS_CROSS_TOKENS], prompt);
    if (form == WS_CROSS_BY_LOW_RANK)
        ws_low_rank_vectors(x, s, s->cross.low_rank, z->tokens, prompt, at->vectors);
    if (form == WS_CROSS_BY_LOW_RANK || form == WS_CROSS_BY_FOLDING)
        ws_cross_pack_tokens(x, s, z, q, at->vectors, at->packed, scratch);
    ws_cross_by_heads(z, ws_cross_scale(z), q, at->tokens);
}

/* The rows by heads for the mix: a table, or made here. */
static ws_head_rows token_to_image_block_values(const ws_exec *x, const ws_step *s,
                                                const ws_cross_sizes *z, int64_t prompt,
                                                size_t first, size_t m, float *projected,
                                                void *prepared)
{
    const ws_head_rows made = {.table = projected, .ld = z->inner};
    if (ws_cross_form_of(s, z) != WS_CROSS_BY_PROJECTION)
        return ws_cross_value_rows(x, s, z, prompt, first);
    for (size_t i = 0; i < m; i += WS_CROSS_STRIP)
        ws_cross_project_strip(x, s, z, prompt, first + i,
                               m - i < WS_CROSS_STRIP ? m - i : WS_CROSS_STRIP,
                               &s->cross.attention->values, 0, projected + i * z->inner, prepared);
    return made;
}

static void token_to_image_mix_block(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                     int64_t prompt, size_t first, size_t m, const float *weights,
                                     float *sums, char *scratch)
{
    const ws_token_kernels *k = x->program->kernels->tokens;
    const parts p = token_to_image_parts_of(s, z);
    if (p.by_heads) {
        float *projected = (float *)(void *)(scratch + ws_cross_score_bytes(s, z));
        const ws_head_rows rows =
            token_to_image_block_values(x, s, z, prompt, first, m, projected, scratch);
        k->head_mix_f32(m, z->tokens, z->heads, z->inner, weights, z->columns, &rows, sums);
    }
    const size_t stride = ws_cross_row_stride(s, z);
    if (p.values)
        (s->cross.attention->bf16 ? k->mix_rows_bf16 : k->mix_rows_f32)(
            m, z->columns, p.values, weights, z->columns,
            ws_step_operand(x, &s->in[WS_CROSS_ROWS], prompt) + first * stride, stride,
            sums + p.by_heads, p.values);
}

static void token_to_image_block(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                 int64_t prompt, size_t block, const token_to_image_places *at,
                                 char *scratch)
{
    const ws_token_kernels *k = x->program->kernels->tokens;
    const parts p = token_to_image_parts_of(s, z);
    const size_t first = block * BLOCK, m = z->rows - first < BLOCK ? z->rows - first : BLOCK;
    float *scores = (float *)(void *)scratch, *sums = at->parts + block * p.floats;
    float *top = sums + p.by_heads + z->columns * p.values, *total = top + z->columns;
    const ws_cross_scores with = {at->packed, at->tokens, NULL};
    scratch += ws_float_bytes(BLOCK * z->columns);
    for (size_t i = 0; i < m; i += WS_CROSS_STRIP)
        ws_cross_score_strip(x, s, z, prompt, first + i,
                             m - i < WS_CROSS_STRIP ? m - i : WS_CROSS_STRIP, &with,
                             scores + i * z->columns, z->columns, scratch);
    for (size_t j = 0; j < z->columns; j++) {
        top[j] = -INFINITY;
        total[j] = 0.0f;
    }
    k->column_max_f32(m, z->columns, scores, z->columns, top);
    k->exp_columns_f32(m, z->columns, scores, z->columns, top, total);
    token_to_image_mix_block(x, s, z, prompt, first, m, scores, sums, scratch);
}

/* One column over all blocks: its part of the answer by heads is added to `head`, its values are
 * written to `mean`. */
static void token_to_image_combine(const ws_cross_sizes *z, const parts *p, size_t column,
                                   const float *sums, float *head, float *mean)
{
    const size_t n = token_to_image_blocks(z), at = p->by_heads + z->columns * p->values + column;
    const size_t token = column / z->heads, h = column % z->heads;
    float top = -INFINITY, total = 0.0f;
    for (size_t b = 0; b < n; b++)
        top = fmaxf(top, sums[b * p->floats + at]);
    for (size_t b = 0; b < n; b++)
        total += expf(sums[b * p->floats + at] - top) * sums[b * p->floats + at + z->columns];
    memset(mean, 0, p->values * sizeof *mean);
    for (size_t b = 0; b < n; b++) {
        const float *block = sums + b * p->floats;
        const float weight = expf(block[at] - top) / total;
        const float *values = block + p->by_heads + column * p->values;
        for (size_t d = 0; p->by_heads && d < z->head; d++)
            head[d] += weight * block[token * z->inner + d * z->heads + h];
        for (size_t c = 0; c < p->values; c++)
            mean[c] += weight * values[c];
    }
}

/* Adds W_v of a column's mean row, and b_v. */
static void token_to_image_add_values(const ws_exec *x, const ws_cross_attention *a,
                                      const ws_cross_sizes *z, size_t h, const float *row,
                                      float *head)
{
    const float *w = a->out + h * z->head * z->width;
    for (size_t d = 0; row && d < z->head; d++) {
        float sum;
        x->program->kernels->vector.dot_rows_f32(1, z->width, w + d * z->width, z->width, row,
                                                 &sum);
        head[d] += sum;
    }
    for (size_t d = 0; a->out_bias && d < z->head; d++)
        head[d] += a->out_bias[h * z->head + d];
}

/* Mean rows from the means of low-rank terms. */
static void token_to_image_mean_rows(const ws_exec *x, const ws_cross_sizes *z, size_t terms,
                                     const float *means, const float *vectors, float *turned,
                                     float *rows)
{
    x->program->kernels->vector.transpose_f32(z->columns, terms, means, terms, turned, z->columns);
    x->program->kernels->tokens->mix_rows_f32(terms, z->columns, z->width, turned, z->columns,
                                              vectors, z->width, rows, z->width);
}

static void token_to_image_answer(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                  const token_to_image_places *at, float *out, float *means)
{
    const parts p = token_to_image_parts_of(s, z);
    const size_t each = ws_float_bytes(z->columns * p.values) / sizeof *means;
    const float *rows = means;
    memset(out, 0, z->tokens * z->inner * sizeof *out);
    for (size_t j = 0; j < z->columns; j++)
        token_to_image_combine(z, &p, j, at->parts,
                               out + j / z->heads * z->inner + j % z->heads * z->head,
                               means + j * p.values);
    if (ws_low_rank_if_shorter(s->cross.low_rank, z->tokens)) {
        rows = means + 2 * each;
        token_to_image_mean_rows(x, z, p.values, means, at->vectors, means + each,
                                 means + 2 * each);
    }
    for (size_t j = 0; j < z->columns; j++)
        token_to_image_add_values(x, s->cross.attention, z, j % z->heads,
                                  p.values ? rows + j * z->width : NULL,
                                  out + j / z->heads * z->inner + j % z->heads * z->head);
}

static void token_to_image_run(const ws_exec *x, const ws_step *s, int phase, int task,
                               void *scratch)
{
    const ws_cross_sizes z = ws_cross_sizes_of(x, s);
    const size_t prompt = (size_t)task % z.prompts, block = (size_t)task / z.prompts;
    const token_to_image_places at = token_to_image_places_of(x, s, &z, prompt);
    if (phase == 0)
        token_to_image_fold_queries(x, s, &z, (int64_t)prompt, &at, scratch);
    else if (phase == 1)
        token_to_image_block(x, s, &z, (int64_t)prompt, block, &at, scratch);
    else
        token_to_image_answer(x, s, &z, &at, ws_step_out(x, s, (int64_t)prompt), scratch);
}

const ws_step_kind ws_step_token_to_image = {
    .name = "token_to_image",
    .phases = 3,
    .tasks = token_to_image_tasks,
    .scratch = token_to_image_scratch,
    .workspace = token_to_image_workspace,
    .run = token_to_image_run,
};
