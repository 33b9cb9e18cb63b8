/* kernels/x86/gemm_f32_14x32_avx512.c - the f32 product, and the bf16 one where there is no bf16
 * instruction: operands rounded when they are packed and prepared, then the same arithmetic.
 *
 * Tile: 28 sums, 2 vectors of B, 1 broadcast of A: 31 of 32 registers. Per word of k 28 FMA beside
 * 16 loads: enough for two 512-bit FMA per cycle (Zen 5, Xeon) with two loads. */
#include "kernels/x86/gemm_rows_avx512.h"

enum { MR = 14, NR = 32, BLOCK = 768, S8 = 0, COMPENSATED = 0 };

/* One word of k: two vectors of B against MR broadcasts of A, which come from memory as operands
 * of the FMA. */
static inline __attribute__((always_inline)) void step(int h, __m512i sum[MR][2], const int32_t *a,
                                                       const int32_t *b)
{
    const __m512 b0 = _mm512_castsi512_ps(_mm512_load_si512(b));
    const __m512 b1 = _mm512_castsi512_ps(_mm512_load_si512(b + 16));
    for (int i = 0; i < h; i++) {
        const __m512 x = _mm512_castsi512_ps(_mm512_set1_epi32(a[WS_CHUNK * i]));
        sum[i][0] = _mm512_castps_si512(_mm512_fmadd_ps(x, b0, _mm512_castsi512_ps(sum[i][0])));
        sum[i][1] = _mm512_castps_si512(_mm512_fmadd_ps(x, b1, _mm512_castsi512_ps(sum[i][1])));
    }
}

#include "kernels/x86/gemm_driver_avx512.h"

/* No compensation and no scales: a panel is its weights alone. */
static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * k * NR * sizeof(float);
}

static void pack_f32(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                     size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 0, p0, p1, packed);
}

/* The weights are rounded once, here, and kept as f32: twice the memory of bf16, but no widening
 * in the loop. */
static void pack_bf16(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                      size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 1, p0, p1, packed);
}

/* Rows in groups of MR, chunk by chunk, so that the tile reads one stretch of memory
 * (gemm_places.h). */
static size_t prepared_bytes(size_t m, size_t k)
{
    return m * ws_row_words(k, 1) * sizeof(float);
}

/* To bf16 and back: round to nearest even on the upper half; a NaN stays one. */
static inline __m512 round_bf16(__m512 x)
{
    const __m512i u = _mm512_castps_si512(x), one = _mm512_set1_epi32(1);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), one);
    const __m512i up = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i kept = _mm512_and_si512(up, _mm512_set1_epi32((int)0xffff0000u));
    return _mm512_mask_mov_ps(_mm512_castsi512_ps(kept), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

ALWAYS_INLINE void prepare_row(const ws_row *r, size_t k, int bf16, const ws_row_place *place)
{
    float *to = place->to;
    size_t p = 0;
    for (; p + WS_CHUNK <= k; p += WS_CHUNK, to += place->step) {
        const __m512 x = ws_row_value(r, p, 0xffff);
        _mm512_store_ps(to, bf16 ? round_bf16(x) : x);
    }
    if (p < k) {
        const __m512 x = ws_row_value(r, p, ws_mask16(k - p));
        _mm512_store_ps(to, bf16 ? round_bf16(x) : x);
    }
}

ALWAYS_INLINE void prepare(size_t m, size_t k, const wsam_rows *rows, int bf16, void *prepared)
{
    ws_row_place place = ws_first_place(prepared, m, MR, ws_row_words(k, 1));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        /* Rows with neither add nor norm, most of a ViT's second products, get a loop without
         * those questions. */
        const ws_row r = ws_row_open(rows, i, k), plain = ws_row_plain(&r);
        if (r.add || r.weight)
            prepare_row(&r, k, bf16, &place);
        else
            prepare_row(&plain, k, bf16, &place);
    }
}

static void prepare_f32(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    prepare(m, k, rows, 0, prepared);
}

static void prepare_bf16(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    prepare(m, k, rows, 1, prepared);
}

/* Values of bf16 are the same in f32, and rounded already. */
static void prepare_narrow(size_t m, size_t k, const uint16_t *rows, size_t ld, void *prepared)
{
    ws_row_place place = ws_first_place(prepared, m, MR, ws_row_words(k, 1));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        const ws_row r = ws_row_narrow(rows + i * ld);
        prepare_row(&r, k, 0, &place);
    }
}

/* A word is one f32: there are as many as k. */
static void run(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    const product p = {.m = m,
                       .words = k,
                       .row_words = ws_row_words(k, 1),
                       .panel = k * NR,
                       .rows = prepared,
                       .epilogue = epilogue,
                       .c = c,
                       .ldc = ldc};
    (void)n;
    run_product(&p, n0, n1, packed);
}

void ws_gemm_init_avx512(wsam_kernels *table)
{
    table->gemm_f32 = (wsam_gemm_kernel){.name = "gemm_f32_14x32_avx512",
                                         .nr = NR,
                                         .rows = 64,
                                         .packed_bytes = packed_bytes,
                                         .pack = pack_f32,
                                         .prepared_bytes = prepared_bytes,
                                         .prepare = prepare_f32,
                                         .prepare_narrow = prepare_narrow,
                                         .run = run};
    /* The same loop with other operands: what rounding costs is paid in pack and prepare. */
    table->gemm_bf16 = table->gemm_f32;
    table->gemm_bf16.name = "gemm_bf16_14x32_avx512";
    table->gemm_bf16.pack = pack_bf16;
    table->gemm_bf16.prepare = prepare_bf16;
}
