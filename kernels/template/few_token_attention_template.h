/* kernels/template/few_token_attention_template.h - attention between a few tokens and many rows on
 * the vector vocabulary; included once by each few_token_attention_<level>.c after its
 * vec_<level>.h. All functions are static. */
#include <math.h>

#include "kernels/few_token_attention.h"
#include "kernels/template/math_template.h"

/* Up to WS_VL heads of one row: their scores stand beside each other, token after token. */
/* Heads are lanes: no sum across a vector is needed. */
static void softmax_heads(size_t tokens, size_t heads, size_t n, float *s)
{
    vf top = vf_load_n(s, n), sum = vf_set1(0.0f);
    for (size_t t = 1; t < tokens; t++)
        top = vf_max(top, vf_load_n(s + t * heads, n));
    for (size_t t = 0; t < tokens; t++) {
        const vf e = vf_exp(vf_sub(vf_load_n(s + t * heads, n), top));
        sum = vf_add(sum, e);
        vf_store_n(s + t * heads, e, n);
    }
    const vf scale = vf_div(vf_set1(1.0f), sum);
    for (size_t t = 0; t < tokens; t++)
        vf_store_n(s + t * heads, vf_mul(vf_load_n(s + t * heads, n), scale), n);
}

/* As many heads as lanes: no masks. */
static void softmax_lanes(size_t tokens, size_t heads, float *s)
{
    vf top = vf_load(s), sum = vf_set1(0.0f);
    for (size_t t = 1; t < tokens; t++)
        top = vf_max(top, vf_load(s + t * heads));
    for (size_t t = 0; t < tokens; t++) {
        const vf e = vf_exp(vf_sub(vf_load(s + t * heads), top));
        sum = vf_add(sum, e);
        vf_store(s + t * heads, e);
    }
    const vf scale = vf_div(vf_set1(1.0f), sum);
    for (size_t t = 0; t < tokens; t++)
        vf_store(s + t * heads, vf_mul(vf_load(s + t * heads), scale));
}

/* Eight heads of a token fill a vector of AVX2; of AVX-512 half of one. */
static void softmax_groups(size_t m, size_t tokens, size_t heads, float *s, size_t lds)
{
    for (size_t i = 0; i < m; i++) {
        size_t h = 0;
        for (; h + WS_VL <= heads; h += WS_VL)
            softmax_lanes(tokens, heads, s + i * lds + h);
        if (h < heads)
            softmax_heads(tokens, heads, heads - h, s + i * lds + h);
    }
}

/* Fewer than WS_VL columns. */
static void column_max_rest(size_t m, size_t n, const float *s, size_t lds, float *top)
{
    vf t = vf_load_n(top, n);
    for (size_t i = 0; i < m; i++)
        t = vf_max(t, vf_load_n(s + i * lds, n));
    vf_store_n(top, t, n);
}

/* A column's top stays in a register down all rows. */
static void column_max(size_t m, size_t n, const float *s, size_t lds, float *top)
{
    size_t j = 0;
    for (; j + WS_VL <= n; j += WS_VL) {
        vf t = vf_load(top + j);
        for (size_t i = 0; i < m; i++)
            t = vf_max(t, vf_load(s + i * lds + j));
        vf_store(top + j, t);
    }
    if (j < n)
        column_max_rest(m, n - j, s + j, lds, top + j);
}

static void exp_columns_rest(size_t m, size_t n, float *s, size_t lds, const float *top, float *sum)
{
    const vf t = vf_load_n(top, n);
    vf total = vf_load_n(sum, n);
    for (size_t i = 0; i < m; i++) {
        const vf e = vf_exp(vf_sub(vf_load_n(s + i * lds, n), t));
        vf_store_n(s + i * lds, e, n);
        total = vf_add(total, e);
    }
    vf_store_n(sum, total, n);
}

/* Whole vectors without masks, whose stores are slow on AMD (448 rows of 56: 17.5 -> 7.7 us on Zen
 * 3). */
static void exp_columns(size_t m, size_t n, float *s, size_t lds, const float *top, float *sum)
{
    size_t j = 0;
    for (; j + WS_VL <= n; j += WS_VL) {
        const vf t = vf_load(top + j);
        vf total = vf_load(sum + j);
        for (size_t i = 0; i < m; i++) {
            const vf e = vf_exp(vf_sub(vf_load(s + i * lds + j), t));
            vf_store(s + i * lds + j, e);
            total = vf_add(total, e);
        }
        vf_store(sum + j, total);
    }
    if (j < n)
        exp_columns_rest(m, n - j, s + j, lds, top + j, sum + j);
}

/* A tile of `nt` tokens x `nv` vectors. Called with constants: the loops unroll, the sums stay in
 * registers (24 of 32, or 12 of 16). */
enum { MIX_TOKENS = 6, MIX_VECTORS = WS_VECTOR_REGISTERS == 32 ? 4 : 2 };

/* Rows that all tiles pass before the next ones, so that rows and weights stay in L1: sums wait in
 * the result meanwhile. `first`: there are none yet. */
enum { MIX_ROWS = 32 };

static inline __attribute__((always_inline)) void mix_tile(size_t m, const int nt, const int nv,
                                                           const float *p, size_t ldp,
                                                           const float *x, size_t ldx, int first,
                                                           float *out, size_t ldo)
{
    vf sum[MIX_TOKENS][MIX_VECTORS];
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < nv; v++)
            sum[t][v] = first ? vf_set1(0.0f) : vf_load(out + (size_t)t * ldo + (size_t)v * WS_VL);
    for (size_t i = 0; i < m; i++) {
        vf row[MIX_VECTORS];
        for (int v = 0; v < nv; v++)
            row[v] = vf_load(x + i * ldx + (size_t)v * WS_VL);
        for (int t = 0; t < nt; t++) {
            const vf weight = vf_set1(p[i * ldp + (size_t)t]);
            for (int v = 0; v < nv; v++)
                sum[t][v] = vf_fma(weight, row[v], sum[t][v]);
        }
    }
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < nv; v++)
            vf_store(out + (size_t)t * ldo + (size_t)v * WS_VL, sum[t][v]);
}

/* Fewer than WS_VL columns of one token. */
static void mix_rest(size_t m, size_t width, const float *p, size_t ldp, const float *x, size_t ldx,
                     int first, float *out)
{
    vf sum = first ? vf_set1(0.0f) : vf_load_n(out, width);
    for (size_t i = 0; i < m; i++)
        sum = vf_fma(vf_set1(p[i * ldp]), vf_load_n(x + i * ldx, width), sum);
    vf_store_n(out, sum, width);
}

/* All tokens for `nv` vectors of columns. */
static inline __attribute__((always_inline)) void mix_columns(size_t m, size_t n, const int nv,
                                                              const float *p, size_t ldp,
                                                              const float *x, size_t ldx, int first,
                                                              float *out, size_t ldo)
{
    size_t j = 0;
    for (; j + MIX_TOKENS <= n; j += MIX_TOKENS)
        mix_tile(m, MIX_TOKENS, nv, p + j, ldp, x, ldx, first, out + j * ldo, ldo);
    for (; j + 2 <= n; j += 2)
        mix_tile(m, 2, nv, p + j, ldp, x, ldx, first, out + j * ldo, ldo);
    if (j < n)
        mix_tile(m, 1, nv, p + j, ldp, x, ldx, first, out + j * ldo, ldo);
}

static void mix_some_rows(size_t m, size_t n, size_t width, const float *p, size_t ldp,
                          const float *x, size_t ldx, int first, float *out, size_t ldo)
{
    size_t c = 0;
    for (; c + MIX_VECTORS * WS_VL <= width; c += MIX_VECTORS * WS_VL)
        mix_columns(m, n, MIX_VECTORS, p, ldp, x + c, ldx, first, out + c, ldo);
    for (; c + WS_VL <= width; c += WS_VL)
        mix_columns(m, n, 1, p, ldp, x + c, ldx, first, out + c, ldo);
    for (size_t j = 0; c < width && j < n; j++)
        mix_rest(m, width - c, p + j, ldp, x + c, ldx, first, out + j * ldo + c);
}

static void mix_rows(size_t m, size_t n, size_t width, const float *p, size_t ldp, const float *x,
                     size_t ldx, float *out, size_t ldo)
{
    size_t i = 0;
    do {
        const size_t some = m - i < MIX_ROWS ? m - i : MIX_ROWS;
        mix_some_rows(some, n, width, p + i * ldp, ldp, x + i * ldx, ldx, i == 0, out, ldo);
        i += some;
    } while (i < m);
}

/* ---- rows by heads: lane l of the vector at column c belongs to head (c + l) % heads ------------
 */

/* Rows and tokens of a tile of scores: 12 sums, 3 rows and a token in 16 registers. */
enum { HEAD_ROWS = WS_VECTOR_REGISTERS == 32 ? 4 : 3, HEAD_TOKENS = 4, HEAD_WIDTH = 512 };

static int fits_heads(size_t heads, size_t width)
{
    return heads >= 4 && (heads % WS_VL == 0 || WS_VL % heads == 0) && width % WS_VL == 0 &&
           width % heads == 0 && width <= HEAD_WIDTH;
}

/* Scores of mr rows and nt tokens, times scale[row]. Called with constants, as mix_tile. */
static inline __attribute__((always_inline)) void
score_tile(const int mr, const int nt, size_t heads, size_t width, const float *x, size_t ldx,
           const float *scale, const float *q, float *s, size_t lds)
{
    const size_t step = heads > WS_VL ? heads : WS_VL;
    for (size_t first = 0; first < step; first += WS_VL) {
        vf sum[HEAD_ROWS][HEAD_TOKENS];
        for (int i = 0; i < mr; i++)
            for (int t = 0; t < nt; t++)
                sum[i][t] = vf_set1(0.0f);
        for (size_t c = first; c < width; c += step) {
            vf row[HEAD_ROWS];
            for (int i = 0; i < mr; i++)
                row[i] = vf_load(x + (size_t)i * ldx + c);
            for (int t = 0; t < nt; t++) {
                const vf token = vf_load(q + (size_t)t * width + c);
                for (int i = 0; i < mr; i++)
                    sum[i][t] = vf_fma(row[i], token, sum[i][t]);
            }
        }
        for (int i = 0; i < mr; i++)
            for (int t = 0; t < nt; t++)
                vf_store_folded(s + (size_t)i * lds + (size_t)t * heads + first,
                                vf_mul(vf_set1(scale[i]), sum[i][t]),
                                heads < WS_VL ? heads : WS_VL);
    }
}

/* All tokens of mr rows. */
static inline __attribute__((always_inline)) void
score_tokens(const int mr, size_t tokens, size_t heads, size_t width, const float *x, size_t ldx,
             const float *scale, const float *q, float *s, size_t lds)
{
    size_t t = 0;
    for (; t + HEAD_TOKENS <= tokens; t += HEAD_TOKENS)
        score_tile(mr, HEAD_TOKENS, heads, width, x, ldx, scale, q + t * width, s + t * heads, lds);
    if (tokens - t == 3)
        score_tile(mr, 3, heads, width, x, ldx, scale, q + t * width, s + t * heads, lds);
    else if (tokens - t == 2)
        score_tile(mr, 2, heads, width, x, ldx, scale, q + t * width, s + t * heads, lds);
    else if (tokens - t == 1)
        score_tile(mr, 1, heads, width, x, ldx, scale, q + t * width, s + t * heads, lds);
}

/* Rows of a table that are asked for before they are met: all prompts meet the image's table, which
 * is larger than L2. */
enum { HEAD_AHEAD = 8 };

/* What a tile's rows are read from, and the scale that its sums are left to be multiplied by: the
 * table itself, or rows with something added, made here. */
typedef struct head_tile {
    const float *x;
    size_t ld;
    float scale[HEAD_ROWS], made[HEAD_ROWS * HEAD_WIDTH];
} head_tile;

static void open_rows(const ws_head_rows *r, size_t i, size_t rows, size_t width, head_tile *tile)
{
    tile->x = r->add ? tile->made : r->table + i * r->ld;
    tile->ld = r->add ? width : r->ld;
    for (size_t j = 0; j < rows; j++, i++) {
        const float scale = r->scale ? r->scale[i * r->ld_scale] : 1.0f;
        tile->scale[j] = r->add ? 1.0f : scale;
        for (size_t c = 0; c < width; c += 16)
            __builtin_prefetch(r->table + (i + HEAD_AHEAD) * r->ld + c, 0, 2);
        for (size_t c = 0; r->add && c < width; c += WS_VL)
            vf_store(tile->made + j * width + c,
                     vf_fma(vf_set1(scale), vf_load(r->table + i * r->ld + c),
                            vf_load(r->add + i * r->ld_add + c)));
    }
}

static void head_scores(size_t m, size_t tokens, size_t heads, size_t width,
                        const ws_head_rows *rows, const float *q, float *s, size_t lds)
{
    head_tile tile;
    if (!fits_heads(heads, width)) {
        ws_few_token_scores_c(m, tokens, heads, width, rows, q, s, lds);
        return;
    }
    size_t i = 0;
    for (; i + HEAD_ROWS <= m; i += HEAD_ROWS) {
        open_rows(rows, i, HEAD_ROWS, width, &tile);
        score_tokens(HEAD_ROWS, tokens, heads, width, tile.x, tile.ld, tile.scale, q, s + i * lds,
                     lds);
    }
    for (; i < m; i++) {
        open_rows(rows, i, 1, width, &tile);
        score_tokens(1, tokens, heads, width, tile.x, tile.ld, tile.scale, q, s + i * lds, lds);
    }
}

enum { HEAD_VECTORS = WS_VECTOR_REGISTERS == 32 ? 4 : 2 };

/* nt tokens for nv vectors of columns from c on. `wide`: more heads than lanes. */
static inline __attribute__((always_inline)) void
head_mix_tile(const int nt, const int nv, const int wide, size_t m, size_t heads, size_t c,
              const float *p, size_t ldp, const ws_head_rows *r, int first, float *out,
              size_t width)
{
    vf sum[HEAD_TOKENS][HEAD_VECTORS];
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < nv; v++)
            sum[t][v] =
                first ? vf_set1(0.0f) : vf_load(out + (size_t)t * width + c + (size_t)v * WS_VL);
    for (size_t i = 0; i < m; i++) {
        const vf scale = vf_set1(r->scale ? r->scale[i * r->ld_scale] : 1.0f);
        vf row[HEAD_VECTORS];
        for (int v = 0; v < nv; v++)
            row[v] = vf_mul(scale, vf_load(r->table + i * r->ld + c + (size_t)v * WS_VL));
        for (int t = 0; t < nt; t++) {
            const float *weight = p + i * ldp + (size_t)t * heads;
            const vf one = vf_repeat(weight, heads < WS_VL ? heads : WS_VL);
            for (int v = 0; v < nv; v++)
                sum[t][v] = vf_fma(wide ? vf_load(weight + (c + (size_t)v * WS_VL) % heads) : one,
                                   row[v], sum[t][v]);
        }
    }
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < nv; v++)
            vf_store(out + (size_t)t * width + c + (size_t)v * WS_VL, sum[t][v]);
}

/* All columns of nt tokens. */
static inline __attribute__((always_inline)) void
head_mix_columns(const int nt, size_t m, size_t heads, const float *p, size_t ldp,
                 const ws_head_rows *r, int first, float *out, size_t width)
{
    size_t c = 0;
    for (; c + HEAD_VECTORS * WS_VL <= width; c += HEAD_VECTORS * WS_VL)
        if (heads > WS_VL)
            head_mix_tile(nt, HEAD_VECTORS, 1, m, heads, c, p, ldp, r, first, out, width);
        else
            head_mix_tile(nt, HEAD_VECTORS, 0, m, heads, c, p, ldp, r, first, out, width);
    for (; c < width; c += WS_VL)
        if (heads > WS_VL)
            head_mix_tile(nt, 1, 1, m, heads, c, p, ldp, r, first, out, width);
        else
            head_mix_tile(nt, 1, 0, m, heads, c, p, ldp, r, first, out, width);
}

static void head_mix_some(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                          size_t ldp, const ws_head_rows *r, int first, float *out)
{
    size_t t = 0;
    for (; t + HEAD_TOKENS <= tokens; t += HEAD_TOKENS)
        head_mix_columns(HEAD_TOKENS, m, heads, p + t * heads, ldp, r, first, out + t * width,
                         width);
    if (tokens - t == 3)
        head_mix_columns(3, m, heads, p + t * heads, ldp, r, first, out + t * width, width);
    else if (tokens - t == 2)
        head_mix_columns(2, m, heads, p + t * heads, ldp, r, first, out + t * width, width);
    else if (tokens - t == 1)
        head_mix_columns(1, m, heads, p + t * heads, ldp, r, first, out + t * width, width);
}

static void head_mix(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                     size_t ldp, const ws_head_rows *rows, float *out)
{
    ws_head_rows r = *rows;
    size_t i = 0;
    if (!fits_heads(heads, width) || rows->add) {
        ws_few_token_mix_c(m, tokens, heads, width, p, ldp, rows, out);
        return;
    }
    do {
        const size_t some = m - i < MIX_ROWS ? m - i : MIX_ROWS;
        r.table = rows->table + i * rows->ld;
        r.scale = rows->scale ? rows->scale + i * rows->ld_scale : NULL;
        head_mix_some(some, tokens, heads, width, p + i * ldp, ldp, &r, i == 0, out);
        i += some;
    } while (i < m);
}

/* One vector of columns of a row. */
static vf spread_vector(size_t tokens, size_t heads, size_t width, size_t c, const float *p,
                        const float *v)
{
    const size_t n = heads < WS_VL ? heads : WS_VL;
    vf sum = vf_set1(0.0f);
    for (size_t t = 0; t < tokens; t++)
        sum = vf_fma(vf_repeat(p + t * heads + c % heads, n), vf_load(v + t * width + c), sum);
    return sum;
}

static void head_spread(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                        size_t ldp, const float *v, float *out)
{
    if (!fits_heads(heads, width)) {
        ws_few_token_spread_c(m, tokens, heads, width, p, ldp, v, out);
        return;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < width; c += WS_VL)
            vf_store(out + i * width + c, spread_vector(tokens, heads, width, c, p + i * ldp, v));
}

/* Sum of f(x) of a row's whole vectors and of its rest: f is x - shift, or its square. */
static float row_sum(size_t n, const float *x, float shift, int square)
{
    vf sum = vf_set1(0.0f);
    const vf by = vf_set1(shift);
    size_t j = 0;
    for (; j + WS_VL <= n; j += WS_VL) {
        const vf d = vf_sub(vf_load(x + j), by);
        sum = square ? vf_fma(d, d, sum) : vf_add(sum, d);
    }
    float total = vf_sum(sum);
    for (; j < n; j++)
        total += square ? (x[j] - shift) * (x[j] - shift) : x[j] - shift;
    return total;
}

static void row_moments(size_t m, size_t n, const float *x, size_t ldx, float eps, float *mean,
                        float *inverse)
{
    for (size_t i = 0; i < m; i++) {
        mean[i] = row_sum(n, x + i * ldx, 0.0f, 0) / (float)n;
        inverse[i] = 1.0f / sqrtf(row_sum(n, x + i * ldx, mean[i], 1) / (float)n + eps);
    }
}

static void row_dots(size_t m, size_t n, const float *a, size_t lda, const float *b, size_t ldb,
                     float *out)
{
    for (size_t i = 0; i < m; i++, a += lda, b += ldb) {
        vf sum = vf_set1(0.0f);
        size_t j = 0;
        for (; j + WS_VL <= n; j += WS_VL)
            sum = vf_fma(vf_load(a + j), vf_load(b + j), sum);
        out[i] = vf_sum(sum);
        for (; j < n; j++)
            out[i] += a[j] * b[j];
    }
}

static void scale_rows(size_t m, size_t n, const float *x, size_t ldx, const float *scale,
                       size_t ld_scale, float *out, size_t ldo)
{
    for (size_t i = 0; i < m; i++) {
        const vf by = vf_set1(scale[i * ld_scale]);
        size_t j = 0;
        for (; j + WS_VL <= n; j += WS_VL)
            vf_store(out + i * ldo + j, vf_mul(by, vf_load(x + i * ldx + j)));
        if (j < n)
            vf_store_n(out + i * ldo + j, vf_mul(by, vf_load_n(x + i * ldx + j, n - j)), n - j);
    }
}

static void fill_few_token_attention(ws_token_kernels *t)
{
    *t = (ws_token_kernels){.name = "few_token_attention_" WS_LEVEL,
                            .head_scores_f32 = head_scores,
                            .head_mix_f32 = head_mix,
                            .head_spread_f32 = head_spread,
                            .row_moments_f32 = row_moments,
                            .row_dots_f32 = row_dots,
                            .scale_rows_f32 = scale_rows,
                            .softmax_groups_f32 = softmax_groups,
                            .column_max_f32 = column_max,
                            .exp_columns_f32 = exp_columns,
                            .mix_rows_f32 = mix_rows,
                            .mix_rows_bf16 = mix_rows};
}
