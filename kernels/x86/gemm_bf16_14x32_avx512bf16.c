/* kernels/x86/gemm_bf16_14x32_avx512bf16.c - the bf16 product with vdpbf16ps.
 *
 * A word is two values of k. Tile: 28 sums, 2 vectors of B, 1 broadcast of A: 31 of 32 registers.
 */
#include "kernels/x86/gemm_rows_avx512.h"

enum { MR = 14, NR = 32, BLOCK = 256, S8 = 0 };

static inline __attribute__((always_inline)) __m512i dot(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_castps_si512(
        _mm512_dpbf16_ps(_mm512_castsi512_ps(sum), (__m512bh)a, (__m512bh)b));
}

static inline __attribute__((always_inline)) void step(int h, __m512i sum[MR][2], const int32_t *a,
                                                       const int32_t *b)
{
    const __m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 16);
    for (int i = 0; i < h; i++) {
        const __m512i x = _mm512_set1_epi32(a[WS_CHUNK * i]);
        sum[i][0] = dot(sum[i][0], x, b0);
        sum[i][1] = dot(sum[i][1], x, b1);
    }
}

#include "kernels/x86/gemm_driver_avx512.h"

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * ws_groups(k, 2) * NR * sizeof(int32_t);
}

static void pack(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_bf16(n, k, NR, type, weight, p0, p1, packed);
}

static size_t prepared_bytes(size_t m, size_t k)
{
    return m * ws_row_words(k, 2) * sizeof(int32_t);
}

/* Values [p, p + 32) to bf16, those from k on to 0. */
ALWAYS_INLINE __m512i round32(const ws_row *r, size_t p, size_t k)
{
    const __m512 low = ws_row_value(r, p, ws_mask16(k - p));
    const __m512 high =
        p + 16 < k ? ws_row_value(r, p + 16, ws_mask16(k - p - 16)) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Whole groups of 32 values take no masks (`SIZE_MAX` left). */
ALWAYS_INLINE void prepare_row(const ws_row *r, size_t k, const ws_row_place *place)
{
    int32_t *to = place->to;
    size_t p = 0;
    for (; p + 2 * WS_CHUNK <= k; p += 2 * WS_CHUNK, to += place->step)
        _mm512_store_si512(to, round32(r, p, SIZE_MAX));
    if (p < k)
        _mm512_store_si512(to, round32(r, p, k));
}

static void prepare(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    ws_row_place place = ws_first_place(prepared, m, MR, ws_row_words(k, 2));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        const ws_row r = ws_row_open(rows, i, k);
        const ws_row plain = ws_row_plain(&r);
        if (r.add || r.weight)
            prepare_row(&r, k, &place);
        else
            prepare_row(&plain, k, &place);
    }
}

static void run(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    const size_t words = ws_groups(k, 2);
    const product p = {.m = m,
                       .words = words,
                       .row_words = ws_row_words(k, 2),
                       .panel = words * NR,
                       .rows = prepared,
                       .epilogue = epilogue,
                       .c = c,
                       .ldc = ldc};
    (void)n;
    run_product(&p, n0, n1, packed, 0);
}

void ws_gemm_init_avx512bf16(wsam_kernels *table)
{
    table->gemm_bf16 = (wsam_gemm_kernel){.name = "gemm_bf16_14x32_avx512bf16",
                                          .nr = NR,
                                          .rows = 64,
                                          .packed_bytes = packed_bytes,
                                          .pack = pack,
                                          .prepared_bytes = prepared_bytes,
                                          .prepare = prepare,
                                          .run = run};
}
