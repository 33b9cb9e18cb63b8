/* kernels/x86/few_token_attention_avx512bf16.c - the mix of rows with bf16 products: 1.5 times the
 * f32 one's rate here.
 *
 * VDPBF16PS multiplies pairs, so two rows are interleaved: word c of a pair row holds x[i][c] and
 * x[i+1][c]. CHUNK rows are converted at a time; the sums rest in `out` between chunks. */
#include <immintrin.h>
#include <string.h>

#include "kernels/few_token_attention.h"
#include "kernels/x86/round_avx512.h"

enum { CHUNK = 32, PAIRS = CHUNK / 2, WIDTH = 256, COLUMNS = 64, TOKENS = 6, VECTORS = 4 };

static ws_token_kernels f32_kernels; /* the f32 kernels, for what does not fit */

/* m <= CHUNK rows of n <= `ld` values as pair rows of `ld` words; a missing last row counts as
 * zeros. */
static void pair_rows(size_t m, size_t n, const float *x, size_t ldx, size_t ld, uint32_t *pairs)
{
    for (size_t i = 0; i < m; i += 2)
        for (size_t j = 0; j < n; j += 16) {
            const __mmask16 here = n - j < 16 ? (__mmask16)((1u << (n - j)) - 1) : 0xffff;
            const __m512 even = _mm512_maskz_loadu_ps(here, x + i * ldx + j);
            const __m512 odd = i + 1 < m ? _mm512_maskz_loadu_ps(here, x + (i + 1) * ldx + j)
                                         : _mm512_setzero_ps();
            _mm512_storeu_si512(pairs + i / 2 * ld + j, ws_round_interleaved(even, odd));
        }
}

/* Called with constants: the loops unroll, the sums stay in registers. */
static inline __attribute__((always_inline)) void mix_bf16_tile(size_t pairs, const int nt,
                                                                const uint32_t *p,
                                                                const uint32_t *x, float *out,
                                                                size_t ldo)
{
    __m512 sum[TOKENS][VECTORS];
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < VECTORS; v++)
            sum[t][v] = _mm512_loadu_ps(out + (size_t)t * ldo + 16 * (size_t)v);
    for (size_t i = 0; i < pairs; i++) {
        __m512bh row[VECTORS];
        for (int v = 0; v < VECTORS; v++)
            row[v] = (__m512bh)_mm512_loadu_si512(x + i * WIDTH + 16 * (size_t)v);
        for (int t = 0; t < nt; t++) {
            const __m512bh weight = (__m512bh)_mm512_set1_epi32((int)p[i * COLUMNS + (size_t)t]);
            for (int v = 0; v < VECTORS; v++)
                sum[t][v] = _mm512_dpbf16_ps(sum[t][v], weight, row[v]);
        }
    }
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < VECTORS; v++)
            _mm512_storeu_ps(out + (size_t)t * ldo + 16 * (size_t)v, sum[t][v]);
}

/* 64 columns of all tokens, from one chunk. */
static void mix_bf16_tiles(size_t pairs, size_t n, const uint32_t *p, const uint32_t *x, float *out,
                           size_t ldo)
{
    size_t j = 0;
    for (; j + TOKENS <= n; j += TOKENS)
        mix_bf16_tile(pairs, TOKENS, p + j, x, out + j * ldo, ldo);
    for (; j + 2 <= n; j += 2)
        mix_bf16_tile(pairs, 2, p + j, x, out + j * ldo, ldo);
    if (j < n)
        mix_bf16_tile(pairs, 1, p + j, x, out + j * ldo, ldo);
}

/* At most COLUMNS tokens and WIDTH columns, a multiple of 64. */
static void mix_bf16_part(size_t m, size_t n, size_t width, const float *p, size_t ldp,
                          const float *x, size_t ldx, float *out, size_t ldo)
{
    uint32_t x_pairs[PAIRS * WIDTH], p_pairs[PAIRS * COLUMNS];
    for (size_t j = 0; j < n; j++)
        memset(out + j * ldo, 0, width * sizeof *out);
    for (size_t i = 0; i < m; i += CHUNK) {
        const size_t rows = m - i < CHUNK ? m - i : CHUNK;
        pair_rows(rows, width, x + i * ldx, ldx, WIDTH, x_pairs);
        pair_rows(rows, n, p + i * ldp, ldp, COLUMNS, p_pairs);
        for (size_t c = 0; c < width; c += 16 * VECTORS)
            mix_bf16_tiles((rows + 1) / 2, n, p_pairs, x_pairs + c, out + c, ldo);
    }
}

static void mix_bf16_rows(size_t m, size_t n, size_t width, const float *p, size_t ldp,
                          const float *x, size_t ldx, float *out, size_t ldo)
{
    const size_t whole = width - width % (16 * VECTORS);
    for (size_t j = 0; j < n; j += COLUMNS) {
        const size_t tokens = n - j < COLUMNS ? n - j : COLUMNS;
        for (size_t c = 0; c < whole; c += WIDTH)
            mix_bf16_part(m, tokens, whole - c < WIDTH ? whole - c : WIDTH, p + j, ldp, x + c, ldx,
                          out + j * ldo + c, ldo);
    }
    if (whole < width)
        f32_kernels.mix_rows_f32(m, n, width - whole, p, ldp, x + whole, ldx, out + whole, ldo);
}

void ws_few_token_attention_init_avx512bf16(ws_token_kernels *t)
{
    f32_kernels = *t;
    t->name = "few_token_attention_avx512bf16";
    t->mix_rows_bf16 = mix_bf16_rows;
}
