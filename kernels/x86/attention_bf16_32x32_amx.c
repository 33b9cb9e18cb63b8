/* kernels/x86/attention_bf16_32x32_amx.c - attention with tdpbf16ps: bf16 products added to f32
 * scores and outputs; softmax in f32.
 *
 * The exponentials take longer than the products (a head of 64: 1024 vectors of 12 instructions
 * beside 2 x 128 tile products of 16 cycles per 64 x 256 scores), so that both run at once. A unit
 * is a pair of tiles of queries against a block of keys; it goes through four stages, and in each
 * step of the loop four units are in one stage each:
 *
 *     start    its scores are set to the bias                     vectors
 *     score    q . k is added                                     tiles
 *     soften   scores become probabilities                        vectors
 *     value    probabilities . v is added to the output           tiles
 *
 * A piece of vector work follows every four tile products. Scores and probabilities of the units
 * under way, 140 KB, stay in L2. Rows of both are an odd number of cache lines apart. */
#include "kernels/vector.h"
#include "kernels/x86/round_avx512.h"
#include "kernels/x86/tile_ops.h"
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/exp_template.h"

#define SPANS_ROWS 0

/* QUERIES: a window of 14 x 14 is one block. */
enum {
    GROUP = 2,
    NK = 2 * WS_VL,
    PAIR = 32,
    QUERIES = 7 * PAIR,
    KEYS = 256,
    DEPTH_STEP = 32,
    SCORE_SLOTS = 3,
    SCORE_ROWS = SCORE_SLOTS * PAIR,
    SCORE_LD = KEYS + WS_VL,
    WEIGHT_SLOTS = 2,
    WEIGHT_ROWS = WEIGHT_SLOTS * PAIR,
    WEIGHT_LD = KEYS + 2 * WS_VL,
    FETCH_NEXT = 0
};
typedef uint16_t el;

static inline void put_vector(uint16_t *to, vf v)
{
    _mm256_storeu_si256((__m256i *)(void *)to, ws_round16(v));
}

static inline void put_group(uint16_t *to, const vf v[2])
{
    _mm512_storeu_si512(to, ws_round_interleaved(v[0], v[1]));
}

static inline vf exp_weight(vf score, vf shift)
{
    return exp_weight_short(score, shift);
}

#include "kernels/template/attention_problem.h"

#include "kernels/template/attention_bias.h"
#include "kernels/template/attention_pack.h"
#include "kernels/template/attention_soften.h"

/* Elements between queries: rows as they are, an odd number of cache lines. */
static size_t query_ld(const wsam_attention_shape *s)
{
    return (key_rows(s) / DEPTH_STEP | 1) * DEPTH_STEP;
}

static size_t query_elements(const wsam_attention_shape *s)
{
    return QUERIES * query_ld(s);
}

/* ---- units on their way ---- */

typedef struct unit {
    size_t pair, rows; /* queries [pair * PAIR, + rows) of the block of queries */
    size_t k0, n;      /* keys */
    float *scores;
    el *weights;
} unit;

/* One step of the pipeline; NULL where no unit is at that stage. */
typedef struct pipeline {
    problem *p;
    int n_queries;
    size_t pairs, units, total; /* total: keys */
    const unit *start, *soften; /* what runs beside the tiles */
    size_t row;                 /* vector work done: rows of both */
    size_t done, steps;         /* of the tiles */
    float top;                  /* of row `row` of `soften` */
} pipeline;

static const unit *unit_at(const pipeline *l, size_t number, unit *u)
{
    if (number >= l->units) /* a step before the first one is beyond the last, too */
        return NULL;
    problem *p = l->p;
    const size_t queries = (size_t)l->n_queries;
    u->pair = number % l->pairs;
    u->k0 = number / l->pairs * KEYS;
    u->rows = queries - u->pair * PAIR < PAIR ? queries - u->pair * PAIR : PAIR;
    u->n = l->total - u->k0 < KEYS ? l->total - u->k0 : KEYS;
    u->scores = p->scores + number % SCORE_SLOTS * PAIR * SCORE_LD;
    u->weights = p->weights + number % WEIGHT_SLOTS * PAIR * WEIGHT_LD;
    return u;
}

static float top_of(const pipeline *l, size_t row)
{
    const unit *u = l->soften;
    if (row >= u->rows)
        return 0.0f;
    return raised_top(l->p, u->pair * PAIR + row, u->scores + row * SCORE_LD, u->n);
}

/* A row's maximum takes a while to become one number: it is found a row ahead. */
static void vector_row(pipeline *l, size_t row)
{
    const unit *u = l->soften;
    if (u && row < u->rows) {
        const float top = l->top;
        l->top = top_of(l, row + 1);
        soften(l->p, u->pair * PAIR + row, u->scores + row * SCORE_LD, top, u->n,
               u->weights + row * WEIGHT_LD);
    }
    u = l->start;
    if (u && row < u->rows)
        start_scores(l->p, (int)(u->pair * PAIR + row), u->k0, u->n, u->scores + row * SCORE_LD);
}

static void vector_rows_up_to(pipeline *l, size_t end)
{
    for (; l->row < end; l->row++)
        vector_row(l, l->row);
}

/* ---- tiles ---- */

/* c += a . b: rows of c and a, and pairs of rows of b, so many bytes apart; a chunk of 32 products
 * is `a` 64 bytes and `b` b_chunk bytes further. */
typedef struct tile_block {
    float *c;
    const el *a, *b;
    size_t ldc, lda, ldb, b_chunk, chunks;
} tile_block;

/* `two` tiles of rows, `wide`: of columns; constants. */
static inline __attribute__((always_inline)) void multiply(const tile_block *x, const int two,
                                                           const int wide, pipeline *l)
{
    char *c = (char *)x->c, *c2 = c + 16 * x->ldc;
    const char *a = (const char *)x->a, *a2 = a + 16 * x->lda, *b = (const char *)x->b;
    tile_load(0, c, x->ldc);
    if (wide)
        tile_load(1, c + 64, x->ldc);
    if (two)
        tile_load(2, c2, x->ldc);
    if (two && wide)
        tile_load(3, c2 + 64, x->ldc);
    for (size_t i = 0; i < x->chunks; i++, a += 64, a2 += 64, b += x->b_chunk) {
        tile_load(4, a, x->lda);
        tile_load(6, b, x->ldb);
        tile_dot_bf16(0, 4, 6);
        if (wide) {
            tile_load(7, b + 64, x->ldb);
            tile_dot_bf16(1, 4, 7);
        }
        if (two) {
            tile_load(5, a2, x->lda);
            tile_dot_bf16(2, 5, 6);
        }
        if (two && wide)
            tile_dot_bf16(3, 5, 7);
        l->done++;
        vector_rows_up_to(l, l->done * PAIR / l->steps);
    }
    tile_store(0, c, x->ldc);
    if (wide)
        tile_store(1, c + 64, x->ldc);
    if (two)
        tile_store(2, c2, x->ldc);
    if (two && wide)
        tile_store(3, c2 + 64, x->ldc);
}

static void multiply_block(const tile_block *x, int two, int wide, pipeline *l)
{
    if (two && wide)
        multiply(x, 1, 1, l);
    else if (wide)
        multiply(x, 0, 1, l);
    else if (two)
        multiply(x, 1, 0, l);
    else
        multiply(x, 0, 0, l);
}

static void score(pipeline *l, const unit *u)
{
    const problem *p = l->p;
    const size_t depth = key_rows(p->s), ld = query_ld(p->s);
    for (size_t j = 0; j < u->n; j += NK) {
        const tile_block x = {.c = u->scores + j,
                              .ldc = SCORE_LD * sizeof *u->scores,
                              .a = p->queries + u->pair * PAIR * ld,
                              .lda = ld * sizeof(el),
                              .b = p->keys + (u->k0 + j) * depth,
                              .ldb = NK * GROUP * sizeof(el),
                              .b_chunk = DEPTH_STEP * NK * sizeof(el),
                              .chunks = depth / DEPTH_STEP};
        multiply_block(&x, u->rows > 16, 1, l);
    }
}

static void value(pipeline *l, const unit *u)
{
    const problem *p = l->p;
    const size_t width = value_width(p->s);
    for (size_t j = 0; j < width; j += NK) {
        const tile_block x = {.c = p->out + u->pair * PAIR * width + j,
                              .ldc = width * sizeof *p->out,
                              .a = u->weights,
                              .lda = WEIGHT_LD * sizeof(el),
                              .b = p->values + u->k0 * width + j * GROUP,
                              .ldb = width * GROUP * sizeof(el),
                              .b_chunk = NK * width * sizeof(el),
                              .chunks = u->n / NK};
        multiply_block(&x, u->rows > 16, width - j > WS_VL, l);
    }
}

static size_t tile_steps(const pipeline *l, const unit *scored, const unit *valued)
{
    const wsam_attention_shape *s = l->p->s;
    size_t steps = 0;
    if (scored)
        steps += scored->n / NK * (key_rows(s) / DEPTH_STEP);
    if (valued)
        steps += valued->n / NK * ((value_width(s) + NK - 1) / NK);
    return steps;
}

/* Step number t: unit t starts, t - 1 is scored, t - 2 softened, t - 3 valued. Softening scales the
 * outputs of its queries, which the value stage of another pair leaves alone; with one pair alone
 * the two follow each other. */
static void pipeline_step(pipeline *l, size_t t)
{
    unit units[4];
    const unit *scored = unit_at(l, t - 1, &units[1]), *valued = unit_at(l, t - 3, &units[3]);
    l->start = unit_at(l, t, &units[0]);
    l->soften = unit_at(l, t - 2, &units[2]);
    l->row = l->done = 0;
    l->steps = tile_steps(l, scored, valued);
    if (l->soften)
        l->top = top_of(l, 0);
    if (l->pairs == 1)
        l->steps = SIZE_MAX; /* nothing beside the tiles */
    if (valued)
        value(l, valued);
    if (scored)
        score(l, scored);
    vector_rows_up_to(l, PAIR);
}

static void query_block(problem *p, int first, int n)
{
    ws_tile_region own;
    const size_t total = round_up(p->n_keys, NK), pairs = ((size_t)n + PAIR - 1) / PAIR;
    pipeline l = {.p = p,
                  .n_queries = n,
                  .pairs = pairs,
                  .units = pairs * ((total + KEYS - 1) / KEYS),
                  .total = total};
    for (int i = 0; i < QUERIES; i++)
        p->top[i] = NO_KEY;
    memset(p->sum, 0, sizeof p->sum);
    memset(p->out, 0, pairs * PAIR * value_width(p->s) * sizeof *p->out);
    open_queries(p, first, n);
    for (int i = 0; i < n; i++)
        stage_query(p, i, p->queries + (size_t)i * query_ld(p->s));
    if (p->s->bias != WSAM_BIAS_NONE || p->n_keys > p->n_real)
        bias_terms(p, n);
    ws_tiles_begin(&own);
    for (size_t t = 0; t < l.units + 3; t++)
        pipeline_step(&l, t);
    ws_tiles_end(&own);
    store_outputs(p, n);
}

#include "kernels/template/attention_tasks.h"

void ws_attention_init_amx(wsam_kernels *table)
{
    fill(&table->attention_bf16, "attention_bf16_32x32_amx");
}
