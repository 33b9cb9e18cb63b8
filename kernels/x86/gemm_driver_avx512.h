/* kernels/x86/gemm_driver_avx512.h - the loops around a register tile of AVX-512.
 *
 * The including file defines before the include
 *     enum { MR, NR = 32, BLOCK, S8, COMPENSATED };
 *     static inline void step(int h, __m512i sum[MR][2], const int32_t *a, const int32_t *b)
 * (rows of the tile, words of k per block, s8 or float sums, whether panels hold the sums' first
 * values behind the column scales), where step multiplies one word of k: rows' words a[16 * i],
 * i < h, with 32 columns' words at b.
 * f32, bf16 and s8 products share everything else, as sums and words of all three are 32 bits wide.
 *
 * Loops, outermost first: groups of up to GROUP tiles of rows, panels of 32 columns, blocks of k,
 * tiles. A block of B (BLOCK x 128 bytes) is read from L1 by all tiles but the first. Sums leave a
 * tile for a buffer in L1, from where the next block of k continues them (each element is one chain
 * in rising k whatever the split) and the epilogue takes them. */
#include "kernels/x86/gemm_rows_avx512.h"
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/gemm_finish.h"

enum { GROUP = 5 };

/* Lines of B that a tile asks for while it runs: `lines` per chunk of k, into L2. The block that
 * comes next then arrives evenly under all tiles of this one, not in a burst under the first. */
typedef struct fetch {
    const char *from;
    size_t lines;
} fetch;

ALWAYS_INLINE void fetch_lines(fetch *f)
{
    for (size_t i = 0; i < f->lines; i++, f->from += 64)
        __builtin_prefetch(f->from, 0, 2);
}

/* out[h][32] = init + a . b over `words` words of k; init rows are init_ld apart (0: one for all).
 * Of one vector of columns the other's sums are not kept, and the compiler leaves them out. The first
 * and the last loop are unrolled by order: gcc would do it too late to keep the sums in registers. */
ALWAYS_INLINE void tile(const int vectors, int h, size_t words, const int32_t *a, const int32_t *b,
                        const int32_t *init, size_t init_ld, int32_t *out, fetch next)
{
    __m512i sum[MR][2];
#pragma GCC unroll 14 /* MR at most */
    for (int i = 0; i < h; i++) {
        sum[i][0] = _mm512_load_si512(init + (size_t)i * init_ld);
        sum[i][1] = vectors == 1 ? _mm512_setzero_si512()
                                 : _mm512_load_si512(init + (size_t)i * init_ld + 16);
    }
    for (; words >= WS_CHUNK; words -= WS_CHUNK) {
        fetch_lines(&next);
        for (int q = 0; q < WS_CHUNK; q += 4) {
            step(h, sum, a, b);
            step(h, sum, a + 1, b + NR);
            step(h, sum, a + 2, b + 2 * NR);
            step(h, sum, a + 3, b + 3 * NR);
            a += 4;
            b += 4 * NR;
        }
        a += (h - 1) * WS_CHUNK;
    }
    for (; words > 0; words--, a++, b += NR)
        step(h, sum, a, b);
#pragma GCC unroll 14
    for (int i = 0; i < h; i++) {
        _mm512_store_si512(out + i * NR, sum[i][0]);
        if (vectors == 2)
            _mm512_store_si512(out + i * NR + 16, sum[i][1]);
    }
}

ALWAYS_INLINE void tile_of_height(const int vectors, size_t h, size_t words, const int32_t *a,
                                  const int32_t *b, const int32_t *init, size_t init_ld,
                                  int32_t *out, fetch next)
{
    switch (h) {
    case 1:
        tile(vectors, 1, words, a, b, init, init_ld, out, next);
        break;
    case 2:
        tile(vectors, 2, words, a, b, init, init_ld, out, next);
        break;
    case 3:
        tile(vectors, 3, words, a, b, init, init_ld, out, next);
        break;
    case 4:
        tile(vectors, 4, words, a, b, init, init_ld, out, next);
        break;
    case 5:
        tile(vectors, 5, words, a, b, init, init_ld, out, next);
        break;
    case 6:
        tile(vectors, 6, words, a, b, init, init_ld, out, next);
        break;
    case 7:
        tile(vectors, 7, words, a, b, init, init_ld, out, next);
        break;
    case 8:
        tile(vectors, 8, words, a, b, init, init_ld, out, next);
        break;
    case 9:
        tile(vectors, 9, words, a, b, init, init_ld, out, next);
        break;
    case 10:
        tile(vectors, 10, words, a, b, init, init_ld, out, next);
        break;
    case 11:
        tile(vectors, 11, words, a, b, init, init_ld, out, next);
        break;
    case 12:
        tile(vectors, 12, words, a, b, init, init_ld, out, next);
        break;
    case 13:
        tile(vectors, 13 <= MR ? 13 : MR, words, a, b, init, init_ld, out, next);
        break;
    default:
        tile(vectors, MR, words, a, b, init, init_ld, out, next);
        break;
    }
}

static void run_tile(size_t h, size_t words, const int32_t *a, const int32_t *b,
                     const int32_t *init, size_t init_ld, int32_t *out, fetch next)
{
    tile_of_height(2, h, words, a, b, init, init_ld, out, next);
}

/* The same for at most 16 columns: predictors of a detector have 3 and 12. */
static void run_half_tile(size_t h, size_t words, const int32_t *a, const int32_t *b,
                          const int32_t *init, size_t init_ld, int32_t *out, fetch next)
{
    tile_of_height(1, h, words, a, b, init, init_ld, out, next);
}

/* Tile t's part of the block behind this one, whose end is `end`; nothing behind the `last` one. */
static fetch fetch_part(const int32_t *end, size_t words, size_t t, size_t tiles, int last)
{
    const size_t lines = last ? 0 : (2 * WS_CHUNK + tiles - 1) / tiles;
    return (fetch){(const char *)end + t * (words / WS_CHUNK * lines * 64), lines};
}

/* Tiles [t0, t1) of the panel b, whose columns start at j; `last`: no panel follows. */
static void run_panel(const product *p, size_t t0, size_t t1, size_t j, size_t columns,
                      const int32_t *b, const int32_t *init, int last)
{
    _Alignas(64) int32_t sums[GROUP * MR * NR];
    const size_t tiles = ws_tiles(p->m, MR), first = ws_tile_start(p->m, tiles, t0);
    for (size_t from = 0; from < p->words; from += BLOCK) {
        const size_t words = p->words - from < BLOCK ? p->words - from : BLOCK;
        const int ends = from + words == p->words;
        for (size_t t = t0; t < t1; t++) {
            const size_t row = ws_tile_start(p->m, tiles, t);
            const size_t h = ws_tile_start(p->m, tiles, t + 1) - row;
            int32_t *out = sums + (row - first) * NR;
            if (ends)
                prefetch_result(p, row, h, j);
            const fetch next =
                fetch_part(b + (from + words) * NR, words, t - t0, t1 - t0, last && ends);
            (!S8 && columns <= WS_VL ? run_half_tile : run_tile)(
                h, words, p->rows + row * p->row_words + from * h, b + from * NR, from ? out : init,
                from ? NR : 0, out, next);
            if (ends)
                finish(p, row, h, j, columns, b + p->words * NR, out);
        }
    }
}

static void run_product(const product *p, size_t n0, size_t n1, const void *packed)
{
    static const _Alignas(64) int32_t zero[NR];
    const size_t tiles = ws_tiles(p->m, MR);
    for (size_t t = 0; t < tiles; t += GROUP)
        for (size_t j = n0; j < n1; j += NR) {
            const int32_t *b = (const int32_t *)packed + j / NR * p->panel;
            run_panel(p, t, t + GROUP < tiles ? t + GROUP : tiles, j, n1 - j < NR ? n1 - j : NR, b,
                      COMPENSATED ? b + p->words * NR + NR : zero, n1 - j <= NR);
        }
}
