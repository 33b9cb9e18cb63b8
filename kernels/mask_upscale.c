/* kernels/mask_upscale.c - logits to bits: the driver that all levels share.
 *
 * Work goes in bands of 64 rows, cut into tiles of 64 columns. A tile whose low-resolution
 * neighbourhood lies wholly on one side of all three thresholds is filled without arithmetic:
 * interpolation cannot leave the range of its inputs by more than a few roundings. Runs of the
 * other tiles are computed row by row:
 *
 *   low row -> columns x1 -> blend y1 -> columns x2 -> threshold y2      (bilinear twice)
 *   low row ->                           columns x2 -> threshold y2      (bicubic)
 *
 * where the rows behind each vertical step are kept for the next output row, so that each is
 * computed once per run of tiles. The bits of a band are turned from rows to columns tile by tile.
 */
#include "base/error.h"
#include "kernels/mask.h"

#include <math.h>
#include <string.h>

/* The rows in flight: slot = row % (number of slots), holding -1 or the row's index. */
typedef struct ring {
    float *rows;
    size_t stride;
    int slots; /* power of two, at least the number of taps */
    int held[4];
} ring;

typedef struct job {
    const ws_mask_ops *ops;
    const wsam_mask_plan *plan;
    const wsam_mask_rule *rule;
    const float *logits;
    int words;      /* of a row of bits */
    uint64_t last;  /* valid columns of the last word */
    ring wide;      /* rows of out_w columns */
    ring square;    /* rows of crop_w columns; bilinear only */
    float *low_row; /* one low row with its first and last value repeated */
    float *mid_row; /* one blended row; bilinear only */
    float *column_min, *column_max;
    uint64_t *band; /* per word its 64 rows; of mixed tiles only */
    uint8_t *kinds; /* tile_kind per word */
} job;

/* The columns a run of tiles needs of each kind of row. */
typedef struct span {
    int x0, x1;               /* of the output */
    int square_x0, square_x1; /* of the square; bilinear only */
    int finite;
} span;

static size_t row_floats(int n)
{
    return (((size_t)n + 63) & ~(size_t)63) + WS_MASK_SLACK;
}

/* Bytes of scratch; with `j`, its pointers too. */
static size_t lay_out(const wsam_mask_plan *plan, job *j, void *scratch)
{
    const wsam_mask_geometry *g = &plan->geometry;
    const int twice = g->filter == WSAM_UPSCALE_BILINEAR_TWICE;
    const size_t wide = row_floats(g->out_w), square = twice ? row_floats(g->crop_w) : 0;
    const size_t low = row_floats(g->low_w + 4), words = ((size_t)g->out_w + 63) / 64;
    const int slots = plan->x2.taps;
    const size_t floats = (size_t)slots * wide + 3 * square + 3 * low;
    if (j) {
        float *at = scratch;
        j->band = (uint64_t *)scratch + floats / 2;
        j->wide = (ring){.rows = at, .stride = wide, .slots = slots};
        j->square = (ring){.rows = at += (size_t)slots * wide, .stride = square, .slots = 2};
        j->mid_row = at += 2 * square;
        j->low_row = at += square;
        j->column_min = at += low;
        j->column_max = at + low;
        j->kinds = (uint8_t *)(j->band + 64 * words);
        j->words = (int)words;
        j->last = ~(uint64_t)0 >> (-g->out_w & 63);
    }
    return floats * sizeof(float) + 64 * words * sizeof(uint64_t) + words;
}

size_t ws_mask_scratch_bytes(const wsam_mask_plan *plan)
{
    return ws_align64(lay_out(plan, NULL, NULL));
}

static void forget(ring *r)
{
    for (int i = 0; i < 4; i++)
        r->held[i] = -1;
}

/* The slot of a row; *missing is set when the caller has to compute it. */
static float *slot(ring *r, int row, int *missing)
{
    const int i = row & (r->slots - 1);
    *missing = r->held[i] != row;
    r->held[i] = row;
    return r->rows + (size_t)i * r->stride;
}

static int clamp(int i, int n)
{
    return i < 0 ? 0 : (i < n ? i : n - 1);
}

/* Low row y with copies of its ends: 2 in front for bicubic taps, then behind. */
static const float *low_row(const job *j, int y)
{
    const int n = j->plan->geometry.low_w;
    const int lead = j->plan->x2.taps == 4 ? 2 : 0;
    const float *in = j->logits + (size_t)y * (size_t)n;
    float *out = j->low_row;
    for (int i = 0; i < lead; i++)
        out[i] = in[0];
    memcpy(out + lead, in, (size_t)n * sizeof *in);
    for (int i = 0; i < 2; i++)
        out[lead + n + i] = in[n - 1];
    return out;
}

static const float *square_row(job *j, const span *s, int low_y)
{
    int missing;
    float *row = slot(&j->square, low_y, &missing);
    if (missing)
        j->ops->columns(&j->plan->x1, s->square_x0, s->square_x1, low_row(j, low_y), row);
    return row;
}

/* Row y of the crop, blended from two rows; its last value is repeated once for the last tap. */
static const float *crop_row(job *j, const span *s, int y)
{
    const wsam_mask_geometry *g = &j->plan->geometry;
    const wsam_taps *t = &j->plan->y1;
    const int low_y = t->first[y];
    const float w[2] = {t->weight[y], t->weight[t->stride + y]};
    const float *rows[2];
    rows[0] = square_row(j, s, low_y);
    rows[1] = square_row(j, s, clamp(low_y + 1, g->low_h));
    j->ops->blend(rows, w, s->square_x0, s->square_x1, j->mid_row);
    if (s->square_x1 == g->crop_w)
        j->mid_row[g->crop_w] = j->mid_row[g->crop_w - 1];
    return j->mid_row;
}

/* Row y of the input of the last vertical step, at full width. */
static const float *wide_row(job *j, const span *s, int y)
{
    int missing;
    float *row = slot(&j->wide, y, &missing);
    if (missing) {
        const int twice = j->plan->geometry.filter == WSAM_UPSCALE_BILINEAR_TWICE;
        const float *in = twice ? crop_row(j, s, y) : low_row(j, y);
        j->ops->columns(&j->plan->x2, s->x0, s->x1, in, row);
    }
    return row;
}

static int source_rows(const wsam_mask_geometry *g)
{
    return g->filter == WSAM_UPSCALE_BICUBIC ? g->low_h : g->crop_h;
}

static void compute_row(job *j, const span *s, int y, uint64_t *bits, uint64_t counts[3])
{
    const wsam_taps *t = &j->plan->y2;
    const int n = source_rows(&j->plan->geometry), lead = t->taps == 4 ? 2 : 0;
    const float *rows[4];
    float w[4];
    for (int k = 0; k < t->taps; k++) {
        rows[k] = wide_row(j, s, clamp(t->first[y] - lead + k, n)) + s->x0;
        w[k] = t->weight[k * t->stride + y];
    }
    const int words = (s->x1 - s->x0 + 63) / 64;
    const uint64_t last = s->x1 == j->plan->geometry.out_w ? j->last : ~(uint64_t)0;
    j->ops->threshold(t->taps, rows, w, j->rule, s->finite, words, last, bits + s->x0, counts);
}

/* ---- which tiles need arithmetic ----------------------------------------------------------------
 */

typedef enum tile_kind { TILE_CLEAR, TILE_SET, TILE_MIXED } tile_kind;

/* Low rows or columns [*from, *to] that outputs [i0, i1) depend on. */
static void dependence(const wsam_taps *inner, const wsam_taps *outer, int i0, int i1, int n_mid,
                       int n_low, int *from, int *to)
{
    const int lead = outer->taps == 4 ? 2 : 0;
    int a = outer->first[i0] - lead, b = outer->first[i1 - 1] - lead + outer->taps - 1;
    if (inner->count) {
        a = inner->first[clamp(a, n_mid)];
        b = inner->first[clamp(b, n_mid)] + 1;
    }
    *from = clamp(a, n_low);
    *to = clamp(b, n_low);
}

/* Range of each low column over the rows a band depends on. A value that is not finite, or so large
 * that sums could overflow, makes the range infinite: those tiles are computed. */
static void column_ranges(const job *j, int y0, int y1)
{
    const wsam_mask_geometry *g = &j->plan->geometry;
    float *lo = j->column_min, *hi = j->column_max;
    const size_t n = (size_t)g->low_w;
    int from, to;
    dependence(&j->plan->y1, &j->plan->y2, y0, y1, g->crop_h, g->low_h, &from, &to);
    for (size_t i = 0; i < n; i++)
        lo[i] = INFINITY, hi[i] = -INFINITY;
    for (int y = from; y <= to; y++) {
        const float *in = j->logits + (size_t)y * n;
        for (size_t i = 0; i < n; i++) {
            const float v = in[i], huge = 1e30f;
            const float low = v > -huge ? v : -INFINITY, high = v < huge ? v : INFINITY;
            lo[i] = low < lo[i] ? low : lo[i];
            hi[i] = high > hi[i] ? high : hi[i];
        }
    }
}

/* Of the low-resolution values behind output columns [x0, x1); 0 when it is infinite. */
static int range_of(const job *j, int x0, int x1, double *lo, double *hi)
{
    const wsam_mask_geometry *g = &j->plan->geometry;
    int from, to;
    dependence(&j->plan->x1, &j->plan->x2, x0, x1, g->crop_w, g->low_w, &from, &to);
    *lo = INFINITY;
    *hi = -INFINITY;
    for (int i = from; i <= to; i++) {
        *lo = j->column_min[i] < *lo ? j->column_min[i] : *lo;
        *hi = j->column_max[i] > *hi ? j->column_max[i] : *hi;
    }
    return *lo > -INFINITY && *hi < INFINITY;
}

static tile_kind classify(const job *j, int x0, int x1)
{
    double lo, hi;
    if (!range_of(j, x0, x1, &lo, &hi))
        return TILE_MIXED;
    /* Bicubic weights sum to 1 with negative parts of at most 0.45 (two axes at t = 1/2). Roundings
     * stay below 1e-5 of the largest value; the margin is ten times that, and above underflow. */
    const double over = j->plan->x2.taps == 4 ? 0.45 * (hi - lo) : 0;
    const double margin = over + 1e-4 * fmax(fabs(lo), fabs(hi)) + 1e-30;
    const double t = j->rule->threshold, d = fabs((double)j->rule->offset);
    const double rounding = 1e-6 * (fabs(t) + d);
    if (hi + margin < t - d - rounding)
        return TILE_CLEAR;
    return lo - margin > t + d + rounding ? TILE_SET : TILE_MIXED;
}

/* ---- bands --------------------------------------------------------------------------------------
 */

static span make_span(const job *j, int word0, int word1)
{
    const wsam_mask_geometry *g = &j->plan->geometry;
    span s = {.x0 = word0 * 64, .x1 = word1 * 64 < g->out_w ? word1 * 64 : g->out_w};
    if (g->filter == WSAM_UPSCALE_BILINEAR_TWICE) {
        const wsam_taps *t = &j->plan->x2;
        s.square_x0 = t->first[s.x0] & ~15;
        s.square_x1 = clamp(t->first[s.x1 - 1] + 1, g->crop_w) + 1;
    }
    double lo, hi;
    const double limit = fabs((double)j->rule->threshold) + fabs((double)j->rule->offset);
    s.finite = range_of(j, s.x0, s.x1, &lo, &hi) && limit < 1e30;
    return s;
}

static void compute_span(job *j, int word0, int word1, int y0, int y1, wsam_mask_stats *stats)
{
    const span s = make_span(j, word0, word1);
    uint64_t counts[3] = {0, 0, 0};
    forget(&j->wide);
    forget(&j->square);
    for (int y = y0; y < y1; y++)
        compute_row(j, &s, y, j->band + (y - y0), counts);
    stats->area += counts[0];
    stats->above_high += counts[1];
    stats->above_low += counts[2];
}

static uint64_t any_of(const uint64_t words[64])
{
    uint64_t any = 0;
    for (int i = 0; i < 64; i++)
        any |= words[i];
    return any;
}

/* Widens the box by a tile: the columns and rows in which it has set bits. */
static void widen(wsam_mask_stats *stats, uint64_t columns, uint64_t rows, int x0, int y0)
{
    const int left = x0 + __builtin_ctzll(columns), right = x0 + 63 - __builtin_clzll(columns);
    const int top = y0 + __builtin_ctzll(rows), bottom = y0 + 63 - __builtin_clzll(rows);
    const int none = stats->x1 < 0;
    stats->x0 = none || left < stats->x0 ? left : stats->x0;
    stats->y0 = none || top < stats->y0 ? top : stats->y0;
    stats->x1 = right > stats->x1 ? right : stats->x1;
    stats->y1 = bottom > stats->y1 ? bottom : stats->y1;
}

/* The columns of a mixed tile, from its rows; the box takes it in. */
static void turn_tile(const job *j, int word, int y0, int rows, uint64_t columns[64],
                      wsam_mask_stats *stats)
{
    uint64_t *tile = j->band + 64 * word;
    memset(tile + rows, 0, (size_t)(64 - rows) * sizeof *tile);
    const uint64_t any = any_of(tile);
    if (any) {
        j->ops->transpose(tile, columns);
        widen(stats, any, any_of(columns), 64 * word, y0);
    } else {
        memset(columns, 0, 64 * sizeof *columns);
    }
}

/* Writes the words of a band, tile by tile. */
static void write_band(const job *j, int y0, int rows, uint64_t *bits, wsam_mask_stats *stats)
{
    const int out_w = j->plan->geometry.out_w;
    uint64_t *out = bits + (size_t)(y0 / 64) * (size_t)out_w;
    const uint64_t full = ~(uint64_t)0 >> (64 - rows);
    for (int i = 0; i < j->words; i++, out += 64) {
        const int n = i == j->words - 1 ? out_w - 64 * i : 64;
        uint64_t columns[64];
        if (j->kinds[i] == TILE_CLEAR) {
            memset(out, 0, (size_t)n * sizeof *out);
        } else if (j->kinds[i] == TILE_SET) {
            for (int x = 0; x < n; x++)
                out[x] = full;
            widen(stats, ~(uint64_t)0 >> (64 - n), full, 64 * i, y0);
        } else {
            turn_tile(j, i, y0, rows, columns, stats);
            memcpy(out, columns, (size_t)n * sizeof *columns);
        }
    }
}

static void count_full_tile(const job *j, int word, int rows, wsam_mask_stats *stats)
{
    const int left = j->plan->geometry.out_w - 64 * word;
    const uint64_t pixels = (uint64_t)(left < 64 ? left : 64) * (uint64_t)rows;
    stats->area += pixels;
    stats->above_high += pixels;
    stats->above_low += pixels;
}

static void compute_band(job *j, int y0, int y1, uint64_t *bits, wsam_mask_stats *stats)
{
    const int out_w = j->plan->geometry.out_w, rows = y1 - y0;
    int open = -1; /* first word of the run of mixed tiles, or -1 */
    column_ranges(j, y0, y1);
    for (int i = 0; i <= j->words; i++) {
        const int x1 = 64 * (i + 1) < out_w ? 64 * (i + 1) : out_w;
        const tile_kind kind = i < j->words ? classify(j, 64 * i, x1) : TILE_CLEAR;
        if (kind == TILE_MIXED) {
            open = open < 0 ? i : open;
        } else if (open >= 0) {
            compute_span(j, open, i, y0, y1, stats);
            open = -1;
        }
        if (kind == TILE_SET)
            count_full_tile(j, i, rows, stats);
        if (i < j->words)
            j->kinds[i] = (uint8_t)kind;
    }
    write_band(j, y0, rows, bits, stats);
}

void ws_mask_upscale(const ws_mask_ops *ops, const wsam_mask_plan *plan, const wsam_mask_rule *rule,
                     const float *logits, int y0, int y1, void *scratch, uint64_t *bits,
                     wsam_mask_stats *stats)
{
    job j = {.ops = ops, .plan = plan, .rule = rule, .logits = logits};
    lay_out(plan, &j, scratch);
    *stats = (wsam_mask_stats){.x1 = -1, .y1 = -1};
    for (int y = y0; y < y1; y += 64)
        compute_band(&j, y, y + 64 < y1 ? y + 64 : y1, bits, stats);
}
