/* kernels/x86/gemm_driver_amx.h - the loops around 2 x 2 tiles of AMX, for s8 and bf16.
 *
 * The including file defines before the include
 *     enum { MR = 16, NR = 32, S8 };     a tile's rows, a panel's columns, s8 or float sums
 *     #define TILE_DOT(sum, a, b)        tile_dot_s8 or tile_dot_bf16
 * Rows and panels are those of the AVX-512 products: a chunk of a prepared row is a tile's row, a
 * chunk of a panel (16 words of 32 columns) two tiles side by side. Rows end in zeros up to a whole
 * chunk, so that what follows a panel of s8 counts nothing; panels of bf16, where zero times a
 * stranger may be NaN, end in zeros, too.
 *
 * Four tiles of sums hide the 52 cycles of latency behind products of 16; two of A and two of B
 * fill the eight. A product then takes one load of 1 KB in 16 cycles: L1 gives 2 KB in that time,
 * L2 768 B, the last level 336 B. So A stays in L1, a block of K_BYTES of 32 rows, while the panels
 * of a strip pass it; the strip stays in L2 for all rows, and the one behind it is asked for
 * meanwhile. Sums leave the tiles for L1 (they have no other way out), where the epilogue takes
 * them under the products of the next panel: it is as long as these where the activation is GELU
 * and K 768. */
#include "kernels/x86/gemm_rows_avx512.h"
#include "kernels/x86/tile_ops.h"
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/gemm_finish.h"

enum {
    TILE_WORDS = MR * WS_CHUNK,    /* of A; a chunk of a panel has twice as many */
    PANEL_WORDS = NR * WS_CHUNK,   /* of a chunk of B */
    PAIR = 2 * MR,                 /* rows of a block of sums */
    K_CHUNKS = 16,                 /* 1 KB of a row: 32 KB of A */
    STRIP_WORDS = (384 << 10) / 4, /* with the next one less than half of 2 MB */
    MOST_PANELS = 16               /* of a strip */
};

/* Sums that wait for the epilogue: rows [row, row + rows), of which `done` are finished. */
typedef struct finished {
    size_t row, rows, done, j, columns;
    const int32_t *column_scale, *sums;
} finished;

static void finish_up_to(const product *p, finished *f, size_t end)
{
    if (f->done >= end)
        return;
    finish(p, f->row + f->done, end - f->done, f->j, f->columns, f->column_scale,
           f->sums + f->done * NR);
    f->done = end;
}

/* One or two tiles of rows [row, row + h[0] + h[1]); a chunk is `step` words behind the last. */
typedef struct tile_pair {
    size_t row, h[2];
    const int32_t *a[2];
    size_t step[2];
} tile_pair;

static tile_pair open_pair(const product *p, size_t t, size_t chunk)
{
    const size_t tiles = ws_tiles(p->m, MR);
    tile_pair x = {.row = ws_tile_start(p->m, tiles, t)};
    size_t row = x.row;
    for (size_t i = 0; i < 2 && t + i < tiles; i++, row += x.h[i - 1]) {
        x.h[i] = ws_tile_start(p->m, tiles, t + i + 1) - row;
        x.step[i] = x.h[i] * WS_CHUNK;
        x.a[i] = p->rows + row * p->row_words + chunk * x.step[i];
    }
    return x;
}

/* What goes on beside the products of a block: so much of each per chunk. */
typedef struct beside {
    finished *finished; /* rows of the block before */
    const char *ahead;  /* lines of the strip behind this one, `lines` per chunk */
    size_t lines;
    size_t chunks;
} beside;

ALWAYS_INLINE void work_beside(const product *p, beside *w, size_t chunk)
{
    for (size_t i = 0; i < w->lines; i++, w->ahead += 64)
        __builtin_prefetch(w->ahead, 0, 2);
    finish_up_to(p, w->finished, w->finished->rows * (chunk + 1) / w->chunks);
}

/* sums[h][32] (+)= A . b over chunks; `two`, a constant: the pair has both tiles. */
ALWAYS_INLINE void pair_products(const product *p, const tile_pair *x, const int two,
                                 const int32_t *b, int continued, int32_t *sums, beside *w)
{
    enum { ROW = NR * sizeof *sums };
    const int32_t *a0 = x->a[0], *a1 = x->a[1];
    int32_t *const second = sums + x->h[0] * NR;
    if (continued) {
        tile_load(0, sums, ROW);
        tile_load(1, sums + 16, ROW);
        if (two) {
            tile_load(2, second, ROW);
            tile_load(3, second + 16, ROW);
        }
    } else {
        tile_zero(0);
        tile_zero(1);
        tile_zero(2);
        tile_zero(3);
    }
    for (size_t c = 0; c < w->chunks; c++, b += PANEL_WORDS) {
        tile_load(4, a0, 64);
        tile_load(6, b, ROW);
        TILE_DOT(0, 4, 6);
        tile_load(7, b + 16, ROW);
        TILE_DOT(1, 4, 7);
        a0 += x->step[0];
        if (two) {
            tile_load(5, a1, 64);
            TILE_DOT(2, 5, 6);
            TILE_DOT(3, 5, 7);
            a1 += x->step[1];
        }
        work_beside(p, w, c);
    }
    /* The first tile's rows behind its h are strangers; the second tile's come over them. */
    tile_store(0, sums, ROW);
    tile_store(1, sums + 16, ROW);
    if (two) {
        tile_store(2, second, ROW);
        tile_store(3, second + 16, ROW);
    }
}

static void pair_block(const product *p, const tile_pair *x, const int32_t *b, int continued,
                       int32_t *sums, beside *w)
{
    if (x->h[1])
        pair_products(p, x, 1, b, continued, sums, w);
    else
        pair_products(p, x, 0, b, continued, sums, w);
}

/* Columns [n0, n1): a strip of panels, and how much of the next one each pair of rows asks for. */
typedef struct strip {
    const int32_t *b;
    size_t n0, n1, panels, ahead, pairs;
} strip;

/* Room for the sums of a strip. A pair of tiles writes up to 32 rows, however many it has. */
typedef struct sums_room {
    _Alignas(64) int32_t words[MOST_PANELS][PAIR * NR];
} sums_room;

/* One pair of rows against a strip. A block of k starts where the last one left its sums. */
static void pair_strip(const product *p, const strip *s, size_t pair, sums_room *room, finished *f)
{
    const size_t chunks = ws_groups(p->words, WS_CHUNK);
    for (size_t from = 0; from < chunks; from += K_CHUNKS) {
        const size_t some = chunks - from < K_CHUNKS ? chunks - from : K_CHUNKS;
        const tile_pair x = open_pair(p, 2 * pair, from);
        const int ends = from + some == chunks;
        for (size_t q = 0; q < s->panels; q++) {
            const size_t j = s->n0 + q * NR, lines = 2 * WS_CHUNK;
            const size_t share = (lines + s->pairs - 1) / s->pairs;
            const int32_t *b = s->b + q * p->panel + from * PANEL_WORDS;
            int32_t *sums = room->words[chunks > K_CHUNKS ? q : 0];
            beside w = {.finished = f,
                        .ahead =
                            (const char *)(b + s->panels * p->panel) + pair * share * some * 64,
                        .lines = q < s->ahead ? share : 0,
                        .chunks = some};
            if (ends)
                prefetch_result(p, x.row, x.h[0] + x.h[1], j);
            pair_block(p, &x, b, from > 0, sums, &w);
            if (ends)
                *f = (finished){.row = x.row,
                                .rows = x.h[0] + x.h[1],
                                .j = j,
                                .columns = s->n1 - j < NR ? s->n1 - j : NR,
                                .column_scale = s->b + q * p->panel + p->words * NR,
                                .sums = sums};
        }
    }
}

static void run_strips(const product *p, size_t n0, size_t n1, const void *packed)
{
    const size_t panels = ws_panels(n1 - n0, NR), fit = STRIP_WORDS / p->panel + 1;
    const size_t most = fit < MOST_PANELS ? fit : MOST_PANELS;
    sums_room room;
    finished f = {.rows = 0};
    for (size_t q = 0; q < panels; q += most) {
        const size_t left = panels - q;
        strip s = {.b = (const int32_t *)packed + (n0 / NR + q) * p->panel,
                   .n0 = n0 + q * NR,
                   .n1 = n1,
                   .panels = left < most ? left : most,
                   .pairs = (ws_tiles(p->m, MR) + 1) / 2};
        s.ahead = left - s.panels < s.panels ? left - s.panels : s.panels;
        for (size_t pair = 0; pair < s.pairs; pair++)
            pair_strip(p, &s, pair, &room, &f);
    }
    finish_up_to(p, &f, f.rows);
}

static void run_product(const product *p, size_t n0, size_t n1, const void *packed)
{
    ws_tile_region own;
    ws_tiles_begin(&own);
    run_strips(p, n0, n1, packed);
    ws_tiles_end(&own);
}
