/* runtime/steps_tokens.c - attention between a few tokens and many image rows, re-associated.
 *
 * With T tokens and H heads there are T*H vectors, 56 in SAM's decoder for a click. Rows x of the
 * image are not projected (E*C products each); the token vectors are folded through the projection
 * instead and meet the rows directly:
 *   (W_k x + b_k).q = x.(W_k^T q) + const    the constant drops out of a softmax over rows
 *   sum p (W_v x + b_v) = W_v (sum p x) + b_v
 *   (W_q x + b_q).k = x.(W_q^T k) + b_q.k    the last is one number per token and head
 *   W_o (sum_h P_h v_h) = sum P (W_o,h v_h)
 * For a row that is 2 T*H*E multiplications instead of 2 E*C and the attention itself: 2.3 times
 * fewer at T = 7, even at T = 17. Nothing of the size of the image is stored but the rows
 * themselves. */
#include <math.h>
#include <string.h>

#include "runtime/program.h"

enum {
    /* Rows that pass through scores, softmax and product while they are in L2: a multiple of every
     * tile's rows (14, 12, 8; 6 nearly). */
    STRIP = 112,
    /* Rows whose sums are combined in index order, whatever the number of threads. */
    BLOCK = 4 * STRIP
};

typedef struct sizes {
    size_t tokens, heads, columns; /* columns = tokens * heads */
    size_t inner, width, rows;     /* C, E, image rows */
    size_t head;                   /* inner / heads */
    size_t prompts;
} sizes;

static sizes sizes_of(const ws_exec *x, const ws_step *s, int image)
{
    const ws_token_attention *a = s->tokens;
    const ws_shape side[2] = {ws_step_input_shape(x, s, 0), ws_step_input_shape(x, s, 1)};
    sizes z = {.heads = a->heads, .inner = a->inner, .width = a->width};
    z.rows = (size_t)ws_rows(&side[image]);
    z.tokens = (size_t)ws_rows(&side[1 - image]);
    z.columns = z.tokens * z.heads;
    z.head = z.inner / z.heads;
    z.prompts = (size_t)ws_step_prompts(x, s);
    return z;
}

/* folded[t*H + h] = scale * W_h^T v_t,h, where W_h is the head's [head][E] part of a projection. */
static void fold(const ws_exec *x, const ws_token_attention *a, const sizes *z, const float *v,
                 float *folded, float *turned)
{
    const float scale = (float)(1.0 / sqrt((double)z->head));
    for (size_t h = 0; h < z->heads; h++) {
        for (size_t d = 0; d < z->head; d++)
            for (size_t t = 0; t < z->tokens; t++)
                turned[d * z->tokens + t] = scale * v[t * z->inner + h * z->head + d];
        x->program->kernels->tokens.mix_rows_f32(z->head, z->tokens, z->width, turned, z->tokens,
                                                 a->fold + h * z->head * z->width, z->width,
                                                 folded + h * z->width, z->heads * z->width);
    }
}

static void pack(const wsam_gemm_kernel *g, size_t n, size_t k, const float *rows, void *packed)
{
    g->pack(n, k, WSAM_F32, rows, NULL, 0, (n + g->nr - 1) / g->nr, packed);
}

static wsam_rows strip_rows(const ws_exec *x, const ws_operand *in, const ws_operand *add,
                            int64_t prompt, size_t row)
{
    const float *position = ws_operand_at(x, add, prompt);
    wsam_rows r = {.data = ws_operand_at(x, in, prompt) + row * (size_t)in->columns,
                   .ld = (size_t)in->columns};
    if (position) {
        r.ld_add = (size_t)add->columns;
        r.add = position + row * r.ld_add;
    }
    return r;
}

static size_t strips(const sizes *z)
{
    return (z->rows + STRIP - 1) / STRIP;
}

static size_t strip_length(const sizes *z, size_t strip)
{
    return z->rows - strip * STRIP < STRIP ? z->rows - strip * STRIP : STRIP;
}

static size_t prepared_bytes(const ws_step *s, const sizes *z)
{
    return ws_align64(s->tokens->gemm->prepared_bytes(STRIP, z->width));
}

/* A strip of rows, as the products want them: those of the image if they were prepared with it,
 * else this prompt's, in `scratch`. `in` is the rows, the next operand their positions. */
static const void *prepare_strip(const ws_exec *x, const ws_step *s, const sizes *z,
                                 const ws_operand *in, size_t prompt, size_t strip, void *scratch)
{
    if (s->in[4].buffer >= 0)
        return (const char *)(const void *)ws_operand_at(x, &s->in[4], 0) +
               strip * prepared_bytes(s, z);
    const wsam_rows rows = strip_rows(x, in, in + 1, (int64_t)prompt, strip * STRIP);
    s->tokens->gemm->prepare(strip_length(z, strip), z->width, &rows, scratch);
    return scratch;
}

static size_t fold_scratch(const sizes *z)
{
    return ws_align64(z->columns * z->width * sizeof(float)) +
           ws_align64(z->head * z->tokens * sizeof(float));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- tokens attend to the image: in[0] their queries, in[1] rows, in[2] positions --------------
 */

static size_t key_blocks(const sizes *z)
{
    return (z->rows + BLOCK - 1) / BLOCK;
}

/* Of one block: the sums of rows, then every column's maximum and sum. */
static size_t partial_floats(const sizes *z)
{
    return z->columns * (z->width + 2);
}

static size_t reader_bytes(const ws_step *s, const sizes *z)
{
    return ws_align64(s->tokens->gemm->packed_bytes(z->columns, z->width)) +
           ws_align64(key_blocks(z) * partial_floats(z) * sizeof(float));
}

static int reader_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const sizes z = sizes_of(x, s, 1);
    return (int)(z.prompts * (phase == 1 ? key_blocks(&z) : 1));
}

static size_t reader_scratch(const ws_exec *x, const ws_step *s)
{
    const sizes z = sizes_of(x, s, 1);
    return larger(fold_scratch(&z), ws_align64(BLOCK * z.columns * sizeof(float)) +
                                        s->tokens->gemm->prepared_bytes(STRIP, z.width));
}

static size_t reader_workspace(const ws_exec *x, const ws_step *s)
{
    const sizes z = sizes_of(x, s, 1);
    return z.prompts * reader_bytes(s, &z);
}

static void read_block(const ws_exec *x, const ws_step *s, const sizes *z, size_t prompt,
                       size_t block, const void *packed, float *partial, char *scratch)
{
    const wsam_token_kernels *k = &x->program->kernels->tokens;
    const wsam_gemm_kernel *g = s->tokens->gemm;
    const size_t first = block * BLOCK, m = z->rows - first < BLOCK ? z->rows - first : BLOCK;
    const size_t first_strip = first / STRIP;
    float *scores = (float *)(void *)scratch, *top = partial + z->columns * z->width;
    float *sum = top + z->columns;
    void *prepared = scratch + ws_align64(BLOCK * z->columns * sizeof(float));
    const wsam_epilogue plain = {NULL, WSAM_ACT_NONE, NULL, 0};
    for (size_t i = 0; i * STRIP < m; i++)
        g->run(strip_length(z, first_strip + i), z->columns, z->width, 0, z->columns,
               prepare_strip(x, s, z, &s->in[1], prompt, first_strip + i, prepared), packed, &plain,
               scores + i * STRIP * z->columns, z->columns);
    for (size_t j = 0; j < z->columns; j++) {
        top[j] = -INFINITY;
        sum[j] = 0.0f;
    }
    k->column_max_f32(m, z->columns, scores, z->columns, top);
    k->exp_columns_f32(m, z->columns, scores, z->columns, top, sum);
    const wsam_rows rows = strip_rows(x, &s->in[1], &s->in[2], (int64_t)prompt, first);
    (s->tokens->bf16 ? k->mix_rows_bf16 : k->mix_rows_f32)(
        m, z->columns, z->width, scores, z->columns, rows.data, rows.ld, partial, z->width);
}

/* The blocks' sums of one token and head become one mean row in `mean`. */
static void combine(const sizes *z, size_t column, const float *partials, float *mean)
{
    const size_t blocks = key_blocks(z), each = partial_floats(z);
    const size_t at = z->columns * z->width + column;
    float top = -INFINITY, total = 0.0f;
    for (size_t b = 0; b < blocks; b++)
        top = fmaxf(top, partials[b * each + at]);
    memset(mean, 0, z->width * sizeof *mean);
    for (size_t b = 0; b < blocks; b++) {
        const float weight = expf(partials[b * each + at] - top);
        const float *row = partials + b * each + column * z->width;
        total += weight * partials[b * each + at + z->columns];
        for (size_t c = 0; c < z->width; c++)
            mean[c] += weight * row[c];
    }
    for (size_t c = 0; c < z->width; c++)
        mean[c] *= 1.0f / total;
}

static void answer(const ws_exec *x, const ws_step *s, const sizes *z, const float *partials,
                   float *out, float *mean)
{
    const ws_token_attention *a = s->tokens;
    for (size_t t = 0; t < z->tokens; t++)
        for (size_t h = 0; h < z->heads; h++) {
            float *head = out + t * z->inner + h * z->head;
            combine(z, t * z->heads + h, partials, mean);
            x->program->kernels->vector.dot_rows_f32(
                z->head, z->width, a->out + h * z->head * z->width, z->width, mean, head);
            for (size_t d = 0; d < z->head; d++)
                head[d] += a->out_bias ? a->out_bias[h * z->head + d] : 0.0f;
        }
}

static void reader_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const sizes z = sizes_of(x, s, 1);
    const size_t blocks = key_blocks(&z), per = phase == 1 ? blocks : 1;
    const size_t prompt = (size_t)task / per, block = (size_t)task % per;
    char *packed = (char *)x->workspace + prompt * reader_bytes(s, &z);
    float *partials =
        (float *)(void *)(packed + ws_align64(s->tokens->gemm->packed_bytes(z.columns, z.width)));
    if (phase == 0) {
        float *folded = scratch;
        fold(x, s->tokens, &z, ws_operand_at(x, &s->in[0], (int64_t)prompt), folded,
             folded + ws_align64(z.columns * z.width * sizeof(float)) / sizeof(float));
        pack(s->tokens->gemm, z.columns, z.width, folded, packed);
    } else if (phase == 1)
        read_block(x, s, &z, prompt, block, packed, partials + block * partial_floats(&z), scratch);
    else
        answer(x, s, &z, partials, ws_out_at(x, s, (int64_t)prompt), scratch);
}

const ws_step_kind ws_step_tokens_read = {"tokens_read",    3,         reader_tasks, reader_scratch,
                                          reader_workspace, reader_run};

/* ---- the image attends to tokens: in[0] their keys, in[1] values, in[2] rows, in[3] positions ---
 */

static size_t keys_bytes(const ws_step *s, const sizes *z)
{
    return ws_align64(s->tokens->gemm->packed_bytes(z->columns, z->width));
}

static size_t values_bytes(const ws_step *s, const sizes *z)
{
    return ws_align64(s->tokens->gemm->packed_bytes(z->width, z->columns));
}

static size_t writer_bytes(const ws_step *s, const sizes *z)
{
    return keys_bytes(s, z) + values_bytes(s, z) + ws_align64(z->columns * sizeof(float));
}

static int writer_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const sizes z = sizes_of(x, s, 0);
    return (int)(z.prompts * (phase ? strips(&z) : 1));
}

static size_t writer_scratch(const ws_exec *x, const ws_step *s)
{
    const sizes z = sizes_of(x, s, 0);
    const wsam_gemm_kernel *g = s->tokens->gemm;
    return larger(fold_scratch(&z), ws_align64(STRIP * z.columns * sizeof(float)) +
                                        larger(g->prepared_bytes(STRIP, z.width),
                                               g->prepared_bytes(STRIP, z.columns)));
}

static size_t writer_workspace(const ws_exec *x, const ws_step *s)
{
    const sizes z = sizes_of(x, s, 0);
    return z.prompts * writer_bytes(s, &z);
}

/* What b_q adds to every score of a token and head. */
static void fold_bias(const ws_token_attention *a, const sizes *z, const float *keys, float *bias)
{
    const float scale = (float)(1.0 / sqrt((double)z->head));
    for (size_t t = 0; t < z->tokens; t++)
        for (size_t h = 0; h < z->heads; h++) {
            float sum = 0.0f;
            for (size_t d = h * z->head; a->fold_bias && d < (h + 1) * z->head; d++)
                sum += a->fold_bias[d] * keys[t * z->inner + d];
            bias[t * z->heads + h] = scale * sum;
        }
}

/* [E][T*H]: what each token and head adds to a row. W_o is [E][C]. */
static void fold_values(const ws_token_attention *a, const sizes *z, const float *values,
                        float *folded)
{
    for (size_t e = 0; e < z->width; e++)
        for (size_t t = 0; t < z->tokens; t++)
            for (size_t h = 0; h < z->heads; h++) {
                const float *w = a->out + e * z->inner + h * z->head;
                const float *v = values + t * z->inner + h * z->head;
                float sum = 0.0f;
                for (size_t d = 0; d < z->head; d++)
                    sum += w[d] * v[d];
                folded[e * z->columns + t * z->heads + h] = sum;
            }
}

static void write_strip(const ws_exec *x, const ws_step *s, const sizes *z, size_t prompt,
                        size_t strip, const char *packed, char *scratch)
{
    const ws_token_attention *a = s->tokens;
    const size_t row = strip * STRIP, m = strip_length(z, strip);
    float *scores = (float *)(void *)scratch;
    void *prepared = scratch + ws_align64(STRIP * z->columns * sizeof(float));
    float *out = ws_out_at(x, s, (int64_t)prompt) + row * z->width;
    const wsam_rows rows = strip_rows(x, &s->in[2], &s->in[3], (int64_t)prompt, row);
    const wsam_rows weights = {.data = scores, .ld = z->columns};
    const wsam_epilogue bias = {
        (const float *)(const void *)(packed + keys_bytes(s, z) + values_bytes(s, z)),
        WSAM_ACT_NONE, NULL, 0};
    const wsam_epilogue add = {a->out_bias, WSAM_ACT_NONE, a->residual ? rows.data : NULL, rows.ld};
    a->gemm->run(m, z->columns, z->width, 0, z->columns,
                 prepare_strip(x, s, z, &s->in[2], prompt, strip, prepared), packed, &bias, scores,
                 z->columns);
    x->program->kernels->tokens.softmax_groups_f32(m, z->tokens, z->heads, scores, z->columns);
    a->gemm->prepare(m, z->columns, &weights, prepared);
    a->gemm->run(m, z->width, z->columns, 0, z->width, prepared, packed + keys_bytes(s, z), &add,
                 out, z->width);
    if (s->weight)
        x->program->kernels->vector.layer_norm_f32(m, z->width, out, z->width, s->weight, s->bias,
                                                   s->eps, out, z->width);
}

static void writer_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const sizes z = sizes_of(x, s, 0);
    const size_t per = phase ? strips(&z) : 1, prompt = (size_t)task / per;
    char *packed = (char *)x->workspace + prompt * writer_bytes(s, &z);
    if (phase) {
        write_strip(x, s, &z, prompt, (size_t)task % per, packed, scratch);
        return;
    }
    float *folded = scratch;
    const float *keys = ws_operand_at(x, &s->in[0], (int64_t)prompt);
    fold(x, s->tokens, &z, keys, folded,
         folded + ws_align64(z.columns * z.width * sizeof(float)) / sizeof(float));
    pack(s->tokens->gemm, z.columns, z.width, folded, packed);
    fold_values(s->tokens, &z, ws_operand_at(x, &s->in[1], (int64_t)prompt), folded);
    pack(s->tokens->gemm, z.width, z.columns, folded, packed + keys_bytes(s, &z));
    fold_bias(s->tokens, &z, keys,
              (float *)(void *)(packed + keys_bytes(s, &z) + values_bytes(s, &z)));
}

const ws_step_kind ws_step_tokens_write = {
    "tokens_write", 2, writer_tasks, writer_scratch, writer_workspace, writer_run};

/* ---- rows that all prompts share, prepared with the image: in[0] rows, in[1] positions ---------
 */

static sizes sizes_of_rows(const ws_exec *x, const ws_step *s)
{
    const sizes z = {.width = s->tokens->width, .rows = (size_t)ws_out_rows(x, s), .prompts = 1};
    return z;
}

size_t ws_tokens_prepared_bytes(const ws_token_attention *a, size_t rows)
{
    const sizes z = {.width = a->width, .rows = rows};
    const ws_step s = {.tokens = a};
    return strips(&z) * prepared_bytes(&s, &z);
}

static int prepare_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const sizes z = sizes_of_rows(x, s);
    (void)phase;
    return (int)strips(&z);
}

static size_t prepare_scratch(const ws_exec *x, const ws_step *s)
{
    (void)x, (void)s;
    return 0;
}

static void prepare_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const sizes z = sizes_of_rows(x, s);
    const size_t strip = (size_t)task;
    const wsam_rows rows = strip_rows(x, &s->in[0], &s->in[1], 0, strip * STRIP);
    (void)phase, (void)scratch;
    s->tokens->gemm->prepare(strip_length(&z, strip), z.width, &rows,
                             (char *)(void *)ws_out_at(x, s, 0) + strip * prepared_bytes(s, &z));
}

const ws_step_kind ws_step_tokens_prepare = {"tokens_prepare", 1,    prepare_tasks,
                                             prepare_scratch,  NULL, prepare_run};
