/* kernels/template/attention_template.h - tiled attention; included once by each
 * attention_<type>_<level>.c after its vector vocabulary and its tiles. All functions are static.
 *
 * The including file provides `el` and GROUP, the type of packed operands and how many of them one
 * product takes (1 f32, 2 bf16); MQ and NK, queries and keys of a score tile, NK being 2*WS_VL;
 * put_vector, which stores a vector of f32 as elements; put_group, which does so with GROUP
 * vectors, element after element of each; exp_shift and exp_weight, e^(score - top), exact enough
 * for an element, with what exp_shift makes of top; exp_keep, e^(old - top) for a risen top; and
 * two tiles:
 *
 *     score_tile: s[MQ][ld] += q[d/GROUP][MQ][GROUP] . k[d/GROUP][NK][GROUP]
 *     value_tile: o[MQ][ld] += p[MQ][ld_p] . v[n/GROUP][width][GROUP], one or two vectors wide
 *
 * One pass over blocks of KEYS keys for QUERIES queries with running maximum and sum: the blocks
 * depend on the shape alone, so results depend on nothing else. Scores of a block stay in L2 (64 x
 * 256 x 4 B = 64 kB). They start from the bias, so that bias none, separable and table differ only
 * in how a row is initialised. All pad keys of a window are ONE key more: its k and v are the
 * layer's constants and its bias is the logarithm of the pads' summed exponentials. */
#include <math.h>
#include <string.h>

#include "kernels/attention.h"
#include "kernels/template/math_template.h"

enum { QUERIES = 8 * MQ, KEYS = 256, MAX_HEAD = 256 };
#define NO_KEY (-1e30f) /* score of a column that is no key: its exponential is 0 */

static inline size_t round_up(size_t n, size_t m)
{
    return (n + m - 1) / m * m;
}

/* Columns of packed values: whole vectors. */
static size_t value_width(const wsam_attention_shape *s)
{
    return round_up((size_t)s->head_dim, WS_VL);
}

static size_t key_rows(const wsam_attention_shape *s)
{
    return round_up((size_t)s->head_dim, GROUP);
}

/* Keys of one problem (a window with its pad key, or the whole sequence), whole panels. */
static size_t padded_keys(const wsam_attention_shape *s)
{
    const size_t n =
        s->window ? (size_t)(s->window * s->window) + 1 : (size_t)s->k_h * (size_t)s->k_w;
    return round_up(n, NK);
}

/* ---- bias constants ---- */

/* Separable: rel_h, then rel_w, each [head_dim][2G-1 reversed, padded]: the terms of one query are
 * then contiguous in rising key position. Table: per head [w*w queries][w*w keys], then for the
 * four kinds of windows (cut below, cut on the right) the logarithm of the pads' sum per query. */
static size_t rel_stride(int side)
{
    return round_up((size_t)(2 * side - 1), WS_VL) + WS_VL;
}

static size_t table_head(const wsam_attention_shape *s)
{
    const size_t area = (size_t)(s->window ? s->window * s->window : s->q_h * s->q_w);
    return area * area + 4 * area;
}

static size_t bias_bytes(const wsam_attention_shape *s)
{
    switch (s->bias) {
    case WSAM_BIAS_SEPARABLE:
        return (rel_stride(ws_bias_h(s)) + rel_stride(ws_bias_w(s))) * (size_t)s->head_dim *
               sizeof(float);
    case WSAM_BIAS_TABLE:
        return table_head(s) * (size_t)s->heads * sizeof(float);
    case WSAM_BIAS_NONE:
        break;
    }
    return 0;
}

static void reverse_rel(int side, int head_dim, const float *rel, float *out)
{
    const size_t stride = rel_stride(side);
    memset(out, 0, stride * (size_t)head_dim * sizeof *out);
    for (int r = 0; r < 2 * side - 1; r++)
        for (int d = 0; d < head_dim; d++)
            out[(size_t)d * stride + (size_t)(2 * side - 2 - r)] = rel[r * head_dim + d];
}

/* log sum over the keys outside a real part of h x w of a side x side window. */
static float pad_mass(const float *row, int side, int h, int w)
{
    double sum = 0.0;
    for (int i = 0; i < side * side; i++)
        if (i / side >= h || i % side >= w)
            sum += exp((double)row[i]);
    return sum > 0.0 ? (float)log(sum) : NO_KEY;
}

static void expand_table(const wsam_attention_shape *s, const float *table, float *out)
{
    const int gh = ws_bias_h(s), gw = ws_bias_w(s), area = gh * gw, span = 2 * gw - 1;
    const int cut_h = s->window ? s->q_h % s->window : 0,
              cut_w = s->window ? s->q_w % s->window : 0;
    for (int i = 0; i < area; i++)
        for (int j = 0; j < area; j++)
            out[(size_t)i * (size_t)area + (size_t)j] =
                table[(i / gw - j / gw + gh - 1) * span + i % gw - j % gw + gw - 1];
    float *mass = out + (size_t)area * (size_t)area;
    for (int kind = 0; kind < 4; kind++)
        for (int i = 0; i < area; i++)
            mass[kind * area + i] =
                s->padded ? pad_mass(out + (size_t)i * (size_t)area, gw,
                                     kind & 2 && cut_h ? cut_h : gh, kind & 1 && cut_w ? cut_w : gw)
                          : NO_KEY;
}

static void prepare_bias(const wsam_attention_shape *s, const float *rel_h, const float *rel_w,
                         const float *table, void *bias)
{
    float *out = bias;
    const size_t span = (size_t)((2 * ws_bias_h(s) - 1) * (2 * ws_bias_w(s) - 1));
    if (s->bias == WSAM_BIAS_SEPARABLE) {
        reverse_rel(ws_bias_h(s), s->head_dim, rel_h, out);
        reverse_rel(ws_bias_w(s), s->head_dim, rel_w,
                    out + rel_stride(ws_bias_h(s)) * (size_t)s->head_dim);
    } else if (s->bias == WSAM_BIAS_TABLE) {
        for (int h = 0; h < s->heads; h++)
            expand_table(s, table + (size_t)h * span, out + (size_t)h * table_head(s));
    }
}

/* ---- packing ---- */

/* A row of one head as elements, zeros behind it up to a whole vector. */
static void convert_row(const float *x, int head_dim, el *out)
{
    const size_t n = (size_t)head_dim;
    size_t d = 0;
    for (; d + WS_VL <= n; d += WS_VL)
        put_vector(out + d, vf_load(x + d));
    if (d < n)
        put_vector(out + d, vf_load_n(x + d, n - d));
}

/* Keys and values of up to WS_VL tokens (NULL: none, they are zero) as columns `first` on of the
 * key panels [d/GROUP][NK][GROUP] and as rows of values [n/GROUP][width][GROUP]. A group of
 * elements is a word of 32 bits. */
typedef struct tokens {
    const float *k[WS_VL], *v[WS_VL];
} tokens;

/* Elements of a row of a staging area: whole vectors, and whole words of 32 bits. */
enum { STAGE = MAX_HEAD + WS_VL, STAGE_WORDS = STAGE / GROUP };

/* Staged rows as columns of `to`, whose rows of words are `ld` words apart: the first `columns` of
 * them, at most WS_VL. */
static void turn_stage(const el *from, size_t words, size_t columns, el *to, size_t ld)
{
    uint32_t turned[WS_VL * WS_VL];
    for (size_t w = 0; w < words; w += WS_VL) {
        const size_t n = words - w < WS_VL ? words - w : WS_VL;
        if (n == WS_VL && columns == WS_VL) {
            ws_turn_tile(from + w * GROUP, STAGE_WORDS, to + w * ld * GROUP, ld);
            continue;
        }
        ws_turn_tile(from + w * GROUP, STAGE_WORDS, turned, WS_VL);
        for (size_t r = 0; r < n; r++)
            memcpy(to + (w + r) * ld * GROUP, turned + r * WS_VL, columns * sizeof *turned);
    }
}

static void pack_keys(const wsam_attention_shape *s, const tokens *t, size_t first, el *keys)
{
    el from[WS_VL * STAGE];
    for (size_t i = 0; i < WS_VL; i++)
        if (t->k[i])
            convert_row(t->k[i], s->head_dim, from + i * STAGE);
        else
            memset(from + i * STAGE, 0, key_rows(s) * sizeof *from);
    turn_stage(from, key_rows(s) / GROUP, WS_VL,
               keys + first / NK * (key_rows(s) * NK) + first % NK * GROUP, NK);
}

static void pack_values(const wsam_attention_shape *s, const tokens *t, size_t first, el *values)
{
    const size_t width = value_width(s), n = (size_t)s->head_dim;
    for (size_t i = 0; i < WS_VL; i += GROUP) {
        el *to = values + (first + i) / GROUP * (width * GROUP);
        for (size_t d = 0; d < width; d += WS_VL) {
            vf v[GROUP];
            for (size_t g = 0; g < GROUP; g++) {
                const float *row = t->v[i + g];
                v[g] = !row ? vf_set1(0.0f)
                            : (d + WS_VL <= n ? vf_load(row + d) : vf_load_n(row + d, n - d));
            }
            put_group(to + d * GROUP, v);
        }
    }
}

/* Tokens whose rows are asked for before they are packed: rows are pages apart, so that no
 * processor expects them, and those of a large picture exceed its caches. A third of the time of
 * windows of 7 on Zen 4, and 6 % of windows of 14, were such waits. */
enum { AHEAD = 16 };

/* One head of a token's row. Inlined by force: gcc drops calls that do nothing but prefetch. */
static inline __attribute__((always_inline)) void prefetch_row(const wsam_attention_shape *s,
                                                               const float *x)
{
    for (int d = 0; d < s->head_dim; d += 16)
        __builtin_prefetch(x + d, 0, 2);
}

enum { PACK_KEYS = 512 };

static size_t head_elements(const wsam_attention_shape *s)
{
    return round_up(padded_keys(s) * (key_rows(s) + value_width(s)), 64);
}

static size_t packed_bytes(const wsam_attention_shape *s)
{
    return s->window ? 0 : (size_t)s->heads * head_elements(s) * sizeof(el);
}

static int pack_blocks(const wsam_attention_shape *s)
{
    return (s->k_h * s->k_w + PACK_KEYS - 1) / PACK_KEYS;
}

static int pack_tasks(const wsam_attention_shape *s)
{
    return s->window ? 0 : s->heads * pack_blocks(s);
}

static void pack(const wsam_attention_shape *s, const wsam_attention_io *io, int task, void *packed)
{
    const size_t n = (size_t)s->k_h * (size_t)s->k_w, head = (size_t)(task / pack_blocks(s));
    const size_t first = (size_t)(task % pack_blocks(s)) * PACK_KEYS;
    const size_t end = n - first <= PACK_KEYS ? padded_keys(s) : first + PACK_KEYS;
    const size_t column = head * (size_t)s->head_dim;
    el *keys = (el *)packed + head * head_elements(s);
    el *values = keys + padded_keys(s) * key_rows(s);
    for (size_t i = first; i < end; i += WS_VL) {
        tokens t = {{NULL}, {NULL}};
        for (size_t j = i + AHEAD; j < i + AHEAD + WS_VL && j < n; j++) {
            prefetch_row(s, io->k + j * io->ld_k + column);
            prefetch_row(s, io->v + j * io->ld_v + column);
        }
        for (size_t j = i; j < i + WS_VL && j < n; j++) {
            t.k[j - i] = io->k + j * io->ld_k + column;
            t.v[j - i] = io->v + j * io->ld_v + column;
        }
        pack_keys(s, &t, i, keys);
        pack_values(s, &t, i, values);
    }
}

/* ---- one problem: some queries of a block against its keys ---- */

typedef struct problem {
    const wsam_attention_shape *s;
    const wsam_attention_io *io;
    int head;
    ws_attention_block block; /* of queries, and of keys when windowed or biased */
    size_t n_keys, n_real;    /* with and without the pad key */
    const el *keys, *values;
    /* scratch */
    el *queries, *weights; /* [QUERIES/MQ][d/GROUP][MQ][GROUP]; probabilities [QUERIES][KEYS] */
    float *scores, *out;   /* [QUERIES][KEYS], [QUERIES][width] */
    float *row_terms, *column_terms; /* separable bias: [QUERIES][padded side] */
    float *pad_bias;                 /* [QUERIES] */
    float top[QUERIES], sum[QUERIES][WS_VL];
} problem;

static size_t term_stride(int side)
{
    return round_up((size_t)side, WS_VL);
}

/* Token index in the grid of query number i of the block. */
static size_t query_token(const problem *p, int i)
{
    return (size_t)(p->block.y0 + i / p->block.w) * (size_t)p->s->q_w +
           (size_t)(p->block.x0 + i % p->block.w);
}

static const float *query_row(const problem *p, int i)
{
    return p->io->q + query_token(p, i) * p->io->ld_q + (size_t)p->head * (size_t)p->s->head_dim;
}

/* Called with constants: terms of nq queries for nv vectors of positions, from the same slice. */
static inline __attribute__((always_inline)) void rel_tile(const int nq, const int nv, int head_dim,
                                                           const float *const *q, const float *from,
                                                           size_t stride, float *const *terms)
{
    vf acc[4][4];
    for (int i = 0; i < nq; i++)
        for (int j = 0; j < nv; j++)
            acc[i][j] = vf_set1(0.0f);
    for (int d = 0; d < head_dim; d++) {
        const float *row = from + (size_t)d * stride;
        vf r[4];
        for (int j = 0; j < nv; j++)
            r[j] = vf_load(row + (size_t)j * WS_VL);
        for (int i = 0; i < nq; i++) {
            const vf v = vf_set1(q[i][d]);
            for (int j = 0; j < nv; j++)
                acc[i][j] = vf_fma(v, r[j], acc[i][j]);
        }
    }
    for (int i = 0; i < nq; i++)
        for (int j = 0; j < nv; j++)
            vf_store(terms[i] + (size_t)j * WS_VL, acc[i][j]);
}

/* terms[i][k] = q_i . rel[position - k + side - 1], k < side, of n <= 4 queries at one position: a
 * slice of the reversed table. What is stored beyond `side` is not used. */
static void rel_terms(int n, const float *const *q, int head_dim, const float *reversed, int side,
                      int position, float *const *terms)
{
    const size_t stride = rel_stride(side);
    const float *from = reversed + (side - 1 - position);
    size_t k = 0;
    for (; k + 4 * WS_VL <= term_stride(side); k += 4 * WS_VL) {
        float *to[4];
        for (int i = 0; i < n; i++)
            to[i] = terms[i] + k;
        if (n == 4)
            rel_tile(4, 4, head_dim, q, from + k, stride, to);
        else
            for (int i = 0; i < n; i++)
                rel_tile(1, 4, head_dim, q + i, from + k, stride, to + i);
    }
    for (; k < (size_t)side; k += WS_VL) {
        float *to[4];
        for (int i = 0; i < n; i++)
            to[i] = terms[i] + k;
        if (n == 4)
            rel_tile(4, 1, head_dim, q, from + k, stride, to);
        else
            for (int i = 0; i < n; i++)
                rel_tile(1, 1, head_dim, q + i, from + k, stride, to + i);
    }
}

/* log of sum_{k in [first, end)} e^{terms[k] - top}, as the sum itself */
static float exp_sum(const float *terms, int first, int end, float top)
{
    float sum = 0.0f, e[WS_VL];
    for (int k = first; k < end; k += WS_VL) {
        const int n = end - k < WS_VL ? end - k : WS_VL;
        const vf v =
            vf_sub(n < WS_VL ? vf_load_n(terms + k, (size_t)n) : vf_load(terms + k), vf_set1(top));
        vf_store(e, vf_exp(vf_max(vf_set1(-104.0f), v)));
        for (int j = 0; j < n; j++)
            sum += e[j];
    }
    return sum;
}

static float largest(const float *x, int n)
{
    float top = x[0];
    for (int i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

/* The pads of a window as one key: pad rows with all columns, and real rows with the pad columns.
 */
static float separable_pad_bias(const problem *p, const float *row, const float *column)
{
    const ws_attention_block *b = &p->block;
    const float top_h = largest(row, b->side_h), top_w = largest(column, b->side_w);
    const float real_h = exp_sum(row, 0, b->h, top_h), pad_h = exp_sum(row, b->h, b->side_h, top_h);
    const float real_w = exp_sum(column, 0, b->w, top_w),
                pad_w = exp_sum(column, b->w, b->side_w, top_w);
    return top_h + top_w + logf(pad_h * (real_w + pad_w) + real_h * pad_w);
}

static const float *table_row(const problem *p, int position)
{
    const int area = p->block.side_h * p->block.side_w;
    return (const float *)p->io->bias + (size_t)p->head * table_head(p->s) +
           (size_t)position * (size_t)area;
}

/* Both tables' terms of queries [first, first + n): those of one row of the block meet the same
 * slice of rel_h, those of one column the same of rel_w. */
static void separable_terms(problem *p, int first, int n)
{
    const wsam_attention_shape *s = p->s;
    const int gh = ws_bias_h(s), gw = ws_bias_w(s), w = p->block.w;
    const float *rel_h = p->io->bias, *rel_w = rel_h + rel_stride(gh) * (size_t)s->head_dim;
    const float *q[4];
    float *to[4];
    int m;
    for (int i = 0; i < n; i += m) {
        const int left = w - (first + i) % w;
        for (m = 0; m < 4 && m < left && i + m < n; m++) {
            q[m] = query_row(p, first + i + m);
            to[m] = p->row_terms + (size_t)(i + m) * term_stride(gh);
        }
        rel_terms(m, q, s->head_dim, rel_h, gh, (first + i) / w, to);
    }
    for (int column = 0; column < w && column < n; column++)
        for (int i = column; i < n; i += m * w) {
            for (m = 0; m < 4 && i + m * w < n; m++) {
                q[m] = query_row(p, first + i + m * w);
                to[m] = p->column_terms + (size_t)(i + m * w) * term_stride(gw);
            }
            rel_terms(m, q, s->head_dim, rel_w, gw, (first + i) % w, to);
        }
}

/* Bias of the pad key of query i of the block. */
static float pad_bias(const problem *p, int first, int i)
{
    const wsam_attention_shape *s = p->s;
    const int gw = ws_bias_w(s), area = ws_bias_h(s) * gw;
    const int kind =
        (p->block.h < p->block.side_h ? 2 : 0) + (p->block.w < p->block.side_w ? 1 : 0);
    const int y = (first + i) / p->block.w, x = (first + i) % p->block.w;
    if (s->bias == WSAM_BIAS_SEPARABLE)
        return separable_pad_bias(p, p->row_terms + (size_t)i * term_stride(ws_bias_h(s)),
                                  p->column_terms + (size_t)i * term_stride(gw));
    if (s->bias == WSAM_BIAS_TABLE)
        return (table_row(p, 0) + (size_t)area * (size_t)area)[kind * area + y * gw + x];
    return logf((float)(p->block.side_h * p->block.side_w - (int)p->n_real));
}

/* Bias terms of queries [first, first + n), once per query block. */
static void bias_terms(problem *p, int first, int n)
{
    if (p->s->bias == WSAM_BIAS_SEPARABLE)
        separable_terms(p, first, n);
    for (int i = 0; i < n; i++)
        p->pad_bias[i] = p->n_keys > p->n_real ? pad_bias(p, first, i) : 0.0f;
}

/* out[0..n) = value + terms[0..n) */
static void add_scalar(float *out, const float *terms, float value, size_t n)
{
    const vf v = vf_set1(value);
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(out + i, vf_add(vf_load(terms + i), v));
    if (i < n)
        vf_store_n(out + i, vf_add(vf_load_n(terms + i, n - i), v), n - i);
}

/* Starts the scores of query i (in the block: first + i) for keys [k0, k0 + n). */
static void start_scores(const problem *p, int first, int i, size_t k0, size_t n)
{
    const wsam_attention_shape *s = p->s;
    float *row = p->scores + (size_t)i * KEYS;
    const size_t real = p->n_real < k0 + n ? (p->n_real > k0 ? p->n_real - k0 : 0) : n;
    const size_t w = (size_t)p->block.w;
    const float *table =
        s->bias == WSAM_BIAS_TABLE
            ? table_row(p, (first + i) / p->block.w * ws_bias_w(s) + (first + i) % p->block.w)
            : NULL;
    if (s->bias == WSAM_BIAS_NONE) {
        memset(row, 0, real * sizeof *row);
    } else if (table && p->block.w == ws_bias_w(s)) { /* the block's rows are the table's */
        memcpy(row, table + k0, real * sizeof *row);
    } else {
        size_t ky = k0 / w, kx = k0 % w;
        for (size_t done = 0; done < real;
             ky++, kx = 0) { /* runs of keys in one row of the block */
            const size_t run = w - kx < real - done ? w - kx : real - done;
            if (table)
                memcpy(row + done, table + ky * (size_t)ws_bias_w(s) + kx, run * sizeof *row);
            else
                add_scalar(row + done, p->column_terms + (size_t)i * term_stride(ws_bias_w(s)) + kx,
                           p->row_terms[(size_t)i * term_stride(ws_bias_h(s)) + ky], run);
            done += run;
        }
    }
    size_t j = real;
    if (j < n && k0 + j == p->n_real && p->n_keys > p->n_real)
        row[j++] = p->pad_bias[i];
    for (; j < n; j++)
        row[j] = NO_KEY;
}

/* Query i of the block, scaled, as a row of elements. */
static void stage_query(const problem *p, int i, el *to)
{
    const float *q = query_row(p, i);
    float scaled[MAX_HEAD];
    for (int d = 0; d < p->s->head_dim; d++)
        scaled[d] = q[d] * p->s->scale;
    convert_row(scaled, p->s->head_dim, to);
}

/* Queries in tiles [d/GROUP][MQ][GROUP]; rows beyond the last query are zero. */
static void pack_queries(const problem *p, int first, int n)
{
    const size_t rows = key_rows(p->s);
    el from[WS_VL * STAGE];
    for (int tile = 0; tile < n; tile += MQ)
        for (int j = 0; j < MQ; j += WS_VL) {
            const int columns = MQ - j < WS_VL ? MQ - j : WS_VL;
            for (int i = 0; i < columns; i++)
                if (tile + j + i < n)
                    stage_query(p, first + tile + j + i, from + i * STAGE);
                else
                    memset(from + i * STAGE, 0, rows * sizeof *from);
            turn_stage(from, rows / GROUP, (size_t)columns,
                       p->queries + (size_t)tile * rows + (size_t)j * GROUP, MQ);
        }
}

/* The running maximum of query i with n scores more. */
static float raised_top(const problem *p, size_t i, size_t n)
{
    const float *row = p->scores + i * KEYS;
    vf best = vf_set1(p->top[i]);
    for (size_t j = 0; j < n; j += WS_VL)
        best = vf_max(best, vf_load(row + j));
    return vf_top(best);
}

/* What query i has summed so far, for a higher maximum. */
static void lower_sums(problem *p, size_t i, float top)
{
    const size_t width = value_width(p->s);
    const vf factor = vf_set1(exp_keep(p->top[i], top));
    vf_store(p->sum[i], vf_mul(vf_load(p->sum[i]), factor));
    for (size_t j = 0; j < width; j += WS_VL) {
        float *o = p->out + i * width + j;
        vf_store(o, vf_mul(vf_load(o), factor));
    }
}

/* The scores of this block become probabilities beside the maximum `top`, which is as high as all
 * of them. Sums stay in their lanes until the end. */
static void soften(problem *p, size_t i, float top, size_t n)
{
    const float *row = p->scores + i * KEYS;
    el *weights = p->weights + i * KEYS;
    if (top > p->top[i] && p->top[i] > NO_KEY)
        lower_sums(p, i, top);
    p->top[i] = top;
    const vf shift = exp_shift(top);
    vf sum = vf_load(p->sum[i]);
    for (size_t j = 0; j < n; j += WS_VL) {
        const vf e = exp_weight(vf_load(row + j), shift);
        sum = vf_add(sum, e);
        put_vector(weights + j, e);
    }
    vf_store(p->sum[i], sum);
}

/* One block of keys for all tiles of queries. */
static void key_block(problem *p, int first, int n_queries, size_t k0, size_t n)
{
    const size_t rows = key_rows(p->s), width = value_width(p->s),
                 tiles = ((size_t)n_queries + MQ - 1) / MQ;
    for (size_t i = 0; i < tiles * MQ; i++)
        if ((int)i < n_queries)
            start_scores(p, first, (int)i, k0, n);
        else
            memset(p->scores + i * KEYS, 0, n * sizeof *p->scores);
    for (size_t j = 0; j < n; j += NK)
        for (size_t t = 0; t < tiles; t++)
            score_tile(rows / GROUP, p->queries + t * rows * MQ, p->keys + (k0 + j) * rows,
                       p->scores + t * MQ * KEYS + j, KEYS);
    float tops[QUERIES]; /* first all: the way to one number is long, and rows do not wait for each
                            other */
    for (size_t i = 0; i < tiles * MQ; i++)
        tops[i] = raised_top(p, i, n);
    for (size_t i = 0; i < tiles * MQ; i++)
        soften(p, i, tops[i], n);
    for (size_t t = 0; t < tiles; t++)
        for (size_t j = 0; j < width;) {
            const size_t vectors = width - j >= 2 * WS_VL ? 2 : 1;
            value_tile(vectors, n / GROUP, p->weights + t * MQ * KEYS, KEYS,
                       p->values + (k0 / GROUP * width + j) * GROUP, width * GROUP,
                       p->out + t * MQ * width + j, width);
            j += vectors * WS_VL;
        }
}

static void store_outputs(const problem *p, int first, int n)
{
    const size_t width = value_width(p->s), d = (size_t)p->s->head_dim;
    for (int i = 0; i < n; i++) {
        const float *o = p->out + (size_t)i * width;
        float *to = p->io->out + query_token(p, first + i) * p->io->ld_out + (size_t)p->head * d;
        const vf inverse = vf_set1(1.0f / vf_sum(vf_load(p->sum[i])));
        size_t j = 0;
        for (; j + WS_VL <= d; j += WS_VL)
            vf_store(to + j, vf_mul(vf_load(o + j), inverse));
        if (j < d)
            vf_store_n(to + j, vf_mul(vf_load(o + j), inverse), d - j);
    }
}

static void query_block(problem *p, int first, int n)
{
    const size_t total = round_up(p->n_keys, NK);
    for (int i = 0; i < QUERIES; i++)
        p->top[i] = NO_KEY;
    memset(p->sum, 0, sizeof p->sum);
    memset(p->out, 0, QUERIES * value_width(p->s) * sizeof *p->out);
    pack_queries(p, first, n);
    if (p->s->bias != WSAM_BIAS_NONE || p->n_keys > p->n_real)
        bias_terms(p, first, n);
    for (size_t k0 = 0; k0 < total; k0 += KEYS)
        key_block(p, first, n, k0, total - k0 < KEYS ? total - k0 : KEYS);
    store_outputs(p, first, n);
}

/* ---- tasks ---- */

typedef struct layout {
    size_t queries, weights, scores, out, row_terms, column_terms, pad_bias, keys, values, bytes;
} layout;

static layout scratch_layout(const wsam_attention_shape *s)
{
    layout l;
    size_t at = 0;
    l.queries = at;
    at += ws_align64(QUERIES * key_rows(s) * sizeof(el));
    l.weights = at;
    at += ws_align64(QUERIES * KEYS * sizeof(el));
    l.scores = at;
    at += ws_align64(QUERIES * KEYS * sizeof(float));
    l.out = at;
    at += ws_align64(QUERIES * value_width(s) * sizeof(float));
    l.row_terms = at;
    at +=
        ws_align64(QUERIES * term_stride(ws_bias_h(s)) * sizeof(float) + 4 * WS_VL * sizeof(float));
    l.column_terms = at;
    at +=
        ws_align64(QUERIES * term_stride(ws_bias_w(s)) * sizeof(float) + 4 * WS_VL * sizeof(float));
    l.pad_bias = at;
    at += ws_align64(QUERIES * sizeof(float));
    l.keys = at;
    at += s->window ? ws_align64(padded_keys(s) * key_rows(s) * sizeof(el)) : 0;
    l.values = at;
    at += s->window ? ws_align64(padded_keys(s) * value_width(s) * sizeof(el)) : 0;
    l.bytes = at;
    return l;
}

static size_t scratch_bytes(const wsam_attention_shape *s)
{
    return scratch_layout(s).bytes;
}

static int blocks_per_head(const wsam_attention_shape *s)
{
    return s->window ? ws_window_count(s) : (s->q_h * s->q_w + QUERIES - 1) / QUERIES;
}

static int run_tasks(const wsam_attention_shape *s)
{
    return s->heads * blocks_per_head(s);
}

/* Tokens [first, first + n) of a window: keys and values, which are packed soon, and queries, which
 * follow. */
static inline __attribute__((always_inline)) void prefetch_window(const problem *p, size_t first,
                                                                  size_t n)
{
    const wsam_attention_io *io = p->io;
    const size_t head = (size_t)p->head * (size_t)p->s->head_dim;
    for (size_t j = first; j < first + n && j < p->n_real; j++) {
        const size_t token = query_token(p, (int)j);
        prefetch_row(p->s, io->k + token * io->ld_k + head);
        prefetch_row(p->s, io->v + token * io->ld_v + head);
        prefetch_row(p->s, io->q + token * io->ld_q + head);
    }
}

/* A window's keys and values, and its pad key, into scratch. */
static void pack_window(problem *p, el *keys, el *values)
{
    const wsam_attention_io *io = p->io;
    const size_t head = (size_t)p->head * (size_t)p->s->head_dim;
    prefetch_window(p, 0, AHEAD);
    for (size_t i = 0; i < round_up(p->n_keys, NK); i += WS_VL) {
        tokens t = {{NULL}, {NULL}};
        prefetch_window(p, i + AHEAD, WS_VL);
        for (size_t j = i; j < i + WS_VL && j < p->n_keys; j++) {
            const int real = j < p->n_real;
            const size_t token = real ? query_token(p, (int)j) : 0;
            t.k[j - i] = (real ? io->k + token * io->ld_k : io->pad_k) + head;
            t.v[j - i] = (real ? io->v + token * io->ld_v : io->pad_v) + head;
        }
        pack_keys(p->s, &t, i, keys);
        pack_values(p->s, &t, i, values);
    }
    p->keys = keys;
    p->values = values;
}

static void run(const wsam_attention_shape *s, const wsam_attention_io *io, int task,
                const void *packed, void *scratch)
{
    const layout l = scratch_layout(s);
    char *base = scratch;
    /* The heads of a window after one another, as their rows lie; all windows' or blocks' queries
     * of one head where its keys are shared. */
    const int block = s->window ? task / s->heads : task % blocks_per_head(s);
    problem p = {.s = s, .io = io, .head = s->window ? task % s->heads : task / blocks_per_head(s)};
    p.queries = (el *)(void *)(base + l.queries);
    p.weights = (el *)(void *)(base + l.weights);
    p.scores = (float *)(void *)(base + l.scores);
    p.out = (float *)(void *)(base + l.out);
    p.row_terms = (float *)(void *)(base + l.row_terms);
    p.column_terms = (float *)(void *)(base + l.column_terms);
    p.pad_bias = (float *)(void *)(base + l.pad_bias);
    p.block = ws_window(s, s->window ? block : 0);
    const int queries = p.block.h * p.block.w;
    if (s->window) {
        p.n_real = (size_t)queries;
        p.n_keys = p.n_real + (s->padded && queries < p.block.side_h * p.block.side_w ? 1 : 0);
        pack_window(&p, (el *)(void *)(base + l.keys), (el *)(void *)(base + l.values));
        for (int first = 0; first < queries; first += QUERIES)
            query_block(&p, first, queries - first < QUERIES ? queries - first : QUERIES);
    } else {
        const int first = block * QUERIES;
        p.n_real = p.n_keys = (size_t)s->k_h * (size_t)s->k_w;
        p.keys = (const el *)packed + (size_t)p.head * head_elements(s);
        p.values = p.keys + padded_keys(s) * key_rows(s);
        query_block(&p, first, queries - first < QUERIES ? queries - first : QUERIES);
    }
}

static void fill(wsam_attention_kernel *k, const char *name)
{
    k->name = name;
    k->bias_bytes = bias_bytes;
    k->prepare_bias = prepare_bias;
    k->packed_bytes = packed_bytes;
    k->pack_tasks = pack_tasks;
    k->pack = pack;
    k->scratch_bytes = scratch_bytes;
    k->run_tasks = run_tasks;
    k->run = run;
}
