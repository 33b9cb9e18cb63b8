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
 *     score_tile: s[MQ][ld] = start (attention_start.h) + q . k[d/GROUP][NK][GROUP] for one or two
 *                 vectors of keys; q are rows [MQ][ld_q] where ROW_QUERIES is 1, else tiles
 *                 [d/GROUP][MQ][GROUP]
 *     value_tile: o[MQ][ld] = from[MQ][ld_from] + p[MQ][ld_p] . v[n/GROUP][width][GROUP], one or two
 *                 vectors wide
 *
 * and where BESIDE is 1 score_tile_beside, which does what soften does with a row of scores, too, for
 * processors whose multipliers are what products wait for.
 *
 * One pass over blocks of KEYS keys for QUERIES queries with running maximum and sum: the blocks
 * depend on the shape alone, so results depend on nothing else. Scores of a block stay in L2 (64 x
 * 256 x 4 B = 64 kB). */
enum {
    QUERIES = 64 / MQ * MQ,
    KEYS = 256,
    DEPTH_STEP = GROUP,
    SCORE_ROWS = QUERIES,
    SCORE_LD = KEYS + WS_VL,
    WEIGHT_ROWS = QUERIES,
    WEIGHT_LD = KEYS + WS_VL,
    FETCH_NEXT = 1
};

#include "kernels/template/attention_problem.h"

#include "kernels/template/attention_bias.h"
#include "kernels/template/attention_pack.h"
#include "kernels/template/attention_soften.h"

static size_t query_elements(const wsam_attention_shape *s)
{
    return QUERIES * key_rows(s) + WS_VL;
}

#if ROW_QUERIES

/* Queries as they are, row after row; those beyond the last one are zero. What a row's last vector
 * has too much is the next row's, or of the space behind all of them. */
static void pack_queries(const problem *p, int n)
{
    const size_t rows = key_rows(p->s);
    for (int i = 0; i < n; i++)
        stage_query(p, i, p->queries + (size_t)i * rows);
    const int padding = (MQ - n % MQ) % MQ;
    memset(p->queries + (size_t)n * rows, 0, (size_t)padding * rows * sizeof *p->queries);
}

/* Keys of a block of `real` whose scores tiles compute. One that is alone in its vector, as the
 * 49th of a window of 7 x 7 is, takes dot products instead: a vector of them would take as long as
 * sixteen keys. */
static size_t keys_in_tiles(size_t real)
{
    return real > WS_VL && real % WS_VL == 1 ? real - 1 : real;
}

static void lone_scores(const problem *p, size_t first, size_t last, size_t key, const float *from,
                        size_t ld_from, float *scores)
{
    const size_t d = key_rows(p->s);
    const el *column = p->keys + key / NK * NK * d + key % NK;
    el k[MAX_HEAD];
    for (size_t i = 0; i < d; i++)
        k[i] = column[i * NK];
    for (size_t i = first; i < last; i++, scores += SCORE_LD, from += ld_from) {
        vf_store(scores, vf_load(from));
        scores[0] += dot_product(d, p->queries + i * d, k);
    }
}

#else

/* Queries in tiles [d/GROUP][MQ][GROUP]; rows beyond the last query are zero. */
static void pack_queries(const problem *p, int n)
{
    const size_t rows = key_rows(p->s);
    el from[WS_VL * STAGE];
    for (int tile = 0; tile < n; tile += MQ)
        for (int j = 0; j < MQ; j += WS_VL) {
            const int columns = MQ - j < WS_VL ? MQ - j : WS_VL;
            for (int i = 0; i < columns; i++)
                if (tile + j + i < n)
                    stage_query(p, tile + j + i, from + i * STAGE);
                else
                    memset(from + i * STAGE, 0, rows * sizeof *from);
            turn_stage(from, rows / GROUP, (size_t)columns,
                       p->queries + (size_t)tile * rows + (size_t)j * GROUP, MQ);
        }
}

static size_t keys_in_tiles(size_t real)
{
    return real;
}

static void lone_scores(const problem *p, size_t first, size_t last, size_t key, const float *from,
                        size_t ld_from, float *scores)
{
    (void)p, (void)first, (void)last, (void)key, (void)from, (void)ld_from, (void)scores;
}

#endif

/* What comes next, of query i's token (x: of token 0; NULL: nothing), while this head is at work: its
 * rows lie pages apart, and are waited for otherwise. */
static inline __attribute__((always_inline)) void fetch_next(const problem *p, int i,
                                                             const float *x, size_t ld)
{
    if (x)
        prefetch_row(p->s, x + (p->at[i].token + p->next_token) * ld);
}

/* Whether queries and keys lie as in the table: its rows are then what scores start from. */
static int whole_window(const problem *p)
{
    return p->s->bias == WSAM_BIAS_TABLE && p->block.h == ws_bias_h(p->s) &&
           p->block.w == ws_bias_w(p->s);
}

/* Whether each tile of these keys lies in one row of a map with a separable bias, as in SAM's global
 * attention, or in two (spans_rows): no time then goes on writing and reading sums of terms (2.5 % of
 * ViT-B in int8 on Zen 5). */
static int starts_from_terms(const problem *p, size_t first, size_t n)
{
    return p->s->bias == WSAM_BIAS_SEPARABLE && !small_keys(p->s) &&
           (p->block.w % NK == 0 || spans_rows(p->s)) && first + n <= p->n_real;
}

/* What scores without a bias start from, and outputs at the first block of keys. */
static const float zeros[2 * WS_VL];

/* A block of keys. */
typedef struct key_range {
    size_t first, n;
    size_t real, used; /* keys that are there; in whole vectors: weights behind the first are 0 */
    /* What scores start from, rows `ld_start` apart, and from one tile of keys to the next.
     * NULL: from terms. */
    const float *start;
    size_t ld_start, start_step;
    const float *next_k, *next_v, *next_q; /* fetch_next */
} key_range;

static key_range open_keys(const problem *p, size_t first, size_t n)
{
    key_range k = {.first = first, .n = n, .start_step = NK};
    k.real = p->n_keys - first < n ? p->n_keys - first : n;
    k.used = round_up(k.real, WS_VL);
    if (whole_window(p)) {
        k.start = table_row(p, p->at[0]) + first;
        k.ld_start = table_stride(p->s);
    } else if (p->s->bias == WSAM_BIAS_NONE && first + n <= p->n_real) {
        k.start = zeros;
        k.start_step = 0;
    } else if (!starts_from_terms(p, first, n)) {
        k.start = p->scores;
        k.ld_start = SCORE_LD;
    }
    if (p->next) {
        k.next_k = p->io->k + p->next_head;
        k.next_v = p->io->v + p->next_head;
        k.next_q = p->io->q + p->next_head;
    }
    return k;
}

static void soften_row(problem *p, const key_range *k, size_t i, float top)
{
    fetch_next(p, (int)i, k->next_q, p->io->ld_q);
    soften(p, i, p->scores + i * SCORE_LD, top, k->used, p->weights + i * WEIGHT_LD);
}

static score_start start_of(const problem *p, const key_range *k, size_t first, size_t step)
{
    if (k->start)
        return (score_start){.from = k->start + first * k->ld_start + step * k->start_step,
                             .ld = k->ld_start};
    const size_t key = k->first + step * NK, w = (size_t)p->block.w;
    const size_t rows = term_stride(ws_bias_h(p->s)), columns = column_stride(p->s);
    return (score_start){p->column_terms + first * columns + key % w,
                         p->row_terms + first * rows + key / w, columns, rows, w - key % w};
}

/* Tile number `step` of the scores of queries from `first` on. */
static void score_step(const problem *p, const key_range *k, size_t first, size_t step)
{
    const size_t rows = key_rows(p->s), j = step * NK;
    const score_start start = start_of(p, k, first, step);
    score_tile(keys_in_tiles(k->real) - j > WS_VL ? 2 : 1, rows / GROUP, p->queries + first * rows,
               rows, p->keys + (k->first + j) * rows, &start, p->scores + first * SCORE_LD + j,
               SCORE_LD);
}

#if BESIDE

/* Whether a row's exponentials fit beside a tile, and the rows of a tile beside as many tiles. */
static int fits_beside(const problem *p, const key_range *k, size_t steps)
{
    const size_t d = key_rows(p->s) / GROUP;
    return steps == MQ && d % 2 == 0 && k->used <= d * WS_VL;
}

static void score_step_beside(problem *p, const key_range *k, size_t first, size_t step, float top)
{
    const size_t rows = key_rows(p->s), j = step * NK, i = first - MQ + step;
    weight_row row =
        open_row(p, i, p->scores + i * SCORE_LD, top, k->used, p->weights + i * WEIGHT_LD);
    const score_start start = start_of(p, k, first, step);
    fetch_next(p, (int)i, k->next_q, p->io->ld_q);
    score_tile_beside(rows / GROUP, p->queries + first * rows, p->keys + (k->first + j) * rows,
                      &start, p->scores + first * SCORE_LD + j, SCORE_LD, &row);
    vf_store(p->sum[i], row.sum);
}

#else

static int fits_beside(const problem *p, const key_range *k, size_t steps)
{
    (void)p, (void)k, (void)steps;
    return 0;
}

static void score_step_beside(problem *p, const key_range *k, size_t first, size_t step, float top)
{
    (void)p, (void)k, (void)first, (void)step, (void)top;
}

#endif

/* Scores of the tile of queries [first, last), and their maxima. The tile before, if there is one,
 * becomes probabilities: beside the products where these leave room, else behind them. */
static void score_queries(problem *p, const key_range *k, size_t first, size_t last, float *tops)
{
    const size_t scored = keys_in_tiles(k->real), steps = (scored + NK - 1) / NK;
    const int beside = first > 0 && fits_beside(p, k, steps);
    for (size_t i = first; i < last; i++) {
        fetch_next(p, (int)i, k->next_k, p->io->ld_k);
        if (k->start == p->scores)
            start_scores(p, (int)i, k->first, k->n, p->scores + i * SCORE_LD);
    }
    for (size_t step = 0; step < steps; step++)
        if (beside)
            score_step_beside(p, k, first, step, tops[first - MQ + step]);
        else
            score_step(p, k, first, step);
    if (scored < k->real)
        lone_scores(p, first, last, k->first + scored, k->start + first * k->ld_start + scored,
                    k->ld_start, p->scores + first * SCORE_LD + scored);
    for (size_t i = first - (first ? MQ : 0); i < first && !beside; i++)
        soften_row(p, k, i, tops[i]);
    /* All at once: the way to one number is long, and rows do not wait for each other. */
    for (size_t i = first; i < last; i++) {
        fetch_next(p, (int)i, k->next_v, p->io->ld_v);
        tops[i] = raised_top(p, i, p->scores + i * SCORE_LD, k->used);
    }
}

/* One block of keys for all tiles of queries. */
static void key_block(problem *p, int n_queries, size_t k0, size_t n)
{
    const size_t width = value_width(p->s), queries = (size_t)n_queries,
                 tiles = (queries + MQ - 1) / MQ;
    const key_range k = open_keys(p, k0, n);
    float tops[QUERIES] = {0};
    for (size_t i = 0; i < queries; i += MQ)
        score_queries(p, &k, i, i + MQ < queries ? i + MQ : queries, tops);
    for (size_t i = (tiles - 1) * MQ; i < queries; i++)
        soften_row(p, &k, i, tops[i]);
    for (size_t t = 0; t < tiles; t++)
        for (size_t j = 0; j < width;) {
            const size_t vectors = width - j >= 2 * WS_VL ? 2 : 1;
            value_tile(vectors, (k.real + GROUP - 1) / GROUP, p->weights + t * MQ * WEIGHT_LD,
                       WEIGHT_LD, p->values + (k0 / GROUP * width + j) * GROUP, width * GROUP,
                       k0 ? p->out + t * MQ * width + j : zeros, k0 ? width : 0,
                       p->out + t * MQ * width + j, width);
            j += vectors * WS_VL;
        }
}

static void query_block(problem *p, int first, int n)
{
    const size_t total = round_up(p->n_keys, NK);
    for (int i = 0; i < n; i++)
        p->top[i] = NO_KEY;
    memset(p->sum, 0, (size_t)n * sizeof p->sum[0]);
    open_queries(p, first, n);
    pack_queries(p, n);
    if (p->s->bias != WSAM_BIAS_NONE || p->n_keys > p->n_real)
        bias_terms(p, n);
    for (size_t k0 = 0; k0 < total; k0 += KEYS)
        key_block(p, n, k0, total - k0 < KEYS ? total - k0 : KEYS);
    store_outputs(p, n);
}

#include "kernels/template/attention_tasks.h"
