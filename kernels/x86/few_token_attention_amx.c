/* kernels/x86/few_token_attention_amx.c - the mix of rows with tdpbf16ps.
 *
 * out = p^T . x: columns of p are a tile's rows, so that they are turned; rows of x are interleaved
 * in pairs, as both bf16 products have it. ROWS rows are converted at a time, and 64 columns of p
 * at once: a value of x is converted for 64 products. That takes about as long as these, and both
 * together a sixth of the f32 mix. The sums rest between blocks of rows, in 64 KB of the stack. */
#include "kernels/few_token_attention.h"
#include "kernels/x86/round_avx512.h"
#include "kernels/x86/tile_ops.h"
#include "kernels/x86/vec_avx512.h"

enum {
    SIDE = 16,        /* rows of a tile, and its words */
    CHUNK = 2 * SIDE, /* rows of p and x that a product takes */
    CHUNKS = 4,       /* converted at a time */
    ROWS = CHUNKS * CHUNK,
    TOKENS = 64,      /* columns of p at a time */
    STRIP = 2 * SIDE, /* columns of x at a time: two tiles */
    WIDTH = 256
};

/* Operands of a block of rows, and all sums. */
typedef struct room {
    _Alignas(64) uint32_t p[TOKENS / SIDE][CHUNKS][SIDE][SIDE]; /* [token][pair of rows] */
    uint32_t x[CHUNKS][SIDE][STRIP];                            /* [pair of rows][column] */
    float sums[WIDTH / STRIP][TOKENS][STRIP];
} room;

/* 16 * vectors columns of CHUNK rows as pairs of rows; those from m and n on are zeros. */
static void pair_rows(size_t m, size_t n, size_t vectors, const float *x, size_t ldx,
                      uint32_t *pairs)
{
    for (size_t i = 0; i < CHUNK; i += 2)
        for (size_t v = 0; v < vectors; v++) {
            const size_t left = n > SIDE * v ? n - SIDE * v : 0;
            const __mmask16 here = left < SIDE ? (__mmask16)((1u << left) - 1) : 0xffff;
            const float *from = x + i * ldx + SIDE * v;
            const __m512 even = _mm512_maskz_loadu_ps(i < m ? here : 0, from);
            const __m512 odd = _mm512_maskz_loadu_ps(i + 1 < m ? here : 0, from + ldx);
            _mm512_storeu_si512(pairs + (i / 2 * vectors + v) * SIDE,
                                ws_round_interleaved(even, odd));
        }
}

static void turn_tokens(room *r, size_t m, size_t n, const float *p, size_t ldp)
{
    uint32_t pairs[SIDE * SIDE];
    for (size_t t = 0; t * SIDE < n; t++)
        for (size_t c = 0; c * CHUNK < m; c++) {
            pair_rows(m - c * CHUNK, n - t * SIDE, 1, p + c * CHUNK * ldp + t * SIDE, ldp, pairs);
            ws_turn_tile(pairs, SIDE, r->p[t][c], SIDE);
        }
}

/* sums[16 or 32][STRIP] (+)= p^T . x; `two`, a constant: tiles of tokens. */
static inline __attribute__((always_inline)) void
mix_tiles(const room *r, const int two, size_t chunks, size_t t, int continued, float *sums)
{
    enum { ROW = STRIP * sizeof *sums };
    float *const second = sums + SIDE * STRIP;
    if (continued) {
        tile_load(0, sums, ROW);
        tile_load(1, sums + SIDE, ROW);
    } else {
        tile_zero(0);
        tile_zero(1);
    }
    if (two && continued) {
        tile_load(2, second, ROW);
        tile_load(3, second + SIDE, ROW);
    } else if (two) {
        tile_zero(2);
        tile_zero(3);
    }
    for (size_t c = 0; c < chunks; c++) {
        tile_load(4, r->p[t][c], SIDE * sizeof(uint32_t));
        tile_load(6, r->x[c], ROW);
        tile_dot_bf16(0, 4, 6);
        tile_load(7, r->x[c][0] + SIDE, ROW);
        tile_dot_bf16(1, 4, 7);
        if (two) {
            tile_load(5, r->p[t + 1][c], SIDE * sizeof(uint32_t));
            tile_dot_bf16(2, 5, 6);
            tile_dot_bf16(3, 5, 7);
        }
    }
    tile_store(0, sums, ROW);
    tile_store(1, sums + SIDE, ROW);
    if (two) {
        tile_store(2, second, ROW);
        tile_store(3, second + SIDE, ROW);
    }
}

/* One strip of a block of rows for all tokens. */
static void mix_strip(room *r, size_t chunks, size_t n, int continued, float (*sums)[STRIP])
{
    const size_t tiles = (n + SIDE - 1) / SIDE;
    size_t t = 0;
    for (; t + 2 <= tiles; t += 2)
        mix_tiles(r, 1, chunks, t, continued, sums[t * SIDE]);
    if (t < tiles)
        mix_tiles(r, 0, chunks, t, continued, sums[t * SIDE]);
}

static void store_sums(const room *r, size_t n, size_t width, float *out, size_t ldo)
{
    for (size_t j = 0; j < n; j++)
        for (size_t c = 0; c < width; c += SIDE) {
            const float *from = r->sums[c / STRIP][j] + c % STRIP;
            if (width - c < SIDE)
                vf_store_n(out + j * ldo + c, vf_load(from), width - c);
            else
                vf_store(out + j * ldo + c, vf_load(from));
        }
}

/* At most TOKENS columns of p and WIDTH of x. */
static void mix_part(size_t m, size_t n, size_t width, const float *p, size_t ldp, const float *x,
                     size_t ldx, float *out, size_t ldo)
{
    room r;
    for (size_t i = 0; i < m; i += ROWS) {
        const size_t rows = m - i < ROWS ? m - i : ROWS, chunks = (rows + CHUNK - 1) / CHUNK;
        turn_tokens(&r, rows, n, p + i * ldp, ldp);
        for (size_t c = 0; c < width; c += STRIP) {
            for (size_t k = 0; k < chunks; k++)
                pair_rows(rows - k * CHUNK, width - c, 2, x + (i + k * CHUNK) * ldx + c, ldx,
                          r.x[k][0]);
            mix_strip(&r, chunks, n, i > 0, r.sums[c / STRIP]);
        }
    }
    store_sums(&r, n, width, out, ldo);
}

static void mix_rows_tiles(size_t m, size_t n, size_t width, const float *p, size_t ldp,
                           const float *x, size_t ldx, float *out, size_t ldo)
{
    ws_tile_region own;
    ws_tiles_begin(&own);
    for (size_t j = 0; j < n; j += TOKENS)
        for (size_t c = 0; c < width; c += WIDTH)
            mix_part(m, n - j < TOKENS ? n - j : TOKENS, width - c < WIDTH ? width - c : WIDTH,
                     p + j, ldp, x + c, ldx, out + j * ldo + c, ldo);
    ws_tiles_end(&own);
}

void ws_few_token_attention_init_amx(ws_token_kernels *t)
{
    t->name = "few_token_attention_amx";
    t->mix_rows_bf16 = mix_rows_tiles;
}
