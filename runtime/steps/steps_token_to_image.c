/* runtime/steps/steps_token_to_image.c - tokens attend to the image: their mixed rows, [T][C].
 *
 * Rows are taken in blocks whose sums are combined in index order, so that the result does not
 * depend on the number of threads. Consecutive tasks are the same block of different prompts: what
 * was made with the image is read from memory once for several. */
#include <math.h>
#include <string.h>

#include "runtime/steps/cross_attention.h"

enum { BLOCK = 4 * WS_TOKENS_STRIP };

static size_t blocks(const ws_token_sizes *z)
{
    return (z->rows + BLOCK - 1) / BLOCK;
}

/* What a block adds up: [T][C] of rows by heads, [columns][values] of rows as they are or of their
 * terms, then every column's maximum and sum. */
typedef struct parts {
    size_t by_heads, values, floats;
} parts;

static parts parts_of(const ws_step *s, const ws_token_sizes *z)
{
    const ws_token_form form = ws_token_form_of(s, z);
    parts p = {.by_heads = form == WS_TOKENS_BY_FOLDING ? 0 : z->tokens * z->inner};
    if (form == WS_TOKENS_BY_FOLDING)
        p.values = z->width;
    else if (form == WS_TOKENS_BY_LEVEL)
        p.values = ws_level_padded(s->level, z->tokens);
    p.floats = p.by_heads + z->columns * (p.values + 2);
    return p;
}

/* Of a prompt: packed tokens, tokens by heads, a level's vectors, the parts of all blocks. */
typedef struct places {
    char *packed;
    float *tokens, *vectors, *parts;
} places;

static size_t floats(size_t n)
{
    return ws_align64(n * sizeof(float));
}

static size_t vectors_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const ws_level *v = ws_level_of(s->level, z->tokens);
    return v ? floats(ws_level_padded(v, z->tokens) * z->width) : 0;
}

static size_t prompt_bytes(const ws_step *s, const ws_token_sizes *z)
{
    return ws_tokens_packed_bytes(s, z) + floats(z->tokens * z->inner) + vectors_bytes(s, z) +
           floats(blocks(z) * parts_of(s, z).floats);
}

static places places_of(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, size_t prompt)
{
    places p = {.packed = (char *)x->workspace + prompt * prompt_bytes(s, z)};
    p.tokens = (float *)(void *)(p.packed + ws_tokens_packed_bytes(s, z));
    p.vectors = p.tokens + floats(z->tokens * z->inner) / sizeof(float);
    p.parts = p.vectors + vectors_bytes(s, z) / sizeof(float);
    return p;
}

static int read_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_token_sizes z = ws_token_sizes_of(x, s);
    return (int)(z.prompts * (phase == 1 ? blocks(&z) : 1));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The columns' means; with a level once more, turned, and the rows that they stand for. */
static size_t answer_bytes(const ws_step *s, const ws_token_sizes *z)
{
    return 2 * floats(z->columns * parts_of(s, z).values) + floats(z->columns * z->width);
}

static size_t scratch_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const int direct = ws_token_form_of(s, z) == WS_TOKENS_DIRECTLY;
    const size_t block = floats(BLOCK * z->columns) + ws_tokens_score_bytes(s, z) +
                         (direct ? floats(BLOCK * z->inner) : 0);
    return larger(larger(ws_tokens_pack_bytes(s, z), block), answer_bytes(s, z));
}

static size_t read_scratch(const ws_exec *x, const ws_step *s)
{
    return ws_token_bytes(x, s, scratch_bytes);
}

static size_t read_workspace(const ws_exec *x, const ws_step *s)
{
    return ws_token_sizes_of(x, s).prompts * ws_token_bytes(x, s, prompt_bytes);
}

static void fold_queries(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                         int64_t prompt, const places *at, void *scratch)
{
    const ws_token_form form = ws_token_form_of(s, z);
    const float *q = ws_operand_at(x, &s->in[WS_TOKENS_ASK], prompt);
    if (form == WS_TOKENS_BY_LEVEL)
        ws_level_vectors(x, s, s->level, z->tokens, prompt, at->vectors);
    if (form == WS_TOKENS_BY_LEVEL || form == WS_TOKENS_BY_FOLDING)
        ws_tokens_pack(x, s, z, q, at->vectors, at->packed, scratch);
    ws_tokens_by_heads(z, ws_token_scale(z), q, at->tokens);
}

/* The rows by heads for the mix: a table, or made here. */
static wsam_head_rows block_values(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                                   int64_t prompt, size_t first, size_t m, float *projected,
                                   void *prepared)
{
    const wsam_head_rows made = {.table = projected, .ld = z->inner};
    if (ws_token_form_of(s, z) != WS_TOKENS_DIRECTLY)
        return ws_tokens_values(x, s, z, prompt, first);
    for (size_t i = 0; i < m; i += WS_TOKENS_STRIP)
        ws_tokens_project(x, s, z, prompt, first + i,
                          m - i < WS_TOKENS_STRIP ? m - i : WS_TOKENS_STRIP, &s->tokens->values, 0,
                          projected + i * z->inner, prepared);
    return made;
}

static void mix_block(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                      size_t first, size_t m, const float *weights, float *sums, char *scratch)
{
    const wsam_token_kernels *k = &x->program->kernels->tokens;
    const parts p = parts_of(s, z);
    if (p.by_heads) {
        float *projected = (float *)(void *)(scratch + ws_tokens_score_bytes(s, z));
        const wsam_head_rows rows = block_values(x, s, z, prompt, first, m, projected, scratch);
        k->head_mix_f32(m, z->tokens, z->heads, z->inner, weights, z->columns, &rows, sums);
    }
    const size_t stride = ws_tokens_stride(s, z);
    if (p.values)
        (s->tokens->bf16 ? k->mix_rows_bf16 : k->mix_rows_f32)(
            m, z->columns, p.values, weights, z->columns,
            ws_operand_at(x, &s->in[WS_TOKENS_ROWS], prompt) + first * stride, stride,
            sums + p.by_heads, p.values);
}

static void read_block(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                       size_t block, const places *at, char *scratch)
{
    const wsam_token_kernels *k = &x->program->kernels->tokens;
    const parts p = parts_of(s, z);
    const size_t first = block * BLOCK, m = z->rows - first < BLOCK ? z->rows - first : BLOCK;
    float *scores = (float *)(void *)scratch, *sums = at->parts + block * p.floats;
    float *top = sums + p.by_heads + z->columns * p.values, *total = top + z->columns;
    const ws_token_scores with = {at->packed, at->tokens, NULL};
    scratch += floats(BLOCK * z->columns);
    for (size_t i = 0; i < m; i += WS_TOKENS_STRIP)
        ws_tokens_score(x, s, z, prompt, first + i,
                        m - i < WS_TOKENS_STRIP ? m - i : WS_TOKENS_STRIP, &with,
                        scores + i * z->columns, z->columns, scratch);
    for (size_t j = 0; j < z->columns; j++) {
        top[j] = -INFINITY;
        total[j] = 0.0f;
    }
    k->column_max_f32(m, z->columns, scores, z->columns, top);
    k->exp_columns_f32(m, z->columns, scores, z->columns, top, total);
    mix_block(x, s, z, prompt, first, m, scores, sums, scratch);
}

/* One column over all blocks: its part of the answer by heads is added to `head`, its values are
 * written to `mean`. */
static void combine(const ws_token_sizes *z, const parts *p, size_t column, const float *sums,
                    float *head, float *mean)
{
    const size_t n = blocks(z), at = p->by_heads + z->columns * p->values + column;
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
static void add_values(const ws_exec *x, const ws_token_attention *a, const ws_token_sizes *z,
                       size_t h, const float *row, float *head)
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

/* Mean rows from the means of a level's terms. */
static void mean_rows(const ws_exec *x, const ws_token_sizes *z, size_t terms, const float *means,
                      const float *vectors, float *turned, float *rows)
{
    x->program->kernels->vector.transpose_f32(z->columns, terms, means, terms, turned, z->columns);
    x->program->kernels->tokens.mix_rows_f32(terms, z->columns, z->width, turned, z->columns,
                                             vectors, z->width, rows, z->width);
}

static void answer(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, const places *at,
                   float *out, float *means)
{
    const parts p = parts_of(s, z);
    const size_t each = floats(z->columns * p.values) / sizeof *means;
    const float *rows = means;
    memset(out, 0, z->tokens * z->inner * sizeof *out);
    for (size_t j = 0; j < z->columns; j++)
        combine(z, &p, j, at->parts, out + j / z->heads * z->inner + j % z->heads * z->head,
                means + j * p.values);
    if (ws_level_of(s->level, z->tokens)) {
        rows = means + 2 * each;
        mean_rows(x, z, p.values, means, at->vectors, means + each, means + 2 * each);
    }
    for (size_t j = 0; j < z->columns; j++)
        add_values(x, s->tokens, z, j % z->heads, p.values ? rows + j * z->width : NULL,
                   out + j / z->heads * z->inner + j % z->heads * z->head);
}

static void read_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_token_sizes z = ws_token_sizes_of(x, s);
    const size_t prompt = (size_t)task % z.prompts, block = (size_t)task / z.prompts;
    const places at = places_of(x, s, &z, prompt);
    if (phase == 0)
        fold_queries(x, s, &z, (int64_t)prompt, &at, scratch);
    else if (phase == 1)
        read_block(x, s, &z, (int64_t)prompt, block, &at, scratch);
    else
        answer(x, s, &z, &at, ws_out_at(x, s, (int64_t)prompt), scratch);
}

const ws_step_kind ws_step_tokens_read = {"tokens_read",  3,       read_tasks, read_scratch,
                                          read_workspace, read_run};
