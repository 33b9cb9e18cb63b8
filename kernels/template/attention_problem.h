/* kernels/template/attention_problem.h - some queries of a block against its keys: sizes and what the
 * parts of attention share. Included by the files that drive the tiles (attention_template.h,
 * attention_bf16_32x32_amx.c), after
 *     el, GROUP, NK       packed elements, how many one product takes, keys of a panel
 *     SPANS_ROWS          1 where a tile of scores starts from terms of two rows of the map, too
 *     enum { QUERIES, KEYS, DEPTH_STEP, SCORE_ROWS, SCORE_LD, WEIGHT_ROWS, WEIGHT_LD, FETCH_NEXT };
 * queries of a block, keys that are scored at a time, what head sizes are rounded up to, and how
 * many rows of scores and of probabilities there are, so many elements apart; FETCH_NEXT: 1 where a
 * window's products ask for the rows of its next head, or of the next window. */
#include <math.h>
#include <string.h>

#include "kernels/attention.h"
#include "kernels/template/math_template.h"

enum { MAX_HEAD = 256 };
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

/* Rows of packed keys: what a product takes at a time, whole. */
static size_t key_rows(const wsam_attention_shape *s)
{
    return round_up((size_t)s->head_dim, DEPTH_STEP);
}

/* Keys of one problem (a window with its pad key, or the whole sequence), whole panels. */
static size_t padded_keys(const wsam_attention_shape *s)
{
    const size_t n =
        s->window ? (size_t)(s->window * s->window) + 1 : (size_t)s->k_h * (size_t)s->k_w;
    return round_up(n, NK);
}

/* Where a query of the block stands: its token in the grid, its row and column in the block. */
typedef struct place {
    size_t token;
    int y, x;
} place;

typedef struct problem {
    const wsam_attention_shape *s;
    const wsam_attention_io *io;
    int head;
    int fetched, next; /* this head's rows were asked for; those of another one are to be */
    size_t next_head, next_token; /* its column, and how many tokens further its window is */
    ws_attention_block block;     /* of queries, and of keys when windowed or biased */
    size_t n_keys, n_real;        /* with and without the pad key */
    const el *keys, *values;
    /* scratch */
    el *queries, *weights; /* as the tiles read them; probabilities [WEIGHT_ROWS][WEIGHT_LD] */
    float *scores, *out;   /* [SCORE_ROWS][SCORE_LD], [QUERIES][width] */
    float *row_terms, *column_terms; /* separable bias: [QUERIES][padded side] */
    float *pad_bias;                 /* [QUERIES] */
    float top[QUERIES], sum[QUERIES][WS_VL];
    place at[QUERIES];      /* of the queries at work */
    int32_t *key_y, *key_x; /* of a small window's keys: [small_keys] */
} problem;

static size_t term_stride(int side)
{
    return round_up((size_t)side, WS_VL);
}

/* Whether tiles of keys start from terms although they may lie in two rows of the map. */
static int spans_rows(const wsam_attention_shape *s)
{
    return SPANS_ROWS && !s->window && ws_bias_w(s) >= NK;
}

/* From one query's column terms to the next one's. Where tiles span two rows, the first terms follow
 * again behind the last, so that a tile's lie side by side. */
static size_t column_stride(const wsam_attention_shape *s)
{
    return term_stride(ws_bias_w(s)) + (spans_rows(s) ? NK : 0);
}

/* Divides once: further positions are steps. */
static place place_of(const problem *p, int i)
{
    const int y = i / p->block.w, x = i % p->block.w;
    return (place){(size_t)(p->block.y0 + y) * (size_t)p->s->q_w + (size_t)(p->block.x0 + x), y, x};
}

static inline place next_place(const problem *p, place at)
{
    at.token++;
    if (++at.x == p->block.w) {
        at.x = 0;
        at.y++;
        at.token += (size_t)(p->s->q_w - p->block.w);
    }
    return at;
}

/* Takes queries [first, first + n) of the block to work. */
static void open_queries(problem *p, int first, int n)
{
    place at = place_of(p, first);
    for (int i = 0; i < n; i++, at = next_place(p, at))
        p->at[i] = at;
}

/* Query i at work, one head. */
static const float *query_row(const problem *p, int i)
{
    return p->io->q + p->at[i].token * p->io->ld_q + (size_t)p->head * (size_t)p->s->head_dim;
}

/* Keys of a window whose sides fit a vector, in whole vectors; 0: larger, or no window. */
static size_t small_keys(const wsam_attention_shape *s)
{
    const size_t side = (size_t)s->window;
    return s->bias == WSAM_BIAS_SEPARABLE && side && side <= WS_VL ? round_up(side * side, WS_VL)
                                                                   : 0;
}
