/* kernels/x86/gemm_driver_avx2.h - the loops around a register tile of AVX2: the shape of
 * gemm_driver_avx512.h with vectors of 8 words and tiles of 6x16.
 *
 * The including file defines before the include
 *     enum { BLOCK, S8, WORD };   words of k per block, s8 or float sums, bytes of a packed word
 *     static inline void step(int h, __m256i sum[MR][2], const int32_t *a, const int32_t *b)
 *     static inline const int32_t *open_block(const int32_t *panel, size_t from, size_t words,
 *                                             int32_t *buffer)
 * where step multiplies one word of k: rows' words a[8 * i], i < h, with 16 columns' words at b;
 * and open_block gives the words [from, from + words) of a panel as step reads them, expanded into
 * the buffer where they are packed more tightly. */
#include "kernels/x86/gemm_rows_avx2.h"
#include "kernels/x86/vec_avx2.h"

#include "kernels/template/gemm_finish.h"

enum { GROUP = 11 };

/* out[h][16] = init + a . b over `words` words of k; init rows are init_ld apart (0: one for all).
 */
ALWAYS_INLINE void tile(int h, size_t words, const int32_t *a, const int32_t *b,
                        const int32_t *init, size_t init_ld, int32_t *out)
{
    __m256i sum[MR][2];
    for (int i = 0; i < h; i++) {
        const int32_t *from = init + (size_t)i * init_ld;
        sum[i][0] = _mm256_load_si256((const __m256i *)(const void *)from);
        sum[i][1] = _mm256_load_si256((const __m256i *)(const void *)(from + 8));
    }
    for (; words >= WS_CHUNK; words -= WS_CHUNK) {
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
    for (int i = 0; i < h; i++) {
        int32_t *to = out + i * NR;
        _mm256_store_si256((__m256i *)(void *)to, sum[i][0]);
        _mm256_store_si256((__m256i *)(void *)(to + 8), sum[i][1]);
    }
}

static void run_tile(size_t h, size_t words, const int32_t *a, const int32_t *b,
                     const int32_t *init, size_t init_ld, int32_t *out)
{
    switch (h) {
    case 1:
        tile(1, words, a, b, init, init_ld, out);
        break;
    case 2:
        tile(2, words, a, b, init, init_ld, out);
        break;
    case 3:
        tile(3, words, a, b, init, init_ld, out);
        break;
    case 4:
        tile(4, words, a, b, init, init_ld, out);
        break;
    case 5:
        tile(5, words, a, b, init, init_ld, out);
        break;
    default:
        tile(MR, words, a, b, init, init_ld, out);
        break;
    }
}

/* Tile t's share of the block that comes next, into L2: its lines then arrive under all tiles of
 * this block. Without, the first touch of a block waits for a slower cache (bench/RESULTS.md). */
static inline void prefetch_share(const char *next, size_t t, size_t tiles)
{
    const size_t share = (BLOCK * WORD / 64 + tiles - 1) / tiles * 64;
    for (size_t i = 0; i < share; i += 64)
        __builtin_prefetch(next + t * share + i, 0, 2);
}

/* Tiles [t0, t1) of the panel b, whose columns start at j; `last`: no panel follows. */
static void run_panel(const product *p, size_t t0, size_t t1, size_t j, size_t columns,
                      const int32_t *b, const int32_t *init, int last)
{
    _Alignas(64) int32_t sums[GROUP * MR * NR], buffer[BLOCK * NR];
    const size_t tiles = ws_tiles(p->m, MR), first = ws_tile_start(p->m, tiles, t0);
    for (size_t from = 0; from < p->words; from += BLOCK) {
        const size_t words = p->words - from < BLOCK ? p->words - from : BLOCK;
        const int ends = from + words == p->words;
        const char *next =
            (const char *)(ends ? b + p->panel : b) + (ends ? 0 : from + words) * WORD;
        const int32_t *block = open_block(b, from, words, buffer);
        for (size_t t = t0; t < t1; t++) {
            const size_t row = ws_tile_start(p->m, tiles, t);
            const size_t h = ws_tile_start(p->m, tiles, t + 1) - row;
            int32_t *out = sums + (row - first) * NR;
            if (ends)
                prefetch_result(p, row, h, j);
            if (!(last && ends))
                prefetch_share(next, t - t0, t1 - t0);
            run_tile(h, words, p->rows + row * p->row_words + from * h, block, from ? out : init,
                     from ? NR : 0, out);
            if (ends)
                finish(p, row, h, j, columns, b + p->scales, out);
        }
    }
}

/* `compensated`: panels hold the first value of the sums behind their column scales. */
static void run_product(const product *p, size_t n0, size_t n1, const void *packed, int compensated)
{
    static const _Alignas(64) int32_t zero[NR];
    const size_t tiles = ws_tiles(p->m, MR);
    for (size_t t = 0; t < tiles; t += GROUP)
        for (size_t j = n0; j < n1; j += NR) {
            const int32_t *b = (const int32_t *)packed + j / NR * p->panel;
            run_panel(p, t, t + GROUP < tiles ? t + GROUP : tiles, j, n1 - j < NR ? n1 - j : NR, b,
                      compensated ? b + p->scales + NR : zero, n1 - j <= NR);
        }
}
