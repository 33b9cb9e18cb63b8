/* runtime/steps/low_rank_norm.c - mean and variance of an image's rows that are kept in terms
 * (low_rank_rows.c).
 *
 * Before its norm a row is y = s A + sum_j t_j w_j: A the image's part, s its scale, t the terms, w
 * a vector of E values for each. With ^ for "less its mean over the E values",
 *   mean(y) = s mean(A) + sum_j t_j mean(w_j)
 *   E var(y) = s^2 |A^|^2 + 2 s sum_j t_j (A^ . w^_j) + t G t,  G_jl = w^_j . w^_l
 * The vectors of an attention are w_j = sum_d v_jd O_d, d the C/H columns O of the output product
 * of head h: A^ . w^_j is 16 products of the token's values and A . O^_d, which is made with the
 * image, as mean(A) and |A^|^2 are. So a row costs k (k + 16) products of k terms, 58 or 116 of
 * SAM's decoder for a click, not the k E of the row itself, and neither A nor y is touched. All in
 * f32, as the three parts may cancel. */
#include <math.h>
#include <string.h>

#include "runtime/steps/cross_attention.h"

static size_t floats(size_t n)
{
    return ws_align64(n * sizeof(float));
}

typedef struct sizes {
    const ws_level *below; /* NULL: on the image's rows */
    size_t before, terms;
    size_t inner_below, cross; /* columns of WS_TOKENS_CROSS */
} sizes;

static sizes sizes_of(const ws_step *s, const ws_token_sizes *z)
{
    sizes n = {.below = ws_level_of(s->level, z->tokens)};
    n.before = n.below ? ws_level_terms(n.below, z->tokens) : 0;
    n.terms = n.before + z->columns;
    n.inner_below = n.below ? n.below->inner : 0;
    n.cross = z->inner + n.inner_below + WS_CROSS_SUMS;
    return n;
}

/* Of a prompt: packed G / E, the vectors' means, values by heads, those of the level below. */
typedef struct places {
    float *means, *values, *below;
    void *gram;
} places;

static places places_of(const ws_token_sizes *z, const sizes *n, void *memory)
{
    places p = {.means = memory};
    p.values = p.means + floats(n->terms) / sizeof(float);
    p.below = p.values + floats(z->tokens * z->inner) / sizeof(float);
    p.gram = p.below + floats(z->tokens * n->inner_below) / sizeof(float);
    return p;
}

size_t ws_moments_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const sizes n = sizes_of(s, z);
    return floats(n.terms) + floats(z->tokens * z->inner) + floats(z->tokens * n.inner_below) +
           ws_align64(s->tokens->exact->packed_bytes(n.terms, n.terms));
}

/* ---- per prompt ---- */

/* Rows of vectors before a level's zeros are overwritten. */
static size_t vector_rows(const sizes *n, const ws_token_sizes *z)
{
    return (n->below ? ws_level_padded(n->below, z->tokens) : 0) + z->columns;
}

size_t ws_moments_prepare_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const sizes n = sizes_of(s, z);
    const wsam_gemm_kernel *g = s->tokens->exact;
    return floats(vector_rows(&n, z) * z->width) + floats(n.terms * n.terms) +
           ws_align64(g->packed_bytes(n.terms, z->width)) +
           ws_align64(g->prepared_bytes(n.terms, z->width));
}

/* Vectors of all terms, the bias of the output product in the one that a level's rows have once. */
static void fill_vectors(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                         const sizes *n, int64_t prompt, float *vectors)
{
    const float *bias = s->tokens->out_bias;
    if (n->below) {
        ws_level_vectors(x, s, n->below, z->tokens, prompt, vectors);
        for (size_t c = 0; bias && c < z->width; c++)
            vectors[(n->before - 1) * z->width + c] += bias[c];
    }
    memcpy(vectors + n->before * z->width, ws_operand_at(x, &s->in[WS_TOKENS_FOLDED], prompt),
           z->columns * z->width * sizeof *vectors);
}

/* Less their means, which are kept. */
static void centre(size_t n, size_t width, float *vectors, float *means)
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

static void pack(const wsam_gemm_kernel *g, size_t n, size_t k, const float *rows, void *packed)
{
    g->pack(n, k, WSAM_F32, rows, NULL, 0, (n + g->nr - 1) / g->nr, packed);
}

static void fill_gram(const wsam_gemm_kernel *g, size_t n, size_t width, const float *vectors,
                      void *scratch, void *gram)
{
    float *product = scratch;
    char *packed = (char *)scratch + floats(n * n);
    void *prepared = packed + ws_align64(g->packed_bytes(n, width));
    const wsam_rows rows = {.data = vectors, .ld = width};
    const wsam_epilogue plain = {.act = WSAM_ACT_NONE};
    pack(g, n, width, vectors, packed);
    g->prepare(n, width, &rows, prepared);
    g->run(n, n, width, 0, n, prepared, packed, &plain, product, n);
    for (size_t i = 0; i < n * n; i++)
        product[i] /= (float)width;
    pack(g, n, n, product, gram);
}

void ws_moments_prepare(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                        void *memory, void *scratch)
{
    const sizes n = sizes_of(s, z);
    const places at = places_of(z, &n, memory);
    float *vectors = scratch;
    const float twice = 2.0f / (float)z->width;
    fill_vectors(x, s, z, &n, prompt, vectors);
    centre(n.terms, z->width, vectors, at.means);
    fill_gram(s->tokens->exact, n.terms, z->width, vectors,
              vectors + floats(vector_rows(&n, z) * z->width) / sizeof *vectors, at.gram);
    ws_tokens_by_heads(z, twice, ws_operand_at(x, &s->in[WS_TOKENS_VALUES], prompt), at.values);
    if (n.below) {
        ws_token_sizes lower = *z;
        lower.heads = n.below->heads;
        lower.inner = n.below->inner;
        lower.head = lower.inner / lower.heads;
        ws_tokens_by_heads(&lower, twice, ws_operand_at(x, &s->in[WS_TOKENS_BELOW], prompt),
                           at.below);
    }
}

/* ---- per strip ---- */

size_t ws_moments_strip_bytes(const ws_step *s, const ws_token_sizes *z)
{
    const sizes n = sizes_of(s, z);
    return floats(WS_TOKENS_STRIP * n.terms) +
           ws_align64(s->tokens->exact->prepared_bytes(WS_TOKENS_STRIP, n.terms));
}

static float scale_of(const wsam_head_rows *rows, size_t i)
{
    return rows->scale ? rows->scale[i * rows->ld_scale] : 1.0f;
}

/* 2 s A^ . w^_j / E of all terms: [m][terms]. */
static void cross_products(const ws_exec *x, const ws_token_sizes *z, const sizes *n, size_t m,
                           wsam_head_rows rows, const places *at, float *cross)
{
    const wsam_token_kernels *k = &x->program->kernels->tokens;
    const float *sums = rows.table + z->inner + n->inner_below;
    const float twice = 2.0f / (float)z->width;
    k->head_scores_f32(m, z->tokens, z->heads, z->inner, &rows, at->values, cross + n->before,
                       n->terms);
    if (!n->below)
        return;
    rows.table += z->inner;
    k->head_scores_f32(m, z->tokens, n->below->heads, n->inner_below, &rows, at->below, cross,
                       n->terms);
    for (size_t i = 0; i < m; i++) {
        const float by = twice * scale_of(&rows, i), *sum = sums + i * n->cross;
        cross[i * n->terms + n->before - 2] = by * sum[WS_CROSS_SCALE];
        cross[i * n->terms + n->before - 1] = by * sum[WS_CROSS_SHIFT];
    }
}

void ws_moments_of_strip(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                         int64_t prompt, size_t row, size_t m, void *memory, const float *terms,
                         float *mean, float *inverse, void *scratch)
{
    const sizes n = sizes_of(s, z);
    const places at = places_of(z, &n, memory);
    const wsam_gemm_kernel *g = s->tokens->exact;
    const float *variance = ws_operand_at(x, &s->in[WS_TOKENS_VARIANCE], prompt) + row;
    float *cross = scratch;
    void *prepared = cross + floats(WS_TOKENS_STRIP * n.terms) / sizeof *cross;
    wsam_head_rows rows = {
        .table = ws_operand_at(x, &s->in[WS_TOKENS_CROSS], prompt) + row * n.cross, .ld = n.cross};
    if (n.below) {
        rows.ld_scale = ws_tokens_stride(s, z);
        rows.scale = ws_operand_at(x, &s->in[WS_TOKENS_ROWS], prompt) + row * rows.ld_scale +
                     ws_level_padded(n.below, z->tokens);
    }
    const wsam_rows products = {.data = terms, .ld = n.terms};
    const wsam_epilogue add = {.residual = cross, .ld_residual = n.terms};
    cross_products(x, z, &n, m, rows, &at, cross);
    g->prepare(m, n.terms, &products, prepared);
    g->run(m, n.terms, n.terms, 0, n.terms, prepared, at.gram, &add, cross, n.terms);
    x->program->kernels->tokens.row_dots_f32(m, n.terms, cross, n.terms, terms, n.terms, inverse);
    x->program->kernels->vector.dot_rows_f32(m, n.terms, terms, n.terms, at.means, mean);
    const float *sums = rows.table + z->inner + n.inner_below;
    for (size_t i = 0; i < m; i++) {
        const float by = scale_of(&rows, i), all = inverse[i] + by * by * variance[i];
        mean[i] += by * sums[i * n.cross + WS_CROSS_MEAN];
        inverse[i] = 1.0f / sqrtf(fmaxf(all, 0.0f) + s->eps);
    }
}

/* ---- tokens_variance: in[0] the image's rows [N][E]; out [N], the variance of
 * weight * row + bias. In strips, with the image ---- */

static int variance_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)((ws_out_rows(x, s) + WS_TOKENS_STRIP - 1) / WS_TOKENS_STRIP);
}

static size_t variance_scratch(const ws_exec *x, const ws_step *s)
{
    (void)x;
    return floats(WS_TOKENS_STRIP * (size_t)s->in[0].columns) + floats(WS_TOKENS_STRIP);
}

static void variance_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const size_t row = (size_t)task * WS_TOKENS_STRIP, width = (size_t)s->in[0].columns;
    const size_t left = (size_t)ws_out_rows(x, s) - row;
    const size_t m = left < WS_TOKENS_STRIP ? left : WS_TOKENS_STRIP;
    float *part = scratch, *mean = part + floats(WS_TOKENS_STRIP * width) / sizeof *part;
    float *out = ws_out_at(x, s, 0) + row;
    (void)phase;
    x->program->kernels->vector.scale_shift_f32(
        m, width, ws_operand_at(x, &s->in[0], 0) + row * width, s->weight, s->bias, part);
    x->program->kernels->tokens.row_moments_f32(m, width, part, width, 0.0f, mean, out);
    for (size_t i = 0; i < m; i++)
        out[i] = isfinite(out[i]) ? 1.0f / (out[i] * out[i]) : 0.0f;
}

const ws_step_kind ws_step_tokens_variance = {"tokens_variance", 1,    variance_tasks,
                                              variance_scratch,  NULL, variance_run};
