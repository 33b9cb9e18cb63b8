/* runtime/steps/low_rank_norm.c - mean and variance of an image's rows that are in low-rank form
 * (low_rank_rows.c).
 *
 * Before its norm a row is y = s A + sum_j t_j w_j: A the image's part, s its scale, t the terms, w
 * a vector of E values for each. With ^ for "less its mean over the E values",
 *   mean(y) = s mean(A) + sum_j t_j mean(w_j)
 *   E var(y) = s^2 |A^|^2 + 2 s sum_j t_j (A^ . w^_j) + t G t,  G_jl = w^_j . w^_l
 * The vectors of an attention are w_j = sum_d v_jd O_d, d the C/H columns O of the output product
 * of head h: A^ . w^_j is 16 products of the token's values and A . O^_d, which is made with the
 * image, as mean(A) and |A^|^2 are. So a row costs k (k + 16) products of k terms, 58 or 116 of
 * SAM's decoder for a click, not the k E of the row itself, and neither A nor y is touched.
 * t G t and A . O^_d are bf16 products where those of the rows are; sums, G and |A^|^2 are f32, as
 * the three parts may cancel. */
#include <math.h>
#include <string.h>

#include "runtime/steps/cross_attention.h"

typedef struct norm_sizes {
    const ws_low_rank *previous; /* NULL: on the image's rows */
    size_t before, terms;
    size_t previous_inner, cross; /* columns of WS_CROSS_NORM_TABLE */
} norm_sizes;

static norm_sizes norm_sizes_of(const ws_step *s, const ws_cross_sizes *z)
{
    norm_sizes n = {.previous = ws_low_rank_if_shorter(s->cross.low_rank, z->tokens)};
    n.before = n.previous ? ws_low_rank_terms(n.previous, z->tokens) : 0;
    n.terms = n.before + z->columns;
    n.previous_inner = n.previous ? n.previous->inner : 0;
    n.cross = z->inner + n.previous_inner + WS_NORM_TABLE_SUMS;
    return n;
}

/* Of a prompt: packed G / E, the vectors' means, values by heads, those of the previous attention.
 */
typedef struct norm_places {
    float *means, *values, *previous;
    void *gram;
} norm_places;

static norm_places norm_places_of(const ws_cross_sizes *z, const norm_sizes *n, void *memory)
{
    norm_places p = {.means = memory};
    p.values = p.means + ws_float_bytes(n->terms) / sizeof(float);
    p.previous = p.values + ws_float_bytes(z->tokens * z->inner) / sizeof(float);
    p.gram = p.previous + ws_float_bytes(z->tokens * n->previous_inner) / sizeof(float);
    return p;
}

size_t ws_low_rank_norm_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const norm_sizes n = norm_sizes_of(s, z);
    return ws_float_bytes(n.terms) + ws_float_bytes(z->tokens * z->inner) +
           ws_float_bytes(z->tokens * n.previous_inner) +
           ws_align64(s->cross.attention->gemm->packed_bytes(n.terms, n.terms));
}

/* ---- per prompt ---- */

/* Rows of vectors before the zeros of the previous form are overwritten. */
static size_t norm_vector_rows(const norm_sizes *n, const ws_cross_sizes *z)
{
    return (n->previous ? ws_low_rank_padded(n->previous, z->tokens) : 0) + z->columns;
}

size_t ws_low_rank_norm_prepare_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const norm_sizes n = norm_sizes_of(s, z);
    const wsam_gemm_kernel *g = s->cross.attention->exact;
    return ws_float_bytes(norm_vector_rows(&n, z) * z->width) + ws_float_bytes(n.terms * n.terms) +
           ws_align64(g->packed_bytes(n.terms, z->width)) +
           ws_align64(g->prepared_bytes(n.terms, z->width));
}

/* Vectors of all terms, the bias of the output product in the one whose term is 1. */
static void norm_fill_vectors(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                              const norm_sizes *n, int64_t prompt, float *vectors)
{
    const float *bias = s->cross.attention->out_bias;
    if (n->previous) {
        ws_low_rank_vectors(x, s, n->previous, z->tokens, prompt, vectors);
        for (size_t c = 0; bias && c < z->width; c++)
            vectors[(n->before - 1) * z->width + c] += bias[c];
    }
    memcpy(vectors + n->before * z->width,
           ws_step_operand(x, &s->in[WS_CROSS_FOLDED_VALUES], prompt),
           z->columns * z->width * sizeof *vectors);
}

/* Less their means, which are kept. */
static void norm_centre_vectors(size_t n, size_t width, float *vectors, float *means)
{
    for (size_t i = 0; i < n; i++, vectors += width) {
        double sum = 0.0;
        for (size_t c = 0; c < width; c++)
            sum += (double)vectors[c];
        means[i] = (float)(sum / (double)width);
        for (size_t c = 0; c < width; c++)
            vectors[c] -= means[i];
    }
}

static void norm_pack(const wsam_gemm_kernel *g, size_t n, size_t k, const float *rows,
                      void *packed)
{
    g->pack(n, k, WSAM_F32, rows, NULL, 0, (n + g->nr - 1) / g->nr, packed);
}

static void norm_fill_gram(const ws_cross_attention *a, size_t n, size_t width,
                           const float *vectors, void *scratch, void *gram)
{
    const wsam_gemm_kernel *g = a->exact;
    float *product = scratch;
    char *packed = (char *)scratch + ws_float_bytes(n * n);
    void *prepared = packed + ws_align64(g->packed_bytes(n, width));
    const wsam_rows rows = {.data = vectors, .ld = width};
    const wsam_epilogue plain = {.act = WSAM_ACT_NONE};
    norm_pack(g, n, width, vectors, packed);
    g->prepare(n, width, &rows, prepared);
    g->run(n, n, width, 0, n, prepared, packed, &plain, product, n);
    for (size_t i = 0; i < n * n; i++)
        product[i] /= (float)width;
    norm_pack(a->gemm, n, n, product, gram);
}

void ws_low_rank_norm_prepare(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                              int64_t prompt, void *memory, void *scratch)
{
    const norm_sizes n = norm_sizes_of(s, z);
    const norm_places at = norm_places_of(z, &n, memory);
    float *vectors = scratch;
    const float twice = 2.0f / (float)z->width;
    norm_fill_vectors(x, s, z, &n, prompt, vectors);
    norm_centre_vectors(n.terms, z->width, vectors, at.means);
    norm_fill_gram(s->cross.attention, n.terms, z->width, vectors,
                   vectors + ws_float_bytes(norm_vector_rows(&n, z) * z->width) / sizeof *vectors,
                   at.gram);
    ws_cross_by_heads(z, twice, ws_step_operand(x, &s->in[WS_CROSS_TOKEN_VALUES], prompt),
                      at.values);
    if (n.previous) {
        ws_cross_sizes lower = *z;
        lower.heads = n.previous->heads;
        lower.inner = n.previous->inner;
        lower.head = lower.inner / lower.heads;
        ws_cross_by_heads(&lower, twice,
                          ws_step_operand(x, &s->in[WS_CROSS_PREVIOUS_VALUES], prompt),
                          at.previous);
    }
}

/* ---- per strip ---- */

size_t ws_low_rank_norm_strip_bytes(const ws_step *s, const ws_cross_sizes *z)
{
    const norm_sizes n = norm_sizes_of(s, z);
    return ws_float_bytes(WS_CROSS_STRIP * n.terms) +
           ws_align64(s->cross.attention->gemm->prepared_bytes(WS_CROSS_STRIP, n.terms));
}

static float norm_image_scale(const ws_head_rows *rows, size_t i)
{
    return rows->scale ? rows->scale[i * rows->ld_scale] : 1.0f;
}

/* 2 s A^ . w^_j / E of all terms: [m][terms]. */
static void norm_cross_products(const ws_exec *x, const ws_cross_sizes *z, const norm_sizes *n,
                                size_t m, ws_head_rows rows, const norm_places *at, float *cross)
{
    const ws_token_kernels *k = x->program->kernels->tokens;
    const float *sums = rows.table + z->inner + n->previous_inner;
    const float twice = 2.0f / (float)z->width;
    k->head_scores_f32(m, z->tokens, z->heads, z->inner, &rows, at->values, cross + n->before,
                       n->terms);
    if (!n->previous)
        return;
    rows.table += z->inner;
    k->head_scores_f32(m, z->tokens, n->previous->heads, n->previous_inner, &rows, at->previous,
                       cross, n->terms);
    for (size_t i = 0; i < m; i++) {
        const float by = twice * norm_image_scale(&rows, i), *sum = sums + i * n->cross;
        cross[i * n->terms + n->before - 2] = by * sum[WS_NORM_TABLE_SCALE];
        cross[i * n->terms + n->before - 1] = by * sum[WS_NORM_TABLE_SHIFT];
    }
}

void ws_low_rank_norm_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                            int64_t prompt, size_t row, size_t m, void *memory, const float *terms,
                            float *mean, float *inverse, void *scratch)
{
    const norm_sizes n = norm_sizes_of(s, z);
    const norm_places at = norm_places_of(z, &n, memory);
    const wsam_gemm_kernel *g = s->cross.attention->gemm;
    const float *variance = ws_step_operand(x, &s->in[WS_CROSS_IMAGE_VARIANCE], prompt) + row;
    float *cross = scratch;
    void *prepared = cross + ws_float_bytes(WS_CROSS_STRIP * n.terms) / sizeof *cross;
    ws_head_rows rows = {.table = ws_step_operand(x, &s->in[WS_CROSS_NORM_TABLE], prompt) +
                                  row * n.cross,
                         .ld = n.cross};
    if (n.previous) {
        rows.ld_scale = ws_cross_row_stride(s, z);
        rows.scale = ws_step_operand(x, &s->in[WS_CROSS_ROWS], prompt) + row * rows.ld_scale +
                     ws_low_rank_padded(n.previous, z->tokens);
    }
    const wsam_rows products = {.data = terms, .ld = n.terms};
    const wsam_epilogue add = {.residual = cross, .ld_residual = n.terms};
    norm_cross_products(x, z, &n, m, rows, &at, cross);
    g->prepare(m, n.terms, &products, prepared);
    g->run(m, n.terms, n.terms, 0, n.terms, prepared, at.gram, &add, cross, n.terms);
    x->program->kernels->tokens->row_dots_f32(m, n.terms, cross, n.terms, terms, n.terms, inverse);
    x->program->kernels->vector.dot_rows_f32(m, n.terms, terms, n.terms, at.means, mean);
    const float *sums = rows.table + z->inner + n.previous_inner;
    for (size_t i = 0; i < m; i++) {
        const float by = norm_image_scale(&rows, i), all = inverse[i] + by * by * variance[i];
        mean[i] += by * sums[i * n.cross + WS_NORM_TABLE_MEAN];
        inverse[i] = 1.0f / sqrtf(fmaxf(all, 0.0f) + s->cross.norm.eps);
    }
}

/* ---- row_variance: of the image's rows [N][E], [N]: the variance of
 * gain * row + offset. In strips, with the image ---- */

static int row_variance_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)((ws_step_out_rows(x, s) + WS_CROSS_STRIP - 1) / WS_CROSS_STRIP);
}

static size_t row_variance_scratch(const ws_exec *x, const ws_step *s)
{
    (void)x;
    return ws_float_bytes(WS_CROSS_STRIP * (size_t)s->in[WS_STEP_INPUT].columns) +
           ws_float_bytes(WS_CROSS_STRIP);
}

static void row_variance_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const size_t row = (size_t)task * WS_CROSS_STRIP, width = (size_t)s->in[WS_STEP_INPUT].columns;
    const size_t left = (size_t)ws_step_out_rows(x, s) - row;
    const size_t m = left < WS_CROSS_STRIP ? left : WS_CROSS_STRIP;
    float *part = scratch, *mean = part + ws_float_bytes(WS_CROSS_STRIP * width) / sizeof *part;
    float *out = ws_step_out(x, s, 0) + row;
    (void)phase;
    x->program->kernels->vector.scale_shift_f32(
        m, width, ws_step_operand(x, &s->in[WS_STEP_INPUT], 0) + row * width, s->row_variance.gain,
        s->row_variance.offset, part);
    x->program->kernels->tokens->row_moments_f32(m, width, part, width, 0.0f, mean, out);
    for (size_t i = 0; i < m; i++)
        out[i] = isfinite(out[i]) ? 1.0f / (out[i] * out[i]) : 0.0f;
}

const ws_step_kind ws_step_row_variance = {
    .name = "row_variance",
    .phases = 1,
    .tasks = row_variance_tasks,
    .scratch = row_variance_scratch,
    .run = row_variance_run,
};
