/* kernels/x86/gemm_bf16_avx512.h - what the bf16 products of AVX-512 and AMX share beside the
 * driver: packing, rounding, the entry points. Included after `enum { MR, NR, S8 = 0, K_STEP,
 * STRANGE_ROWS }` and a driver: panels end in zeros up to a multiple of K_STEP values of k, and so
 * many rows behind the prepared ones are read, whatever stands there.
 *
 * A word is two values of k. */
#include "kernels/x86/round_avx512.h"

static size_t panel_words(size_t k)
{
    return ws_groups(k, K_STEP) * (K_STEP / 2) * NR;
}

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * panel_words(k) * sizeof(int32_t);
}

static void pack(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_bf16(n, k, NR, K_STEP, type, weight, p0, p1, packed);
}

static size_t prepared_bytes(size_t m, size_t k)
{
    return (m * ws_row_words(k, 2) + STRANGE_ROWS * WS_CHUNK) * sizeof(int32_t);
}

/* Values [p, p + 32) to bf16, those from k on to 0. */
ALWAYS_INLINE __m512i round32(const ws_row *r, size_t p, size_t k)
{
    const __m512 low = ws_row_value(r, p, ws_mask16(k - p));
    const __m512 high =
        p + 16 < k ? ws_row_value(r, p + 16, ws_mask16(k - p - 16)) : _mm512_setzero_ps();
    return ws_round_pair(low, high);
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
    const product p = {.m = m,
                       .words = ws_groups(k, 2),
                       .row_words = ws_row_words(k, 2),
                       .panel = panel_words(k),
                       .rows = prepared,
                       .epilogue = epilogue,
                       .c = c,
                       .ldc = ldc};
    (void)n;
    run_product(&p, n0, n1, packed);
}

static wsam_gemm_kernel bf16_kernel(const char *name)
{
    return (wsam_gemm_kernel){.name = name,
                              .nr = NR,
                              .rows = 64,
                              .packed_bytes = packed_bytes,
                              .pack = pack,
                              .prepared_bytes = prepared_bytes,
                              .prepare = prepare,
                              .run = run};
}
