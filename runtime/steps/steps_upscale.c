/* runtime/steps/steps_upscale.c - the mask head as one step over strips:
 *   transposed conv -> norm -> activation -> transposed conv -> activation -> product with vectors
 *
 * Every one of these but the norm of a whole map works on pixels alone, and a transposed
 * convolution whose kernel is its stride gives each pixel a block of its own. So a strip of one
 * input row runs to the end in scratch (SAM: 64 pixels, 256 rows of 64 channels, 1024 rows of 32),
 * and what is shuffled into place are the finished logits: the 32 x 256 x 256 map, 8 MB per prompt,
 * is never stored.
 *
 * group_norm needs the moments of the whole map first: the phase before the last computes the first
 * product of every strip for its moments and throws it away. 0.27 of 0.4 GMAC twice, against 4 MB
 * per prompt kept.
 */
#include <math.h>
#include <string.h>

#include "runtime/steps/cross_attention.h"

/* A map in low-rank form (low_rank_rows.c) is never made: the first product of the image's
 * part is a table, that of the vectors is packed per prompt, and the terms of a strip meet
 * it.
 *
 * Operands: WS_STEP_MAP, WS_STEP_VECTORS [M, c2]; of a map in low-rank form WS_CROSS_SCORE_TABLE
 * and WS_CROSS_LOW_RANK_VECTORS, too. */
typedef struct upscale_strip {
    size_t height, width; /* of the input map */
    size_t s1, s2;        /* strides */
    size_t c1, c2;        /* channels after each convolution */
    size_t rows1, rows2;  /* pixels after each: width * s1^2, rows1 * s2^2 */
    /* scratch: first map, second map, logits, scale and shift of the channels, prepared rows */
    size_t second_offset, logits_offset, scale_offset, prepared_offset;
    const ws_low_rank *low_rank; /* of the map; NULL: it is stored */
    size_t tokens;
    size_t k;               /* values of a row that meet the first product's weight */
    size_t padded;          /* of low-rank rows: where the image part's scale stands */
    size_t moments, packed; /* of the workspace: bytes in all, and of each prompt */
} upscale_strip;

/* s of a weight [s][s][O][C] with n = s*s*O rows. */
static size_t stride_of(size_t n, size_t channels)
{
    size_t s = 1;
    while ((s + 1) * (s + 1) * channels <= n)
        s++;
    return s;
}

static void use_low_rank(const ws_product *p, const ws_low_rank *v, size_t tokens, upscale_strip *t)
{
    t->low_rank = v;
    if (!v)
        return;
    t->k = ws_low_rank_terms(v, tokens);
    t->padded = ws_low_rank_padded(v, tokens);
    t->packed = ws_align64(p->kernel->packed_bytes(p->n, t->k));
}

static void set_low_rank(const ws_exec *x, const ws_step *s, upscale_strip *t)
{
    const ws_product *p = &s->upscale.first;
    t->k = p->k;
    if (!s->upscale.low_rank)
        return;
    t->tokens = ws_low_rank_tokens(x, s->upscale.low_rank);
    use_low_rank(p, ws_low_rank_if_shorter(s->upscale.low_rank, t->tokens), t->tokens, t);
}

static upscale_strip upscale_strip_of(const ws_exec *x, const ws_step *s)
{
    const ws_shape features = ws_step_input_shape(x, s, WS_MASK_PRODUCT_FEATURES);
    upscale_strip t = {.c1 = s->upscale.second.k, .c2 = (size_t)features.dims[2]};
    t.s1 = stride_of(s->upscale.first.n, t.c1);
    t.s2 = stride_of(s->upscale.second.n, t.c2);
    t.height = (size_t)features.dims[0] / (t.s1 * t.s2);
    t.width = (size_t)features.dims[1] / (t.s1 * t.s2);
    t.rows1 = t.width * t.s1 * t.s1;
    t.rows2 = t.rows1 * t.s2 * t.s2;
    t.second_offset = ws_align64(t.rows1 * t.c1 * sizeof(float));
    t.logits_offset = t.second_offset + ws_align64(t.rows2 * t.c2 * sizeof(float));
    t.scale_offset = t.logits_offset + ws_align64(t.rows2 * sizeof(float));
    t.prepared_offset = t.scale_offset + ws_align64(2 * t.c1 * sizeof(float));
    t.moments =
        s->upscale.group_norm ? (size_t)ws_step_prompts(x, s) * t.height * 2 * sizeof(double) : 0;
    set_low_rank(x, s, &t);
    return t;
}

enum { FOLD_VECTORS, MOMENTS, MASKS, PHASES };

static int upscale_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const upscale_strip t = upscale_strip_of(x, s);
    const int64_t prompts = ws_step_prompts(x, s);
    if (phase == FOLD_VECTORS)
        return t.low_rank ? (int)prompts : 0;
    return phase == MASKS || s->upscale.group_norm ? (int)(prompts * (int64_t)t.height) : 0;
}

/* Scratch to pack the low-rank vectors: they, their product, the same turned, prepared rows. */
static size_t upscale_fold_scratch(const upscale_strip *t, const ws_product *p)
{
    return ws_align64(t->padded * p->k * sizeof(float)) +
           2 * ws_align64(t->k * p->n * sizeof(float)) + p->kernel->prepared_bytes(t->k, p->k);
}

/* Fewer tokens may have low-rank rows where these do not: enough for any number is asked for. */
static upscale_strip upscale_widest(const ws_exec *x, const ws_step *s)
{
    upscale_strip t = upscale_strip_of(x, s);
    for (size_t tokens = t.tokens; s->upscale.low_rank && !t.low_rank && tokens > 0; tokens--)
        use_low_rank(&s->upscale.first, ws_low_rank_if_shorter(s->upscale.low_rank, tokens), tokens,
                     &t);
    return t;
}

static size_t upscale_scratch(const ws_exec *x, const ws_step *s)
{
    const upscale_strip t = upscale_widest(x, s);
    const ws_product *a = &s->upscale.first, *b = &s->upscale.second;
    const size_t first = ws_larger(a->kernel->prepared_bytes(t.width, t.k),
                                   a->kernel->prepared_bytes(t.width, a->k));
    const size_t second = b->kernel->prepared_bytes(t.rows1, b->k);
    return ws_larger(t.prepared_offset + ws_larger(first, second),
                     t.low_rank ? upscale_fold_scratch(&t, a) : 0);
}

/* Mean and sum of squares about it of every strip, then the packed low-rank vectors. */
static size_t upscale_workspace(const ws_exec *x, const ws_step *s)
{
    const upscale_strip t = upscale_widest(x, s);
    return ws_align64(t.moments) + (size_t)ws_step_prompts(x, s) * t.packed;
}

static char *upscale_packed_of(const ws_exec *x, const upscale_strip *t, int64_t prompt)
{
    return (char *)x->workspace + ws_align64(t->moments) + (size_t)prompt * t->packed;
}

/* The first product of the low-rank vectors, packed as what the terms meet. */
static void upscale_fold_vectors(const ws_exec *x, const ws_step *s, const upscale_strip *t,
                                 int64_t prompt, float *vectors)
{
    const ws_product *p = &s->upscale.first;
    float *product = vectors + ws_align64(t->padded * p->k * sizeof *vectors) / sizeof *vectors;
    float *turned = product + ws_align64(t->k * p->n * sizeof *vectors) / sizeof *vectors;
    void *prepared = turned + ws_align64(t->k * p->n * sizeof *vectors) / sizeof *vectors;
    const wsam_rows rows = {.data = vectors, .ld = p->k};
    const wsam_epilogue plain = {NULL, WSAM_ACT_NONE, NULL, 0};
    ws_low_rank_vectors(x, s, t->low_rank, t->tokens, prompt, vectors);
    p->kernel->prepare(t->k, p->k, &rows, prepared);
    p->kernel->run(t->k, p->n, p->k, 0, p->n, prepared, p->packed, &plain, product, p->n);
    x->program->kernels->vector.transpose_f32(t->k, p->n, product, p->n, turned, t->k);
    p->kernel->pack(p->n, t->k, WSAM_F32, turned, NULL, 0,
                    (p->n + p->kernel->nr - 1) / p->kernel->nr, upscale_packed_of(x, t, prompt));
}

static void upscale_product(const ws_product *p, size_t rows, const float *in, void *prepared,
                            float *out)
{
    const wsam_rows source = {.data = in, .ld = p->k};
    const wsam_epilogue e = {.bias = p->bias, .act = p->act};
    p->kernel->prepare(rows, p->k, &source, prepared);
    p->kernel->run(rows, p->n, p->k, 0, p->n, prepared, p->packed, &e, out, p->n);
}

/* The first product of a strip of the map. */
static void upscale_first_product(const ws_exec *x, const ws_step *s, const upscale_strip *t,
                                  int64_t prompt, size_t y, void *prepared, float *out)
{
    const ws_product *p = &s->upscale.first;
    const size_t stride = t->low_rank ? ws_low_rank_stride(t->low_rank, t->tokens) : p->k;
    const float *rows = ws_step_operand(x, &s->in[WS_STEP_MAP], prompt) + y * t->width * stride;
    if (!t->low_rank) {
        upscale_product(p, t->width, rows, prepared, out);
        return;
    }
    const wsam_rows terms = {.data = rows, .ld = stride};
    const wsam_epilogue e = {p->bias, p->act, out, p->n};
    /* The terms first: that passes the rows in order, where their scales alone are lines apart. */
    p->kernel->prepare(t->width, t->k, &terms, prepared);
    x->program->kernels->tokens->scale_rows_f32(
        t->width, p->n,
        ws_step_operand(x, &s->in[WS_CROSS_SCORE_TABLE], prompt) + y * t->width * p->n, p->n,
        rows + t->padded, stride, out, p->n);
    p->kernel->run(t->width, p->n, t->k, 0, p->n, prepared, upscale_packed_of(x, t, prompt), &e,
                   out, p->n);
}

static void upscale_strip_moments(const ws_exec *x, const upscale_strip *t, size_t at,
                                  const float *map)
{
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    const size_t n = t->rows1 * t->c1;
    double *out = (double *)x->workspace + 2 * at, sums[2];
    v->moments_f32(n, map, 0.0f, sums);
    const double mean = sums[0] / (double)n;
    v->moments_f32(n, map, (float)mean, sums); /* about a rounded mean: exact all the same */
    out[0] = (double)(float)mean + sums[0] / (double)n;
    out[1] = sums[1] - sums[0] * sums[0] / (double)n;
}

/* Chan's formula over the strips of a prompt in index order: group_norm's scale and shift. */
static void upscale_group_norm_scales(const ws_exec *x, const ws_step *s, const upscale_strip *t,
                                      int64_t prompt, float *scale)
{
    const double *of = (const double *)x->workspace + 2 * t->height * (size_t)prompt;
    const double n = (double)(t->rows1 * t->c1), strips = (double)t->height;
    double mean = 0.0, squares = 0.0;
    for (size_t i = 0; i < t->height; i++)
        mean += of[2 * i];
    mean /= strips;
    for (size_t i = 0; i < t->height; i++)
        squares += of[2 * i + 1] + n * (of[2 * i] - mean) * (of[2 * i] - mean);
    const float inverse = (float)(1.0 / sqrt(squares / (n * strips) + (double)s->upscale.norm.eps));
    for (size_t j = 0; j < t->c1; j++) {
        scale[j] = s->upscale.norm.weight[j] * inverse;
        scale[t->c1 + j] = s->upscale.norm.bias[j] - (float)mean * scale[j];
    }
}

static void upscale_norm(const ws_exec *x, const ws_step *s, const upscale_strip *t, int64_t prompt,
                         float *scale, float *map)
{
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    if (s->upscale.group_norm) {
        upscale_group_norm_scales(x, s, t, prompt, scale);
        v->scale_shift_f32(t->rows1, t->c1, map, scale, scale + t->c1, map);
    } else {
        v->layer_norm_f32(t->rows1, t->c1, map, t->c1, s->upscale.norm.weight, s->upscale.norm.bias,
                          s->upscale.norm.eps, map, t->c1);
    }
    v->act_f32(s->upscale.norm.act, t->rows1 * t->c1, map, map);
}

/* logits[pixel][dy][dx][ey][ex] of input row y to their rows of the mask. */
static void upscale_shuffle_logits(const upscale_strip *t, size_t y, const float *logits,
                                   float *mask)
{
    const size_t s1 = t->s1, s2 = t->s2, scale = s1 * s2, line = t->width * scale;
    for (size_t dy = 0; dy < s1; dy++)
        for (size_t ey = 0; ey < s2; ey++) {
            float *out = mask + ((y * s1 + dy) * s2 + ey) * line;
            for (size_t pixel = 0; pixel < t->width; pixel++)
                for (size_t dx = 0; dx < s1; dx++) {
                    const float *from = logits + (((pixel * s1 + dy) * s1 + dx) * s2 + ey) * s2;
                    if (s2 == 2) /* all published decoders: one move, not a loop (2 %) */
                        memcpy(out, from, 2 * sizeof *out);
                    else
                        memcpy(out, from, s2 * sizeof *out);
                    out += s2;
                }
        }
}

static void upscale_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const upscale_strip t = upscale_strip_of(x, s);
    const wsam_vector_kernels *v = &x->program->kernels->vector;
    /* The same strip of all prompts after one another: the table's rows stay in L2. */
    const int64_t prompts = ws_step_prompts(x, s), prompt = task % prompts;
    const size_t y = (size_t)(task / prompts);
    float *first = scratch, *second = first + t.second_offset / sizeof *first;
    float *logits = first + t.logits_offset / sizeof *first;
    void *prepared = first + t.prepared_offset / sizeof *first;
    if (phase == FOLD_VECTORS) {
        upscale_fold_vectors(x, s, &t, prompt, scratch);
        return;
    }
    upscale_first_product(x, s, &t, prompt, y, prepared, first);
    if (phase == MOMENTS) {
        upscale_strip_moments(x, &t, (size_t)prompt * t.height + y, first);
        return;
    }
    upscale_norm(x, s, &t, prompt, first + t.scale_offset / sizeof *first, first);
    upscale_product(&s->upscale.second, t.rows1, first, prepared, second);
    const size_t masks = (size_t)ws_step_input_shape(x, s, WS_MASK_PRODUCT_VECTORS).dims[0],
                 area = t.height * t.rows2;
    const float *vectors = ws_step_operand(x, &s->in[WS_STEP_VECTORS], prompt);
    for (size_t i = 0; i < masks; i++) {
        v->dot_rows_f32(t.rows2, t.c2, second, t.c2, vectors + i * t.c2, logits);
        upscale_shuffle_logits(&t, y, logits, ws_step_out(x, s, prompt) + i * area);
    }
}

const ws_step_kind ws_step_upscale = {
    .name = "upscale",
    .phases = PHASES,
    .tasks = upscale_tasks,
    .scratch = upscale_scratch,
    .workspace = upscale_workspace,
    .run = upscale_run,
};
